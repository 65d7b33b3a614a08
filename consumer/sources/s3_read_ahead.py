"""Several objects at once: while one is decoded, the next are on their way."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Final

from consumer.envelope import Body
from consumer.errors import SourceUnavailable

# Of each object; with S3Body's chunks of a mebibyte, that many mebibytes.
_CHUNKS_AHEAD: Final = 4


class ReadAhead:
    """Threads that start reading bodies before anybody asks for their bytes.

    Bodies are begun in the order in which they came, so who reads them in that order never waits
    for one that has no thread yet. Memory is bounded: four mebibytes a body, and as many bodies
    as the caller has opened and not read or cancelled.

    Args:
        threads: how many bodies are on their way at the same time.
    """

    def __init__(self, threads: int) -> None:
        self._tasks: queue.SimpleQueue[tuple[Future[None], Callable[[], None]] | None] = (
            queue.SimpleQueue()
        )
        # Daemons: a server that no longer answers must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._work, name=f"s3-read-ahead-{n}", daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def open(self, body: Body) -> "AheadBody":
        """Begin to read ``body``, as soon as a thread is free."""
        ahead = AheadBody(body)
        self._tasks.put((ahead.fetched, ahead.fetch))
        return ahead

    def close(self) -> None:
        """Let the threads end, once what they read was read or cancelled."""
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, fetch = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                fetch()
            except BaseException as error:  # noqa: BLE001 - whoever reads the body raises it
                future.set_exception(error)
            else:
                future.set_result(None)


class AheadBody:
    """A body whose beginning is being read already; read again, or once cancelled, it starts anew.

    Attributes:
        fetched: done when the last byte was read, or the fault is known.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._is_wanted = True
        self._is_read = False
        self.fetched: Future[None] = Future()
        self.fetched.add_done_callback(self._wake)

    @property
    def is_taken(self) -> bool:
        """Whether somebody reads it, or nobody will: it is none of those that wait."""
        return self._is_read or not self._is_wanted

    def fetch(self) -> None:
        """Read the body into memory as far as there is room: a thread's task."""
        for chunk in self._body.chunks():
            with self._changed:
                self._changed.wait_for(
                    lambda: len(self._chunks) < _CHUNKS_AHEAD or not self._is_wanted
                )
                if not self._is_wanted:
                    return
                self._chunks.append(chunk)
                self._changed.notify_all()

    def chunks(self) -> Iterator[bytes]:
        """Stream the bytes; raises what reading the body raised, after what came before it."""
        if self.is_taken:
            yield from self._body.chunks()
            return
        self._is_read = True
        try:
            while (chunk := self._next()) is not None:
                yield chunk
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Drop what was read ahead and read no further. Twice is once."""
        self.fetched.cancel()
        with self._changed:
            self._is_wanted = False
            self._chunks.clear()
            self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._chunks or self.fetched.done() or not self._is_wanted
            )
            if self._chunks:
                chunk = self._chunks.popleft()
                self._changed.notify_all()
                return chunk
            is_wanted = self._is_wanted
        if not is_wanted:
            raise SourceUnavailable("reading was broken off")
        try:
            self.fetched.result()
        except CancelledError:
            raise SourceUnavailable("reading was broken off") from None
        return None

    def _wake(self, _: Future[None]) -> None:
        with self._changed:
            self._changed.notify_all()
