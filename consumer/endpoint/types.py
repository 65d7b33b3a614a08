"""PostgreSQL's types for DuckDB's, and values of both in text and binary.

https://www.postgresql.org/docs/15/datatype.html; OIDs as in PostgreSQL's pg_type.dat
"""

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from consumer.warehouse.reader import ColumnType


@dataclass(frozen=True, slots=True)
class PgType:
    """A type as clients know it.

    Attributes:
        oid: PostgreSQL's number of it.
        name: PostgreSQL's name.
        size: bytes of a value, -1 where they differ.
        duckdb: the type that a parameter of it is given in SQL.
        array_oid: the OID of its arrays.
    """

    oid: int
    name: str
    size: int
    duckdb: str
    array_oid: int


_ALL: Final = (
    PgType(16, "bool", 1, "boolean", 1000),
    PgType(17, "bytea", -1, "blob", 1001),
    PgType(18, "char", 1, "varchar", 1002),
    PgType(19, "name", 64, "varchar", 1003),
    PgType(20, "int8", 8, "bigint", 1016),
    PgType(21, "int2", 2, "smallint", 1005),
    PgType(23, "int4", 4, "integer", 1007),
    PgType(25, "text", -1, "varchar", 1009),
    PgType(26, "oid", 4, "uinteger", 1028),
    PgType(114, "json", -1, "varchar", 199),
    PgType(700, "float4", 4, "float", 1021),
    PgType(701, "float8", 8, "double", 1022),
    PgType(1042, "bpchar", -1, "varchar", 1014),
    PgType(1043, "varchar", -1, "varchar", 1015),
    PgType(1082, "date", 4, "date", 1182),
    PgType(1083, "time", 8, "time", 1183),
    PgType(1114, "timestamp", 8, "timestamp", 1115),
    PgType(1184, "timestamptz", 8, "timestamptz", 1185),
    PgType(1186, "interval", 16, "interval", 1187),
    PgType(1700, "numeric", -1, "decimal(38,9)", 1231),
    PgType(2950, "uuid", 16, "uuid", 2951),
    PgType(3802, "jsonb", -1, "varchar", 3807),
)
BY_OID: Final = {one.oid: one for one in _ALL}
BY_NAME: Final = {one.name: one for one in _ALL}
ITEM_BY_ARRAY_OID: Final = {one.array_oid: one for one in _ALL}
TEXT: Final = BY_NAME["text"]

_BY_KIND: Final = {
    "boolean": "bool",
    "tinyint": "int2",
    "utinyint": "int2",
    "smallint": "int2",
    "usmallint": "int4",
    "integer": "int4",
    "uinteger": "oid",
    "bigint": "int8",
    "ubigint": "numeric",
    "hugeint": "numeric",
    "uhugeint": "numeric",
    "bignum": "numeric",
    "float": "float4",
    "double": "float8",
    "decimal": "numeric",
    "varchar": "text",
    "char": "text",
    "blob": "bytea",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamp_s": "timestamp",
    "timestamp_ms": "timestamp",
    "timestamp_ns": "timestamp",
    "timestamp with time zone": "timestamptz",
    "interval": "interval",
    "uuid": "uuid",
    "map": "json",
    "struct": "json",
    "union": "json",
    "json": "json",
}


@dataclass(frozen=True, slots=True)
class ResultType:
    """How a column of DuckDB's goes over the wire."""

    oid: int
    size: int
    modifier: int
    item: PgType
    is_array: bool


def to_result_type(found: ColumnType) -> ResultType:
    """PostgreSQL's type for a column; text where there is none like it."""
    if found.kind in ("list", "array") and found.item is not None:
        if found.item.kind in ("list", "array", "map", "struct", "union"):
            json = BY_NAME["json"]
            return ResultType(json.oid, -1, -1, json, is_array=False)
        item = to_scalar(found.item)
        return ResultType(item.array_oid, -1, -1, item, is_array=True)
    scalar = to_scalar(found)
    modifier = -1
    if found.precision is not None:
        digits, scale = found.precision
        modifier = (digits << 16 | scale) + 4
    return ResultType(scalar.oid, scalar.size, modifier, scalar, is_array=False)


def to_scalar(found: ColumnType) -> PgType:
    """The type of what is no list."""
    if found.name == "JSON":
        return BY_NAME["json"]
    return BY_NAME[_BY_KIND.get(found.kind, "text")]


# --- values as SQL that gives their text -----------------------------------------------------


