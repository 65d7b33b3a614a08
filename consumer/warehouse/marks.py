"""Who counts once: each group's mark is with its least (event_at, event_key).

Order of arrival changes nothing: an earlier event that arrives late takes the mark over. The
groups are in docs/metrics.md: message × recipient for delays, opens, clicks and engagement (each
also human only), the feedback id for complaints. A first Delivery is far too common to hold a mark:
of a recipient's Deliveries only the later ones are noted, as ``repeat``.
"""

from typing import Final

import duckdb
import pyarrow as pa

from consumer.warehouse.hours import hours_of, near, within

# grain: one row per group and kind that a row of this batch could hold
_CANDIDATES: Final = """
create or replace temp table candidates as
with rows as (
    select
        i.mark_key,
        i.event_at,
        i.event_key,
        i.ordinal,
        i.sent_at,
        case i.event_type
            when 'DeliveryDelay' then ['delay']
            when 'Complaint' then ['complaint']
            when 'Open' then
                ['open', 'engaged']
                || if(v.machine_rule is null, ['human_open', 'human_engaged'], [])
            when 'Click' then
                ['click', 'engaged']
                || if(v.machine_rule is null, ['human_click', 'human_engaged'], [])
        end as kinds,
    from staying as i
    left join verdicts as v on v.ordinal = i.ordinal
    where
        i.mark_key is not null
        and not i.is_simulator
        and (
            i.event_type != 'Complaint'
            or complaint_kind_of(i.complaint_sub_type, i.complaint_feedback_type) = 'complaint'
        )
),
each_kind as (
    select mark_key, event_at, event_key, ordinal, sent_at, unnest(kinds) as kind from rows
)
select
    mark_key,
    kind,
    min(event_at) as event_at,
    arg_min(event_key, (event_at, event_key)) as event_key,
    arg_min(ordinal, (event_at, event_key)) as ordinal,
    min(sent_at) as sent_at,
from each_kind
group by mark_key, kind
"""

_HELD: Final = """
create or replace temp table held as
select
    m.mark_key,
    m.kind,
    m.event_key,
    m.event_at,
    m.sent_at,
    (c.event_at, c.event_key) < (m.event_at, m.event_key) as gives_way,
from marks as m
join candidates as c on c.mark_key = m.mark_key and c.kind = m.kind
where {within}
"""

_LOST: Final = (
    "select kind, event_key::varchar as event_key, event_at, sent_at from held where gives_way"
)

_GIVE_WAY: Final = """
delete from marks
where {within} and (mark_key, kind) in (select (mark_key, kind) from held where gives_way)
"""

_TAKEN: Final = """
select c.mark_key, c.kind, c.event_at, c.event_key::varchar as event_key, c.sent_at, c.ordinal
from candidates as c
where not exists (
    select 1 from held as h
    where h.mark_key = c.mark_key and h.kind = c.kind and not h.gives_way
)
"""

_TAKE: Final = """
insert into marks by name
select mark_key, kind, event_at, event_key::uuid as event_key, sent_at from taken
"""

# grain: one row per Delivery that an earlier one of its recipient precedes, stored or arriving
# (then it has an ordinal)
_REPEATS: Final = """
create or replace temp table repeats as
with arriving as (
    select i.message_id, i.recipient, i.event_at, i.event_key, i.sent_at, i.ordinal
    from staying as i
    where
        i.event_type = 'Delivery'
        and i.recipient is not null
        and not i.is_simulator
        and is_near_sending(i.event_at, i.sent_at)
),
stored as (
    select
        e.message_id, e.recipient, e.event_at, e.event_key, e.sent_at,
        null::integer as ordinal,
    from events as e
    join arriving as a on a.message_id = e.message_id and a.recipient = e.recipient
    where
        e.event_type = 'Delivery'
        and not e.is_simulator
        and is_near_sending(e.event_at, e.sent_at)
        and {within}
),
several as (
    select message_id, recipient, event_at, event_key, sent_at, ordinal from arriving
    where (message_id, recipient) in (
        select (message_id, recipient) from arriving group by all having count(*) > 1
        union all
        select (message_id, recipient) from stored
    )
    union
    select message_id, recipient, event_at, event_key, sent_at, ordinal from stored
)
select event_at, event_key, sent_at, ordinal from several
qualify
    row_number() over (partition by message_id, recipient order by event_at, event_key) > 1
"""

_REPEATED: Final = "select event_key::varchar as event_key, event_at, sent_at, ordinal from repeats"

# A group of its own each: the low half of its key.
_NOTE_REPEATS: Final = """
insert into marks by name
select
    (r.event_key::uhugeint & 18446744073709551615)::ubigint as mark_key,
    'repeat' as kind,
    r.event_at,
    r.event_key,
    r.sent_at,
from repeats as r
where r.event_key not in (select event_key from marks where kind = 'repeat' and {within})
"""

# A Delivery pairs with others of its recipient from an hour before its sending to a day after.
_HOURS_NEAR_SENDING: Final = range(-1, 25)


def mark_repeats(connection: duckdb.DuckDBPyConnection, sent_at: pa.Array) -> pa.Table:
    """Note every Delivery that follows another of its message and recipient, for it is no outcome.

    To be called before the batch is inserted. The look-up reads the hours that ``sent_at``, of the
    batch's Deliveries, leaves open; what it finds is rare. Returns that: event_key (as text),
    event_at, sent_at, and ordinal where it arrives only now.
    """
    hours = {hour + later for hour in hours_of(sent_at) for later in _HOURS_NEAR_SENDING}
    connection.execute(_REPEATS.format(within=within("e.event_at", hours)))
    found = connection.sql(_REPEATED).to_arrow_table()
    if found.num_rows:
        by_send = near("sent_at", found["sent_at"].combine_chunks())
        connection.execute(_NOTE_REPEATS.format(within=by_send))
    return found


def place_marks(
    connection: duckdb.DuckDBPyConnection, sent_at: pa.Array
) -> tuple[pa.Table, pa.Table]:
    """Give the marks of this batch's groups to their least events.

    ``sent_at`` is that of the rows that may hold one: all events of a message share it, so a
    group's mark lies in the same hour. Returns the marks that arriving events took (kind and
    ordinal among their columns), and those that stored events lost to them (kind, and the event's
    event_key as text, event_at and sent_at).
    """
    connection.execute(_CANDIDATES)
    hours = hours_of(sent_at)
    connection.execute(_HELD.format(within=within("m.sent_at", hours)))
    lost = connection.sql(_LOST).to_arrow_table()
    if lost.num_rows:
        connection.execute(_GIVE_WAY.format(within=within("sent_at", hours)))
    taken = connection.sql(_TAKEN).to_arrow_table()
    connection.register("taken", taken)
    connection.execute(_TAKE)
    return taken, lost
