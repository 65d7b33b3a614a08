"""Rows picked piece by piece are those that a filter of the whole gives."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from consumer.warehouse.pieces import pick, split


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=5))
def test_a_table_in_any_pieces_is_split_as_a_whole(pieces: list[list[bool]]) -> None:
    schema = pa.schema([("n", pa.int64())])
    chosen = [holds for piece in pieces for holds in piece]
    start, batches = 0, []
    for piece in pieces:
        numbers = list(range(start, start + len(piece)))
        batches.append(pa.record_batch([numbers], schema=schema))
        start += len(piece)
    rows = pa.Table.from_batches(batches, schema)
    held, others = split(rows, pa.array(chosen, pa.bool_()))

    assert [n for n, holds in enumerate(chosen) if holds] == held["n"].to_pylist()
    assert [n for n, holds in enumerate(chosen) if not holds] == others["n"].to_pylist()
    assert held == pick(rows, pa.array(chosen, pa.bool_()))
    assert schema == held.schema == others.schema
