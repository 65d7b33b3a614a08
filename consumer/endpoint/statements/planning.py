"""From a statement's pieces to something that may run, with its columns known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from consumer.endpoint.sqlstate import Refusal, to_message, to_state
from consumer.endpoint.statements import guard, inference
from consumer.endpoint.statements.rewriting import Rewritten, rewrite
from consumer.endpoint.statements.tokens import Token
from consumer.errors import StatementFault
from consumer.warehouse.reading.reader import Column, Reader, find_position

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """A query that may run."""

    sql: str
    columns: Sequence[Column]


def plan(
    reader: Reader,
    tokens: Sequence[Token],
    *,
    user: str,
    to_parameter: Callable[[int], str] = lambda number: f"${number}",
) -> Plan:
    """Rewrite, check and bind a query. Raises `Refusal`, its place counted in the original."""
    rewritten = rewrite(tokens, user=user, to_parameter=to_parameter)
    _check(reader, rewritten)
    try:
        return Plan(rewritten.sql, reader.describe(rewritten.sql))
    except StatementFault as fault:
        raise to_refusal(fault, rewritten) from fault


def infer(
    reader: Reader,
    tokens: Sequence[Token],
    *,
    user: str,
    given: Sequence[int],
) -> list[int]:
    """The types of a query's parameters, after it was checked. Raises `Refusal`."""
    node = _check(reader, rewrite(tokens, user=user))
    count = inference.count_parameters(tokens)
    published = reader.published
    everything = published.own_columns | published.columns
    columns = {name.lower(): found for name, found in everything.items()}
    return inference.infer_types(node, given, count, columns)


def _check(reader: Reader, rewritten: Rewritten) -> dict[str, Any]:
    try:
        # The parser of JSON sees what the parser of SQL has found to be one statement.
        node = guard.parse(reader.parse(rewritten.sql))
        guard.check(node, reader.published)
    except Refusal as refusal:
        if refusal.at is not None:
            refusal.index = rewritten.find(refusal.at)
        raise
    except StatementFault as fault:
        raise to_refusal(fault, rewritten) from fault
    return node


def to_refusal(fault: StatementFault, rewritten: Rewritten | None = None) -> Refusal:
    """What DuckDB raised, as a client is told."""
    message, hint = to_message(fault)
    refusal = Refusal(to_state(fault), message, hint=hint)
    if rewritten is not None:
        sql = rewritten.sql
        index = find_position(sql, str(fault))
        if index is not None:
            refusal.index = rewritten.find(len(sql[:index].encode()))
    return refusal
