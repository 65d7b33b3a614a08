"""Transactions of one open file, and whether it may still be written at all."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Final

import duckdb

from consumer.errors import CommitOutcomeUnknown, WarehouseDamaged
from consumer.warehouse.faults import ctrl_c_waits, translated
from consumer.warehouse.interruption import Interruption
from consumer.warehouse.memory import Memory
from consumer.warehouse.place import Place

_BEGIN: Final = "begin transaction"


class Transactions:
    """Begins and commits.

    Args:
        connection: the writer's; what long work is done on is a cursor of it.
        writer: holds the writer; whoever uses `on_writer` has it already.
        place: where damage that a writer meets is noted.

    Attributes:
        lost: why nothing may be written any more, once the instance failed for good.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        writer: AbstractContextManager[None],
        place: Place,
    ) -> None:
        self.lost: CommitOutcomeUnknown | None = None
        self._connection = connection
        self._writer = writer
        self._place = place
        self._memory = Memory(connection)

    @contextmanager
    def on_writer(self, connection: duckdb.DuckDBPyConnection, doing: str) -> Iterator[None]:
        """Begin, and commit at the end; any fault before the COMMIT rolls back."""
        self._refuse_lost()
        with translated(doing):
            self._memory.make_room_to_write()
        try:
            with translated(doing):
                connection.execute(_BEGIN)
                yield
                self._memory.make_room_to_commit()
        except BaseException as error:
            self._give_up(connection, error)
            raise
        self._commit(connection, doing)

    @contextmanager
    def beside_writer(
        self, doing: str, interruption: Interruption
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor with a transaction of its own, which may take long.

        1. Batches are committed meanwhile, and what it reads stays as of its begin.
        2. The writer is held for the COMMIT alone; nobody interrupts that one.

        It must not change what others write: who commits first would make the other one fail.
        """
        with translated(doing):
            opened = self._connection.cursor()
        with closing(opened) as cursor:
            try:
                with translated(doing), interruption.watch(cursor):  # 1
                    cursor.execute(_BEGIN)
                    yield cursor
                with self._writer:  # 2
                    self._refuse_lost()
                    with translated(doing):
                        self._memory.make_room_to_commit()
                    self._commit(cursor, doing)
            except CommitOutcomeUnknown as error:
                self.lost = error
                raise
            except BaseException as error:
                with self._writer:
                    self._give_up(cursor, error)
                raise

    def lose(self, error: duckdb.Error) -> CommitOutcomeUnknown:
        """Note that the instance failed for good, whoever saw it; returns what to raise."""
        self.lost = CommitOutcomeUnknown(f"the warehouse failed for good: {error}")
        return self.lost

    def _refuse_lost(self) -> None:
        if self.lost is not None:
            raise self.lost

    def _commit(self, connection: duckdb.DuckDBPyConnection, doing: str) -> None:
        try:
            with ctrl_c_waits():
                connection.execute("commit")
        except duckdb.Error as error:
            # Rolling back and going on in this instance doubled and lost rows of other batches.
            self.lost = CommitOutcomeUnknown(
                f"{doing}: the COMMIT failed, its outcome is open: {error}"
            )
            raise self.lost from error
        self._memory.leave_to_readers()

    def _give_up(self, connection: duckdb.DuckDBPyConnection, error: BaseException) -> None:
        if isinstance(error, CommitOutcomeUnknown):
            self.lost = error
            return
        if isinstance(error, WarehouseDamaged):
            # the next start looks at every row before it lets anybody write
            self._place.doubt.write_text(error.fault, encoding="utf-8")
        self._roll_back(connection)

    def _roll_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            self._memory.make_room_to_commit()
            with ctrl_c_waits():
                connection.execute("rollback")
        except duckdb.Error as error:
            self.lost = CommitOutcomeUnknown(f"the warehouse cannot roll back: {error}")
        else:
            self._memory.leave_to_readers()
