"""Makes one row of all that share a key in a rollup, a portion a transaction, once it is quiet.

Folding adds rows for keys that are there already: an hour that is being filled gets some at every
fold, an old one whenever somebody opens its mail. Sums are the same before and after.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from consumer.warehouse.rollups.rollup import Rollup
from consumer.warehouse.rollups.tables import TALLIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb

    from consumer.warehouse.warehouse import Warehouse

# Rows that are made again in one transaction: a batch that waits for it waits a fraction of a
# second.
SLICE_ROWS: Final = 20_000
# A period is worth it once that share of its rows came after others.
_LEAST_SHARE: Final = 0.1
# Hours and days that may still be being filled are left alone, in any time zone.
_OPEN_HOURS: Final = {False: 2, True: 38}

_LOOSE: Final = """
with folds as (
    select period, count(*) as folds, sum(rows) as loose
    from rollup_folds where rollup = '{table}' and period < {closed} group by period
),
held as (
    select period, count(*) as rows from {table}
    where period in (select period from folds) group by period
)
select f.period, coalesce(h.rows, 0) as rows
from folds as f left join held as h on f.period = h.period
where f.folds > 1 and f.loose >= {share} * coalesce(h.rows, 0)
order by f.period
"""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compacting did: in how many periods, and rows of them before and after."""

    periods: int
    rows_before: int
    rows_after: int


def compact(
    warehouse: "Warehouse",
    *,
    now: datetime | None = None,
    on_progress: "Callable[[int, int], None] | None" = None,
) -> Compacted:
    """Compact the hours and days that are over and have loose rows.

    Batches go in between two portions. Cut off anywhere, the next time goes on.

    Args:
        warehouse: open.
        now: naive UTC; None asks the warehouse's clock.
        on_progress: gets periods done and in all; what it raises ends the work.
    """
    found = [
        (rollup, period, rows)
        for rollup in TALLIES
        for period, rows in _find_loose(warehouse, rollup, now)
    ]
    before = after = done = 0
    for rollup, periods, rows in _gather(found):
        if on_progress is not None:
            on_progress(done, len(found))
        for condition in _slice(rollup, periods, rows):
            after += warehouse.change(
                "compacting rollups",
                lambda connection: _compact(connection, rollup, condition),  # noqa: B023 - called at once
            )
        warehouse.change(
            "compacting rollups",
            lambda connection: connection.execute(
                f"delete from rollup_folds where rollup = '{rollup.table}' "  # noqa: B023 - called at once
                f"and period in ({_list(periods)})"  # noqa: B023 - called at once
            ),
        )
        before += rows
        done += len(periods)
    return Compacted(len(found), before, after)


def _find_loose(
    warehouse: "Warehouse", rollup: Rollup, now: datetime | None
) -> "list[tuple[datetime, int]]":
    at = "utc_now()" if now is None else f"timestamp '{now}'"
    question = _LOOSE.format(
        table=rollup.table,
        closed=f"{at} - interval {_OPEN_HOURS[rollup.is_daily]} hours",
        share=_LEAST_SHARE,
    )
    with warehouse.read(question) as reader:
        found = reader.read_all()
    return list(zip(found["period"].to_pylist(), found["rows"].to_pylist(), strict=True))


def _gather(
    found: "list[tuple[Rollup, datetime, int]]",
) -> "Iterator[tuple[Rollup, list[datetime], int]]":
    """Yield periods of one rollup that are few rows together."""
    held: list[datetime] = []
    of: Rollup | None = None
    rows = 0
    for rollup, period, there in found:
        if of is not None and (rollup is not of or rows + there > SLICE_ROWS):
            yield of, held, rows
            held, rows = [], 0
        of, rows = rollup, rows + there
        held.append(period)
    if of is not None:
        yield of, held, rows


def _slice(rollup: Rollup, periods: list[datetime], rows: int) -> "Iterator[str]":
    """Yield conditions that share the periods' rows out; what has one key is not parted."""
    within = f"period in ({_list(periods)})"
    parts = rows // SLICE_ROWS + 1
    if parts == 1:
        yield within
        return
    for part in range(parts):
        yield f"{within} and hash({', '.join(rollup.keys)}) % {parts} = {part}"


def _compact(connection: "duckdb.DuckDBPyConnection", rollup: Rollup, condition: str) -> int:
    connection.execute(
        f"create or replace temp table compacted as {rollup.to_compacted(condition)}"
    )
    connection.execute(f"delete from {rollup.table} where {condition}")
    ((rows,),) = connection.execute(f"insert into {rollup.table} by name from compacted").fetchall()
    connection.execute("drop table compacted")
    return int(rows)


def _list(periods: list[datetime]) -> str:
    return ", ".join(f"timestamp '{period}'" for period in periods)
