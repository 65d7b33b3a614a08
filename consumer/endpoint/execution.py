"""Running one statement: its turn, its reader, its deadline, and how it is stopped."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, TypeVar

from consumer.endpoint.precedence import Precedence
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.wire import Gone
from consumer.errors import StatementFault
from consumer.warehouse.reading.publication import Publication
from consumer.warehouse.reading.published import Role
from consumer.warehouse.reading.reader import Reader

_T = TypeVar("_T")

Reason = Literal["request", "timeout", "gone", "shutdown"]
_MESSAGES: Final[dict[Reason, tuple[str, str]]] = {
    "request": ("57014", "canceling statement due to user request"),
    "timeout": ("57014", "canceling statement due to statement timeout"),
    "shutdown": ("57P01", "terminating connection due to administrator command"),
    "gone": ("57P01", "the client hung up"),
}
_INTERRUPT_AGAIN_SECS: Final = 0.05
_MOST_IDLE_READERS: Final = 8
# How much nicer than the process statements are: about a third of the writer's weight each.
_NICER: Final = 5
_NICEST: Final = 19


class Turns:
    """Threads for a bounded number of statements at once, and readers for them.

    Where processors are scarce the writer goes first: on Linux, the threads give way to others.

    Args:
        publication: gives the readers.
        most: statements at once; one more waits for ``wait_secs``.
        wait_secs: until a statement that waits is refused.
        precedence: lets the writer go first.
    """

    def __init__(
        self, publication: Publication, precedence: Precedence, *, most: int, wait_secs: float
    ) -> None:
        self.publication = publication
        self.precedence = precedence
        self._free = asyncio.Semaphore(most)
        self._most = most
        self._wait_secs = wait_secs
        self._idle: dict[Role, list[Reader]] = {}
        self.threads = ThreadPoolExecutor(
            most, thread_name_prefix="endpoint", initializer=_give_way
        )

    async def take(self) -> None:
        """Wait for a turn. Raises `Refusal`."""
        try:
            async with asyncio.timeout(self._wait_secs):
                await self._free.acquire()
        except TimeoutError:
            raise Refusal(
                "53000",
                f"{self._most} queries are running already, and none ended in time",
                hint="Try again, or raise endpoint.max_active_queries.",
            ) from None

    def give_back(self) -> None:
        """End a turn."""
        self._free.release()

    def open_reader(self, role: Role) -> Reader:
        """A reader of what is published now, new or used."""
        idle = self._idle.get(role, [])
        while idle:
            reader = idle.pop()
            if reader.published is self.publication.published[role]:
                return reader
            reader.close()
        return self.publication.open_reader(role)

    def put_away(self, role: Role, reader: Reader) -> None:
        """Keep a reader for the next statement, unless there are enough or it was interrupted."""
        idle = self._idle.setdefault(role, [])
        if reader.is_interrupted or len(idle) >= _MOST_IDLE_READERS:
            reader.close()
        else:
            idle.append(reader)

    def close(self) -> None:
        """Let go of threads and readers."""
        self.threads.shutdown(wait=True, cancel_futures=True)
        for readers in self._idle.values():
            for reader in readers:
                reader.close()


class Execution:
    """One statement from its first step to its last; between them it may rest, as a portal does."""

    def __init__(self, turns: Turns, role: Role, *, timeout_secs: float) -> None:
        self._turns = turns
        self._role = role
        self._timeout_secs = timeout_secs
        self._reader: Reader | None = None
        self._has_turn = False
        self._reason: Reason | None = None
        self._deadline: asyncio.TimerHandle | None = None

    async def wake(self) -> None:
        """Take a turn, and let the time run. Raises `Refusal`."""
        if self._has_turn:
            return
        self.check()
        await self._turns.take()
        self._has_turn = True
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._timeout_secs, self.cancel, "timeout")

    def rest(self) -> None:
        """Give the turn to others; what is open stays open."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._has_turn:
            self._has_turn = False
            self._turns.give_back()

    async def run(self, step: Callable[[Reader], _T]) -> _T:
        """Run a step on the reader, on a thread of its own, when the writer lets it pass.

        Raises `Refusal` when it was cancelled or failed, and `Gone` when nobody waits for it.
        """
        async with self._turns.precedence.step():
            return await self._run(step)

    async def _run(self, step: Callable[[Reader], _T]) -> _T:
        self.check()
        if self._reader is None:
            self._reader = self._turns.open_reader(self._role)
        reader = self._reader
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._turns.threads, step, reader)
        while True:
            # An interrupt that comes before DuckDB has begun is lost on it: again, then.
            wait_secs = _INTERRUPT_AGAIN_SECS if self._reason else None
            waited: set[asyncio.Future[Any]] = {future, self._stopped()}
            try:
                done, _ = await asyncio.wait(
                    waited, timeout=wait_secs, return_when=asyncio.FIRST_COMPLETED
                )
            except asyncio.CancelledError:
                await _stop(reader, future)
                raise
            if future in done:
                break
            reader.interrupt()
        try:
            return future.result()
        except StatementFault:
            self.check()
            raise

    def cancel(self, reason: Reason) -> None:
        """Stop as soon as can be; the first reason is the one that is told."""
        if self._reason is None:
            self._reason = reason
            if self._stop is not None and not self._stop.done():
                self._stop.set_result(None)

    def check(self) -> None:
        """Raise what a cancelled statement ends with."""
        if self._reason == "gone":
            raise Gone("the client hung up")
        if self._reason is not None:
            state, message = _MESSAGES[self._reason]
            raise Refusal(state, message)

    async def close(self) -> None:
        """End it, finished or not."""
        reader, self._reader = self._reader, None
        try:
            if reader is not None:
                if reader.is_open:
                    loop = asyncio.get_running_loop()
                    await loop.run_in_executor(self._turns.threads, reader.finish)
                self._turns.put_away(self._role, reader)
        finally:
            self.rest()

    _stop: asyncio.Future[None] | None = None

    def _stopped(self) -> asyncio.Future[None]:
        if self._stop is None or (self._stop.done() and self._reason is None):
            self._stop = asyncio.get_running_loop().create_future()
        if self._reason is not None:
            # it was seen; from here on the clock wakes us
            return asyncio.get_running_loop().create_future()
        return self._stop


def _give_way() -> None:
    """Make the thread that asks nicer; on Linux alone a thread has a niceness of its own."""
    if sys.platform == "linux":
        me = threading.get_native_id()
        nice = min(os.getpriority(os.PRIO_PROCESS, me) + _NICER, _NICEST)
        os.setpriority(os.PRIO_PROCESS, me, nice)


async def _stop(reader: Reader, future: asyncio.Future[Any]) -> None:
    """Interrupt a step that nobody waits for any more, until its thread is free."""
    while not future.done():
        reader.interrupt()
        await asyncio.wait({future}, timeout=_INTERRUPT_AGAIN_SECS)
    future.exception()  # it was to fail: nobody has to be told
