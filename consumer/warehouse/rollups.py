"""Adds up what batches changed: rollups by the hour, and what is published by the day.

``rollup_deltas`` holds the changes since the last time, in rows that the views add to the rollups,
so that figures are the same before and after. Folding sums equal keys; several rows of one key are
right too, and `compact` makes them one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Final

import duckdb

from consumer.warehouse.counts import COUNTS
from consumer.warehouse.facts import FROZEN, read_instant

# Past this many rows a batch folds them in: reading them costs each question more than that.
MOST_DELTAS: Final = 100_000
# Events that are counted again at once, by whole days: what is grouped has to fit into memory.
_RECOUNTED_AT_ONCE: Final = 1_000_000

_DIMENSIONS: Final = (
    *("account", "region", "configuration_set", "identity", "source", "from_domain", "provider"),
)
_SET: Final = _DIMENSIONS[:-1]

# All yield: the type, hours and days on both axes, dimensions as events have them, counts.
_FROM_CHANGES: Final = f"""
select
    event_type,
    date_trunc('hour', event_at) as event_hour,
    report_day(event_at) as event_day,
    date_trunc('hour', sent_at) as cohort_hour,
    report_day(sent_at) as cohort_day,
    {", ".join(_DIMENSIONS)},
    n as events,
    {", ".join(f"n * ((counts >> {bit}) & 1) as {name}" for bit, name in enumerate(COUNTS))}
from {{table}}
"""
_FROM_DELTAS: Final = _FROM_CHANGES.format(table="rollup_deltas")
# Of messages whose events are pruned, what they count as in hours that are not frozen yet.
_FROM_REMAINS: Final = _FROM_CHANGES.format(table="rollup_remains")
_OF_EVENT: Final = {
    "aws_outcomes": (
        "aws_outcome(o.outcomes, o.bounce_sub_type, o.is_own_domain, o.recipient) as aws_outcomes"
    )
}
_FROM_EVENTS: Final = f"""
select
    o.event_type,
    o.event_hour,
    o.event_day,
    o.cohort_hour,
    o.cohort_day,
    o.account,
    o.region,
    o.configuration_set,
    o.own_identity as identity,
    if(o.own_identity is null, o.source, null) as source,
    if(
        o.own_identity is null and coalesce(split_part(o.source, '@', -1), '') = '',
        o.from_domain, null
    ) as from_domain,
    o.provider,
    1 as events,
    {", ".join(_OF_EVENT.get(name, f"o.{name}") for name in COUNTS)}
from event_outcomes as o
"""
_SUMMED: Final = ("events", *COUNTS)
_SUMS: Final = ", ".join(f"sum({name})::bigint as {name}" for name in _SUMMED)
_EMPTY: Final = " and ".join(f"sum({name}) = 0" for name in _SUMMED)

# table -> its axis's hour, day, and what it keeps of the other axis's day
_HOURLY: Final = {
    "rollup_hourly_by_event_time": (
        "event_hour",
        "event_day",
        "if(has_basis(event_type), cohort_day, null)",
    ),
    "rollup_hourly_by_send_cohort": (
        "cohort_hour",
        "cohort_day",
        "if(event_type = 'Delivery', event_day, null)",
    ),
}
_COVERED: Final = ("event_day", "cohort_day")
# The tables, each with the column that says when.
ROLLUPS: Final = {**dict.fromkeys(_HOURLY, "period"), "rollup_coverage": "axis_day"}


def _to_hourly(table: str, rows: str) -> str:
    hour, day, other_day = _HOURLY[table]
    return f"""
        select {hour} as period, {day} as period_day, {other_day} as other_day,
            {", ".join(_DIMENSIONS)}, {_SUMS}
        from ({rows})
        group by all
    """


def _to_coverage(axis: str, rows: str) -> str:
    own = ", ".join(
        f"if(configuration_set is null, {name}, null) as {name}"
        for name in ("identity", "source", "from_domain")
    )
    return f"""
        select '{axis}' as axis, {axis} as axis_day, account, region, configuration_set, {own},
            event_type, sum(events)::bigint as events, sum(sends)::bigint as sends,
            sum(outcomes)::bigint as outcomes
        from ({rows})
        group by all
    """


def fold(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the deltas up and empty their table, inside the caller's transaction."""
    if not _has_rows(connection, "rollup_deltas"):
        return
    connection.execute(f"create or replace temp table folding as {_FROM_DELTAS}")
    _enter(connection, "from folding")
    connection.execute("drop table folding")
    connection.execute("delete from rollup_deltas")