def to_text_sql(value: str, found: ColumnType) -> str:
    """SQL for the text that PostgreSQL would write for ``value``, an expression of that type."""
    result = to_result_type(found)
    if result.is_array:
        assert found.item is not None  # noqa: S101 - as `to_result_type` found
        item = f"replace(replace({_scalar_text_sql('e', found.item)}, '\\', '\\\\'), '\"', '\\\"')"
        items = (
            f"list_transform({value}, lambda e: case when e is null then 'NULL' "
            f"else '\"' || {item} || '\"' end)"
        )
        return f"('{{' || coalesce(array_to_string({items}, ','), '') || '}}')"
    return _scalar_text_sql(value, found)


def _scalar_text_sql(value: str, found: ColumnType) -> str:
    text = f"{value}::varchar"
    match found.kind:
        case "varchar":
            return value
        case "boolean":
            return f"case when {value} then 't' else 'f' end"
        case "float" | "double":
            return (
                f"case when isfinite({value}) then {text} when isnan({value}) then 'NaN' "
                f"when {value} > 0 then 'Infinity' else '-Infinity' end"
            )
        case "blob":
            return f"'\\x' || lower(hex({value}))"
        case "date" | "timestamp":
            return f"replace({text}, ' (BC)', ' BC')"
        case "interval":
            return f"replace({text}, 'month', 'mon')"
        case "map" | "struct" | "union" | "list" | "array":
            return f"to_json({value})::varchar"
        case _:
            return text


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
            return f"(epoch_us({value}) - {_EPOCH_MICROS})"
        case "date":
            return f"({value} - date '2000-01-01')::integer"
        case "numeric" | "uuid":
            return f"{value}::varchar"
        case "text" | "json":
            return _scalar_text_sql(value, found)
        case _:
            return value


# --- values of a result in binary --------------------------------------------------------------

