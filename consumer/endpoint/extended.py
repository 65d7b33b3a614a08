"""The extended protocol: statements parsed, bound, described and executed, a message each.

https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumer.endpoint.answers import MOST_PORTALS, Answers, Prepared, to_tag
from consumer.endpoint.messages import backend, frontend
from consumer.endpoint.portal import Portal
from consumer.endpoint.queries import Queries, ToParameter, leave_parameter
from consumer.endpoint.rows import choose_format, to_fields
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements import kinds, parameters
from consumer.endpoint.statements.classification import classify
from consumer.endpoint.statements.tokens import Token, meaningful
from consumer.endpoint.wire import Wire

MOST_PREPARED: Final = 500


@dataclass(slots=True)
class _Bound:
    """A portal under its name: one that gives rows, or a command that is run once."""

    statement: kinds.Statement | None
    portal: Portal | None = None
    to_parameter: ToParameter = leave_parameter
    is_done: bool = False


class Extended:
    """Answers the messages of the extended protocol.

    Args:
        wire: the connection.
        queries: finds types and columns.
        answers: gives rows and tags.
    """

    def __init__(self, wire: Wire, queries: Queries, answers: Answers) -> None:
        self._wire = wire
        self._queries = queries
        self._answers = answers
        self._portals: dict[str, _Bound] = {}

    async def answer(self, message: frontend.Message) -> None:
        """Answer one message. Raises `Refusal` and `Gone`."""
        match message:
            case frontend.Parse():
                await self._parse(message)
            case frontend.Bind():
                await self._bind(message)
            case frontend.Describe("S", name):
                await self._describe_statement(self._answers.find_prepared(name))
            case frontend.Describe(_, name):
                bound = self._find_portal(name)
                self._send_fields(bound.portal.fields if bound.portal else None)
            case frontend.Execute():
                await self._execute(message)
            case frontend.Close("S", name):
                self._answers.prepared.pop(name, None)
                self._wire.send(backend.CLOSE_COMPLETE)
            case frontend.Close(_, name):
                await self.close_portal(name)
                self._wire.send(backend.CLOSE_COMPLETE)

    async def close_portal(self, name: str) -> None:
        """Forget a portal; one that reads a cursor leaves it open."""
        bound = self._portals.pop(name, None)
        if bound is None or bound.portal is None:
            return
        if not isinstance(bound.statement, kinds.Fetch):
            await bound.portal.close()

    async def close_portals(self) -> None:
        """Forget all portals."""
        for name in list(self._portals):
            await self.close_portal(name)

    async def _parse(self, message: frontend.Parse) -> None:
        prepared = self._answers.prepared
        if message.name and message.name in prepared:
            raise Refusal("42P05", f'prepared statement "{message.name}" already exists')
        if len(prepared) >= MOST_PREPARED:
            raise Refusal("53400", f"{MOST_PREPARED} prepared statements are the most")
        statement = classify(message.sql)
        if statement is not None:
            self._answers.check_transaction(statement)
        tokens = _query_of(statement)
        oids = await self._queries.infer(tokens, message.type_oids) if tokens else ()
        prepared[message.name] = Prepared(statement, oids)
        self._wire.send(backend.PARSE_COMPLETE)

    async def _bind(self, message: frontend.Bind) -> None:
        prepared = self._answers.find_prepared(message.statement)
        if len(message.values) != len(prepared.oids):
            raise Refusal(
                "08P01",
                f"bind message supplies {len(message.values)} parameters, but the statement "
                f"requires {len(prepared.oids)}",
            )
        if message.portal and message.portal in self._portals:
            raise Refusal("42P03", f'portal "{message.portal}" already exists')
        await self.close_portal(message.portal)
        if len(self._portals) >= MOST_PORTALS:
            raise Refusal("53400", f"{MOST_PORTALS} open portals are the most")
        values = [
            parameters.to_value(value, choose_format(message.formats, at), oid)
            for at, (value, oid) in enumerate(zip(message.values, prepared.oids, strict=True))
        ]
        bound = _Bound(prepared.statement, to_parameter=lambda number: values[number - 1])
        if prepared.statement is not None:
            self._answers.check_transaction(prepared.statement)
            bound.portal = await self._answers.open(
                prepared.statement, message.result_formats, bound.to_parameter
            )
        self._portals[message.portal] = bound
        self._wire.send(backend.BIND_COMPLETE)

    async def _describe_statement(self, prepared: Prepared) -> None:
        self._wire.send(backend.parameter_description(prepared.oids))
        statement, oids = prepared.statement, prepared.oids
        fields: Sequence[backend.Field] | None = None
        if isinstance(statement, kinds.Read):
            if prepared.columns is None:
                prepared.columns = await self._queries.describe(
                    statement.tokens, lambda number: parameters.to_null(oids[number - 1])
                )
            fields = to_fields(prepared.columns, ())
        elif statement is not None:
            fields = self._answers.describe(statement)
        self._send_fields(fields)

    def _send_fields(self, fields: Sequence[backend.Field] | None) -> None:
        self._wire.send(backend.row_description(fields) if fields else backend.NO_DATA)

    async def _execute(self, message: frontend.Execute) -> None:
        bound = self._find_portal(message.portal)
        statement = bound.statement
        if statement is None:
            self._wire.send(backend.EMPTY_QUERY)
            return
        self._answers.check_transaction(statement)
        if bound.is_done:
            self._wire.send(backend.complete(to_tag(statement, 0)))
        elif isinstance(statement, kinds.Copy):
            bound.is_done = True
            await self._answers.copy(statement, bound.to_parameter)
        elif bound.portal is None:
            bound.is_done = True
            self._wire.send(backend.complete(await self._answers.obey(statement)))
        else:
            await self._send_rows(bound, bound.portal, statement, max(message.max_rows, 0))

    async def _send_rows(
        self, bound: _Bound, portal: Portal, statement: kinds.Statement, most_rows: int
    ) -> None:
        self._queries.resume(portal)
        if isinstance(statement, kinds.Fetch):
            most_rows = statement.count or 0
        progress = await portal.send(self._wire, most_rows)
        if progress.is_suspended and not isinstance(statement, kinds.Fetch):
            self._wire.send(backend.PORTAL_SUSPENDED)
            return
        bound.is_done = True
        self._wire.send(backend.complete(to_tag(statement, progress.rows)))
        if not isinstance(statement, kinds.Fetch):
            await portal.close()

    def _find_portal(self, name: str) -> _Bound:
        if name in self._portals:
            return self._portals[name]
        if self._answers.has_cursor(name):  # a cursor that was declared is a portal of its name
            return _Bound(kinds.Fetch(name, None), self._answers.find_cursor(name))
        raise Refusal("34000", f'portal "{name}" does not exist')


def _query_of(statement: kinds.Statement | None) -> Sequence[Token]:
    """The query in a statement, whose parameters are the statement's."""
    match statement:
        case kinds.Read(tokens) | kinds.Explain(tokens, _) | kinds.Copy(tokens):
            return tokens if meaningful(tokens) else ()
    return ()
