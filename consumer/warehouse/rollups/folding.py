"""Adds up what batches changed: rollups by the hour and the day, and what is published by the day.

``rollup_deltas`` and ``rollup_delivery_deltas`` hold the changes since the last time, in rows that
the views add to the rollups, so that figures are the same before and after. Folding sums equal
keys; several rows of one key are right too, and `consumer.warehouse.rollups.compaction` makes them
one.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Final

import duckdb
import pyarrow as pa

from consumer.warehouse.facts import FROZEN, read_instant
from consumer.warehouse.rollups.rollup import Basis, Rollup, between
from consumer.warehouse.rollups.tables import BASES, ROLLUPS, TAGS, TALLIES
from consumer.warehouse.rollups.tag_keys import close_crowded

# Past this many rows a batch folds them in: reading them costs each question more than that.
MOST_DELTAS: Final = 100_000
# Events that are counted again at once, by whole days: what is grouped has to fit into memory.
_RECOUNTED_AT_ONCE: Final = 1_000_000

_NOTE_FOLD: Final = """
insert into rollup_folds by name
select '{table}' as rollup, period, count(*) as rows from entering group by period
"""


def fold(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the deltas up and empty their tables, inside the caller's transaction."""
    for basis in BASES:
        if _has_rows(connection, basis.deltas):
            changes = basis.to_dated(basis.deltas)
            connection.execute(f"create or replace temp table folding as {changes}")
            _enter(connection, basis, lambda rollup: rollup.to_rows_of("from folding"))
            connection.execute("drop table folding")
            connection.execute(f"delete from {basis.deltas}")


def fold_when_many(connection: duckdb.DuckDBPyConnection) -> None:
    """Fold once there are `MOST_DELTAS`, so that questions stay quick."""
    counts = ", ".join(f"(select count(*) from {basis.deltas})" for basis in BASES)
    ((rows,),) = connection.execute(f"select greatest({counts})").fetchall()
    if rows >= MOST_DELTAS:
        fold(connection)


