"""Decides whether a statement may run, on DuckDB's own parse of it.

One statement, a SELECT by DuckDB's word; every relation one that is published to the role, or a
common table expression in whose scope the name stands; every function and type on a list. What
the parse holds that is not known here is refused. The rest of the wall is elsewhere: the reader's
search path has no other relation in it, its transaction reads only, the instance reaches no file.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements.functions import ALLOWED, ALLOWED_TABLES
from consumer.warehouse.reading.published import Published

MOST_QUERY_NODES: Final = 300  # planning a chain of set operations takes time by its square
OWN: Final = "my"  # the schema of what users made
_NOWHERE: Final = 2**63

_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_PLACES: Final = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "SUBQUERY", "TABLE_FUNCTION"}
)
# Types that cast without parsing JSON or building something from a name.
_TYPES: Final = frozenset(
    """
    any bigint bit bitstring blob bool boolean bpchar bytea char character date datetime dec decimal
    double enum float float4 float8 hugeint int int1 int2 int4 int8 int16 int32 int64 int128 integer
    interval list logical long map name nvarchar numeric oid real regclass regnamespace regproc
    regtype short signed smallint string struct text time timestamp timestamp_ms timestamp_ns
    timestamp_s timestamp_us timestamptz timetz tinyint ubigint uhugeint uinteger usmallint utinyint
    uuid varbinary varchar xid array
    """.split()  # noqa: SIM905 - a list of words
) | {
    "double precision",
    "time with time zone",
    "timestamp with time zone",
    "time without time zone",
    "timestamp without time zone",
    "character varying",
}


@dataclass(frozen=True, slots=True)
class _Scope:
    """The common table expressions that a name may mean."""

    names: frozenset[str] = frozenset()

    def plus(self, *names: str) -> "_Scope":
        return _Scope(self.names.union(name.lower() for name in names))


def parse(parsed: str) -> dict[str, Any]:
    """The one SELECT in DuckDB's parse. Raises `Refusal`."""
    try:
        found: dict[str, Any] = json.loads(parsed)
    except RecursionError:
        raise Refusal("54001", "the statement is nested too deeply") from None
    if found.get("error"):
        raise _to_refusal(found)
    statements = found["statements"]
    if len(statements) != 1:
        raise Refusal("42601", "cannot insert multiple commands into one query string")
    node: dict[str, Any] = statements[0]["node"]
    return node


def _to_refusal(found: Mapping[str, Any]) -> Refusal:
    if found.get("error_type") == "parser":
        at = found.get("position")
        deep = "depth limit" in found["error_message"]
        state = "54001" if deep else "42601"
        return Refusal(state, found["error_message"], at=int(at) if at is not None else None)
    return Refusal("25006", "only one SELECT at a time may run here", hint="This is for reading.")


def check(node: dict[str, Any], published: Published) -> None:
    """Raise `Refusal` unless every part of the statement is allowed."""
    try:
        _Check(published).query(node, _Scope())
    except (KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            "0A000", f"this kind of statement is not supported here: {error!r}"
        ) from error
    except RecursionError:
        raise Refusal("54001", "the statement is nested too deeply") from None


