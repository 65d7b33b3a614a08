"""What a statement is answered with: rows from a portal, or a command's tag.

Transactions are answered and bind nothing together: each statement sees the warehouse as of its
own start, which is what PostgreSQL's *read committed* gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from consumer.endpoint.messages import backend
from consumer.endpoint.portal import Portal, RowsPortal
from consumer.endpoint.queries import Queries, ToParameter, leave_parameter
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements import kinds
from consumer.endpoint.statements.tokens import Token
from consumer.endpoint.variables import Variables
from consumer.endpoint.wire import Wire
from consumer.warehouse.reading.reader import Column

MOST_PORTALS: Final = 16

Status = Literal["I", "T", "E"]


@dataclass(slots=True)
class Prepared:
    """A statement under its name; what it returns is found when somebody asks."""

    statement: kinds.Statement | None
    oids: Sequence[int] = ()
    columns: Sequence[Column] | None = None


class Answers:
    """Answers one client's statements, and keeps what lasts longer than one of them.

    Args:
        wire: the connection.
        queries: runs what is to be read.
        variables: the session's settings.

    Attributes:
        status: of the transaction: ``I`` in none, ``T`` in one, ``E`` in one that failed.
        prepared: statements by name, which DEALLOCATE and DISCARD forget.
    """

    def __init__(self, wire: Wire, queries: Queries, variables: Variables) -> None:
        self._wire = wire
        self._queries = queries
        self._variables = variables
        self._cursors: dict[str, Portal] = {}
        self.status: Status = "I"
        self.prepared: dict[str, Prepared] = {}

    def check_transaction(self, statement: kinds.Statement) -> None:
        """In a failed transaction only its end is heard. Raises `Refusal`."""
        if self.status == "E" and not isinstance(statement, kinds.End | kinds.Savepoint):
            raise Refusal(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            )

    def fail(self) -> None:
        """A statement failed, and with it the transaction that it is in."""
        if self.status == "T":
            self.status = "E"

    async def open(
        self, statement: kinds.Statement, formats: Sequence[int], to_parameter: ToParameter
    ) -> Portal | None:
        """What gives the statement's rows; None for one that has none. Raises `Refusal`."""
        match statement:
            case kinds.Read(tokens):
                return await self._queries.open(tokens, formats, to_parameter)
            case kinds.Explain():
                return await self._queries.explain(statement, to_parameter)
            case kinds.Show(name):
                return self._show(name)
            case kinds.Fetch(name):
                portal = self.find_cursor(name)
                self._queries.resume(portal)
                return portal
        return None

    def describe(self, statement: kinds.Statement) -> Sequence[backend.Field] | None:
        """The columns of what needs no planning; None for none. Raises `Refusal`."""
        match statement:
            case kinds.Show(name):
                return self._show(name).fields
            case kinds.Fetch(name):
                return self.find_cursor(name).fields
            case kinds.Explain():
                return RowsPortal(["QUERY PLAN"], []).fields
        return None

    async def copy(self, copy: kinds.Copy, to_parameter: ToParameter) -> None:
        """Send a query's rows as lines, and the tag. Raises `Refusal` and `Gone`."""
        sent = await self._queries.copy(copy, to_parameter, self._wire)
        self._wire.send(backend.complete(f"COPY {sent}"))

    async def obey(self, statement: kinds.Statement) -> str:
        """Do what a command asks for, and return its tag. Raises `Refusal`."""
        match statement:
            case kinds.Begin():
                self.status = "T"
                return "BEGIN"
            case kinds.End(tag):
                has_failed, self.status = self.status == "E", "I"
                await self.close_cursors()
                return "ROLLBACK" if has_failed else tag
            case kinds.Savepoint(tag):
                if self.status == "I":
                    raise Refusal("25P01", f"{tag} can only be used in transaction blocks")
                self.status = "T"
                return tag
            case kinds.Set(name, value, tag):
                self._set(name, value)
                return tag
            case kinds.Declare(name, tokens):
                await self._declare(name, tokens)
                return "DECLARE CURSOR"
            case kinds.CloseCursor(None):
                await self.close_cursors()
                return "CLOSE CURSOR ALL"
            case kinds.CloseCursor(str(name)):
                await self.find_cursor(name).close()
                del self._cursors[name]
                return "CLOSE CURSOR"
            case kinds.Deallocate(None):
                self.prepared.clear()
                return "DEALLOCATE ALL"
            case kinds.Deallocate(str(name)):
                self.find_prepared(name)
                del self.prepared[name]
                return "DEALLOCATE"
            case kinds.Discard():
                self.prepared.clear()
                self._variables.reset()
                await self.close_cursors()
                return "DISCARD ALL"
            case kinds.Nothing(tag):
                return tag
        raise AssertionError(f"{statement} gives rows")

    def has_cursor(self, name: str) -> bool:
        """Whether a cursor of that name was declared."""
        return name in self._cursors

    def find_cursor(self, name: str) -> Portal:
        """The cursor of that name. Raises `Refusal`."""
        if name not in self._cursors:
            raise Refusal("34000", f'cursor "{name}" does not exist')
        return self._cursors[name]

    def find_prepared(self, name: str) -> Prepared:
        """The prepared statement of that name. Raises `Refusal`."""
        if name not in self.prepared:
            raise Refusal("26000", f'prepared statement "{name}" does not exist')
        return self.prepared[name]

    async def close_cursors(self) -> None:
        """Let go of all cursors."""
        while self._cursors:
            _, cursor = self._cursors.popitem()
            await cursor.close()

    async def _declare(self, name: str, tokens: Sequence[Token]) -> None:
        if name in self._cursors:
            raise Refusal("42P03", f'cursor "{name}" already exists')
        if len(self._cursors) >= MOST_PORTALS:
            raise Refusal("53400", f"{MOST_PORTALS} open cursors are the most")
        self._cursors[name] = await self._queries.open(tokens, (), leave_parameter)

    def _set(self, name: str, value: str | None) -> None:
        self._variables.set(name, value)
        if name.lower() == "application_name":
            shown = self._variables.show("application_name")
            self._wire.send(backend.parameter_status("application_name", shown))

    def _show(self, name: str) -> RowsPortal:
        if name == "all":
            rows = [(key, value, "") for key, value in self._variables.show_all()]
            return RowsPortal(["name", "setting", "description"], rows)
        return RowsPortal([name], [[self._variables.show(name)]])


def to_tag(statement: kinds.Statement, rows: int) -> str:
    """What a statement that gave ``rows`` ends with."""
    match statement:
        case kinds.Show():
            return "SHOW"
        case kinds.Explain():
            return "EXPLAIN"
        case kinds.Fetch():
            return f"FETCH {rows}"
    return f"SELECT {rows}"
