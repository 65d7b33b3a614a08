"""One way to a warehouse, whether a worker has it open or nobody has."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pyarrow as pa

from consumer.addresses import parse_address
from consumer.batch import Batch
from consumer.door.client import DoorClient
from consumer.errors import CommitOutcomeUnknown, SettingsError, WarehouseLocked
from consumer.settings import ClassificationSettings, RetentionSettings, WarehouseSettings
from consumer.warehouse import (
    Recovery,
    Warehouse,
    WarehouseOptions,
    WriteResult,
    open_warehouse,
)
from consumer.warehouse.backup import BackupResult, back_up
from consumer.warehouse.erasure.erasing import ErasureResult, erase
from consumer.warehouse.erasure.rewriting import prepare, rewrite
from consumer.warehouse.estimates import Estimates, estimate_backup, estimate_rewrite
from consumer.warehouse.interruption import Interruption
from consumer.warehouse.reconciliations import Reconciliation, keep
from consumer.warehouse.recount import Finding, verify
from consumer.warehouse.retention import PruneResult, Retention, prune
from consumer.warehouse.rules.files import RuleFiles
from consumer.warehouse.rules.reclassification import Reclassification, reclassify
from consumer.warehouse.ses_suppressions import Listed, keep_list

if TYPE_CHECKING:
    from consumer.mail_hosts.learning import Learner

# Statements cost the same for few rows as for many: this many make them a small part.
_MAX_ROWS: Final = 20_000


class Access(Protocol):
    """What a command does with a warehouse; the same through a worker's door and without one."""

    @property
    def path(self) -> Path:
        """The warehouse file."""
        ...

    @property
    def secret(self) -> bytes:
        """The key that recipients are hashed with; see `Warehouse.secret`."""
        ...

    @property
    def store_subject(self) -> bool:
        """Whether batches for this warehouse keep subjects."""
        ...

    @property
    def archive(self) -> bool:
        """Whether batches for this warehouse keep raw payloads."""
        ...

    @property
    def is_hashed(self) -> bool:
        """Whether batches for this warehouse hold recipients as tokens alone."""
        ...

    @property
    def max_rows(self) -> int:
        """How many rows a batch of much should have: fewer where a worker shares the writer."""
        ...

    def read(
        self, sql: str, params: Sequence[object] = ()
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """Answer one read-only statement as a stream of rows. Raises `QueryError`."""
        ...

    def write(self, batch: Batch, *, replaces: Collection[str] = ()) -> WriteResult:
        """Commit a batch whole; ``replaces`` leave quarantine in the same transaction."""
        ...

    def drop_quarantined(
        self,
        sha256s: Collection[str] | None,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Forget payloads in quarantine, all of them for None; returns how many went."""
        ...

    def change_own(self, sql: str) -> str:
        """Make or drop a view, table or macro in the schema `my`; returns its name."""
        ...

    def verify(self, *, on_progress: Callable[[int, int], None] | None = None) -> list[Finding]:
        """Lay ledger, rows, marks and archive against each other; every check is a finding."""
        ...

    def back_up(
        self, folder: Path, *, on_progress: Callable[[int, int], None] | None = None
    ) -> BackupResult:
        """Copy the warehouse, consistent and whole; see `consumer.warehouse.backup`."""
        ...

    def erase(
        self, address: str, *, on_progress: Callable[[int, int], None] | None = None
    ) -> ErasureResult:
        """Replace an address by its token; see `consumer.warehouse.erasure.erasing`."""
        ...

    def prune(
        self,
        retention: Retention,
        *,
        is_dry_run: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> PruneResult:
        """Delete what is older than it may be; see `consumer.warehouse.retention`."""
        ...

    def reclassify(
        self, *, is_dry_run: bool = False, on_progress: Callable[[int, int], None] | None = None
    ) -> Reclassification:
        """Judge all events by the rules of the opener's settings, read anew.

        See `consumer.warehouse.rules.reclassification`.
        """
        ...

    def lift_suppression(self, recipient: str, note: str | None) -> None:
        """Note that a recipient, as it is stored, may be mailed again."""
        ...

    def keep_ses_list(self, account: str, region: str, listed: Sequence[Listed]) -> None:
        """Keep SES's account suppression list, in place of the one read before."""
        ...

    def keep_reconciliation(self, found: Reconciliation) -> None:
        """Keep what AWS said beside our figures, in place of what it said of the same days."""
        ...

    def estimates(self) -> Estimates:
        """Say how long a backup and a rewrite would take."""
        ...

    def rewrite(self) -> None:
        """Have the file rewritten; returns when it is, and the warehouse is closed then.

        Raises `WarehouseError` when it was not, and says what happens next.
        """
        ...

    def interrupt(self) -> bool:
        """End what this process itself has DuckDB run; whether anything did. From any thread."""
        ...

    def close(self) -> None:
        """Let go of the warehouse."""
        ...


class OpenedWarehouse:
    """A warehouse that this process has open.

    Args:
        warehouse: open; `close` closes it.
        learner: asks DNS before history is judged; None where it may not be asked.
    """

    def __init__(self, warehouse: Warehouse, learner: "Learner | None" = None) -> None:
        self._warehouse = warehouse
        self._learner = learner
        self.path = warehouse.path
        self.secret = warehouse.secret
        self.store_subject = warehouse.options.store_subject
        self.is_hashed = warehouse.is_hashed
        self.max_rows = _MAX_ROWS
        self.archive = warehouse.options.archive

    def read(
        self,
        sql: str,
        params: Sequence[object] = (),
        *,
        interruption: Interruption | None = None,
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """Answer one read-only statement on a cursor of its own; ``interruption`` may end it."""
        return self._warehouse.read(sql, params, interruption=interruption)

    def write(self, batch: Batch, *, replaces: Collection[str] = ()) -> WriteResult:
        """Commit a batch; an open outcome is settled here, as this process has no readers.

        The file is closed and opened anew, and the ledger says whether the batch is in it.
        """
        try:
            return self._warehouse.write(batch, replaces=replaces)
        except CommitOutcomeUnknown:
            self._warehouse.reopen()
            settled = self._warehouse.result_of(batch.batch_id)
            return settled or self._warehouse.write(batch, replaces=replaces)

    def drop_quarantined(
        self,
        sha256s: Collection[str] | None,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Forget payloads in quarantine."""
        return self._warehouse.drop_quarantined(sha256s, on_progress=on_progress)

    def change_own(self, sql: str) -> str:
        """Make or drop something in the schema `my`."""
        return self._warehouse.change_own(sql)

    def verify(self, *, on_progress: Callable[[int, int], None] | None = None) -> list[Finding]:
        """Lay ledger, rows, marks and archive against each other."""
        return verify(self._warehouse, on_progress=on_progress)

    def back_up(
        self, folder: Path, *, on_progress: Callable[[int, int], None] | None = None
    ) -> BackupResult:
        """Copy the warehouse."""
        return back_up(self._warehouse, folder, on_progress=on_progress)

    def erase(
        self, address: str, *, on_progress: Callable[[int, int], None] | None = None
    ) -> ErasureResult:
        """Replace an address by its token."""
        parsed = parse_address(address, self.secret)
        return erase(self._warehouse, parsed, on_progress=on_progress)

    def prune(
        self,
        retention: Retention,
        *,
        is_dry_run: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> PruneResult:
        """Delete what is older than it may be."""
        return prune(self._warehouse, retention, is_dry_run=is_dry_run, on_progress=on_progress)

    def reclassify(
        self, *, is_dry_run: bool = False, on_progress: Callable[[int, int], None] | None = None
    ) -> Reclassification:
        """Judge all events by the rules as they are now, and by what DNS says now."""
        asked = unanswered = 0
        if self._learner is not None and not is_dry_run:
            learned = self._learner.learn_all(on_progress)
            asked, unanswered = learned.asked, learned.unanswered
        done = reclassify(self._warehouse, is_dry_run=is_dry_run, on_progress=on_progress)
        return replace(done, asked=asked, unanswered=unanswered)

    def lift_suppression(self, recipient: str, note: str | None) -> None:
        """Note that a recipient may be mailed again."""
        self._warehouse.lift_suppression(recipient, note)

    def keep_ses_list(self, account: str, region: str, listed: Sequence[Listed]) -> None:
        """Keep SES's account suppression list."""
        keep_list(self._warehouse, account, region, listed)

    def keep_reconciliation(self, found: Reconciliation) -> None:
        """Keep what AWS said beside our figures."""
        keep(self._warehouse, found)

    def estimates(self) -> Estimates:
        """Say how long a backup and a rewrite would take."""
        return Estimates(estimate_backup(self._warehouse), estimate_rewrite(self._warehouse))

    def prepare_rewrite(self) -> None:
        """Remember that a rewrite is wanted, and look for room; see `rewriting.prepare`."""
        prepare(self._warehouse.place)

    def rewrite(self) -> None:
        """Close the file and rewrite it."""
        self._warehouse.close()
        rewrite(self._warehouse.place, self._warehouse.options)

    def interrupt(self) -> bool:
        """End every statement of readers and users."""
        return self._warehouse.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._warehouse.close()


def to_options(
    settings: WarehouseSettings,
    classification: ClassificationSettings | None = None,
    *,
    takes_rules: bool = True,
) -> WarehouseOptions:
    """Return what the settings mean for opening the file.

    The rules that are in force there stay so without ``classification``, or ``takes_rules``.
    """
    return WarehouseOptions(
        memory_limit=settings.memory_limit,
        threads=settings.threads,
        archive=settings.archive,
        report_time_zone=settings.report_time_zone,
        store_subject=settings.store_subject,
        recipients=settings.recipients,
        min_free_bytes=settings.min_free_bytes,
        rule_files=_to_rule_files(classification or ClassificationSettings()),
        takes_rules=takes_rules and classification is not None,
    )


def _to_rule_files(settings: ClassificationSettings) -> RuleFiles:
    return RuleFiles(
        providers=settings.providers_file,
        machine_rules=settings.machine_rules_file,
        bounce_rules=settings.bounce_rules_file,
        mx_providers=settings.mx_providers_file,
        uses_mx=settings.mx_lookups,
    )


def open_learner(warehouse: Warehouse, settings: ClassificationSettings) -> "Learner | None":
    """Return who asks DNS about domains, None where the settings do not allow it.

    Raises `SettingsError` where there is no DNS server to ask.
    """
    if not settings.mx_lookups:
        return None
    # DNS is slow to import, and few ask it
    from consumer.mail_hosts.exchanges import Exchanges  # noqa: PLC0415
    from consumer.mail_hosts.learning import Learner  # noqa: PLC0415

    return Learner(warehouse, Exchanges(settings.dns_servers))


def to_retention(settings: RetentionSettings) -> Retention:
    """Return what the settings mean for pruning."""
    return Retention(**settings.model_dump())


def open_access(
    settings: WarehouseSettings,
    classification: ClassificationSettings | None = None,
    *,
    takes_rules: bool = False,
    on_recovery: Callable[[Recovery], None] | None = None,
) -> Access:
    """Open the warehouse, or knock at the door of the worker that has it open.

    ``classification`` and ``takes_rules`` are as in `to_options`; a worker goes by its own.
    ``on_recovery`` is told when the file had to be mended; see `open_warehouse`.

    Raises `WarehouseLocked` when another process has the file and nobody answers at its door.
    """
    try:
        warehouse = open_warehouse(
            settings.path,
            to_options(settings, classification, takes_rules=takes_rules),
            on_recovery=on_recovery,
        )
    except WarehouseLocked:
        try:
            return DoorClient(settings.path)
        except OSError:
            pass  # no socket, or a killed worker's: then the lock is the whole story
        raise
    try:
        learner = (
            open_learner(warehouse, classification) if takes_rules and classification else None
        )
        return OpenedWarehouse(warehouse, learner)
    except SettingsError:
        warehouse.close()
        raise
