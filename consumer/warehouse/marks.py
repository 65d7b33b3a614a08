"""Who counts once: each group's mark is with its least (event_at, event_key).

Order of arrival changes nothing: an earlier event that arrives late takes the mark over. The
groups are in docs/metrics.md: message × recipient for delays, opens, clicks and engagement (each
also human only), the feedback id for complaints.
"""

from typing import Final

import duckdb
import pyarrow as pa

from consumer.warehouse.hours import hours_of, within

# grain: one row per group and kind that a row of this batch could hold
_CANDIDATES: Final = """
create or replace temp table candidates as
with rows as (
    select
        i.mark_key,
        i.event_at,
        i.event_key,
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
    from incoming as i
    join fates as f on f.ordinal = i.ordinal
    left join verdicts as v on v.ordinal = i.ordinal
    where
        f.stays
        and i.mark_key is not null
        and not i.is_simulator
        and (
            i.event_type != 'Complaint'
            or complaint_kind_of(i.complaint_sub_type, i.complaint_feedback_type) = 'complaint'
        )
),
each_kind as (
    select mark_key, event_at, event_key, sent_at, unnest(kinds) as kind from rows
)
select
    mark_key,
    kind,
    min(event_at) as event_at,
    arg_min(event_key, (event_at, event_key)) as event_key,
    min(sent_at) as sent_at,
from each_kind
group by mark_key, kind
"""

_HELD: Final = """
create or replace temp table held as
select
    m.mark_key,
    m.kind,
    (c.event_at, c.event_key) < (m.event_at, m.event_key) as gives_way,
from marks as m
join candidates as c on c.mark_key = m.mark_key and c.kind = m.kind
where {within}
"""

_GIVE_WAY: Final = """
delete from marks
where {within} and (mark_key, kind) in (select (mark_key, kind) from held where gives_way)
"""

_TAKE: Final = """
insert into marks by name
select c.mark_key, c.kind, c.event_at, c.event_key, c.sent_at
from candidates as c
where not exists (
    select 1 from held as h
    where h.mark_key = c.mark_key and h.kind = c.kind and not h.gives_way
)
"""


def place_marks(connection: duckdb.DuckDBPyConnection, sent_at: pa.Array) -> None:
    """Give the marks of this batch's groups to their least events.

    ``sent_at`` is that of the rows that may hold one: all events of a message share it, so a
    group's mark lies in the same hour.
    """
    connection.execute(_CANDIDATES)
    hours = hours_of(sent_at)
    connection.execute(_HELD.format(within=within("m.sent_at", hours)))
    (giving_way,) = connection.execute("select count(*) from held where gives_way").fetchall()[0]
    if giving_way:
        connection.execute(_GIVE_WAY.format(within=within("sent_at", hours)))
    connection.execute(_TAKE)
