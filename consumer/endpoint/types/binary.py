"""Values of a result in binary: SQL for what is quick to pack, and the functions that pack it."""

import struct
import uuid
from collections.abc import Callable
from datetime import time
from typing import Any, Final

from consumer.endpoint.types.epoch import EPOCH_MICROS
from consumer.endpoint.types.known import ResultType, to_result_type, to_scalar
from consumer.endpoint.types.numeric import pack_numeric
from consumer.endpoint.types.text import scalar_text_sql
from consumer.warehouse.reader import ColumnType

_pack_int2: Final = struct.Struct("!h").pack
_pack_int4: Final = struct.Struct("!i").pack
_pack_oid: Final = struct.Struct("!I").pack
_pack_int8: Final = struct.Struct("!q").pack
_pack_float4: Final = struct.Struct("!f").pack
_pack_float8: Final = struct.Struct("!d").pack


def to_binary_sql(value: str, found: ColumnType) -> str:
    """SQL for what `to_packer`'s function can take: plain numbers and texts rather than objects."""
    result = to_result_type(found)
    if result.is_array:
        assert found.item is not None  # noqa: S101 - as `to_result_type` found
        return f"list_transform({value}, lambda e: {_scalar_binary_sql('e', found.item)})"
    return _scalar_binary_sql(value, found)


def _scalar_binary_sql(value: str, found: ColumnType) -> str:
    match to_scalar(found).name if found.kind not in ("list", "array") else "json":
        case "timestamp" | "timestamptz":
            return f"(epoch_us({value}) - {EPOCH_MICROS})"
        case "date":
            return f"({value} - date '2000-01-01')::integer"
        case "numeric" | "uuid":
            return f"{value}::varchar"
        case "text" | "json":
            return scalar_text_sql(value, found)
        case _:
            return value


def _pack_text(value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


def _pack_time(value: time) -> bytes:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return _pack_int8(seconds * 1_000_000 + value.microsecond)


def _pack_interval(value: Any) -> bytes:  # noqa: ANN401 - Arrow's triple has no public class
    months, days, nanoseconds = value
    return struct.pack("!qii", nanoseconds // 1000, days, months)


_PACKERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "bool": lambda value: b"\x01" if value else b"\x00",
    "bytea": bytes,
    "int2": _pack_int2,
    "int4": _pack_int4,
    "int8": _pack_int8,
    "oid": _pack_oid,
    "float4": _pack_float4,
    "float8": _pack_float8,
    "numeric": pack_numeric,
    "date": _pack_int4,
    "time": _pack_time,
    "timestamp": _pack_int8,
    "timestamptz": _pack_int8,
    "interval": _pack_interval,
    "uuid": lambda value: uuid.UUID(value).bytes,
}


def to_packer(found: ResultType) -> Callable[[Any], bytes]:
    """The function that writes a column's values in binary."""
    pack = _PACKERS.get(found.item.name, _pack_text)
    if not found.is_array:
        return pack

    def pack_array(values: list[Any]) -> bytes:
        if not values:
            return struct.pack("!iiI", 0, 0, found.item.oid)
        parts = [struct.pack("!iiIii", 1, int(None in values), found.item.oid, len(values), 1)]
        for value in values:
            packed = None if value is None else pack(value)
            parts.append(
                b"\xff\xff\xff\xff" if packed is None else _pack_int4(len(packed)) + packed
            )
        return b"".join(parts)

    return pack_array
