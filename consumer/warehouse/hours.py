"""The hours that occur in a batch, as a condition that zone maps can use.

DuckDB keeps the least and greatest value of every column for each stretch of 122,880 rows, and
skips stretches that a condition on constants rules out. So a look-up in a table of any size costs
what the hours at hand hold. Never from the least to the greatest instant: one event stamped 1970
would make that the whole table.
"""

import heapq
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

_HOUR_MICROS = 3_600_000_000
_SECOND_MICROS = 1_000_000
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
    return _in_any(
        column,
        (
            (_EPOCH + timedelta(hours=first), _EPOCH + timedelta(hours=last + 1))
            for first, last in _to_stretches(sorted(set(hours)), step=1)
        ),
    )


def near(column: str, instants: pa.Array) -> str:
    """Return SQL that holds where ``column`` lies within a second of one of the instants.

    Of more than a few instants the closest are joined: still right, only wider. DuckDB asks it of
    each stretch of 2,048 rows before it reads another column of them, so what a look-up costs is
    what was sent in the same seconds, not the same day.
    """
    distinct = pc.unique(instants).drop_null().cast(pa.int64()).to_pylist()
    return _in_any(
        column,
        (
            (_EPOCH + timedelta(microseconds=first), _EPOCH + timedelta(microseconds=last))
            for first, last in _to_stretches(sorted(distinct), step=_SECOND_MICROS)
        ),
    )


def _to_stretches(ordered: Sequence[int], *, step: int) -> list[tuple[int, int]]:
    """Return first and last of the stretches that values make; up to ``step`` is no gap."""
    # of the gaps the widest are kept
    gaps = [
        (after - before, position)
        for position, (before, after) in enumerate(pairwise(ordered), start=1)
        if after > before + step
    ]
    cuts = sorted(position for _, position in heapq.nlargest(_MOST_RANGES - 1, gaps))
    bounds = pairwise([0, *cuts, len(ordered)]) if ordered else ()
    return [(ordered[start], ordered[end - 1]) for start, end in bounds]


def _in_any(column: str, ranges: Iterable[tuple[datetime, datetime]]) -> str:
    conditions = [
        f"({column} >= timestamp '{start - _MARGIN}' and {column} < timestamp '{end + _MARGIN}')"
        for start, end in ranges
    ]
    return f"({' or '.join(conditions)})" if conditions else "false"
