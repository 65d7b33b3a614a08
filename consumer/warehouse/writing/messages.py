"""What belongs to the message: poor rows take it from the message's Send, whichever came first.

Identity notifications carry no tags, delays and rendering failures only the configuration set's.
Such a row looks for its Send around its ``sent_at``, where the Send is (a Send's
``event_at`` is its ``sent_at``); one that finds none waits, and the Send that comes later finds it.
"""

from typing import Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.rows.columns import ROW_SCHEMA
from consumer.warehouse.hours import near
from consumer.warehouse.pieces import split, whole

_OF_MESSAGE: Final = ("configuration_set", "tenant", "from_domain", "tags")
_SENT: Final = ("message_id", "account", *_OF_MESSAGE)
_STORED_SENDS: Final = f"""
select {", ".join(f"e.{name}" for name in _SENT)}
from events as e
where e.event_type = 'Send' and {{within}} and e.message_id in (select message_id from poor)
"""

_WAIT: Final = """
insert into waiting by name
select message_id, sent_at, event_at, event_key from waiting_rows
"""

# grain: one row per waiting row whose message's Send has just come
_FOUND: Final = """
create or replace temp table found as
select w.message_id, w.event_key, w.event_at, w.sent_at
from waiting as w
where {within} and w.message_id in (select message_id from sends)
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
    join sends as i on i.message_id = w.message_id
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
select event_key::varchar as event_key, event_at, sent_at, configuration_set, from_domain, tags
from moved
"""


class Filled(NamedTuple):
    """Rows with what belongs to their messages, and those of them that know no Send yet."""

    rows: pa.Table
    waiting: pa.Table


def fill_poor(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Filled:
    """Give poor rows what the Sends say, stored and arriving ones."""
    is_poor = whole(rows["is_poor"])
    if not is_poor.true_count:
        return Filled(rows, rows.slice(0, 0))
    poor, others = split(rows, is_poor)
    sends = _find_sends(connection, poor, rows)
    place = pc.index_in(_to_name(poor), value_set=_to_name(sends))
    is_known = pc.is_valid(place)
    for name in _OF_MESSAGE:
        # of both, one behind the other: maps know no other way to choose
        said = pa.chunked_array(
            [*sends[name].chunks, *poor[name].chunks], ROW_SCHEMA.field(name).type
        )
        own = pa.array(range(sends.num_rows, len(said)), pa.int32())
        column = said.take(pc.coalesce(place, own))
        poor = poor.set_column(poor.column_names.index(name), name, column)
    return Filled(pa.concat_tables([others, poor]), poor.filter(pc.invert(is_known)))


def _find_sends(connection: duckdb.DuckDBPyConnection, poor: pa.Table, rows: pa.Table) -> pa.Table:
    """Return the Sends of the poor rows' messages, a row for each recipient."""
    connection.register("poor", poor.select(["message_id"]))
    within = near("e.event_at", whole(poor["sent_at"]))
    stored = connection.sql(_STORED_SENDS.format(within=within)).to_arrow_table()
    is_send = pc.equal(rows["event_type"], "Send")
    is_wanted = pc.is_in(rows["message_id"], value_set=whole(poor["message_id"]))
    arriving = rows.select(_SENT).filter(pc.and_(is_send, is_wanted))
    return pa.concat_tables([stored.cast(arriving.schema), arriving])


def _to_name(rows: pa.Table) -> pa.Array:
    """Name each row's message by its id and account, as one text; no account is one of its own."""
    names = [whole(rows["message_id"]), pc.fill_null(whole(rows["account"]), "\0")]
    return pc.binary_join_element_wise(*names, " ")


def wait(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Note rows whose message's Send is not here yet."""
    if rows.num_rows:
        connection.register("waiting_rows", rows)
        connection.execute(_WAIT)


def complete_waiting(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table | None:
    """Give stored rows that waited what the Sends among these rows say.

    Each is a delete and an insert: an update of nested columns would be the same. Returns what
    the rows say now: event_key (as text), event_at, sent_at, configuration_set, from_domain, tags.
    """
    sends = rows.select([*_SENT, "sent_at"]).filter(pc.equal(rows["event_type"], "Send"))
    if not sends.num_rows:
        return None
    connection.register("sends", sends)
    connection.execute(_FOUND.format(within=near("w.sent_at", whole(sends["sent_at"]))))
    found = connection.sql("select event_at, sent_at from found").to_arrow_table()
    if not found.num_rows:
        return None
    by_event = near("event_at", whole(found["event_at"]))
    connection.execute(_MOVED.format(within=near("e.event_at", whole(found["event_at"]))))
    keys = "event_key in (select event_key from moved)"
    connection.execute(f"delete from events where {by_event} and {keys}")
    connection.execute("insert into events by name select * from moved")
    by_send = near("sent_at", whole(found["sent_at"]))
    connection.execute(f"delete from waiting where {by_send} and {keys}")
    return connection.sql(_COMPLETED).to_arrow_table()
