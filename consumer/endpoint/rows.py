"""A query's rows as they go over the wire.

Rows are put together by DuckDB itself, texts and binary values alike: an outer select makes one
BLOB a row, the whole DataRow message, and Python hands on the column's buffer as it is, without
holding the GIL. Only columns of binary arrays, numerics and intervals have their values packed in
Python, and their rows with them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa

from consumer.endpoint.messages import backend
from consumer.endpoint.messages.fields import BINARY, TEXT
from consumer.endpoint.statements.kinds import Copy
from consumer.endpoint.statements.tokens import to_literal
from consumer.endpoint.types.binary import to_binary_sql, to_packable_sql, to_packer
from consumer.endpoint.types.known import to_result_type
from consumer.endpoint.types.text import to_text_sql
from consumer.warehouse.reading.reader import Column

_NULL: Final = r"'\xFF\xFF\xFF\xFF'::blob"


def to_fields(columns: Sequence[Column], formats: Sequence[int]) -> list[backend.Field]:
    """What clients are told of the columns, each in its format."""
    fields = []
    for at, column in enumerate(columns):
        found = to_result_type(column.type)
        form = choose_format(formats, at)
        fields.append(backend.Field(column.name, found.oid, found.size, found.modifier, form))
    return fields


def choose_format(formats: Sequence[int], at: int) -> int:
    """None given is text, one is for all."""
    if not formats:
        return TEXT
    return formats[0] if len(formats) == 1 else formats[at]


def to_message_rows(sql: str, columns: Sequence[Column], formats: Sequence[int]) -> str | None:
    """SQL that gives each row of ``sql`` as its DataRow message; None where Python has to pack."""
    values, parts = [], []
    for at, column in enumerate(columns):
        value = _to_value_sql(at, column, formats)
        if value is None:
            return None
        values.append(f"{value} as v{at}")
        size = to_result_type(column.type).size
        if size > 0 and choose_format(formats, at) == BINARY:
            length = to_blob(size.to_bytes(4, "big"))
        else:
            length = _to_length(f"octet_length(v{at})")
        parts.append(f"coalesce({length} || v{at}, {_NULL})")
    body = _join([to_blob(len(columns).to_bytes(2, "big")), *parts])
    return (
        f"select 'D'::blob || {_to_length('octet_length(body) + 4')} || body from ("
        f"select {body} as body from ("
        f"select {', '.join(values)} from ({sql}\n) as t({_names(columns)})))"
    )


def to_values(sql: str, columns: Sequence[Column], formats: Sequence[int]) -> str:
    """SQL that gives the same rows as values that `pack_rows` can take."""
    chosen = []
    for at, column in enumerate(columns):
        value = _to_value_sql(at, column, formats) or to_packable_sql(f"c{at}", column.type)
        chosen.append(f"{value} as c{at}")
    return f"select {', '.join(chosen)} from ({sql}\n) as t({_names(columns)})"


def to_packers(columns: Sequence[Column], formats: Sequence[int]) -> list[Callable[[Any], bytes]]:
    """For each column, what makes bytes of its values in `to_values`."""
    return [
        bytes
        if _to_value_sql(at, column, formats) is not None
        else to_packer(to_result_type(column.type))
        for at, column in enumerate(columns)
    ]


def pack_rows(batch: pa.RecordBatch, packers: Sequence[Callable[[Any], bytes]]) -> list[bytes]:
    """DataRow messages, a row each."""
    packed = [
        [None if value is None else pack(value) for value in column.to_pylist()]
        for column, pack in zip(batch.columns, packers, strict=True)
    ]
    return [backend.data_row(row) for row in zip(*packed, strict=True)]


def to_copy_lines(sql: str, columns: Sequence[Column], copy: Copy) -> str:
    """SQL that gives each row as its line of COPY."""
    parts = []
    for at, column in enumerate(columns):
        text = to_text_sql(f"c{at}", column.type)
        parts.append(_to_copy_value(text, copy))
    line = f" || {to_literal(copy.delimiter)} || ".join(parts)
    return f"select encode({line} || chr(10)) from ({sql}\n) as t({_names(columns)})"


def to_copy_header(columns: Sequence[Column], copy: Copy) -> bytes:
    """The line with the columns' names."""
    names = [column.name for column in columns]
    if copy.format == "csv":
        special = {copy.delimiter, '"', "\n", "\r"}
        names = [
            '"' + name.replace('"', '""') + '"' if special.intersection(name) else name
            for name in names
        ]
    return (copy.delimiter.join(names) + "\n").encode()


def _to_copy_value(text: str, copy: Copy) -> str:
    null = to_literal(copy.null)
    if copy.format == "csv":
        special = " or ".join(
            f"contains({text}, {to_literal(one)})" for one in (copy.delimiter, '"', "\n", "\r")
        )
        quoted = f"'\"' || replace({text}, '\"', '\"\"') || '\"'"
        value = f"case when {special} or {text} = {null} then {quoted} else {text} end"
    else:
        value = f"replace({text}, '\\', '\\\\')"
        for one, escaped in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            value = f"replace({value}, {to_literal(one)}, {to_literal(escaped)})"
        if copy.delimiter != "\t":
            literal = to_literal(copy.delimiter)
            value = f"replace({value}, {literal}, {to_literal(chr(92) + copy.delimiter)})"
    return f"coalesce({value}, {null})"


def iterate_blobs(batch: pa.RecordBatch) -> memoryview:
    """The bytes of a batch of one BLOB column, one after the other."""
    start, end = _edges(batch)
    return memoryview(batch.column(0).buffers()[2] or b"")[start:end]


def _edges(batch: pa.RecordBatch) -> tuple[int, int]:
    column = batch.column(0)
    offsets = memoryview(column.buffers()[1]).cast("i")
    return offsets[column.offset], offsets[column.offset + len(column)]


def to_blob(data: bytes) -> str:
    """Bytes as SQL."""
    return "'" + "".join(f"\\x{byte:02X}" for byte in data) + "'::blob"


def _to_value_sql(at: int, column: Column, formats: Sequence[int]) -> str | None:
    """SQL for the bytes of a column's value; None where Python has to pack them."""
    if choose_format(formats, at) == TEXT:
        return f"encode({to_text_sql(f'c{at}', column.type)})"
    return to_binary_sql(f"c{at}", column.type)


def _to_length(number: str) -> str:
    """SQL for a number as four bytes, short itself: small queries are mostly planning."""
    return f"({number})::integer::bit::blob"


def _join(parts: Sequence[str]) -> str:
    """SQL that puts parts together in pairs, and pairs in pairs.

    One after the other would copy the beginning of a row again for each of its columns.
    """
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_join(parts[:half])} || {_join(parts[half:])})"


def _names(columns: Sequence[Column]) -> str:
    """Names of our own: those of a result may repeat."""
    return ", ".join(f"c{at}" for at in range(len(columns)))
