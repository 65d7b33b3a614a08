"""Whether what a user made in the schema `my` may be served to a role.

It may where the role could run its query itself: `guard` decides, as on any statement.
"""

from collections.abc import Callable, Sequence

from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements import guard
from consumer.endpoint.statements.tokens import Token, meaningful, split_statements
from consumer.warehouse.reading.published import Published


def admit(statement: str, published: Published, parse: Callable[[str], str]) -> str | None:
    """Say why a CREATE VIEW or CREATE MACRO may not be served; None where it may.

    Args:
        statement: as the user wrote it.
        published: what the role may see.
        parse: DuckDB's parse of a SELECT, as JSON.
    """
    statements = split_statements(statement)
    body = _find_body(statements[0]) if len(statements) == 1 else None
    if body is None:
        return "it is no CREATE VIEW or CREATE MACRO that can be read here"
    try:
        guard.check(guard.parse(parse(body)), published)
    except Refusal as refusal:
        return refusal.message
    return None


def _find_body(tokens: Sequence[Token]) -> str | None:
    """The query after ``as``; a scalar macro's expression as one."""
    said = meaningful(tokens)
    is_macro = any(token.word in ("macro", "function") for token in said[:4])
    depth = 0
    for at, token in enumerate(said):
        depth += (token.text == "(") - (token.text == ")")
        if depth or token.kind != "word" or token.word != "as" or at + 1 == len(said):
            continue
        begins = said[at + 1]
        is_table = is_macro and begins.kind == "word" and begins.word == "table"
        after = begins.at + len(begins.text) if is_table else begins.at
        body = "".join(one.text for one in tokens if one.at >= after)
        return f"select ({body}\n)" if is_macro and not is_table else body
    return None
