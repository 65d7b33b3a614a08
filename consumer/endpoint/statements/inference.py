"""What type each parameter of a statement is.

PostgreSQL finds it by what stands beside the parameter. So does this, on DuckDB's parse: a cast, a
column it is compared with, LIMIT. What remains is text, whose literal DuckDB converts to whatever
the place asks for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements.tokens import Token
from consumer.endpoint.types import known
from consumer.warehouse.reading.published import PublishedColumn

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
            oid = found.oids.get(number, known.TEXT.oid)
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
                        self._note(part, known.BY_NAME["int8"].oid)
            for value in node.values():
                self._visit(value)

    def _any(self, node: dict[str, Any]) -> None:
        """``x = any($1)``: DuckDB makes a subquery that unnests the list of it."""
        oid = self._type_of(node["child"])
        item = known.BY_OID.get(oid) if oid else None
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
            if oid in known.BY_OID:
                self._note(children[0], known.BY_OID[oid].array_oid)
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
                return {"INTEGER": known.BY_NAME["int4"].oid}.get(str(kind))
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
        return known.BY_NAME[item].array_oid if item else None
    return known.BY_NAME[_BY_DUCKDB[name]].oid if name in _BY_DUCKDB else None


def _to_oid(data_type: str) -> int | None:
    is_list = data_type.endswith("[]")
    name = _BY_DUCKDB.get(data_type.removesuffix("[]").split("(")[0])
    if name is None:
        return None
    found = known.BY_NAME[name]
    return found.array_oid if is_list else found.oid