_EPOCH: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - PostgreSQL's timestamps have no zone either
_EPOCH_MICROS: Final = 946_684_800_000_000
_EPOCH_UTC: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(2000, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_SIGN_NEGATIVE, _SIGN_NAN, _SIGN_INFINITY, _SIGN_MINUS_INFINITY = 0x4000, 0xC000, 0xD000, 0xF000
_DIGITS: Final = 4  # PostgreSQL keeps numerics in base 10,000

_pack_int2: Final = struct.Struct("!h").pack
_pack_int4: Final = struct.Struct("!i").pack
_pack_oid: Final = struct.Struct("!I").pack
_pack_int8: Final = struct.Struct("!q").pack
_pack_float4: Final = struct.Struct("!f").pack
_pack_float8: Final = struct.Struct("!d").pack


def _pack_text(value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


def _pack_time(value: time) -> bytes:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return _pack_int8(seconds * 1_000_000 + value.microsecond)


def _pack_interval(value: Any) -> bytes:  # noqa: ANN401 - Arrow's triple has no public class
    months, days, nanoseconds = value
    return struct.pack("!qii", nanoseconds // 1000, days, months)


def pack_numeric(value: str) -> bytes:
    """A number as PostgreSQL's numeric: groups of four digits, as its source's numeric.c has it."""
    number = Decimal(value)
    if number.is_nan():
        return struct.pack("!hhHh", 0, 0, _SIGN_NAN, 0)
    if number.is_infinite():
        sign = _SIGN_INFINITY if number > 0 else _SIGN_MINUS_INFINITY
        return struct.pack("!hhHh", 0, 0, sign, 0)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - finite
    text = "".join(map(str, digits)) + "0" * max(exponent, 0)
    scale = max(-exponent, 0)
    text = text.rjust(scale + 1, "0")
    whole, fraction = text[: len(text) - scale], text[len(text) - scale :]
    whole = whole.rjust(-(-len(whole) // _DIGITS) * _DIGITS, "0")
    fraction = fraction.ljust(-(-len(fraction) // _DIGITS) * _DIGITS, "0")
    groups = [
        int((whole + fraction)[at : at + _DIGITS])
        for at in range(0, len(whole + fraction), _DIGITS)
    ]
    weight = len(whole) // _DIGITS - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    head = struct.pack(
        "!hhHh", len(groups), weight if groups else 0, _SIGN_NEGATIVE if sign else 0, scale
    )
    return head + struct.pack(f"!{len(groups)}h", *groups)


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


# --- values of parameters ------------------------------------------------------------------------


class BadValue(Exception):  # noqa: N818 - named for what the value is
    """A parameter's bytes are no value of its type."""


def _unpack_numeric(data: bytes) -> str:
    count, weight, sign, scale = struct.unpack_from("!hhHh", data)
    if sign in (_SIGN_NAN, _SIGN_INFINITY, _SIGN_MINUS_INFINITY):
        raise BadValue("numeric parameters have to be finite")
    groups = struct.unpack_from(f"!{count}h", data, 8)
    number = sum(
        (Decimal(group).scaleb((weight - at) * _DIGITS) for at, group in enumerate(groups)),
        Decimal(0),
    )
    text = format(number, "f") if scale else str(int(number))
    return f"-{text}" if sign == _SIGN_NEGATIVE else text


def _unpack_interval(data: bytes) -> str:
    micros, days, months = struct.unpack("!qii", data)
    return f"{months} months {days} days {micros} microseconds"


_UNPACKERS: Final[dict[str, Callable[[bytes], str]]] = {
    "bool": lambda data: "true" if struct.unpack("!?", data)[0] else "false",
    "int2": lambda data: str(struct.unpack("!h", data)[0]),
    "int4": lambda data: str(struct.unpack("!i", data)[0]),
    "int8": lambda data: str(struct.unpack("!q", data)[0]),
    "oid": lambda data: str(struct.unpack("!I", data)[0]),
    "float4": lambda data: str(struct.unpack("!f", data)[0]),
    "float8": lambda data: str(struct.unpack("!d", data)[0]),
    "numeric": _unpack_numeric,
    "date": lambda data: date.fromordinal(struct.unpack("!i", data)[0] + _EPOCH_DAY).isoformat(),
    "time": lambda data: str((_EPOCH + struct.unpack("!q", data)[0] * _MICROSECOND).time()),
    "timestamp": lambda data: (_EPOCH + struct.unpack("!q", data)[0] * _MICROSECOND).isoformat(
        sep=" "
    ),
    "timestamptz": lambda data: (
        _EPOCH_UTC + struct.unpack("!q", data)[0] * _MICROSECOND
    ).isoformat(sep=" "),
    "interval": _unpack_interval,
    "uuid": lambda data: str(uuid.UUID(bytes=data)),
    "jsonb": lambda data: data[1:].decode(),  # a version comes before it
}


def unpack(data: bytes, type_: PgType) -> str:
    """A parameter's binary value as the text of it. Raises `BadValue`."""
    try:
        return _UNPACKERS.get(type_.name, bytes.decode)(data)
    except (struct.error, ValueError, OverflowError, InvalidOperation) as error:
        raise BadValue(f"{len(data)} bytes are no binary {type_.name}") from error


def unpack_array(data: bytes) -> tuple[list[str | None], PgType]:
    """A parameter's binary array, of one dimension, as texts. Raises `BadValue`."""
    try:
        dimensions, _, oid = struct.unpack_from("!iiI", data)
        item = BY_OID.get(oid, TEXT)
        if dimensions == 0:
            return [], item
        if dimensions != 1:
            raise BadValue("arrays of more than one dimension are not taken as parameters")
        (count,) = struct.unpack_from("!i", data, 12)
        at, values = 20, list[str | None]()
        for _ in range(count):
            (length,) = struct.unpack_from("!i", data, at)
            at += 4
            if length < 0:
                values.append(None)
                continue
            if at + length > len(data):
                raise BadValue("an array ends before its last item")
            values.append(unpack(data[at : at + length], item))
            at += length
    except struct.error as error:
        raise BadValue(f"{len(data)} bytes are no binary array") from error
    return values, item


def parse_array(text: str) -> list[str | None]:
    """An array of one dimension as PostgreSQL writes it, ``{a,"b c",NULL}``. Raises `BadValue`."""
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise BadValue(f"no array: {text[:50]!r}")
    values: list[str | None] = []
    at, end = 1, len(inner) - 1
    while at < end:
        part, is_quoted = "", False
        if inner[at] == '"':
            is_quoted = True
            at += 1
            while at < end and inner[at] != '"':
                at += inner[at] == "\\"
                part += inner[at]
                at += 1
            at += 1
        else:
            while at < end and inner[at] != ",":
                if inner[at] in '{}"':
                    raise BadValue("arrays of more than one dimension are not taken as parameters")
                at += inner[at] == "\\"
                part += inner[at]
                at += 1
            part = part.strip()
        if at < end and inner[at] != ",":
            raise BadValue(f"no array: {text[:50]!r}")
        at += 1
        values.append(None if part.upper() == "NULL" and not is_quoted else part)
    return values
