"""A query that is bound and ready: what it returns, and its rows piece by piece."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from consumer.endpoint import rows
from consumer.endpoint.execution import Execution
from consumer.endpoint.messages import backend
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements.kinds import Copy
from consumer.endpoint.wire import Wire
from consumer.warehouse.reading.reader import Column, Reader


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a portal came: the rows sent this time, and whether there may be more."""

    rows: int
    is_suspended: bool


class Portal(Protocol):
    """Something that gives rows, to its end or for so many at a time."""

    @property
    def fields(self) -> Sequence[backend.Field]:
        """What the columns are."""
        ...

    async def send(self, wire: Wire, most_rows: int) -> Progress:
        """Send the next rows, all of them for 0. Raises `Refusal` and `Gone`."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


class RowsPortal:
    """Rows that are known already: of SHOW, of EXPLAIN.

    Args:
        names: the columns'; all are text.
        values: the rows.
    """

    def __init__(self, names: Sequence[str], values: Sequence[Sequence[str]]) -> None:
        self.fields = [backend.Field(name, 25) for name in names]
        self._left = list(values)

    async def send(self, wire: Wire, most_rows: int) -> Progress:
        """See `Portal`."""
        count = most_rows or len(self._left)
        now, self._left = self._left[:count], self._left[count:]
        for row in now:
            wire.send(backend.data_row([value.encode() for value in row]))
        await wire.flush_if_much()
        return Progress(len(now), bool(self._left))

    async def close(self) -> None:
        """See `Portal`."""


class QueryPortal:
    """Rows that DuckDB reads as they are sent.

    Args:
        execution: the statement's own.
        sql: what to run, in DuckDB's SQL.
        columns: what that gives.
        formats: how the client wants them.
        most_rows: a result of more is cut off.
    """

    def __init__(
        self,
        execution: Execution,
        sql: str,
        columns: Sequence[Column],
        formats: Sequence[int],
        *,
        most_rows: int,
    ) -> None:
        if len(formats) not in (0, 1, len(columns)):
            raise Refusal("08P01", f"{len(formats)} formats for {len(columns)} columns")
        self.fields = rows.to_fields(columns, formats)
        self.execution = execution
        self._most_rows = most_rows
        self._sent = 0
        self._is_open = self._is_done = False
        self._batch: pa.RecordBatch | None = None
        self._packers: Sequence[Callable[[Any], bytes]] | None = None
        messages = rows.to_message_rows(sql, columns, formats)
        if messages is None:
            self._packers = rows.to_packers(columns, formats)
        self._sql = messages or rows.to_values(sql, columns, formats)

    async def send(self, wire: Wire, most_rows: int) -> Progress:
        """See `Portal`."""
        sent = 0
        await self.execution.wake()
        while not self._is_done and (not most_rows or sent < most_rows):
            batch = await self._next()
            if batch is None:
                break
            left = most_rows - sent
            if most_rows and left < len(batch):
                self._batch, batch = batch.slice(left), batch.slice(0, left)
            sent += len(batch)
            self._sent += len(batch)
            if self._sent > self._most_rows:
                raise Refusal(
                    "54000",
                    f"the result has more than {self._most_rows} rows",
                    hint="Aggregate, add a LIMIT, or raise endpoint.max_result_rows.",
                )
            await self._send_batch(wire, batch)
            self.execution.check()
        is_suspended = bool(most_rows) and sent == most_rows and not self._is_done
        if is_suspended:
            self.execution.rest()
        return Progress(sent, is_suspended)

    async def close(self) -> None:
        """See `Portal`."""
        await self.execution.close()

    async def _next(self) -> pa.RecordBatch | None:
        if self._batch is not None:
            batch, self._batch = self._batch, None
            return batch
        read = Reader.next_batch if self._is_open else self._begin
        self._is_open = True
        batch = await self.execution.run(read)
        self._is_done = batch is None
        return batch

    def _begin(self, reader: Reader) -> pa.RecordBatch | None:
        """Start it and read the first rows in one step: each is a thread's turn."""
        reader.open(self._sql)
        return reader.next_batch()

    async def _send_batch(self, wire: Wire, batch: pa.RecordBatch) -> None:
        if self._packers is None:
            await wire.send_much(rows.iterate_blobs(batch))
            return
        packers = self._packers
        packed = await self.execution.run(lambda _reader: rows.pack_rows(batch, packers))
        await wire.send_much(b"".join(packed))


async def send_copy(
    execution: Execution, sql: str, columns: Sequence[Column], copy: Copy, wire: Wire
) -> int:
    """Send a query's rows as lines of COPY, with all that goes around them; returns how many."""
    await execution.wake()
    text = rows.to_copy_lines(sql, columns, copy)
    await execution.run(lambda reader: reader.open(text))
    wire.send(backend.copy_out(len(columns)))
    if copy.has_header:
        wire.send(backend.copy_data(rows.to_copy_header(columns, copy)))
    sent = 0
    read: Callable[[], Awaitable[pa.RecordBatch | None]] = lambda: execution.run(  # noqa: E731 - said twice
        lambda reader: reader.next_batch()
    )
    while (batch := await read()) is not None:
        sent += len(batch)
        data = rows.iterate_blobs(batch)
        wire.send(b"d" + (len(data) + 4).to_bytes(4, "big"))
        await wire.send_much(data)
        execution.check()
    wire.send(backend.COPY_DONE)
    return sent
