"""Makes the rollups say what the events say, while batches are written.

That is for verdicts and rules that change how events count which are there already. Until it is
through, figures are those of before, or half of the way. So it is a fact of the warehouse that it
is not: a worker does the rest while it writes batches, whoever else opens it before anything else,
and so does the next `reclassify`.

Rollups are rows to be added up. What they lack is found out beside the writer, as of one moment,
and entered later in small portions: whatever a batch enters meanwhile goes on top.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pyarrow as pa

from consumer.warehouse.facts import put_fact
from consumer.warehouse.pace import Pace
from consumer.warehouse.rollups.folding import enter_corrections, find_corrections
from consumer.warehouse.rollups.rollup import Rollup

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

_PENDING: Final = "rollups_to_be_made_again"
_IS_NOTED: Final = f"select value from warehouse_facts where name = '{_PENDING}'"
# Events that are counted again at once, by whole days: what is grouped has to fit into memory.
_AT_ONCE: Final = 200_000
_DAYS: Final = """
select report_day_starts_at(day) as starts_at, sum(n)::bigint as n
from (
    select report_day(event_at) as day, count(*) as n from events group by day
    union all
    select report_day(sent_at) as day, count(*) as n from events group by day
)
group by day
order by day
"""


def note_pending(connection: "duckdb.DuckDBPyConnection") -> None:
    """Note, inside the caller's transaction, that all rollups are to be made again.

    Each time is told apart: what was found out before it is not enough for it.
    """
    put_fact(connection, _PENDING, str(uuid4()))


def is_noted(connection: "duckdb.DuckDBPyConnection") -> bool:
    """Whether that is noted and not done."""
    return bool(connection.execute(_IS_NOTED).fetchall())


def is_pending(warehouse: "Warehouse") -> bool:
    """Whether the same is so, asked by a reader."""
    return _read_pending(warehouse) is not None


def forget_pending(connection: "duckdb.DuckDBPyConnection") -> None:
    """Note, inside the caller's transaction, that it is done."""
    connection.execute("delete from warehouse_facts where name = ?", [_PENDING])


def remake_rollups(warehouse: "Warehouse", go_on: Callable[[], None]) -> None:
    """Make the rollups again where that is noted; batches are written meanwhile.

    1. Find out, some days at a time, what the rollups lack.
    2. Enter it, some periods at a time; one period's rows go together.
    3. Note that it is done, unless it was noted anew meanwhile: then do all of it once more.

    An erasure and a backup wait for it, and it for them: the one changes keys of rollups. Cut off
    anywhere, the next time finds out what is lacking then.

    Args:
        warehouse: open.
        go_on: called between two portions; what it raises ends the work.
    """
    while (noted := _read_pending(warehouse)) is not None:
        with warehouse.alone(go_on):
            pace = Pace()
            for start, end in _find_slices(warehouse):
                go_on()
                lacking = warehouse.change_beside(  # 1
                    "counting events again",
                    lambda cursor: list(find_corrections(cursor, start, end)),  # noqa: B023 - called at once
                )
                for rollup, rows in lacking:
                    for portion in _portion(rollup, rows, pace):  # 2
                        go_on()
                        warehouse.change(
                            "making rollups again",
                            partial(_enter, rollup=rollup, rows=portion, pace=pace),
                        )
            warehouse.change("noting that rollups were made again", partial(_forget, noted=noted))


def _enter(
    connection: "duckdb.DuckDBPyConnection", *, rollup: Rollup, rows: pa.Table, pace: Pace
) -> None:
    with pace.timed():
        enter_corrections(connection, rollup, rows)


def _forget(connection: "duckdb.DuckDBPyConnection", *, noted: str) -> None:  # 3
    connection.execute(
        "delete from warehouse_facts where name = ? and value = ?", [_PENDING, noted]
    )


def _portion(rollup: Rollup, rows: pa.Table, pace: Pace) -> Iterator[pa.Table]:
    """Yield the rows of some periods at a time: a key's gain and another's loss go together."""
    rows = rows.sort_by(rollup.when)
    periods = rows[rollup.when].to_pylist()
    starts = [n for n in range(len(periods)) if not n or periods[n - 1] != periods[n]]
    began = 0
    for start, end in pairwise([*starts, len(periods)]):
        if start > began and end - began > pace.rows:
            yield rows.slice(began, start - began)
            began = start
    if periods:
        yield rows.slice(began)


def _read_pending(warehouse: "Warehouse") -> str | None:
    with warehouse.read(_IS_NOTED) as reader:
        found: list[str] = reader.read_all()["value"].to_pylist()
    return found[0] if found else None


def _find_slices(warehouse: "Warehouse") -> Iterator[tuple[datetime | None, datetime | None]]:
    """Yield spans that share all time out, each of as many days as have `_AT_ONCE` events."""
    with warehouse.read(_DAYS) as reader:
        days = reader.read_all().to_pylist()
    cuts: list[datetime] = []
    held = 0
    for day in days:
        if held and held + day["n"] > _AT_ONCE:
            cuts.append(day["starts_at"])
            held = 0
        held += day["n"]
    yield from pairwise([None, *cuts, None])