def fold_when_many(connection: duckdb.DuckDBPyConnection) -> None:
    """Fold once there are `MOST_DELTAS`, so that questions stay quick."""
    ((rows,),) = connection.execute("select count(*) from rollup_deltas").fetchall()
    if rows >= MOST_DELTAS:
        fold(connection)


def recompute(
    connection: duckdb.DuckDBPyConnection,
    start: datetime | None = None,
    end: datetime | None = None,
) -> None:
    """Make the rollups again from the events, inside the caller's transaction.

    For a change of rules, of the time zone, or after a doubt. ``start`` and ``end`` (UTC, full
    days of ``report_time_zone``) bound the rows that are made again, each on its own axis; what
    lies outside stays as it is, as does what was frozen when its events were pruned.
    """
    fold(connection)
    frozen = read_instant(value for (value,) in connection.execute(FROZEN).fetchall())
    if frozen is not None:
        start = frozen if start is None else max(start, frozen)
    for (table, (hour, _, _)), axis in zip(_HOURLY.items(), _COVERED, strict=True):
        connection.execute(f"delete from {table} where {_between('period', start, end)}")
        days = _between("axis_day", start, end)
        connection.execute(f"delete from rollup_coverage where axis = '{axis}' and {days}")
        for stretch in _to_stretches(connection, hour):
            rows = _recount(hour, start, end, frozen=frozen, stretch=stretch)
            connection.execute(f"insert into {table} by name {_to_hourly(table, rows)}")
            rows = _recount(axis, start, end, frozen=frozen, stretch=stretch)
            connection.execute(f"insert into rollup_coverage by name {_to_coverage(axis, rows)}")


def _to_stretches(connection: duckdb.DuckDBPyConnection, hour: str) -> list[str]:
    """Conditions on an axis's hour that share all time out, by how many events lie where.

    Days of UTC: one of another zone may lie in two stretches, and has two rows of each key then.
    """
    column = {"event_hour": "event_at", "cohort_hour": "sent_at"}[hour]
    days = connection.execute(
        f"select date_trunc('day', {column}) as day, count(*) from events group by day order by day"
    ).fetchall()
    cuts, held = [], 0
    for day, events in days:
        if held and held + events > _RECOUNTED_AT_ONCE:
            cuts.append(day)
            held = 0
        held += events
    return [_between(hour, since, until) for since, until in pairwise([None, *cuts, None])]


def compact(connection: duckdb.DuckDBPyConnection, start: datetime, end: datetime) -> None:
    """Make one row of all that share a key, of the hours from ``start`` to ``end``."""
    hours = _between("period", start, end)
    for table in _HOURLY:
        connection.execute(
            f"""
            create or replace temp table compacted as
            select period, period_day, other_day, {", ".join(_DIMENSIONS)}, {_SUMS}
            from {table} where {hours} group by all having not ({_EMPTY})
            """
        )
        connection.execute(f"delete from {table} where {hours}")
        connection.execute(f"insert into {table} by name from compacted")
        connection.execute("drop table compacted")


def to_comparisons(frozen: datetime | None) -> list[tuple[str, str]]:
    """Give, by rollup, the question how many of its keys differ from a recount of the events.

    What was ``frozen`` has no events to recount and is left out.
    """
    comparisons = []
    for table, (hour, _, _) in _HOURLY.items():
        names = f"period, period_day, other_day, {', '.join(_DIMENSIONS)}"
        sides = _sides(
            f"select {names}, {', '.join(_SUMMED)} from {table}",
            _to_hourly(table, _FROM_DELTAS),
            _to_hourly(table, _recount(hour, frozen, None, frozen=frozen)),
            _SUMMED,
        )
        kept = _between("period", frozen, None)
        comparisons.append((table, _count_different(sides, names, _SUMMED, kept)))
    counted = ("events", "sends", "outcomes")
    names = f"axis, axis_day, {', '.join(_SET)}, event_type"
    for axis in _COVERED:
        recounted = _recount(axis, frozen, None, frozen=frozen)
        sides = _sides(
            f"select {names}, {', '.join(counted)} from rollup_coverage where axis = '{axis}'",
            _to_coverage(axis, _FROM_DELTAS),
            _to_coverage(axis, recounted),
            counted,
        )
        kept = _between("axis_day", frozen, None)
        name = f"rollup_coverage by {axis}"
        comparisons.append((name, _count_different(sides, names, counted, kept)))
    return comparisons


