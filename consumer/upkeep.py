"""What a worker does by itself, rarely: for retention, erasure, quick figures, the disk's alert."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import structlog

from consumer.errors import CommitOutcomeUnknown, DuckpostError, WarehouseFull
from consumer.settings import PrivacySettings
from consumer.warehouse import Warehouse
from consumer.warehouse.disk import look_at_disk, note_disk
from consumer.warehouse.erasure.pending_rewrite import read_pending
from consumer.warehouse.erasure.rewriting import prepare
from consumer.warehouse.retention import Retention, prune
from consumer.warehouse.rollups.compaction import compact
from consumer.warehouse.rollups.remaking import is_pending, remake_rollups

if TYPE_CHECKING:
    from consumer.mail_hosts.learning import Learner

LOOK_SECS: Final = 3_600.0
PRUNE_SECS: Final = 86_400.0
DISK_SECS: Final = 300.0
# DNS is somebody else's: no more than one domain a second is asked about.
LEARN_SECS: Final = 60.0
MOST_DOMAINS: Final = 60


class _Ended(Exception):  # noqa: N818 - no error: the worker ends between two slices
    """Somebody asked the worker to end."""


class Upkeep:
    """Looks every hour whether something is due, on a thread of its own, between two batches.

    What the disk has free is noted more often, and at once: a disk fills within an hour. As often
    it is looked whether the file is to be rewritten: one that was asked for before a restart is.

    Args:
        warehouse: the worker's.
        settings: how long an erasure waits for the file's rewrite.
        retention: how long what is kept; what is older goes once a day.
        learner: asks DNS about domains, some a minute; None where it may not be asked.
        on_rewrite_due: called once the file is to be rewritten.
        on_broken: called when one of these finds the warehouse failed for good.
        look_secs: how often to look whether something is due.
        disk_secs: how often to note the disk.
        learn_secs: how often to ask DNS.
    """

    def __init__(  # noqa: PLR0913 - what is due, and whom to tell
        self,
        warehouse: Warehouse,
        settings: PrivacySettings,
        retention: Retention,
        learner: "Learner | None" = None,
        *,
        on_rewrite_due: Callable[[], None],
        on_broken: Callable[[], None],
        look_secs: float = LOOK_SECS,
        disk_secs: float = DISK_SECS,
        learn_secs: float = LEARN_SECS,
    ) -> None:
        self._warehouse = warehouse
        self._after = timedelta(days=settings.erase_rewrite_days)
        self._retention = retention
        self._on_rewrite_due = on_rewrite_due
        self._on_broken = on_broken
        self._look_secs = look_secs
        self._disk_secs = disk_secs
        self._learner = learner
        self._learn_secs = learn_secs
        self._is_dns_mute = False
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
        disk_at, learn_at = time.monotonic(), math.inf
        if self._learner is not None:
            learn_at = time.monotonic() + self._learn_secs
        try:
            self._remake_rollups()
            while not self._ended.wait(min(disk_at, learn_at, look_at) - time.monotonic()):
                if self._is_rewrite_due() and self._prepare_rewrite():
                    self._on_rewrite_due()
                    return
                if time.monotonic() >= disk_at:
                    self._note_disk()
                    disk_at = time.monotonic() + self._disk_secs
                if self._learner is not None and time.monotonic() >= learn_at:
                    self._learn(self._learner)
                    learn_at = time.monotonic() + self._learn_secs
                if time.monotonic() < look_at:
                    continue
                look_at = time.monotonic() + self._look_secs
                if self._is_prune_due():
                    self._prune()
                self._compact()
        except _Ended:
            return
        except CommitOutcomeUnknown:
            self._on_broken()

    def _is_rewrite_due(self) -> bool:
        pending = read_pending(self._warehouse.place)
        if pending is None:
            return self._warehouse.erased.is_due(after=self._after)
        return datetime.now(UTC) >= pending.due_at

    def _prepare_rewrite(self) -> bool:
        """Whether the worker should drain for it; without room there is no use in that."""
        place = self._warehouse.place
        try:
            prepare(place)
        except WarehouseFull as error:
            pending = read_pending(place)
            retry_at = pending and f"{pending.due_at:%Y-%m-%dT%H:%M:%SZ}"
            self._log.warning("file not rewritten", error=str(error), retry_at=retry_at)
            return False
        return True

    def _note_disk(self) -> None:
        try:
            note_disk(self._warehouse, look_at_disk(self._warehouse))
        except CommitOutcomeUnknown:
            raise
        except DuckpostError as error:
            self._log.warning("disk not noted", error=str(error))

    def _learn(self, learner: "Learner") -> None:
        """Say once that DNS does not answer, and once that it does again."""
        try:
            learned = learner.learn_some(MOST_DOMAINS, is_ended=self._ended.is_set)
        except CommitOutcomeUnknown:
            raise
        except DuckpostError as error:
            self._log.warning("mail hosts not looked up", error=str(error))
            return
        if learned.is_mute and not self._is_dns_mute:
            self._log.warning("DNS does not answer", domains=learned.asked)
        if learned.asked > learned.unanswered:
            self._log.info("mail hosts looked up", **asdict(learned))
        if learned.asked:
            self._is_dns_mute = learned.is_mute

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

    def _remake_rollups(self) -> None:
        """Come to the end of what a kill broke off: a start does not wait for it."""
        began = time.monotonic()
        try:
            if not is_pending(self._warehouse):
                return
            remake_rollups(self._warehouse, lambda: self._go_on(0, 0))
        except CommitOutcomeUnknown:
            raise
        except DuckpostError as error:
            self._log.error("rollups not made again", error=str(error))
        else:
            self._log.info("rollups made again", secs=round(time.monotonic() - began, 1))

    def _compact(self) -> None:
        try:
            result = compact(self._warehouse, on_progress=self._go_on)
        except CommitOutcomeUnknown:
            raise
        except DuckpostError as error:
            self._log.error("rollups not compacted", error=str(error))
        else:
            if result.periods:
                self._log.info("rollups compacted", **asdict(result))

    def _go_on(self, _done: int, _total: int) -> None:
        if self._ended.is_set():
            raise _Ended
