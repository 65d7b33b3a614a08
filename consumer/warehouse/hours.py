"""The hours that occur in a batch, as a condition that zone maps can use.

DuckDB keeps the least and greatest value of every column for each stretch of 122,880 rows, and
skips stretches that a condition on constants rules out. So a look-up in a table of any size costs
what the hours at hand hold. Never from the least to the greatest instant: one event stamped 1970
would make that the whole table.
"""

import heapq
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

_HOUR_MICROS = 3_600_000_000
# Identity notifications have their instants cut to the second, so a copy may lie that far off.
_MARGIN = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
# Past this many stretches the closest are joined: every row that zone maps leave is compared with
# each. Opens of sixty days against ten million marks took 0.41 s of CPU with 48, 0.11 with 4.
_MOST_RANGES = 6


def hours_of(instants: pa.Array) -> list[int]:
    """Return the distinct hours, counted from 1970, that timestamps in microseconds fall in."""
    micros = instants.cast(pa.int64())
    # integer division cuts towards zero; before 1970 that would be the wrong hour
    shifted = pc.subtract(micros, pc.if_else(pc.less(micros, 0), _HOUR_MICROS - 1, 0))
    return sorted(pc.unique(pc.divide(shifted, _HOUR_MICROS)).drop_null().to_pylist())


def within(column: str, hours: Iterable[int]) -> str:
    """Return SQL that holds where ``column`` lies in one of the hours, a second either side.

    Neighbouring hours make one stretch. No hours: a condition that never holds.
    """
    ordered = sorted(set(hours))
    # neighbours are no gap; of the gaps the widest are kept
    gaps = [
        (after - before, position)
        for position, (before, after) in enumerate(pairwise(ordered), start=1)
        if after > before + 1
    ]
    cuts = sorted(position for _, position in heapq.nlargest(_MOST_RANGES - 1, gaps))
    bounds = pairwise([0, *cuts, len(ordered)]) if ordered else ()
    stretches = [(ordered[start], ordered[end - 1]) for start, end in bounds]
    if not stretches:
        return "false"
    return f"({' or '.join(_between(column, first, last) for first, last in stretches)})"


def near(column: str, instants: pa.Array) -> str:
    """Return SQL that holds where ``column`` lies within a second of one of the instants.

    Of more than a few instants it is their hours, as `within`: still right, only wider.
    """
    distinct = pc.unique(instants).drop_null().cast(pa.int64())
    if len(distinct) > _MOST_RANGES:
        return within(column, hours_of(instants))
    if not len(distinct):
        return "false"
    ranges = (_EPOCH + timedelta(microseconds=micros) for micros in distinct.to_pylist())
    return f"({' or '.join(_range(column, at, at) for at in ranges)})"


def _between(column: str, first: int, last: int) -> str:
    return _range(column, _EPOCH + timedelta(hours=first), _EPOCH + timedelta(hours=last + 1))


def _range(column: str, start: datetime, end: datetime) -> str:
    start, end = start - _MARGIN, end + _MARGIN
    return f"({column} >= timestamp '{start}' and {column} < timestamp '{end}')"


def seconds_around(instants: pa.ChunkedArray) -> pa.Table:
    """Return the distinct seconds since 1970 of the instants, and those beside them: ``second``.

    All events of a message share its ``sent_at``, give or take a cut to the second. Where ids are
    to be compared, the few rows with such a second are found first, for a tenth of the time.
    """
    # as DuckDB's // does; before 1970 both cut towards zero, the neighbours make up for it
    seconds = pc.unique(pc.divide(instants.cast(pa.int64()), 1_000_000))
    around = [pc.add(seconds, pa.scalar(beside, pa.int64())) for beside in (-1, 0, 1)]
    return pa.table({"second": pc.unique(pa.concat_arrays(around))})
