"""Whose turn it is: with the writer, a slice at a time, and with work that nothing may run beside.

Python's own lock goes to whichever thread is fastest, often the one that just let go of it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

_ASK_SECS: Final = 0.2


class Turns:
    """The writer's lock: whoever asked first is next, so that work done in slices blocks nobody.

    A thread may take it again while it has it.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._guard:
            if self._owner == me:
                self._depth += 1
                return
            if self._owner is None and not self._waiting:
                self._owner, self._depth = me, 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            turn.wait()
        except BaseException:  # Ctrl-C while waiting: the turn is given up, or passed on
            with self._guard:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                else:
                    self._pass_on()
            raise
        with self._guard:
            self._owner, self._depth = me, 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._guard:
            self._depth -= 1
            if not self._depth:
                self._pass_on()

    def _pass_on(self) -> None:
        # stays owned, by nobody that could take it again, until the one whose turn it is wakes
        self._owner = 0 if self._waiting else None
        if self._waiting:
            self._waiting.popleft().set()


class Alone:
    """Lets one of several kinds of long work run at a time: what one looks through stays as it is.

    They are an erasure, a backup, and a change in the schema `my`: a table that is being made while
    an address is erased would have it, and an erasure gives files of the archive other names.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Wait for the work before; ``on_wait`` is called meanwhile, and what it raises ends it."""
        while not self._lock.acquire(timeout=_ASK_SECS):
            on_wait()
        try:
            yield
        finally:
            self._lock.release()
