"""How another thread ends a statement: its reader went away, or the worker leaves."""

import threading
from typing import Self

import duckdb

from consumer.errors import QueryError


class Interruption:
    """Watches one cursor at a time; once asked for, every statement of it ends with `QueryError`.

    A context manager around the cursor's use: what is asked before or after that is no fault.
    """

    def __init__(self) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()
        self._is_asked = False

    def watch(self, cursor: duckdb.DuckDBPyConnection) -> Self:
        """Take the cursor that is about to be used; raises `QueryError` when it is too late."""
        with self._lock:
            if self._is_asked:
                raise QueryError("interrupted before it began")
            self._cursor = cursor
        return self

    def ask(self) -> bool:
        """Interrupt what runs; whether anything did.

        DuckDB forgets what comes between two statements: ask again until nothing runs any more.
        """
        with self._lock:
            self._is_asked = True
            if self._cursor is not None:
                self._cursor.interrupt()
            return self._cursor is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._cursor = None
