"""Parameters of a statement: what type each is, and its value as SQL.

PostgreSQL finds a parameter's type by what stands beside it. So does this, on DuckDB's parse: a
cast, a column it is compared with, LIMIT. What remains is text, whose literal DuckDB converts to
whatever the place asks for.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumer.endpoint import types
from consumer.endpoint.messages import BINARY
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.tokens import Token, to_literal
from consumer.warehouse.publication import PublishedColumn

MOST_PARAMETERS: Final = 10_000
_UNKNOWN: Final = 705
_BY_DUCKDB: Final = {
    "BOOLEAN": "bool",
    "SMALLINT": "int2",
    "INTEGER": "int4",
    "UINTEGER": "oid",
    "BIGINT": "int8",
    "UBIGINT": "numeric",
    "HUGEINT": "numeric",
    "FLOAT": "float4",
    "REAL": "float4",
    "DOUBLE": "float8",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "DATETIME": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "INTERVAL": "interval",
    "UUID": "uuid",
    "DECIMAL": "numeric",
    "INT": "int4",
    "BOOL": "bool",
    "TEXT": "text",
    "OID": "oid",
    "INT2": "int2",
    "INT4": "int4",
    "INT8": "int8",
    "FLOAT8": "float8",
    "FLOAT4": "float4",
    "NUMERIC": "numeric",
    "TIMESTAMPTZ": "timestamptz",
    "NAME": "name",
    "STRING": "text",
}
_RANGES: Final = frozenset({"COMPARE_BETWEEN", "BETWEEN"})


def count_parameters(tokens: Sequence[Token]) -> int:
    """The highest ``$n``. Raises `Refusal` for one that is out of all bounds."""
    numbers = [int(token.text[1:8]) for token in tokens if token.kind == "parameter"]
    most = max(numbers, default=0)
    if most > MOST_PARAMETERS or 0 in numbers:
        raise Refusal("42P02", "there is no such parameter: they count from $1")
    return most


def infer_types(
    node: dict[str, Any],
    given: Sequence[int],
    count: int,
    columns: Mapping[str, Sequence[PublishedColumn]],
) -> list[int]:
    """The OID of each parameter: the client's where it gave one, else what the parse says."""
    found = _Inference(columns)
    found.walk(node)
    oids = []
    for number in range(1, count + 1):
        oid = given[number - 1] if number <= len(given) else 0
        if oid in (0, _UNKNOWN):
            oid = found.oids.get(number, types.TEXT.oid)
        oids.append(oid)
    return oids


