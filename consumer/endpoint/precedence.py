"""Who goes first while a batch is written: the writer, and beside it a few steps of statements.

Four statements at once leave the writer a third of two processors, and make its own work a third
dearer; one at a time, they are answered as many a second, as they have no more processors either.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

# How long a step waits at most: of batches that follow one another there may be no end.
PATIENCE_SECS: Final = 1.0
_LOOK_SECS: Final = 0.005


class Precedence:
    """Lets steps of statements begin: all of them, or few while a batch is written.

    Those that wait are served in the order in which they came. What runs already is not stopped.
    It is used on one loop.

    Args:
        is_writing: whether a batch is being written.
        most_beside: steps that may run beside one; None leaves the writer a processor.
        patience_secs: after so long a step begins all the same.
    """

    def __init__(
        self,
        is_writing: Callable[[], bool],
        *,
        most_beside: int | None = None,
        patience_secs: float = PATIENCE_SECS,
    ) -> None:
        self._is_writing = is_writing
        self._most_beside = most_beside or max(1, (os.cpu_count() or 1) - 1)
        self._patience_secs = patience_secs
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._look: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def step(self) -> AsyncIterator[None]:
        """Run the body when it is its turn."""
        await self._begin()
        try:
            yield
        finally:
            self._end()

    async def _begin(self) -> None:
        if not self._waiting and self._has_room():
            self._running += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._look_soon()
        try:
            await asyncio.wait({turn}, timeout=self._patience_secs)
        except asyncio.CancelledError:
            if turn.done():
                self._end()
            else:
                self._waiting.remove(turn)
            raise
        if not turn.done():
            self._waiting.remove(turn)
            self._running += 1

    def _end(self) -> None:
        self._running -= 1
        self._serve()

    def _has_room(self) -> bool:
        return self._running < self._most_beside or not self._is_writing()

    def _serve(self) -> None:
        while self._waiting and self._has_room():
            self._running += 1
            self._waiting.popleft().set_result(None)

    def _look_soon(self) -> None:
        """Look again and again, while somebody waits, whether the batch is written."""
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(_LOOK_SECS, self._look_now)

    def _look_now(self) -> None:
        self._look = None
        self._serve()
        if self._waiting:
            self._look_soon()
