"""What becomes of each arriving row: new, a duplicate, or the better copy of one that is there.

The same Bounce, Complaint or Delivery can arrive as identity notification and as event
publishing, in either order; one copy remains, the event-publishing one. Copies of one Bounce or
Complaint share their feedback id, or message and second, even where their lists differ.
"""

from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.hours import hours_of, near, within

# Copies of one report share this; a report without feedback id is one a message and second.
_FORM_GROUP: Final = """
    case when {row}.event_type in ('Bounce', 'Complaint') then coalesce(
        {row}.feedback_id,
        concat_ws(
            ' ', {row}.event_type, {row}.message_id, date_trunc('second', {row}.event_at)
        )
    )
    else {row}.event_key::varchar end
"""

# grain: one row per arriving row; fate is its place in the conservation law, stays says whether
# it is in `events` once the batch is committed
_FATES_OF_ONE_FORM: Final = """
create or replace temp table fates as
with judged as (
    select
        i.ordinal,
        case
            when i.sent_at < {horizon} then 'expired'
            when k.event_key is not null then 'duplicate'
            when row_number() over (partition by i.event_key order by i.ordinal) > 1
                then 'duplicate'
            else 'inserted'
        end as fate,
    from incoming as i
    left join (select event_key from events where {within}) as k
        on k.event_key = i.event_key
)
select ordinal, fate, fate = 'inserted' as stays from judged
"""

_KNOWN: Final = f"""
create or replace temp table known as
select e.event_key, e.event_at, e.sent_at, e.message_id,
    e.is_identity_notification as is_identity,
    {_FORM_GROUP.format(row="e")} as form_group,
from events as e
where {{within}} and e.event_key in (select event_key from incoming)
union
select e.event_key, e.event_at, e.sent_at, e.message_id,
    e.is_identity_notification as is_identity,
    {_FORM_GROUP.format(row="e")} as form_group,
from events as e
where {{within}} and e.event_type in ('Bounce', 'Complaint') and (
    e.feedback_id in (select feedback_id from incoming where feedback_id is not null)
    or (
        e.feedback_id is null and e.message_id in (
            select message_id from incoming
            where event_type in ('Bounce', 'Complaint') and feedback_id is null
        )
    )
)
"""

_FATES_OF_TWO_FORMS: Final = f"""
create or replace temp table fates as
with arrivals as (
    select
        i.ordinal,
        i.event_key,
        i.sent_at,
        i.is_identity_notification as is_identity,
        {_FORM_GROUP.format(row="i")} as form_group,
    from incoming as i
),
known_keys as (
    select event_key, bool_or(not is_identity) as is_published from known group by event_key
),
known_groups as (
    select
        form_group,
        bool_or(not is_identity) as has_published,
        bool_or(is_identity) as has_identity,
    from known
    group by form_group
),
placed as (
    select
        a.ordinal,
        a.sent_at,
        a.is_identity,
        a.form_group,
        k.event_key is not null as is_known,
        coalesce(k.is_published, false) as is_known_published,
        coalesce(g.has_published, false) as has_published,
        coalesce(g.has_identity, false) as has_identity,
        row_number() over (
            partition by a.event_key, a.is_identity order by a.ordinal
        ) as copy_number,
        min(a.ordinal) filter (where not a.is_identity and a.sent_at >= {{horizon}}) over (
            partition by a.form_group
        ) as first_published,
        min(a.ordinal) filter (where a.is_identity and a.sent_at >= {{horizon}}) over (
            partition by a.form_group
        ) as first_identity,
    from arrivals as a
    left join known_keys as k on k.event_key = a.event_key
    left join known_groups as g on g.form_group = a.form_group
),
judged as (
    select
        ordinal,
        is_identity,
        form_group,
        first_published,
        case
            when sent_at < {{horizon}} then 'expired'
            when copy_number > 1 then 'duplicate'
            when is_identity and (
                has_published or is_known or coalesce(first_published < ordinal, false)
            ) then 'duplicate'
            when is_identity then 'inserted'
            when is_known_published then 'duplicate'
            when has_identity or coalesce(first_identity < ordinal, false) then 'superseded'
            else 'inserted'
        end as fate,
    from placed
)
select
    ordinal,
    fate,
    fate in ('inserted', 'superseded')
    and (not is_identity or first_published is null) as stays,
    form_group,
from judged
"""

# the stored identity copies that give way, with what is needed to find them again
_GIVING_WAY: Final = """
create or replace temp table giving_way as
select k.event_key, k.event_at, k.sent_at, k.message_id
from known as k
where k.is_identity and k.form_group in (
    select form_group from fates where fate = 'superseded'
)
"""


_GONE: Final = (
    "select event_key::varchar as event_key, event_at, sent_at, message_id from giving_way"
)


def judge(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    *,
    horizon: str,
    has_identity_copies: bool,
) -> tuple[int, pa.Table | None]:
    """Fill the temporary table ``fates`` for the rows registered as ``incoming``.

    Stored copies that give way leave the warehouse here, with their marks and their place among
    the waiting. Returns how many rows were taken out, or never put in, for a better copy, and the
    rows taken out: event_key (as text), event_at, sent_at, message_id.

    Args:
        connection: the writer's, inside its transaction.
        rows: the same rows as ``incoming``.
        horizon: SQL for the instant before which messages have been pruned.
        has_identity_copies: whether the warehouse holds any identity notification: without one
            there or here nothing can give way, and the question costs nothing.
    """
    hours = hours_of(rows["event_at"])
    arrives_by_identity = bool(pc.any(rows["is_identity_notification"]).as_py())
    if not arrives_by_identity and not has_identity_copies:
        condition = within("event_at", hours)
        connection.execute(_FATES_OF_ONE_FORM.format(within=condition, horizon=horizon))
        return 0, None
    connection.execute(_KNOWN.format(within=within("e.event_at", hours)))
    connection.execute(_FATES_OF_TWO_FORMS.format(horizon=horizon))
    connection.execute(_GIVING_WAY)
    stored = connection.sql(_GONE).to_arrow_table()
    if stored.num_rows:
        _remove(connection, stored)
    (passed_over,) = connection.execute(
        "select count(*) from fates where fate = 'inserted' and not stays"
    ).fetchall()[0]
    return int(stored.num_rows) + int(passed_over), stored


def _remove(connection: duckdb.DuckDBPyConnection, stored: pa.Table) -> None:
    by_event = near("event_at", stored["event_at"].combine_chunks())
    by_send = near("sent_at", stored["sent_at"].combine_chunks())
    keys = "event_key in (select event_key from giving_way)"
    connection.execute(f"delete from events where {by_event} and {keys}")
    connection.execute(f"delete from marks where {by_send} and {keys}")
    connection.execute(f"delete from waiting where {by_send} and {keys}")
