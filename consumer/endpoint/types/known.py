"""Which type of PostgreSQL's stands for which of DuckDB's; OIDs as in PostgreSQL's pg_type.dat."""

from dataclasses import dataclass
from typing import Final

from consumer.warehouse.reading.reader import ColumnType


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


class BadValue(Exception):  # noqa: N818 - named for what the value is
    """A parameter's bytes are no value of its type."""
