"""One client that is let in: what it asks, in both protocols, and what it gets.

The simple protocol is a string and its answer. In the extended one a statement is parsed, bound to
values, described and executed in messages of their own; after an error everything is skipped until
the client says Sync.

https://www.postgresql.org/docs/15/protocol-flow.html
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from consumer.endpoint.answers import Answers, to_tag
from consumer.endpoint.execution import Reason
from consumer.endpoint.extended import Extended
from consumer.endpoint.messages import backend, frontend
from consumer.endpoint.messages.fields import Malformed
from consumer.endpoint.queries import Queries, leave_parameter
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements import kinds, planning
from consumer.endpoint.statements.classification import classify
from consumer.endpoint.variables import Variables
from consumer.endpoint.wire import Wire
from consumer.errors import StatementFault

_T = TypeVar("_T")


class Session:
    """Answers one client until it leaves.

    Args:
        wire: the connection, past its start-up.
        queries: runs what the client asks.
        variables: the session's settings.
        idle_timeout_secs: after which a client that asks nothing is hung up on.
        on_query: told of each statement's seconds and the SQLSTATE of its failure, or None.
    """

    def __init__(
        self,
        wire: Wire,
        queries: Queries,
        variables: Variables,
        *,
        idle_timeout_secs: float,
        on_query: Callable[[float, str | None], None],
    ) -> None:
        self._wire = wire
        self._queries = queries
        self._idle_timeout_secs = idle_timeout_secs
        self._on_query = on_query
        self._answers = Answers(wire, queries, variables)
        self._extended = Extended(wire, queries, self._answers)
        self._skips = False

    async def run(self) -> None:
        """Answer messages until the client is gone. Raises `Gone` and `Malformed`."""
        await self._say_ready()
        try:
            while True:
                try:
                    async with asyncio.timeout(self._idle_timeout_secs):
                        message = await self._wire.read_message()
                except TimeoutError:
                    text = "terminating connection due to idle-session timeout"
                    self._wire.send(backend.error(text, "57P05", severity="FATAL"))
                    return
                if isinstance(message, frontend.Terminate):
                    return
                await self._answer(message)
        finally:
            await self._extended.close_portals()
            await self._answers.close_cursors()

    def cancel(self, reason: Reason) -> None:
        """Stop what runs now; from the loop's thread. Nothing runs: nothing happens."""
        self._queries.cancel(reason)

    async def _answer(self, message: frontend.Message) -> None:
        match message:
            case frontend.Query(sql):
                self._skips = False
                await self._extended.close_portal("")
                await self._try(self._run_simple, sql, is_query=True)
                await self._say_ready()
            case frontend.Sync():
                self._skips = False
                if self._answers.status == "I":
                    await self._extended.close_portals()
                await self._say_ready()
            case frontend.Flush():
                await self._wire.flush()
            case frontend.Password():
                raise Malformed("a password was not asked for")
            case _ if self._skips or isinstance(message, frontend.Ignored):
                pass
            case _:
                is_query = isinstance(message, frontend.Execute)
                self._skips = not await self._try(self._extended.answer, message, is_query=is_query)

    async def _say_ready(self) -> None:
        self._wire.send(backend.ready(self._answers.status))
        await self._wire.flush()

    async def _try(
        self, step: Callable[[_T], Awaitable[None]], argument: _T, *, is_query: bool
    ) -> bool:
        """Take a step; what it is refused becomes an error to the client. True when all is well."""
        loop = asyncio.get_running_loop()
        began, state = loop.time(), None
        try:
            await step(argument)
        except (Refusal, StatementFault) as error:
            refusal = error if isinstance(error, Refusal) else planning.to_refusal(error)
            state = refusal.state
            self._send_refusal(refusal)
        finally:
            self._queries.rest()
            if is_query:
                self._on_query(loop.time() - began, state)
        return state is None

    def _send_refusal(self, refusal: Refusal) -> None:
        position = 0 if refusal.index is None else refusal.index + 1
        self._wire.send(
            backend.error(refusal.message, refusal.state, hint=refusal.hint, position=position)
        )
        self._answers.fail()

    async def _run_simple(self, sql: str) -> None:
        statement = classify(sql)
        if statement is None:
            self._wire.send(backend.EMPTY_QUERY)
            return
        self._answers.check_transaction(statement)
        if isinstance(statement, kinds.Copy):
            await self._answers.copy(statement, leave_parameter)
            return
        portal = await self._answers.open(statement, (), leave_parameter)
        if portal is None:
            self._wire.send(backend.complete(await self._answers.obey(statement)))
            return
        try:
            self._wire.send(backend.row_description(portal.fields))
            most = statement.count if isinstance(statement, kinds.Fetch) else 0
            progress = await portal.send(self._wire, most or 0)
            self._wire.send(backend.complete(to_tag(statement, progress.rows)))
        finally:
            if not isinstance(statement, kinds.Fetch):
                await portal.close()
