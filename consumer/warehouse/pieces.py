"""Picks rows of a batch piece by piece, in the pieces in which they were built.

A filter of the whole table puts all of its columns together anew; most pieces stay as they are, or
go whole.
"""

import pyarrow as pa
import pyarrow.compute as pc


def pick(rows: pa.Table, condition: pa.BooleanArray) -> pa.Table:
    """Return the rows for which the condition holds; it knows of no NULL."""
    return split(rows, condition)[0]


def split(rows: pa.Table, condition: pa.BooleanArray) -> tuple[pa.Table, pa.Table]:
    """Return the rows for which the condition holds, and the others."""
    held: list[pa.RecordBatch] = []
    others: list[pa.RecordBatch] = []
    start = 0
    for piece in rows.to_batches():
        holds = condition.slice(start, piece.num_rows)
        start += piece.num_rows
        count = holds.true_count
        if count == piece.num_rows:
            held.append(piece)
        elif not count:
            others.append(piece)
        else:
            held.append(piece.filter(holds))
            others.append(piece.filter(pc.invert(holds)))
    return pa.Table.from_batches(held, rows.schema), pa.Table.from_batches(others, rows.schema)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    return column.combine_chunks()


def unless(condition: pa.Array, column: pa.Array) -> pa.Array:
    """Return a column with NULL where the condition holds."""
    return pc.if_else(condition, pa.scalar(None, column.type), column)


def bytes_of(keys: pa.ChunkedArray) -> pa.FixedSizeBinaryArray:
    """Return event keys as the sixteen bytes that they are, in one piece: Arrow compares those."""
    return whole(keys).storage
