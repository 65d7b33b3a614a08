"""One client's queries: each planned on a reader, then opened, copied out or explained."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from consumer.endpoint.execution import Execution, Reason, Turns
from consumer.endpoint.portal import QueryPortal, RowsPortal, send_copy
from consumer.endpoint.statements import kinds, planning
from consumer.endpoint.statements.tokens import Token
from consumer.endpoint.variables import Variables
from consumer.endpoint.wire import Wire
from consumer.warehouse.reading.published import Role
from consumer.warehouse.reading.reader import Column, Reader

ToParameter = Callable[[int], str]


def leave_parameter(number: int) -> str:
    """The parameter as it was written: what a statement without values has."""
    return f"${number}"


class Limits(NamedTuple):
    """What a session may ask for."""

    statement_timeout_secs: float
    idle_timeout_secs: float
    most_rows: int


class Queries:
    """Runs queries for one client, one at a time, so that one word stops what runs.

    Args:
        turns: whose turn it is among all sessions.
        user: who is there.
        role: what they may see.
        variables: the session's settings.
        limits: what it may ask for.
    """

    def __init__(
        self, turns: Turns, *, user: str, role: Role, variables: Variables, limits: Limits
    ) -> None:
        self._turns = turns
        self._role = role
        self._variables = variables
        self._limits = limits
        self._user = user
        self._running: Execution | None = None
        self._is_gone = False

    def cancel(self, reason: Reason) -> None:
        """Stop what runs now; from the loop's thread. Nothing runs: nothing happens."""
        if reason == "gone":
            self._is_gone = True
        if self._running is not None:
            self._running.cancel(reason)

    def rest(self) -> None:
        """Nothing runs any more."""
        self._running = None

    def resume(self, portal: object) -> None:
        """Go on with a portal that rested: it is what `cancel` stops now."""
        if isinstance(portal, QueryPortal):
            self._running = portal.execution

    async def infer(self, tokens: Sequence[Token], given: Sequence[int]) -> list[int]:
        """The OIDs of a query's parameters, after it was checked. Raises `Refusal`."""
        return await self._run(
            functools.partial(planning.infer, tokens=tokens, user=self._user, given=given)
        )

    async def describe(
        self, tokens: Sequence[Token], to_parameter: ToParameter
    ) -> Sequence[Column]:
        """What a query returns, without running it. Raises `Refusal`."""
        step = functools.partial(
            planning.plan, tokens=tokens, user=self._user, to_parameter=to_parameter
        )
        return (await self._run(step)).columns

    async def open(
        self, tokens: Sequence[Token], formats: Sequence[int], to_parameter: ToParameter
    ) -> QueryPortal:
        """Plan a query; its rows come from the portal. Raises `Refusal`."""
        execution = self._begin()
        try:
            found = await self._plan(execution, tokens, to_parameter)
            portal = QueryPortal(
                execution, found.sql, found.columns, formats, most_rows=self._limits.most_rows
            )
        except BaseException:
            await execution.close()
            raise
        execution.rest()
        return portal

    async def copy(self, copy: kinds.Copy, to_parameter: ToParameter, wire: Wire) -> int:
        """Send a query's rows as lines; returns how many. Raises `Refusal` and `Gone`."""
        execution = self._begin()
        try:
            found = await self._plan(execution, copy.tokens, to_parameter)
            return await send_copy(execution, found.sql, found.columns, copy, wire)
        finally:
            await execution.close()

    async def explain(self, explain: kinds.Explain, to_parameter: ToParameter) -> RowsPortal:
        """A query's plan, a row a line. Raises `Refusal`."""
        execution = self._begin()
        try:
            found = await self._plan(execution, explain.tokens, to_parameter)
            words = "explain analyze" if explain.is_run else "explain"
            lines = await execution.run(lambda reader: _read_plan(reader, f"{words} {found.sql}"))
        finally:
            await execution.close()
        return RowsPortal(["QUERY PLAN"], [[line] for line in lines])

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

    async def _run(self, step: Callable[[Reader], planning.T]) -> planning.T:
        """Take a step on a reader of its own."""
        execution = self._begin()
        try:
            await execution.wake()
            return await execution.run(step)
        finally:
            await execution.close()

    async def _plan(
        self, execution: Execution, tokens: Sequence[Token], to_parameter: ToParameter
    ) -> planning.Plan:
        await execution.wake()
        return await execution.run(
            functools.partial(
                planning.plan, tokens=tokens, user=self._user, to_parameter=to_parameter
            )
        )


def _read_plan(reader: Reader, sql: str) -> list[str]:
    reader.open(sql)
    lines: list[str] = []
    while (batch := reader.next_batch()) is not None:
        for plan in batch.column(batch.num_columns - 1).to_pylist():
            lines += str(plan).splitlines()
    return lines