class _Check:
    def __init__(self, published: Published) -> None:
        self._published = published
        self._nodes = 0

    def query(self, node: dict[str, Any], scope: _Scope) -> None:
        """Walk a query node: first its common table expressions, each in its own scope."""
        self._nodes += 1
        if self._nodes > MOST_QUERY_NODES:
            raise Refusal(
                "54001", f"more than {MOST_QUERY_NODES} parts of a query in one statement"
            )
        if node["type"] not in _NODES:
            raise Refusal("0A000", f"{node['type']} is not supported here")
        scope = self._expressions(node.get("cte_map") or {"map": []}, scope)
        for key, value in node.items():
            # only the second half of a recursive one sees its own name
            is_own = node["type"] == "RECURSIVE_CTE_NODE" and key == "right"
            if key != "cte_map":
                self._walk(value, scope.plus(node["cte_name"]) if is_own else scope)

    def _expressions(self, ctes: dict[str, Any], scope: _Scope) -> _Scope:
        for entry in ctes["map"]:
            value = entry["value"]
            for rest in value.values():
                self._walk(rest, scope)
            scope = scope.plus(entry["key"])
        return scope

    def _walk(self, value: Any, scope: _Scope) -> None:  # noqa: ANN401 - any JSON
        if isinstance(value, list):
            for item in value:
                self._walk(item, scope)
        elif isinstance(value, dict):
            self._node(value, scope)

    def _node(self, node: dict[str, Any], scope: _Scope) -> None:
        kind = node.get("type")
        if isinstance(kind, str):
            if kind in _NODES or "cte_map" in node:
                self.query(node, scope)
                return
            # a place in FROM has a sample, an expression a class
            if "sample" in node and "class" not in node and kind not in _PLACES:
                raise Refusal("0A000", f"{kind} is not supported here", at=_at(node))
            if kind == "BASE_TABLE":
                self._relation(node, scope)
            elif kind == "TABLE_FUNCTION":
                self._table_function(node["function"])
                for rest in node["function"].values():
                    self._walk(rest, scope)
                return
        match node.get("class"):
            case "FUNCTION" | "WINDOW":
                self._function(node)
            case "TYPE":
                self._type(node)
            case "LAMBDA_REF" | "BOUND_REF":
                raise Refusal("0A000", f"{node['class']} is not supported here")
        for key, rest in node.items():
            if key != "type" or not isinstance(rest, str):
                self._walk(rest, scope)

    def _relation(self, node: dict[str, Any], scope: _Scope) -> None:
        name, schema = node["table_name"], node["schema_name"].lower()
        shown = ".".join(filter(None, (node["catalog_name"], schema, name)))
        if node["catalog_name"]:
            raise Refusal(
                "0A000", f"cross-database references are not implemented: {shown}", at=_at(node)
            )
        if node.get("at_clause"):
            raise Refusal("0A000", "AT is not supported here", at=_at(node))
        if not schema and name.lower() in scope.names:
            return
        own = (schema in ("", "public") and _has(self._published.columns, name)) or (
            schema == OWN and _has(self._published.own_columns, name)
        )
        listed = (not schema and _has(self._published.catalogue.get("pg", ()), name)) or (
            schema == "info" and _has(self._published.catalogue.get("info", ()), name)
        )
        if not own and not listed:
            raise Refusal("42P01", f'relation "{shown}" does not exist', at=_at(node))

    def _table_function(self, node: dict[str, Any]) -> None:
        name = node["function_name"].lower()
        schema = node.get("schema") or ""
        allowed = (
            self._published.own_macros if schema == OWN else ALLOWED_TABLES | self._published.macros
        )
        if schema not in ("", "info", OWN) or name not in allowed:
            raise Refusal("42501", f"permission denied for function {name}", at=_at(node))

    def _function(self, node: dict[str, Any]) -> None:
        name = node["function_name"].lower()
        schema = node.get("schema") or ""
        if schema == OWN and not node.get("catalog") and name in self._published.own_macros:
            return
        if node.get("catalog") or schema not in ("", "public", "info"):
            raise Refusal("42883", f"function {name} does not exist", at=_at(node))
        if name not in ALLOWED and name not in self._published.macros:
            raise Refusal("42501", f"permission denied for function {name}", at=_at(node))

    def _type(self, node: dict[str, Any]) -> None:
        name = str(node.get("type_name") or node.get("name") or "").lower()
        if node.get("catalog") or node.get("schema") or name not in _TYPES:
            raise Refusal("42704", f'type "{name}" does not exist', at=_at(node))


def _has(names: Iterable[str], name: str) -> bool:
    """DuckDB's names are the same in upper and lower case."""
    return name in names or name.lower() in names


def _at(node: Mapping[str, Any]) -> int | None:
    at = node.get("query_location")
    return at if isinstance(at, int) and at < _NOWHERE else None