class _Inference:
    def __init__(self, columns: Mapping[str, Sequence[PublishedColumn]]) -> None:
        self.oids: dict[int, int] = {}
        self._by_name: dict[str, set[str]] = {}
        self._columns = columns

    def walk(self, node: Any) -> None:  # noqa: ANN401 - any JSON
        self._collect(node)
        self._visit(node)

    def _collect(self, node: Any) -> None:  # noqa: ANN401 - the same
        """Note the types of all columns of the relations that the statement names."""
        if isinstance(node, list):
            for item in node:
                self._collect(item)
        elif isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                for column in self._columns.get(node["table_name"].lower(), ()):
                    self._by_name.setdefault(column.name.lower(), set()).add(column.data_type)
            for value in node.values():
                self._collect(value)

    def _visit(self, node: Any) -> None:  # noqa: ANN401 - the same
        if isinstance(node, list):
            for item in node:
                self._visit(item)
        elif isinstance(node, dict):
            match node.get("class"):
                case "CAST":
                    self._note(node["child"], _cast_oid(node))
                case "COMPARISON":
                    self._pair(node["left"], node["right"])
                case "BETWEEN":
                    self._pair(node["input"], node["lower"])
                    self._pair(node["input"], node["upper"])
                case "OPERATOR" if "IN" in str(node.get("type")):
                    first, *rest = node["children"]
                    for other in rest:
                        self._pair(first, other)
                case "FUNCTION":
                    self._function(node)
                case "SUBQUERY" if node.get("child") is not None:
                    self._any(node)
            if node.get("type") == "LIMIT_MODIFIER":
                for part in (node.get("limit"), node.get("offset")):
                    if part:
                        self._note(part, types.BY_NAME["int8"].oid)
            for value in node.values():
                self._visit(value)

    def _any(self, node: dict[str, Any]) -> None:
        """``x = any($1)``: DuckDB makes a subquery that unnests the list of it."""
        oid = self._type_of(node["child"])
        item = types.BY_OID.get(oid) if oid else None
        if item is None:
            return
        for parameter in _parameters_in(node["subquery"]):
            self._note(parameter, item.array_oid)

    def _function(self, node: dict[str, Any]) -> None:
        children = [argument["expression"] for argument in node["arguments"]]
        if node["function_name"] in ("contains", "list_contains", "array_contains") and (
            len(children) == 2  # noqa: PLR2004 - a list and an item: how `= any(list)` may come
        ):
            oid = self._type_of(children[1])
            if oid in types.BY_OID:
                self._note(children[0], types.BY_OID[oid].array_oid)
        if node.get("is_operator") and len(children) == 2:  # noqa: PLR2004 - two sides
            self._pair(*children)

    def _pair(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        for this, that in ((one, other), (other, one)):
            oid = self._type_of(that)
            if oid is not None:
                self._note(this, oid)

    def _note(self, node: dict[str, Any], oid: int | None) -> None:
        number = _number_of(node)
        if number is not None and oid is not None:
            self.oids.setdefault(number, oid)

    def _type_of(self, node: dict[str, Any]) -> int | None:
        match node.get("class"):
            case "CAST":
                return _cast_oid(node)
            case "COLUMN_REF":
                found = self._by_name.get(node["column_names"][-1].lower(), set())
                return _to_oid(next(iter(found))) if len(found) == 1 else None
            case "CONSTANT":
                kind = node.get("literal", {}).get("kind")
                return {"INTEGER": types.BY_NAME["int4"].oid}.get(str(kind))
        return None


def _parameters_in(node: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(node, list):
        return [found for item in node for found in _parameters_in(item)]
    if isinstance(node, dict):
        if _number_of(node) is not None:
            return [node]
        return [found for value in node.values() for found in _parameters_in(value)]
    return []


def _number_of(node: Any) -> int | None:  # noqa: ANN401 - any JSON
    if isinstance(node, dict) and node.get("class") == "PARAMETER":
        return int(str(node["identifier"]))
    return None


def _cast_oid(node: dict[str, Any]) -> int | None:
    """The OID of a cast's target type."""
    type_ = node.get("type_expr") or node.get("cast_type") or {}
    name = str(type_.get("type_name") or type_.get("id") or "").upper()
    if name in ("LIST", "ARRAY"):
        inner = (type_.get("children") or [{}])[0]
        item = _BY_DUCKDB.get(str(inner.get("type_name") or "").upper())
        return types.BY_NAME[item].array_oid if item else None
    return types.BY_NAME[_BY_DUCKDB[name]].oid if name in _BY_DUCKDB else None


def _to_oid(data_type: str) -> int | None:
    is_list = data_type.endswith("[]")
    name = _BY_DUCKDB.get(data_type.removesuffix("[]").split("(")[0])
    if name is None:
        return None
    found = types.BY_NAME[name]
    return found.array_oid if is_list else found.oid


def to_null(oid: int) -> str:
    """A NULL of the type, for finding out what a statement returns before it has values."""
    duckdb = _to_duckdb(oid)
    return f"null::{duckdb}" if duckdb else "null"


def to_value(data: bytes | None, form: int, oid: int) -> str:
    """A parameter's value as SQL. Raises `Refusal` for bytes that are no such value."""
    try:
        return _to_value(data, form, oid)
    except (types.BadValue, UnicodeDecodeError) as error:
        raise Refusal("22P02", f"invalid parameter: {error}") from error


def _to_value(data: bytes | None, form: int, oid: int) -> str:
    if data is None:
        return to_null(oid)
    item = types.ITEM_BY_ARRAY_OID.get(oid)
    if item is not None:
        if form == BINARY:
            values, item = types.unpack_array(data)
        else:
            values = types.parse_array(data.decode())
        inner = ", ".join("null" if one is None else to_literal(one) for one in values)
        return f"[{inner}]::{_plain(item.duckdb, values)}[]"
    type_ = types.BY_OID.get(oid, types.TEXT)
    text = types.unpack(data, type_) if form == BINARY else data.decode()
    if type_.duckdb == "varchar":
        return to_literal(text)  # fits wherever DuckDB wants something else than text
    if type_.name == "bytea":
        return _to_blob(data if form == BINARY else _parse_bytea(text))
    return f"{to_literal(text)}::{_plain(type_.duckdb, [text])}"


def _plain(duckdb: str, values: Sequence[str | None]) -> str:
    """Decimals have as many digits behind the point as the values need."""
    if not duckdb.startswith("decimal"):
        return duckdb
    if any(value and not re.fullmatch(r"-?\d*\.?\d*", value.strip()) for value in values):
        return "double"
    scale = max((len(value.partition(".")[2]) for value in values if value), default=0)
    return f"decimal(38,{min(scale, 18)})"


def _parse_bytea(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise types.BadValue("bytea is taken in hex, as \\x…")
    try:
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise types.BadValue("bytea is not hex") from error


def _to_blob(data: bytes) -> str:
    return "unhex('" + data.hex() + "')"


def _to_duckdb(oid: int) -> str | None:
    if oid in types.BY_OID:
        return types.BY_OID[oid].duckdb
    if oid in types.ITEM_BY_ARRAY_OID:
        return types.ITEM_BY_ARRAY_OID[oid].duckdb + "[]"
    return None
