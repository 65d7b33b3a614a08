"""What a worker does by itself, rarely: what retention, erasure and the alert on its disk need."""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from consumer.errors import CommitOutcomeUnknown, DuckpostError
from consumer.settings import PrivacySettings
from consumer.warehouse import Warehouse
from consumer.warehouse.disk import look_at_disk, note_disk
from consumer.warehouse.retention import Retention, prune

# The first look comes that late, too: a rewrite that fails is not tried again in a circle.
LOOK_SECS: Final = 3_600.0
PRUNE_SECS: Final = 86_400.0
DISK_SECS: Final = 300.0


class _Ended(Exception):  # noqa: N818 - no error: the worker ends between two slices
    """Somebody asked the worker to end."""


class Upkeep:
    """Looks every hour whether something is due, on a thread of its own, between two batches.

    What the disk has free is noted more often, and at once: a disk fills within an hour.

    Args:
        warehouse: the worker's.
        settings: how long an erasure waits for the file's rewrite.
        retention: how long what is kept; what is older goes once a day.
        on_rewrite_due: called once the file is to be rewritten.
        on_broken: called when pruning finds the warehouse failed for good.
        look_secs: how often to look whether something is due.
        disk_secs: how often to note the disk.
    """

    def __init__(  # noqa: PLR0913 - what is due, and whom to tell
        self,
        warehouse: Warehouse,
        settings: PrivacySettings,
        retention: Retention,
        *,
        on_rewrite_due: Callable[[], None],
        on_broken: Callable[[], None],
        look_secs: float = LOOK_SECS,
        disk_secs: float = DISK_SECS,
    ) -> None:
        self._warehouse = warehouse
        self._after = timedelta(days=settings.erase_rewrite_days)
        self._retention = retention
        self._on_rewrite_due = on_rewrite_due
        self._on_broken = on_broken
        self._look_secs = look_secs
        self._disk_secs = disk_secs
        self._pruned_at: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._log = structlog.get_logger()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        look_at = time.monotonic() + self._look_secs
        try:
            self._note_disk()
            while not self._ended.wait(min(self._disk_secs, look_at - time.monotonic())):
                self._note_disk()
                if time.monotonic() < look_at:
                    continue
                look_at = time.monotonic() + self._look_secs
                if self._is_prune_due():
                    self._prune()
                if self._warehouse.erased.is_due(after=self._after):
                    self._log.info("file to be rewritten", why="erased addresses")
                    self._on_rewrite_due()
                    return
        except _Ended:
            return
        except CommitOutcomeUnknown:
            self._on_broken()

    def _note_disk(self) -> None:
        try:
            note_disk(self._warehouse, look_at_disk(self._warehouse))
        except CommitOutcomeUnknown:
            raise
        except DuckpostError as error:
            self._log.warning("disk not noted", error=str(error))

    def _is_prune_due(self) -> bool:
        if not self._retention.is_set:
            return False
        return self._pruned_at is None or time.monotonic() - self._pruned_at >= PRUNE_SECS

    def _prune(self) -> None:
        self._pruned_at = time.monotonic()
        try:
            result = prune(self._warehouse, self._retention, on_progress=self._go_on)
        except CommitOutcomeUnknown:
            raise
        except DuckpostError as error:
            self._log.error("not pruned", error=str(error))
        else:
            self._log.info("pruned", **asdict(result))

    def _go_on(self, _done: int, _total: int) -> None:
        if self._ended.is_set():
            raise _Ended
