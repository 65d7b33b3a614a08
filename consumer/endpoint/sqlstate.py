"""Faults as clients of PostgreSQL know them: SQLSTATE, message, hint, position.

https://www.postgresql.org/docs/15/errcodes-appendix.html
"""

import re
from typing import Final

from consumer.errors import StatementFault

_BY_KIND: Final = {
    "ParserException": "42601",
    "SyntaxException": "42601",
    "BinderException": "42703",
    "CatalogException": "42P01",
    "ConversionException": "22P02",
    "OutOfRangeException": "22003",
    "InvalidInputException": "22023",
    "InvalidTypeException": "42804",
    "TypeMismatchException": "42804",
    "NotImplementedException": "0A000",
    "OutOfMemoryException": "53200",
    "InterruptException": "57014",
    "PermissionException": "42501",
    "TransactionException": "25000",
    "ConstraintException": "23000",
    "IOException": "58030",
    "FatalException": "57P02",
    "InternalException": "XX000",
}
_WORDS: Final = (
    (re.compile(r"function with name|No function matches|is not an aggregate"), "42883"),
    (re.compile(r"must appear in the GROUP BY"), "42803"),
    (re.compile(r"Ambiguous reference"), "42702"),
    (re.compile(r"Type with name"), "42704"),
    (re.compile(r"division by zero", re.IGNORECASE), "22012"),
    (re.compile(r"field value out of range"), "22008"),
    (re.compile(r"out of range for the destination|value is out of range"), "22003"),
    (re.compile(r"More than one row returned by a subquery"), "21000"),
    (re.compile(r"(timestamp|date|time) field value|invalid (timestamp|date)"), "22007"),
    (re.compile(r"depth limit"), "54001"),
)
_PREFIX: Final = re.compile(r"^[A-Z][A-Za-z ]* Error: ")


class Refusal(Exception):  # noqa: N818 - named for what became of the statement
    """A statement was refused or failed: an error for its client, after which the next may come.

    Attributes:
        state: the SQLSTATE.
        message: for a person, without address or value of a row unless DuckDB quotes one.
        hint: what to do about it.
        at: bytes of the rewritten statement before the place meant; None for nowhere.
        index: the same place in what the client sent, in characters, once it is known.
    """

    def __init__(self, state: str, message: str, *, hint: str = "", at: int | None = None) -> None:
        super().__init__(message)
        self.state = state
        self.message = message
        self.hint = hint
        self.at = at
        self.index: int | None = None


def to_state(fault: StatementFault) -> str:
    """The SQLSTATE for what DuckDB raised: by its words where they say more than its class."""
    for pattern, state in _WORDS:
        if pattern.search(str(fault)):
            return state
    return _BY_KIND.get(fault.kind, "XX000")


def to_message(fault: StatementFault) -> tuple[str, str]:
    """The first paragraph of what DuckDB said, and its advice as a hint."""
    text = _PREFIX.sub("", str(fault))
    head, _, rest = text.partition("\n")
    hint = rest.split("\n\nLINE ")[0].split("\nLINE ")[0].strip()
    return head.strip(), hint
