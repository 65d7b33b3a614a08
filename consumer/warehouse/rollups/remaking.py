"""Makes the rollups again, some days at a time, so that batches are written in between.

That is for rules which change what rollups do not hold per row. Until it is through, days that are
still to come count by the rules before. So it is a fact of the warehouse that it is not: whoever
opens it next does the rest, and so does the next `reclassify`.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from consumer.warehouse.facts import put_fact
from consumer.warehouse.rollups.folding import recompute

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

_PENDING: Final = "rollups_to_be_made_again"
_IS_NOTED: Final = f"select count(*) as n from warehouse_facts where name = '{_PENDING}'"
# A day is the least there is; small ones go together.
_AT_ONCE: Final = 20_000
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
    """Note, inside the caller's transaction, that all rollups are to be made again."""
    put_fact(connection, _PENDING, "yes")


def is_noted(connection: "duckdb.DuckDBPyConnection") -> bool:
    """Whether that is noted and not done."""
    ((noted,),) = connection.execute(_IS_NOTED).fetchall()
    return bool(noted)


def is_pending(warehouse: "Warehouse") -> bool:
    """Whether the same is so, asked by a reader."""
    with warehouse.read(_IS_NOTED) as reader:
        return bool(reader.read_all()["n"][0].as_py())


def forget_pending(connection: "duckdb.DuckDBPyConnection") -> None:
    """Note, inside the caller's transaction, that it is done."""
    connection.execute("delete from warehouse_facts where name = ?", [_PENDING])


def recompute_in_slices(warehouse: "Warehouse", go_on: Callable[[], None]) -> None:
    """Make the rollups again where that is noted; ``go_on`` is called between two slices."""
    if not is_pending(warehouse):
        return
    for number, (start, end) in enumerate(_find_slices(warehouse)):
        if number:
            go_on()
        warehouse.change("making rollups again", partial(recompute, start=start, end=end))
    warehouse.change("noting that rollups were made again", forget_pending)


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
