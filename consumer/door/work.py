"""Long work behind the door: how far it is, a line of JSON each, and its result at the end.

A line is ``{"done": 5, "total": 9}``, or ``{}`` to show that it goes on, and last
``{"result": …}`` or ``{"fault": {"kind": …, "message": …}}``. A client that goes away, by Ctrl-C
or for good, ends the statement that runs, and the work at its next step.
"""

import asyncio
import json
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Send

from consumer.errors import DuckpostError
from consumer.warehouse.interruption import Interruption

OnProgress = Callable[[int, int], None]

HEARTBEAT_SECS: Final = 0.5
STALLED_SECS: Final = 60.0
INTERRUPT_SECS: Final = 0.1


class _Cancelled(Exception):  # noqa: N818 - nobody is there any more to see an error
    """The client went away."""


class PatientStream(StreamingResponse):
    """A stream whose client must go on reading: one that stops does not hold a reader for ever."""

    async def stream_response(self, send: Send) -> None:
        """Send the parts as they come, each within `STALLED_SECS`."""

        async def send_in_time(message: Any) -> None:  # noqa: ANN401 - starlette's
            async with asyncio.timeout(STALLED_SECS):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                await close()


def stream_work(
    work: Callable[[OnProgress], dict[str, Any]],
    *,
    on_fault: Callable[[DuckpostError], None],
) -> StreamingResponse:
    """Answer with the progress and the result of ``work``, which runs on a thread of its own."""
    told = _Work(work, on_fault).tell()
    return PatientStream(told, media_type="application/x-ndjson")


class _Work:
    """One command's work: its thread puts lines in, the answer takes them out."""

    def __init__(
        self,
        work: Callable[[OnProgress], dict[str, Any]],
        on_fault: Callable[[DuckpostError], None],
    ) -> None:
        self._work = work
        self._on_fault = on_fault
        self._interruption = Interruption()
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue(maxsize=1)
        self._is_cancelled = threading.Event()

    async def tell(self) -> AsyncIterator[bytes]:
        """Start the work and yield its lines; cancel it when nobody takes them any more."""
        thread = threading.Thread(target=self._run, name="door work", daemon=True)
        thread.start()
        line: dict[str, Any] = {}
        try:
            while not line.keys() & {"result", "fault"}:
                line = await run_in_threadpool(self._next)
                yield json.dumps(line).encode() + b"\n"
        finally:
            self._is_cancelled.set()
            ending = [thread, self._interruption]
            threading.Thread(target=_interrupt, args=ending, daemon=True).start()

    def _next(self) -> dict[str, Any]:
        try:
            return self._lines.get(timeout=HEARTBEAT_SECS)
        except queue.Empty:
            return {}

    def _note(self, done: int, total: int) -> None:
        if self._is_cancelled.is_set():
            raise _Cancelled
        with suppress(queue.Full):  # a slow client hears less often
            self._lines.put_nowait({"done": done, "total": total})

    def _run(self) -> None:
        try:
            with self._interruption.governing():
                last = {"result": self._work(self._note)}
        except _Cancelled:
            return
        except DuckpostError as error:
            self._on_fault(error)
            last = {"fault": {"kind": type(error).__name__, "message": str(error)}}
        except Exception:  # noqa: BLE001 - the thread's top frame: its client must not wait for ever
            structlog.get_logger().exception("a command failed in the worker")
            message = "the worker failed at it: see its log"
            last = {"fault": {"kind": "WarehouseError", "message": message}}
        while not self._is_cancelled.is_set():
            with suppress(queue.Full):
                self._lines.put(last, timeout=HEARTBEAT_SECS)
                return


def _interrupt(thread: threading.Thread, interruption: Interruption) -> None:
    """Ask again until it has ended: DuckDB forgets an interruption between two statements."""
    while thread.is_alive():
        interruption.ask()
        thread.join(INTERRUPT_SECS)
