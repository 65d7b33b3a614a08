"""Opens the file: created whole or not at all, one process at a time, closed to the outside."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import duckdb

from consumer.resources import sql_folder
from consumer.warehouse.archive import sync_folder
from consumer.warehouse.copies import copy_file, require_room
from consumer.warehouse.faults import to_open_fault
from consumer.warehouse.memory import SETTABLE
from consumer.warehouse.own_sql import make_missing
from consumer.warehouse.place import Place, locked
from consumer.warehouse.rules.files import RuleFiles
from consumer.warehouse.schema import Upgrade, find_pending, migrate, refresh

# A checkpoint rewrites live blocks: rare ones, of much at once, are the safest.
_CHECKPOINT_THRESHOLD: Final = "64MB"
_LEAST_SPILL_MIB: Final = 64
# What deletes thinned is written anew, three stretches of 122,880 rows as two, while everybody
# waits: one such task a checkpoint takes most of a second on a loaded machine, DuckDB's own bound
# is a hundred. The next checkpoints do the rest.
_MERGES_AT_ONCE: Final = 1


@dataclass(frozen=True, slots=True)
class WarehouseOptions:
    """How a warehouse is opened.

    Attributes:
        memory_limit: DuckDB's, for the writer and all readers together, such as ``512MB``.
        threads: DuckDB's worker threads.
        archive: whether payloads are kept beside the rows.
        report_time_zone: whose days the daily figures are, such as ``Europe/Berlin``.
        store_subject: whether subjects are kept; passed on to who builds the batches.
        recipients: ``plain`` or ``hashed``, for a new warehouse; None takes what is there.
        min_free_bytes: below this much free disk nothing is written.
        rule_files: a user's own rules for classifying.
        takes_rules: whether opening puts them into force, or leaves those that are.
        finishes_rollups: whether opening comes to the end of rollups that are half made again,
            or leaves that to `remake_rollups`, beside which batches are written.
    """

    memory_limit: str = "512MB"
    threads: int = 2
    archive: bool = True
    report_time_zone: str = "UTC"
    store_subject: bool = True
    recipients: Literal["plain", "hashed"] | None = None
    min_free_bytes: int = 256 * 1024 * 1024
    rule_files: RuleFiles = field(default_factory=RuleFiles)
    takes_rules: bool = True
    finishes_rollups: bool = True


def connect(
    place: Place, options: WarehouseOptions
) -> tuple[duckdb.DuckDBPyConnection, Upgrade | None]:
    """Open the file, creating it where there is none, and bring its schema up to date.

    A file that lacks migrations is copied before they are applied; returns what they came to.
    Raises a `WarehouseError` of the kind that fits.
    """
    place.check_folder()
    if not place.file.exists():
        _create(place, options)
    folder = sql_folder()
    began = time.monotonic()
    with _as_open_fault(place):
        connection = open_file(place, options, place.file)
    with _closed_on_fault(connection), _as_open_fault(place):
        pending = find_pending(connection, folder)
        if not pending:
            _prepare(connection, options)
            return connection, None
        connection.execute("checkpoint")
    connection.close()
    kept = _copy_aside(place)
    with _as_open_fault(place):
        connection = open_file(place, options, place.file)
    with _closed_on_fault(connection), _as_open_fault(place):
        _prepare(connection, options)
    applied = {migration.name: migration.purpose for migration in pending}
    return connection, Upgrade(applied, time.monotonic() - began, kept)


def _copy_aside(place: Place) -> Path:
    """Copy a closed file before it is migrated: the way back to the version before."""
    kept = place.to_kept("before-upgrade")
    with locked(place):
        require_room(place.file.parent, place.file.stat().st_size, doing="the copy of an upgrade")
        for file in (place.file, *place.logs):
            if file.exists():
                name = kept.name + file.name.removeprefix(place.file.name)
                copy_file(file, kept.with_name(name))
    sync_folder(place.file.parent)
    return kept


@contextmanager
def _as_open_fault(place: Place) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise to_open_fault(error, place.file) from error


@contextmanager
def _closed_on_fault(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _create(place: Place, options: WarehouseOptions) -> None:
    """Make the file under a temporary name: a kill while it is made leaves nothing behind."""
    temporary = place.file.with_name(f".{place.file.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    try:
        connection = open_file(place, options, temporary)
        try:
            _prepare(connection, options)
            connection.execute("checkpoint")
        finally:
            connection.close()
        temporary.chmod(0o600)
        # os.link fails where another process was faster, and then its file is the one
        os.link(temporary, place.file)
    except FileExistsError:
        pass
    except duckdb.Error as error:
        raise to_open_fault(error, place.file) from error
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(place.file.parent)


def open_file(place: Place, options: WarehouseOptions, file: Path) -> duckdb.DuckDBPyConnection:
    """Have DuckDB open ``file``, as it stands; raises DuckDB's own errors."""
    return duckdb.connect(
        file.as_posix(),
        config={
            "memory_limit": options.memory_limit,
            "threads": options.threads,
            "temp_directory": place.spill.as_posix(),
            "max_temp_directory_size": f"{_to_spill_mib(place, options)}MiB",
            "checkpoint_threshold": _CHECKPOINT_THRESHOLD,
            "max_vacuum_tasks": _MERGES_AT_ONCE,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


def _to_spill_mib(place: Place, options: WarehouseOptions) -> int:
    """Return what queries may spill: DuckDB's own bound is most of the disk."""
    spare = shutil.disk_usage(place.file.parent).free - options.min_free_bytes
    return max(_LEAST_SPILL_MIB, spare // 2 // 2**20)


def _prepare(connection: duckdb.DuckDBPyConnection, options: WarehouseOptions) -> None:
    folder = sql_folder()
    connection.execute("set global TimeZone = 'UTC'")
    migrate(connection, find_pending(connection, folder))
    refresh(
        connection,
        folder,
        time_zone=options.report_time_zone,
        rule_files=options.rule_files if options.takes_rules else None,
        finishes_rollups=options.finishes_rollups,
    )
    # the instance's readers are ad-hoc SQL: they reach this file and nothing else
    connection.execute("set enable_external_access = false")
    make_missing(connection)
    connection.execute(f"set allowed_configs = ['{SETTABLE}']")
    connection.execute("set lock_configuration = true")
