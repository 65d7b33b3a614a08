"""SQL as words, strings and signs: enough to rewrite names without touching texts or comments.

Nothing here decides what may run: `guard` does that, on DuckDB's own parse of what comes out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["space", "string", "parameter", "quoted", "word", "number", "sign"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*)
    |(?P<string>[eE]'(?:[^'\\]|\\.|'')*'|[nNbBxX]?'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<parameter>\$\d+)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*|\.\d\w*)
    |(?P<sign>::|(?:(?!--|/\*)[-+*/<>=~!@\#%^&|`?])+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL and where it starts."""

    kind: Kind
    text: str
    at: int

    @property
    def word(self) -> str:
        """As a keyword or name is compared: lower case, without its quotes; empty for others."""
        if self.kind == "word":
            return self.text.lower()
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        return ""


def split_tokens(sql: str) -> Iterator[Token]:
    """Take SQL apart, whatever it is; the pieces' texts together are ``sql`` again."""
    at = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        assert found is not None  # noqa: S101 - the last alternative takes any character
        end = _find_comment_end(sql, at) if found.group() == "/*" else found.end()
        kind: Kind = found.lastgroup  # type: ignore[assignment]  # the groups are named so
        yield Token(kind, sql[at:end], at)
        at = end


def split_statements(sql: str) -> list[list[Token]]:
    """Split at semicolons; statements of nothing but spaces and comments are left out."""
    statements: list[list[Token]] = [[]]
    for token in split_tokens(sql):
        if token.text == ";" and token.kind == "sign":
            statements.append([])
        else:
            statements[-1].append(token)
    return [one for one in statements if any(token.kind != "space" for token in one)]


def _find_comment_end(sql: str, at: int) -> int:
    """PostgreSQL's comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if not depth:
            return edge.end()
    return len(sql)


def meaningful(tokens: Sequence[Token]) -> list[Token]:
    """All but spaces and comments."""
    return [token for token in tokens if token.kind != "space"]


def to_literal(text: str) -> str:
    """A text as a string of SQL; a zero byte cannot stand in one."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"