def to_remains(frozen: datetime | None, horizon: datetime) -> str:
    """Give the question what messages sent between the two count as from ``horizon`` on.

    Rows for ``rollup_remains``. They are to be kept before the messages' events go: the hours in
    which somebody opened an old mail are not frozen with the mail. Quarters of an hour tell every
    time zone's days apart.
    """
    bits = " | ".join(f"({name}::bigint << {bit})" for bit, name in enumerate(COUNTS))
    recounted = _FROM_EVENTS.replace("select", "select o.event_at, o.sent_at,", 1)
    return f"""
        select event_type, time_bucket(interval 15 minute, event_at) as event_at,
            time_bucket(interval 15 minute, sent_at) as sent_at, {", ".join(_DIMENSIONS)},
            {bits} as counts, count(*) as n
        from ({recounted} where o.event_at >= timestamp '{horizon}'
            and {_between("o.sent_at", frozen, horizon)})
        group by all
    """


def copy_frozen(table: str, frozen: datetime) -> str:
    """Give the question for a rollup's rows of periods before ``frozen``, with its deltas."""
    if table in _HOURLY:
        pending = _to_hourly(table, _FROM_DELTAS)
    else:
        pending = " union all by name ".join(
            f"({_to_coverage(axis, _FROM_DELTAS)})" for axis in _COVERED
        )
    before = _between(ROLLUPS[table], None, frozen)
    return (
        f"select * from {table} where {before} "
        f"union all by name select * from ({pending}) where {before}"
    )


def _recount(
    column: str,
    start: datetime | None,
    end: datetime | None,
    *,
    frozen: datetime | None,
    stretch: str = "true",
) -> str:
    """Count the events again whose ``column`` lies between, with what remains of pruned ones."""
    within = f"{_between(column, start, end)} and {stretch}"
    if frozen is None:
        return f"{_FROM_EVENTS} where {within}"
    # failures may be kept for longer: they are among what remains
    return (
        f"{_FROM_EVENTS} where {within} and {_between('o.sent_at', frozen, None)} "
        f"union all by name select * from ({_FROM_REMAINS}) where {within}"
    )


@contextmanager
def restated(connection: duckdb.DuckDBPyConnection, events: str) -> Iterator[None]:
    """Enter how events count after the body otherwise than before, in the caller's transaction.

    ``events`` is a condition on ``event_outcomes as o``, of all events whose counts may change.
    """
    question = f"{_FROM_EVENTS} where {events}"
    connection.execute(f"create or replace temp table counted_before as {question}")
    yield
    connection.execute(f"create or replace temp table counted_after as {question}")
    negative = ", ".join(f"-{name} as {name}" for name in _SUMMED)
    connection.execute(
        f"""
        create or replace temp table differing as
        (from counted_after except all from counted_before)
        union all by name
        select * replace ({negative})
        from (from counted_before except all from counted_after)
        """
    )
    _enter(connection, "from differing")
    for table in ("counted_before", "counted_after", "differing"):
        connection.execute(f"drop table {table}")


def _enter(connection: duckdb.DuckDBPyConnection, rows: str) -> None:
    for table in _HOURLY:
        connection.execute(f"insert into {table} by name {_to_hourly(table, rows)}")
    for axis in _COVERED:
        connection.execute(f"insert into rollup_coverage by name {_to_coverage(axis, rows)}")


def _sides(rolled: str, pending: str, recounted: str, counted: tuple[str, ...]) -> str:
    negative = ", ".join(f"-{name} as {name}" for name in counted)
    return (
        f"{rolled} union all by name {pending} union all by name "
        f"select * replace ({negative}) from ({recounted})"
    )


def _count_different(sides: str, names: str, counted: tuple[str, ...], kept: str) -> str:
    differs = " or ".join(f"sum({name}) != 0" for name in counted)
    return f"""
        select 0, count(*) from (
            select {names} from ({sides}) where {kept} group by {names} having {differs}
        )
    """


def _between(column: str, start: datetime | None, end: datetime | None) -> str:
    bounds = []
    if start is not None:
        bounds.append(f"{column} >= timestamp '{start}'")
    if end is not None:
        bounds.append(f"{column} < timestamp '{end}'")
    return " and ".join(bounds) or "true"


def _has_rows(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(connection.execute(f"select exists (from {table})").fetchall()[0][0])
