"""Values of a result in binary: SQL that gives their bytes, and functions for the rest.

A BIT of DuckDB's made of a number has its bits from the highest to the lowest: as a BLOB, that is
the number in network byte order.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

from consumer.endpoint.types.epoch import EPOCH_MICROS
from consumer.endpoint.types.known import BY_NAME, ResultType, to_result_type, to_scalar
from consumer.endpoint.types.numeric import pack_numeric
from consumer.endpoint.types.text import scalar_text_sql
from consumer.warehouse.reading.reader import ColumnType

_NUMBERS: Final = frozenset({"bool", "int2", "int4", "int8", "oid", "float4", "float8"})


def to_binary_sql(value: str, found: ColumnType) -> str | None:
    """SQL for the bytes of ``value``; None where `to_packer` has to make them."""
    return None if to_result_type(found).is_array else _scalar_binary_sql(value, found)


def to_packable_sql(value: str, found: ColumnType) -> str:
    """SQL for what `to_packer`'s function takes: texts of numbers, bytes of an array's items."""
    if not to_result_type(found).is_array:
        return value if found.kind == "interval" else f"{value}::varchar"
    assert found.item is not None  # noqa: S101 - as `to_result_type` found
    item = _scalar_binary_sql("e", found.item) or to_packable_sql("e", found.item)
    return f"list_transform({value}, lambda e: {item})"


def _scalar_binary_sql(value: str, found: ColumnType) -> str | None:
    type_ = to_scalar(found) if found.kind not in ("list", "array") else BY_NAME["json"]
    if type_.name in _NUMBERS:
        return f"{value}::{type_.duckdb}::bit::blob"
    match type_.name:
        case "timestamp" | "timestamptz":
            return f"(epoch_us({value}) - {EPOCH_MICROS})::bit::blob"
        case "time":
            return f"epoch_us({value})::bit::blob"
        case "date":
            return f"({value} - date '2000-01-01')::integer::bit::blob"
        case "uuid":
            return f"{value}::blob"
        case "bytea":
            return value
        case "numeric" | "interval":
            return None
        case _:
            return f"encode({scalar_text_sql(value, found)})"


def _pack_interval(value: Any) -> bytes:  # noqa: ANN401 - Arrow's triple has no public class
    months, days, nanoseconds = value
    return struct.pack("!qii", nanoseconds // 1000, days, months)


_PACKERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "numeric": pack_numeric,
    "interval": _pack_interval,
}


def to_packer(found: ResultType) -> Callable[[Any], bytes]:
    """The function that writes a column's values in binary."""
    pack = _PACKERS.get(found.item.name, bytes)
    if not found.is_array:
        return pack

    def pack_array(values: list[Any]) -> bytes:
        if not values:
            return struct.pack("!iiI", 0, 0, found.item.oid)
        parts = [struct.pack("!iiIii", 1, int(None in values), found.item.oid, len(values), 1)]
        for value in values:
            packed = None if value is None else pack(value)
            parts.append(
                b"\xff\xff\xff\xff" if packed is None else struct.pack("!i", len(packed)) + packed
            )
        return b"".join(parts)

    return pack_array
