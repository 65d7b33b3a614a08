"""A query behind the door: its answer as it comes, and its end once nobody waits for it."""

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import Any, Final

import pyarrow as pa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from typing_extensions import Buffer

from consumer.door.access import OpenedWarehouse
from consumer.errors import QueryError
from consumer.warehouse.interruption import Interruption

INTERRUPT_SECS: Final = 0.1  # DuckDB forgets an interruption between two statements
END_SECS: Final = 5.0


class Query:
    """One query: an Arrow IPC stream, a record batch at a time, on threads of the pool.

    A client that goes away, or stops reading, interrupts it, and so does the worker's end. Its
    reader's place is free once its thread has let go of it.
    """

    def __init__(
        self,
        opened: OpenedWarehouse,
        sql: str,
        params: list[object],
        on_end: Callable[[], None],
    ) -> None:
        self._interruption = Interruption()
        self._parts = _stream_query(opened, sql, params, self._interruption)
        self._on_end = on_end
        self._turn = threading.Lock()  # one thread at a time may be in the generator
        self._ending: threading.Thread | None = None

    async def first(self, request: Request) -> bytes:
        """Wait for the first part; a client that hangs up meanwhile ends it."""
        gone = asyncio.ensure_future(_hang_up(request))
        step = asyncio.ensure_future(self._take())
        waited: list[asyncio.Future[Any]] = [step, gone]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return _require(step) or b""
        except asyncio.CancelledError:  # the server ends, and answers what it can
            self._end().join(END_SECS)  # the file is closed next
            raise QueryError("the worker is stopping; ask again once it runs") from None
        except BaseException:
            self._end()
            raise
        finally:
            gone.cancel()

    async def answer(self, first: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the parts."""
        try:
            yield first
            while (part := await self._take()) is not None:
                yield part
        finally:
            self._end()

    async def _take(self) -> bytes | None:
        return await run_in_threadpool(self._next)

    def _next(self) -> bytes | None:
        with self._turn:
            return next(self._parts, None)

    def _end(self) -> threading.Thread:
        """Interrupt what still runs, and let go of it, on a thread: nobody has to wait for it."""
        if self._ending is None:
            loop = asyncio.get_running_loop()
            self._ending = threading.Thread(target=self._let_go, args=[loop], daemon=True)
            self._ending.start()
        return self._ending

    def _let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._turn.acquire(timeout=INTERRUPT_SECS):
            self._interruption.ask()
        try:
            self._parts.close()
        finally:
            self._turn.release()
        with suppress(RuntimeError):  # the loop has ended, and with it the readers' places
            loop.call_soon_threadsafe(self._on_end)


def _require(step: "asyncio.Future[bytes | None]") -> bytes | None:
    if not step.done():
        raise QueryError("its client went away")  # nobody is there any more to read it
    return step.result()


async def _hang_up(request: Request) -> None:
    """Wait until the client has gone; its request was read to the end before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _stream_query(
    opened: OpenedWarehouse, sql: str, params: list[object], interruption: Interruption
) -> Generator[bytes, None, None]:
    with opened.read(sql, params, interruption=interruption) as reader:
        sink = _Drain()
        with pa.ipc.new_stream(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
                yield sink.drain()
        yield sink.drain()


class _Drain(io.RawIOBase):
    """A file that pyarrow writes to and whose content is taken out as it comes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def drain(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts = []
        return whole
