"""What belongs to the message: poor rows take it from the message's Send, whichever came first.

Identity notifications carry no tags, delays and rendering failures only the configuration set's.
Such a row looks for its Send around its ``sent_at``, where the Send is (a Send's
``event_at`` is its ``sent_at``); one that finds none waits, and the Send that comes later finds it.
"""

from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.hours import near

# grain: one row per message and account whose Send is known
_FACTS: Final = """
create or replace temp table message_facts as
with sends as (
    select message_id, account, configuration_set, tenant, from_domain, tags
    from events
    where event_type = 'Send' and {within} and message_id in (
        select message_id from staying where is_poor
    )
    union all
    select message_id, account, configuration_set, tenant, from_domain, tags
    from sends_of_poor
)
select distinct on (message_id, account)
    message_id, account, configuration_set, tenant, from_domain, tags
from sends
"""

_WAIT: Final = """
insert into waiting
select i.message_id, i.sent_at, i.event_at, i.event_key
from staying as i
where i.is_poor and not exists (
    select 1 from message_facts as m
    where m.message_id = i.message_id and m.account is not distinct from i.account
)
"""

# grain: one row per waiting row whose message's Send has just come
_FOUND: Final = """
create or replace temp table found as
select w.message_id, w.event_key, w.event_at, w.sent_at
from waiting as w
where {within} and w.message_id in (select message_id from staying where event_type = 'Send')
"""

_MOVED: Final = """
create or replace temp table moved as
with sent as (
    select distinct on (w.event_key, i.account)
        w.event_key,
        i.account,
        i.configuration_set,
        i.tenant,
        i.from_domain,
        i.tags,
    from found as w
    join staying as i on i.message_id = w.message_id
    where i.event_type = 'Send'
)
select
    e.* replace (
        s.configuration_set as configuration_set,
        s.tenant as tenant,
        s.from_domain as from_domain,
        s.tags as tags
    ),
from events as e
join sent as s on s.event_key = e.event_key
where {within} and e.account is not distinct from s.account
"""
_COMPLETED: Final = """
select event_key::varchar as event_key, event_at, sent_at, configuration_set, from_domain
from moved
"""

_SENT: Final = ["message_id", "account", "configuration_set", "tenant", "from_domain", "tags"]


def find_facts(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Fill ``message_facts`` from the Sends stored and arriving, for the poor rows of ``rows``.

    The arriving ones are picked in Arrow: DuckDB would convert the tags of every row first.
    """
    poor = rows.select(["message_id", "sent_at"]).filter(rows["is_poor"])
    is_send = pc.equal(rows["event_type"], "Send")
    is_wanted = pc.is_in(rows["message_id"], value_set=poor["message_id"])
    sends = rows.select(_SENT).filter(pc.and_(is_send, is_wanted))
    connection.register("sends_of_poor", sends)
    connection.execute(_FACTS.format(within=near("event_at", poor["sent_at"])))


def wait(connection: duckdb.DuckDBPyConnection) -> None:
    """Note the poor rows whose message's Send is not here yet."""
    connection.execute(_WAIT)


def complete_waiting(
    connection: duckdb.DuckDBPyConnection, sends_sent_at: pa.Array
) -> pa.Table | None:
    """Give stored rows that waited what this batch's Sends say.

    Each is a delete and an insert: an update of nested columns would be the same. Returns what
    the rows say now: event_key (as text), event_at, sent_at, configuration_set, from_domain.
    """
    connection.execute(_FOUND.format(within=near("w.sent_at", sends_sent_at)))
    found = connection.sql("select event_at, sent_at from found").to_arrow_table()
    if not found.num_rows:
        return None
    by_event = near("event_at", found["event_at"].combine_chunks())
    connection.execute(_MOVED.format(within=by_event.replace("event_at", "e.event_at")))
    keys = "event_key in (select event_key from moved)"
    connection.execute(f"delete from events where {by_event} and {keys}")
    connection.execute("insert into events by name select * from moved")
    by_send = near("sent_at", found["sent_at"].combine_chunks())
    connection.execute(f"delete from waiting where {by_send} and {keys}")
    return connection.sql(_COMPLETED).to_arrow_table()