def recompute(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the rollups again from the events, inside the caller's transaction.

    For a change of the time zone, of definitions, or after a doubt, while nobody else writes. What
    was frozen when its events were pruned stays as it is.
    """
    fold(connection)
    frozen = _read_frozen(connection)
    for axis, column in (("event", "event_at"), ("cohort", "sent_at")):
        rollups = [rollup for rollup in ROLLUPS if rollup.axis == axis]
        for rollup in rollups:
            rows = f"{rollup.part} and {rollup.between(frozen, None)}"
            connection.execute(f"delete from {rollup.table} where {rows}")
        # a day may begin within an hour
        first = None if frozen is None else frozen.replace(minute=0)
        for stretch in _to_stretches(connection, column):
            hours = f"{between(f'{axis}_hour', first, None)} and {stretch}"
            _recount(connection, hours, frozen)
            for rollup in rollups:
                connection.execute(
                    f"insert into {rollup.table} by name select * "
                    f"from ({rollup.to_rows_of(rollup.recounted)}) "
                    f"where {rollup.between(frozen, None)}"
                )
    _drop_recounted(connection)
    close_crowded(connection, TAGS.table)


def find_corrections(
    connection: duckdb.DuckDBPyConnection, start: datetime | None, end: datetime | None
) -> Iterator[tuple[Rollup, pa.Table]]:
    """Yield rows that each rollup lacks to say what a recount of the events says.

    Nothing is changed; all of it is as of the caller's transaction. Rows are to be added up, so
    that these are right later on too, whatever batches have entered since. ``start`` and ``end``
    (UTC, where days of ``report_time_zone`` begin) bound the periods, on each axis; what was frozen
    has no events to recount.
    """
    frozen = _read_frozen(connection)
    if frozen is not None:
        start = frozen if start is None else max(start, frozen)
    # a day may begin within an hour
    first = None if start is None else start.replace(minute=0)
    for axis in ("event", "cohort"):
        _recount(connection, between(f"{axis}_hour", first, end), frozen)
        for rollup in ROLLUPS:
            if rollup.axis == axis:
                lacking = _to_lacking(rollup, rollup.to_rows_of(rollup.recounted), start, end)
                yield rollup, connection.sql(lacking).to_arrow_table()
    _drop_recounted(connection)


def enter_corrections(
    connection: duckdb.DuckDBPyConnection, rollup: Rollup, rows: pa.Table
) -> None:
    """Add such rows up, inside the caller's transaction."""
    connection.register("corrections", rows)
    value = "daily_tag_value(period_day, tag_key, tag_value)"  # its key may have one line by now
    replaced = f"replace ({value} as tag_value)" if rollup is TAGS else ""
    _enter_into(connection, rollup, f"select * {replaced} from corrections")
    connection.unregister("corrections")


def _read_frozen(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    return read_instant(value for (value,) in connection.execute(FROZEN).fetchall())


def _recount(connection: duckdb.DuckDBPyConnection, hours: str, frozen: datetime | None) -> None:
    """Fill temporary tables with what events of these hours count as, once for all rollups."""
    for basis in BASES:
        rows = basis.to_changes(f"{hours} and {between('o.sent_at', frozen, None)}")
        if frozen is not None:
            remains = (
                "select *, date_trunc('hour', event_at) as event_hour, "
                f"date_trunc('hour', sent_at) as cohort_hour from {basis.remains}"
            )
            rows = (
                f"({rows}) union all by name "
                f"(select * exclude (event_hour, cohort_hour) from ({remains}) where {hours})"
            )
        connection.execute(f"create or replace temp table {basis.recounted} as {rows}")


def _drop_recounted(connection: duckdb.DuckDBPyConnection) -> None:
    for basis in BASES:
        connection.execute(f"drop table if exists {basis.recounted}")


def _to_stretches(connection: duckdb.DuckDBPyConnection, column: str) -> list[str]:
    """Conditions on an axis's hour that share all time out, by how many events lie where.

    Days of UTC: one of another zone may lie in two stretches, and has two rows of each key then.
    """
    hour = {"event_at": "event_hour", "sent_at": "cohort_hour"}[column]
    days = connection.execute(
        f"select date_trunc('day', {column}) as day, count(*) from events group by day order by day"
    ).fetchall()
    cuts, held = [], 0
    for day, events in days:
        if held and held + events > _RECOUNTED_AT_ONCE:
            cuts.append(day)
            held = 0
        held += events
    return [between(hour, since, until) for since, until in pairwise([None, *cuts, None])]


def to_comparisons(frozen: datetime | None) -> list[tuple[str, str]]:
    """Give, by rollup, the question how many of its keys differ from a recount of the events.

    What was ``frozen`` has no events to recount and is left out.
    """
    return [(rollup.name, _compare(rollup, frozen)) for rollup in ROLLUPS]


def _compare(rollup: Rollup, frozen: datetime | None) -> str:
    # a day may begin within an hour
    first = None if frozen is None else frozen.replace(minute=0, second=0, microsecond=0)
    recounted = rollup.to_rows(
        rollup.basis.recount(between(f"{rollup.axis}_hour", first, None), frozen)
    )
    return f"select 0, count(*) from ({_to_lacking(rollup, recounted, frozen, None)})"


def _to_lacking(
    rollup: Rollup, recounted: str, start: datetime | None, end: datetime | None
) -> str:
    """Give the question for what a rollup's rows lack of those of a recount, a row a key."""
    kept = rollup.between(start, end)
    names = ", ".join(rollup.keys)
    negative = ", ".join(f"-{name} as {name}" for name in rollup.counted)
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in rollup.counted)
    differs = " or ".join(f"sum({name}) != 0" for name in rollup.counted)
    return f"""
        select {names}, {sums} from (
            select * from ({recounted})
            union all by name
            select {names}, {negative} from {rollup.table} where {rollup.part} and {kept}
            union all by name
            select * replace ({negative}) from ({rollup.to_rows_of(rollup.deltas)})
        ) where {kept} group by {names} having {differs}
    """


def to_remains(basis: Basis, frozen: datetime | None, horizon: datetime) -> str:
    """Give the question what messages sent between the two count as from ``horizon`` on.

    Rows for ``basis.remains``. They are to be kept before the messages' events go: the hours in
    which somebody opened an old mail are not frozen with the mail.
    """
    return basis.to_remains(
        f"o.event_at >= timestamp '{horizon}' and {between('o.sent_at', frozen, horizon)}"
    )


def copy_frozen(table: str, frozen: datetime) -> str:
    """Give the question for a rollup's rows of periods before ``frozen``, with its deltas."""
    parts = []
    for rollup in ROLLUPS:
        if rollup.table == table:
            before = rollup.between(None, frozen)
            parts += [
                f"select * from {table} where {rollup.part} and {before}",
                f"select * from ({rollup.to_rows_of(rollup.deltas)}) where {before}",
            ]
    return " union all by name ".join(parts)


def delete_frozen(connection: duckdb.DuckDBPyConnection, frozen: datetime) -> None:
    """Make room for the rows that `copy_frozen` found, inside the caller's transaction."""
    for rollup in ROLLUPS:
        connection.execute(
            f"delete from {rollup.table} where {rollup.part} and {rollup.between(None, frozen)}"
        )


def _enter(
    connection: duckdb.DuckDBPyConnection, basis: Basis, to_rows: Callable[[Rollup], str]
) -> None:
    """Add rows up into every rollup that is made of them."""
    for rollup in (rollup for rollup in ROLLUPS if rollup.basis is basis):
        _enter_into(connection, rollup, to_rows(rollup))


def _enter_into(connection: duckdb.DuckDBPyConnection, rollup: Rollup, rows: str) -> None:
    """Add rows up; what is published stays compact, as every rate asks for it."""
    connection.execute(f"create or replace temp table entering as {rows}")
    connection.execute(f"insert into {rollup.table} by name from entering")
    if rollup in TALLIES:
        connection.execute(_NOTE_FOLD.format(table=rollup.table))
        if rollup is TAGS:
            close_crowded(connection, "entering")
    else:
        days = "axis_day in (select axis_day from entering)"
        connection.execute(f"create or replace temp table compacted as {rollup.to_compacted(days)}")
        connection.execute(f"delete from {rollup.table} where {rollup.part} and {days}")
        connection.execute(f"insert into {rollup.table} by name from compacted")
        connection.execute("drop table compacted")
    connection.execute("drop table entering")


def _has_rows(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(connection.execute(f"select exists (from {table})").fetchall()[0][0])
