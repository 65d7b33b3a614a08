"""One client that is let in: what it asks, in both protocols, and what it gets.

The simple protocol is a string and its answer. In the extended one a statement is parsed, bound to
values, described and executed in messages of their own; after an error everything is skipped until
the client says Sync.

Transactions are answered and bind nothing together: each statement sees the warehouse as of its
own start, which is what PostgreSQL's *read committed* gives.

https://www.postgresql.org/docs/15/protocol-flow.html
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from consumer.endpoint import messages, parameters, planning, statements
from consumer.endpoint.execution import Execution, Reason, Turns
from consumer.endpoint.portal import Portal, QueryPortal, RowsPortal, send_copy
from consumer.endpoint.rows import choose_format, to_fields
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements import Statement, parse_statement
from consumer.endpoint.tokens import Token, meaningful
from consumer.endpoint.variables import Variables
from consumer.endpoint.wire import Wire
from consumer.errors import StatementFault
from consumer.warehouse.publication import Role
from consumer.warehouse.reader import Column, Reader

MOST_PREPARED: Final = 500
MOST_PORTALS: Final = 16


class Limits(NamedTuple):
    """What a session may ask for."""

    statement_timeout_secs: float
    idle_timeout_secs: float
    most_rows: int


@dataclass(slots=True)
class _Prepared:
    """A statement under its name; what it returns is found when somebody asks."""

    statement: Statement | None
    oids: Sequence[int] = ()
    columns: Sequence[Column] | None = None


@dataclass(slots=True)
class _Bound:
    """A portal under its name: one that gives rows, or a command that is run once."""

    statement: Statement | None
    portal: Portal | None = None
    tokens: Sequence[Token] = ()
    to_parameter: Callable[[int], str] = field(default=lambda number: f"${number}")
    is_done: bool = False
    rows: int = 0


class Session:
    """Answers one client until it leaves.

    Args:
        wire: the connection, past its start-up.
        turns: whose turn it is among all sessions.
        user: who is there.
        role: what they may see.
        variables: the session's settings.
        limits: what it may ask for.
        on_query: told of each statement's seconds and the SQLSTATE of its failure, or None.
    """

    def __init__(  # noqa: PLR0913 - all for others to put in
        self,
        wire: Wire,
        turns: Turns,
        *,
        user: str,
        role: Role,
        variables: Variables,
        limits: Limits,
        on_query: Callable[[float, str | None], None],
    ) -> None:
        self._wire = wire
        self._turns = turns
        self._user = user
        self._role = role
        self._published = turns.publication.published[role]
        self._variables = variables
        self._limits = limits
        self._on_query = on_query
        self._prepared: dict[str, _Prepared] = {}
        self._portals: dict[str, _Bound] = {}
        self._cursors: dict[str, Portal] = {}
        self._status = "I"
        self._skips = False
        self._running: Execution | None = None
        self._is_gone = False

    async def run(self) -> None:
        """Answer messages until the client is gone. Raises `Gone` and `messages.Malformed`."""
        self._wire.send(messages.ready(self._status))
        await self._wire.flush()
        try:
            while True:
                try:
                    async with asyncio.timeout(self._limits.idle_timeout_secs):
                        message = await self._wire.read_message()
                except TimeoutError:
                    text = "terminating connection due to idle-session timeout"
                    self._wire.send(messages.error(text, "57P05", severity="FATAL"))
                    return
                if isinstance(message, messages.Terminate):
                    return
                await self._answer(message)
        finally:
            await self._forget_portals()
            for cursor in self._cursors.values():
                await cursor.close()

    def cancel(self, reason: Reason) -> None:
        """Stop what runs now; from the loop's thread. Nothing runs: nothing happens."""
        if reason == "gone":
            self._is_gone = True
        if self._running is not None:
            self._running.cancel(reason)

    async def _answer(self, message: messages.Message) -> None:
        match message:
            case messages.Query(sql):
                self._skips = False
                await self._answer_query(sql)
            case messages.Sync():
                self._skips = False
                if self._status == "I":
                    await self._forget_portals()
                self._wire.send(messages.ready(self._status))
                await self._wire.flush()
            case messages.Flush():
                await self._wire.flush()
            case messages.Password():
                raise messages.Malformed("a password was not asked for")
            case _ if self._skips or isinstance(message, messages.Ignored):
                pass
            case _:
                self._skips = not await self._try(self._answer_extended, message)

    async def _answer_query(self, sql: str) -> None:
        await self._close_portal("")
        await self._try(self._run_simple, sql)
        self._wire.send(messages.ready(self._status))
        await self._wire.flush()

    async def _try(self, step: Callable[..., object], *arguments: object) -> bool:
        """Take a step; what it is refused becomes an error to the client. True when all is well."""
        loop = asyncio.get_running_loop()
        began, state = loop.time(), None
        try:
            await step(*arguments)  # type: ignore[misc]  # every step is a coroutine function
        except (Refusal, StatementFault) as error:
            refusal = error if isinstance(error, Refusal) else planning.to_refusal(error)
            state = refusal.state
            self._send_refusal(refusal)
        finally:
            self._running = None
            if self._is_query(step, arguments):
                self._on_query(loop.time() - began, state)
        return state is None

    def _is_query(self, step: Callable[..., object], arguments: Sequence[object]) -> bool:
        return step == self._run_simple or isinstance(arguments[0], messages.Execute)

    def _send_refusal(self, refusal: Refusal) -> None:
        position = 0 if refusal.index is None else refusal.index + 1
        self._wire.send(
            messages.error(refusal.message, refusal.state, hint=refusal.hint, position=position)
        )
        if self._status == "T":
            self._status = "E"

    async def _run_simple(self, sql: str) -> None:
        statement = parse_statement(sql)
        if statement is None:
            self._wire.send(messages.EMPTY_QUERY)
            return
        self._check_transaction(statement)
        if isinstance(statement, statements.Copy):
            await self._copy(statement, lambda number: f"${number}")
            return
        portal = await self._open(statement, (), lambda number: f"${number}")
        if portal is None:
            self._wire.send(messages.complete(await self._obey(statement)))
            return
        try:
            self._wire.send(messages.row_description(portal.fields))
            most = statement.count if isinstance(statement, statements.Fetch) else 0
            progress = await portal.send(self._wire, most or 0)
            self._wire.send(messages.complete(_to_tag(statement, progress.rows)))
        finally:
            if not isinstance(statement, statements.Fetch):
                await portal.close()

    async def _answer_extended(self, message: messages.Message) -> None:
        match message:
            case messages.Parse():
                await self._parse(message)
            case messages.Bind():
                await self._bind(message)
            case messages.Describe("S", name):
                await self._describe_statement(self._find_prepared(name))
            case messages.Describe(_, name):
                bound = self._find_portal(name)
                fields = bound.portal.fields if bound.portal else None
                self._wire.send(messages.row_description(fields) if fields else messages.NO_DATA)
            case messages.Execute():
                await self._execute(message)
            case messages.Close("S", name):
                self._prepared.pop(name, None)
                self._wire.send(messages.CLOSE_COMPLETE)
            case messages.Close(_, name):
                await self._close_portal(name)
                self._wire.send(messages.CLOSE_COMPLETE)

    async def _parse(self, message: messages.Parse) -> None:
        if message.name and message.name in self._prepared:
            raise Refusal("42P05", f'prepared statement "{message.name}" already exists')
        if len(self._prepared) >= MOST_PREPARED:
            raise Refusal("53400", f"{MOST_PREPARED} prepared statements are the most")
        statement = parse_statement(message.sql)
        if statement is not None:
            self._check_transaction(statement)
        prepared = _Prepared(statement)
        tokens = _query_of(statement)
        if tokens:
            prepared.oids = await self._plan(
                functools.partial(
                    planning.infer,
                    tokens=tokens,
                    published=self._published,
                    user=self._user,
                    given=message.type_oids,
                )
            )
        self._prepared[message.name] = prepared
        self._wire.send(messages.PARSE_COMPLETE)

    async def _bind(self, message: messages.Bind) -> None:
        prepared = self._find_prepared(message.statement)
        if len(message.values) != len(prepared.oids):
            raise Refusal(
                "08P01",
                f"bind message supplies {len(message.values)} parameters, but the statement "
                f"requires {len(prepared.oids)}",
            )
        if message.portal and message.portal in self._portals:
            raise Refusal("42P03", f'portal "{message.portal}" already exists')
        await self._close_portal(message.portal)
        if len(self._portals) >= MOST_PORTALS:
            raise Refusal("53400", f"{MOST_PORTALS} open portals are the most")
        values = [
            parameters.to_value(value, choose_format(message.formats, at), oid)
            for at, (value, oid) in enumerate(zip(message.values, prepared.oids, strict=True))
        ]
        bound = _Bound(prepared.statement, to_parameter=lambda number: values[number - 1])
        if prepared.statement is not None:
            self._check_transaction(prepared.statement)
            bound.portal = await self._open(
                prepared.statement, message.result_formats, bound.to_parameter
            )
        self._portals[message.portal] = bound
        self._wire.send(messages.BIND_COMPLETE)

    async def _describe_statement(self, prepared: _Prepared) -> None:
        self._wire.send(messages.parameter_description(prepared.oids))
        statement = prepared.statement
        fields: Sequence[messages.Field] | None = None
        if isinstance(statement, statements.Read):
            if prepared.columns is None:
                oids = prepared.oids
                found = await self._plan(
                    functools.partial(
                        planning.plan,
                        tokens=statement.tokens,
                        published=self._published,
                        user=self._user,
                        to_parameter=lambda number: parameters.to_null(oids[number - 1]),
                    )
                )
                prepared.columns = found.columns
            fields = to_fields(prepared.columns, ())
        elif isinstance(statement, statements.Show | statements.Explain | statements.Fetch):
            portal = self._describe_other(statement)
            fields = None if portal is None else portal.fields
        self._wire.send(messages.row_description(fields) if fields else messages.NO_DATA)

    def _describe_other(self, statement: Statement) -> Portal | None:
        match statement:
            case statements.Show(name):
                return self._show(name)
            case statements.Fetch(name):
                return self._find_cursor(name)
        return RowsPortal(["QUERY PLAN"], [])

    async def _execute(self, message: messages.Execute) -> None:
        bound = self._find_portal(message.portal)
        statement = bound.statement
        if statement is None:
            self._wire.send(messages.EMPTY_QUERY)
            return
        self._check_transaction(statement)
        if bound.is_done:
            self._wire.send(messages.complete(_to_tag(statement, 0)))
            return
        if isinstance(statement, statements.Copy):
            bound.is_done = True
            await self._copy(statement, bound.to_parameter)
            return
        if bound.portal is None:
            bound.is_done = True
            self._wire.send(messages.complete(await self._obey(statement)))
            return
        if isinstance(bound.portal, QueryPortal):
            self._running = bound.portal.execution
        most = max(message.max_rows, 0)
        if isinstance(statement, statements.Fetch):
            most = statement.count or 0
        progress = await bound.portal.send(self._wire, most)
        if progress.is_suspended and not isinstance(statement, statements.Fetch):
            self._wire.send(messages.PORTAL_SUSPENDED)
            return
        bound.is_done = True
        self._wire.send(messages.complete(_to_tag(statement, progress.rows)))
        if not isinstance(statement, statements.Fetch):
            await bound.portal.close()

    async def _open(
        self, statement: Statement, formats: Sequence[int], to_parameter: Callable[[int], str]
    ) -> Portal | None:
        """What gives the statement's rows; None for one that has none."""
        match statement:
            case statements.Read(tokens):
                return await self._open_query(tokens, formats, to_parameter)
            case statements.Explain(tokens, is_run):
                return await self._explain(tokens, to_parameter, is_run=is_run)
            case statements.Show(name):
                return self._show(name)
            case statements.Fetch(name):
                portal = self._find_cursor(name)
                if isinstance(portal, QueryPortal):
                    self._running = portal.execution
                return portal
        return None

    async def _open_query(
        self, tokens: Sequence[Token], formats: Sequence[int], to_parameter: Callable[[int], str]
    ) -> QueryPortal:
        execution = self._begin()
        try:
            found = await self._plan_in(execution, tokens, to_parameter)
            portal = QueryPortal(
                execution, found.sql, found.columns, formats, most_rows=self._limits.most_rows
            )
        except BaseException:
            await execution.close()
            raise
        execution.rest()
        return portal

    async def _copy(self, copy: statements.Copy, to_parameter: Callable[[int], str]) -> None:
        execution = self._begin()
        try:
            found = await self._plan_in(execution, copy.tokens, to_parameter)
            sent = await send_copy(execution, found.sql, found.columns, copy, self._wire)
        finally:
            await execution.close()
        self._wire.send(messages.complete(f"COPY {sent}"))

    async def _explain(
        self, tokens: Sequence[Token], to_parameter: Callable[[int], str], *, is_run: bool
    ) -> Portal:
        execution = self._begin()
        try:
            found = await self._plan_in(execution, tokens, to_parameter)
            words = "explain analyze" if is_run else "explain"
            lines = await execution.run(lambda reader: _read_plan(reader, f"{words} {found.sql}"))
        finally:
            await execution.close()
        return RowsPortal(["QUERY PLAN"], [[line] for line in lines])

    def _show(self, name: str) -> RowsPortal:
        if name == "all":
            rows = [(key, value, "") for key, value in self._variables.show_all()]
            return RowsPortal(["name", "setting", "description"], rows)
        return RowsPortal([name], [[self._variables.show(name)]])

    async def _obey(self, statement: Statement) -> str:
        """Do what a command asks for, and return its tag."""
        match statement:
            case statements.Begin():
                self._status = "T"
                return "BEGIN"
            case statements.End(tag):
                has_failed, self._status = self._status == "E", "I"
                await self._close_cursors()
                return "ROLLBACK" if has_failed else tag
            case statements.Savepoint(tag):
                if self._status == "I":
                    raise Refusal("25P01", f"{tag} can only be used in transaction blocks")
                self._status = "T"
                return tag
            case statements.Set(name, value, tag):
                self._variables.set(name, value)
                if name.lower() == "application_name":
                    self._report("application_name")
                return tag
            case statements.Declare(name, tokens):
                if name in self._cursors:
                    raise Refusal("42P03", f'cursor "{name}" already exists')
                if len(self._cursors) >= MOST_PORTALS:
                    raise Refusal("53400", f"{MOST_PORTALS} open cursors are the most")
                self._cursors[name] = await self._open_query(tokens, (), lambda n: f"${n}")
                return "DECLARE CURSOR"
            case statements.CloseCursor(None):
                await self._close_cursors()
                return "CLOSE CURSOR ALL"
            case statements.CloseCursor(str(name)):
                await self._find_cursor(name).close()
                del self._cursors[name]
                return "CLOSE CURSOR"
            case statements.Deallocate(None):
                self._prepared.clear()
                return "DEALLOCATE ALL"
            case statements.Deallocate(str(name)):
                if self._prepared.pop(name, None) is None:
                    raise Refusal("26000", f'prepared statement "{name}" does not exist')
                return "DEALLOCATE"
            case statements.Discard():
                self._prepared.clear()
                self._variables.reset()
                await self._close_cursors()
                return "DISCARD ALL"
            case statements.Nothing(tag):
                return tag
        raise AssertionError(f"{statement} gives rows")

    def _begin(self) -> Execution:
        execution = Execution(
            self._turns,
            self._role,
            timeout_secs=self._variables.statement_timeout_secs(
                self._limits.statement_timeout_secs
            ),
        )
        self._running = execution
        if self._is_gone:
            execution.cancel("gone")
        return execution

    async def _plan(self, step: Callable[[Reader], planning.T]) -> planning.T:
        """Run a step of planning on a reader of its own."""
        execution = self._begin()
        try:
            await execution.wake()
            return await execution.run(step)
        finally:
            await execution.close()

    async def _plan_in(
        self, execution: Execution, tokens: Sequence[Token], to_parameter: Callable[[int], str]
    ) -> planning.Plan:
        await execution.wake()
        return await execution.run(
            functools.partial(
                planning.plan,
                tokens=tokens,
                published=self._published,
                user=self._user,
                to_parameter=to_parameter,
            )
        )

    def _check_transaction(self, statement: Statement) -> None:
        """In a failed transaction only its end is heard."""
        if self._status == "E" and not isinstance(statement, statements.End | statements.Savepoint):
            raise Refusal(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            )

    def _report(self, name: str) -> None:
        self._wire.send(messages.parameter_status(name, self._variables.show(name)))

    def _find_prepared(self, name: str) -> _Prepared:
        if name not in self._prepared:
            raise Refusal("26000", f'prepared statement "{name}" does not exist')
        return self._prepared[name]

    def _find_portal(self, name: str) -> _Bound:
        if name in self._portals:
            return self._portals[name]
        if name in self._cursors:  # a cursor that was declared is a portal of its name
            return _Bound(statements.Fetch(name, None), self._cursors[name])
        raise Refusal("34000", f'portal "{name}" does not exist')

    def _find_cursor(self, name: str) -> Portal:
        if name not in self._cursors:
            raise Refusal("34000", f'cursor "{name}" does not exist')
        return self._cursors[name]

    async def _close_portal(self, name: str) -> None:
        bound = self._portals.pop(name, None)
        if bound is None or bound.portal is None:
            return
        if not isinstance(bound.statement, statements.Fetch):
            await bound.portal.close()

    async def _forget_portals(self) -> None:
        for name in list(self._portals):
            await self._close_portal(name)

    async def _close_cursors(self) -> None:
        while self._cursors:
            _, cursor = self._cursors.popitem()
            await cursor.close()


def _query_of(statement: Statement | None) -> Sequence[Token]:
    """The query in a statement, whose parameters are the statement's."""
    match statement:
        case statements.Read(tokens) | statements.Explain(tokens, _) | statements.Copy(tokens):
            return tokens if meaningful(tokens) else ()
    return ()


def _to_tag(statement: Statement, rows: int) -> str:
    match statement:
        case statements.Show():
            return "SHOW"
        case statements.Explain():
            return "EXPLAIN"
        case statements.Fetch():
            return f"FETCH {rows}"
    return f"SELECT {rows}"


def _read_plan(reader: Reader, sql: str) -> list[str]:
    reader.open(sql)
    lines: list[str] = []
    while (batch := reader.next_batch()) is not None:
        for plan in batch.column(batch.num_columns - 1).to_pylist():
            lines += str(plan).splitlines()
    return lines
