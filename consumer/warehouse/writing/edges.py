"""How long something took, as histograms keep it: by the upper edges of buckets.

The macro ``latency_edge_ms`` says the same of events; a test holds the two against each other.
"""

import math
from bisect import bisect_left
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_LAST_EDGE_MS: Final = 433_243_677_199
# What DuckDB's histogram calls all that lies above its last edge.
_BEYOND_MS: Final = 2**63 - 1
# Places that a logarithm is looked up at, so near to each other that no more than one edge lies
# within two of them: the nearest edges are 19 and 20.
_PLACES: Final = 84


def _to_edges() -> list[int]:
    edges = [0, 1]
    while edges[-1] < _LAST_EDGE_MS:
        edges.append(max(edges[-1] + 1, edges[-1] * 11 // 10))
    return [*edges, _BEYOND_MS, _BEYOND_MS]


_EDGES: Final = _to_edges()
_LAST_PLACE: Final = math.ceil(math.log(_LAST_EDGE_MS) * _PLACES) + 2
# By place, the first edge from the place before it on: a logarithm may be off by its last digit.
_FIRST: Final = [
    bisect_left(_EDGES, math.exp((place - 1) / _PLACES)) for place in range(_LAST_PLACE + 1)
]
_LOWER: Final = pa.array([_EDGES[first] for first in _FIRST], pa.int64())
_UPPER: Final = pa.array([_EDGES[first + 1] for first in _FIRST], pa.int64())


def to_edges(taken_ms: pa.Array) -> pa.Array:
    """The upper edges of the buckets that hold so many milliseconds; the first holds negatives."""
    logarithm = pc.ln(pc.cast(taken_ms, pa.float64(), safe=False))
    place = pc.cast(pc.multiply(logarithm, _PLACES), pa.int32(), safe=False)
    is_positive = pc.greater(taken_ms, 0)
    place = pc.min_element_wise(pc.if_else(is_positive, place, 0), _LAST_PLACE, skip_nulls=False)
    lower = _LOWER.take(place)
    edges = pc.if_else(pc.greater_equal(lower, taken_ms), lower, _UPPER.take(place))
    return pc.if_else(is_positive, edges, 0)
