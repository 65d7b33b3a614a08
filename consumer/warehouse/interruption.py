"""How another thread ends a statement: its reader went away, or the worker leaves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import duckdb

from consumer.errors import QueryError


class Interruption:
    """Ends a piece of work; once asked for, every statement of it ends with `QueryError`."""

    def __init__(self) -> None:
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._lock = threading.Lock()
        self._is_asked = False

    @contextmanager
    def governing(self) -> Iterator[None]:
        """Be about every cursor that this thread reads with in the body."""
        before = _GOVERNING.set(self)
        try:
            yield
        finally:
            _GOVERNING.reset(before)

    @contextmanager
    def watch(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Be about this cursor for as long as it is used: what is asked later is no fault.

        Raises `QueryError` when it was asked for before.
        """
        with self._lock:
            self._refuse_asked()
            self._cursors.append(cursor)
        try:
            yield
        finally:
            with self._lock:
                self._cursors.remove(cursor)

    def refuse_asked(self) -> None:
        """Raise `QueryError` once it was asked for: there is no use in beginning."""
        with self._lock:
            self._refuse_asked()

    def ask(self) -> bool:
        """Interrupt what runs; whether anything did.

        DuckDB forgets what comes between two statements: ask again until nothing runs any more.
        """
        with self._lock:
            self._is_asked = True
            for cursor in self._cursors:
                cursor.interrupt()
            return bool(self._cursors)

    def _refuse_asked(self) -> None:
        if self._is_asked:
            raise QueryError("interrupted before it began")


_GOVERNING: Final[ContextVar[Interruption | None]] = ContextVar("governing", default=None)


def governing() -> Interruption:
    """Return what ends this thread's work; of its own where nobody said."""
    return _GOVERNING.get() or Interruption()


class Running:
    """Everything that runs on cursors of one warehouse just now, beside the writer."""

    def __init__(self) -> None:
        self._all: set[Interruption] = set()
        self._lock = threading.Lock()

    @contextmanager
    def noted(self, interruption: Interruption) -> Iterator[None]:
        """Know of it for as long as its cursor is used."""
        with self._lock:
            self._all.add(interruption)
        try:
            yield
        finally:
            with self._lock:
                self._all.discard(interruption)

    def ask(self) -> bool:
        """Interrupt all of it; whether anything ran. Like `Interruption.ask`, to be asked again."""
        with self._lock:
            known = list(self._all)
        return sum(one.ask() for one in known) > 0  # every one of them is asked
