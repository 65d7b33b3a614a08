"""Shares of DuckDB's memory: what readers may fill leaves room to write, and that room to commit.

Readers and the writer have one limit, and a COMMIT that fails for want of memory has an unknown
outcome: two readers that want everything made one fail within minutes. So the limit is raised for
as long as a batch is written, and once more for its COMMIT, within what was set.
"""

import re
from contextlib import suppress
from typing import Final

import duckdb

_READING: Final = 0.7
_WRITING: Final = 0.85
_COMMITTING: Final = 1.0
_SIZE: Final = re.compile(r"([\d.]+) ?(\w+)")
# What may still be set once the configuration is locked; readers can run no SET.
SETTABLE: Final = "memory_limit"


class Memory:
    """Sets one instance's limit, on the writer's connection; whoever calls holds the writer."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        ((limit,),) = connection.execute(f"select current_setting('{SETTABLE}')").fetchall()
        found = _SIZE.fullmatch(limit)
        assert found is not None, limit  # noqa: S101 - DuckDB's own way to write a size
        self._size, self._unit = float(found[1]), found[2]
        self.leave_to_readers()

    def make_room_to_write(self) -> None:
        """Before a transaction: what it fails for is rolled back, and tried again."""
        self._set(_WRITING)

    def make_room_to_commit(self) -> None:
        """Before its COMMIT, which must not fail."""
        self._set(_COMMITTING)

    def leave_to_readers(self) -> None:
        """After both; an instance that failed meanwhile says so to whoever uses it next."""
        with suppress(duckdb.Error):
            self._set(_READING)

    def _set(self, share: float) -> None:
        # lowering fails while readers hold more, and then the next time does it
        with suppress(duckdb.OutOfMemoryException):
            self._connection.execute(f"set {SETTABLE} = '{self._size * share:.1f}{self._unit}'")
