"""The kinds of statements there are here: some are read, the rest are answered without DuckDB."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.endpoint.statements.tokens import Token


@dataclass(frozen=True, slots=True)
class Read:
    """A query; its rows go to the client."""

    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class Explain:
    """A query whose plan is asked for; ``is_run`` where it is run as well."""

    tokens: Sequence[Token]
    is_run: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """A query whose rows are wanted as lines.

    Attributes:
        tokens: the query's.
        format: ``text`` or ``csv``.
        has_header: whether a line with the names comes first.
        delimiter: between values.
        null: what stands for NULL.
    """

    tokens: Sequence[Token]
    format: str = "text"
    has_header: bool = False
    delimiter: str = "\t"
    null: str = "\\N"


@dataclass(frozen=True, slots=True)
class Declare:
    """A cursor to fetch from."""

    name: str
    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Some rows of a cursor; None for all that are left."""

    name: str
    count: int | None


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """The end of a cursor, of all of them for None."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Begin:
    """The start of a transaction."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a transaction; ``tag`` is what PostgreSQL calls it."""

    tag: str


@dataclass(frozen=True, slots=True)
class Savepoint:
    """SAVEPOINT, RELEASE or ROLLBACK TO, by ``tag``: nothing was written that could be undone."""

    tag: str


@dataclass(frozen=True, slots=True)
class Set:
    """A setting of the session; None for its default."""

    name: str
    value: str | None
    tag: str = "SET"


@dataclass(frozen=True, slots=True)
class Show:
    """The value of a setting, of all of them for ``all``."""

    name: str


@dataclass(frozen=True, slots=True)
class Deallocate:
    """The end of a prepared statement, of all of them for None."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Discard:
    """Everything of the session anew."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Something that needs an answer and no more; ``tag`` is the answer."""

    tag: str


Statement = (
    Read | Explain | Copy | Declare | Fetch | CloseCursor | Begin | End | Savepoint | Set | Show
    | Deallocate | Discard | Nothing
)  # fmt: skip
