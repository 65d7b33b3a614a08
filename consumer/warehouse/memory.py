"""Shares of DuckDB's memory: what readers may fill leaves room to write, and that room to commit.

Readers and the writer have one limit, and a COMMIT that fails for want of memory has an unknown
outcome: two readers that want everything made one fail within minutes. So the limit is raised for
as long as a batch is written, and once more for its COMMIT, within what was set.
"""

import re
import time
from contextlib import suppress
from typing import Final

import duckdb

# Small steps: readers at once fill what a batch is given, and lowering the limit after it spills
# as much, while the writer waits.
_READING: Final = 0.92
_WRITING: Final = 0.96
_COMMITTING: Final = 1.0
_PATIENCE_SECS: Final = 10.0
_PAUSE_SECS: Final = 0.01
_SIZE: Final = re.compile(r"([\d.]+) ?(\w+)")
# What may still be set once the configuration is locked; readers can run no SET.
SETTABLE: Final = "memory_limit"


class Memory:
    """Sets one instance's limit; whoever calls holds the writer."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        # of its own: a transaction that has failed takes no statement but its ROLLBACK
        self._connection = connection.cursor()
        ((limit,),) = connection.execute(f"select current_setting('{SETTABLE}')").fetchall()
        found = _SIZE.fullmatch(limit)
        assert found is not None, limit  # noqa: S101 - DuckDB's own way to write a size
        self._size, self._unit = float(found[1]), found[2]
        self._share = _COMMITTING
        self.leave_to_readers()

    def make_room_to_write(self) -> None:
        """Before a transaction: what it fails for is rolled back, and tried again."""
        self._raise(_WRITING)

    def make_room_to_commit(self) -> None:
        """Before its COMMIT or its ROLLBACK, which must not fail."""
        self._raise(_COMMITTING)

    def leave_to_readers(self) -> None:
        """After both; where readers hold more just then, the next time does it."""
        # an instance that failed meanwhile says so to whoever uses it next
        with suppress(duckdb.Error):
            self._set(_READING)

    def _raise(self, share: float) -> None:
        """Raise the limit; where it is passed already the statement itself has to wait for room."""
        until = time.monotonic() + _PATIENCE_SECS
        while share > self._share:
            try:
                self._set(share)
            except duckdb.OutOfMemoryException:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECS)

    def _set(self, share: float) -> None:
        self._connection.execute(f"set {SETTABLE} = '{self._size * share:.3f}{self._unit}'")
        self._share = share
