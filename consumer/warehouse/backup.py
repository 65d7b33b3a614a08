"""A consistent copy of a live warehouse: file, key and archive, as of one commit.

Restoring is starting on the copy: Kafka and buckets are read on from the positions in it, and what
a queue or a folder brings again is recognised.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from consumer.errors import CommitOutcomeUnknown, UsageError, WarehouseError
from consumer.warehouse.archive import list_files
from consumer.warehouse.copies import copy_file, require_room, sum_sizes
from consumer.warehouse.estimates import BACKUP, note_rate
from consumer.warehouse.place import Place
from consumer.warehouse.warehouse import Warehouse

_COPIER: Final = "from consumer.warehouse.copies import copy_as_told; copy_as_told()"
NOTE: Final = "backup.json"
_LAST: Final = """
select
    count(*) as batches, max(committed_at)::varchar as last_commit_at,
    arg_max(batch_id, committed_at)::varchar as last_batch_id
from ledger
"""
_POSITIONS: Final = "select source, part, position from positions order by source, part"


@dataclass(frozen=True, slots=True)
class BackupResult:
    """What a backup came to; ``batches`` is how many the ledger in it has.

    ``paused_seconds`` is how long nothing could be committed meanwhile.
    """

    folder: str
    bytes: int
    batches: int
    last_batch_id: str | None
    last_commit_at: str | None
    seconds: float
    paused_seconds: float


def back_up(
    warehouse: Warehouse,
    folder: Path,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> BackupResult:
    """Copy the warehouse into ``folder``, which appears whole or not at all.

    1. Look for room, before anything is written.
    2. Copy the key and what the archive has; it only grows.
    3. Holding the writer: checkpoint, copy the file, and what the archive got meanwhile. Readers
       go on; commits wait, as long as copying the file takes.
    4. Note what the copy is of, and give the folder its name.

    ``on_progress`` gets bytes done and bytes in all; what it raises ends the backup.

    Raises `UsageError` for a folder that holds something and `WarehouseFull` for want of room.
    """
    began = time.monotonic()
    place = warehouse.place
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"cannot back up to {folder}: it is there already and not an empty folder")
    if not folder.parent.is_dir():
        raise UsageError(f"cannot back up to {folder}: the folder {folder.parent} is not there")
    # 1
    files = [place.file, *place.logs, place.key, *list_files(place.archive)]
    total = sum_sizes(files)
    require_room(folder.parent, total, doing=f"a backup of {place.file}")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    copy = Place(unfinished / place.file.name)
    copied = _Copied(total, on_progress)
    try:
        # an erasure gives files of the archive other names: not while they are copied
        with _as_fault(folder), warehouse.alone(lambda: copied.count(0)), _Copier() as copier:
            copy.archive.mkdir(mode=0o700, parents=True)
            unfinished.chmod(0o700)
            # 2
            copied.add(place.key, copy.key)
            for file in list_files(place.archive):
                copied.add(file, copy.archive / file.name)
            copier.await_ready()
            # 3
            with warehouse.held():
                paused_at = time.monotonic()
                # one that a reader hinders leaves a log, which is copied too
                with suppress(WarehouseError):
                    warehouse.checkpoint()
                for file in (place.file, *place.logs):
                    if file.exists():
                        name = copy.file.name + file.name.removeprefix(place.file.name)
                        copier.copy(file, copy.file.with_name(name), copied.count)
                for file in list_files(place.archive):
                    copied.complete(file, copy.archive / file.name)
                if place.erased.exists():
                    copied.complete(place.erased, copy.erased)
                if place.gaps.exists():
                    copy.gaps.touch(mode=0o600)
                note = _read_note(warehouse)
                paused_seconds = time.monotonic() - paused_at
        # 4
        result = BackupResult(
            folder=str(folder),
            bytes=copied.done,
            batches=note["batches"],
            last_batch_id=note["last_batch_id"],
            last_commit_at=note["last_commit_at"],
            seconds=round(time.monotonic() - began, 3),
            paused_seconds=round(paused_seconds, 3),
        )
        about = {"made_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **asdict(result), **note}
        (unfinished / NOTE).write_text(json.dumps(about, indent=4) + "\n", encoding="utf-8")
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _note_rate(warehouse, result)
    return result


def _note_rate(warehouse: Warehouse, result: BackupResult) -> None:
    try:
        warehouse.change(
            "noting a backup's rate",
            lambda connection: note_rate(connection, BACKUP, result.bytes, result.seconds),
        )
    except CommitOutcomeUnknown:
        raise
    except WarehouseError:
        pass  # the backup is whole; the next one's estimate is a guess again


@contextmanager
def _as_fault(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WarehouseError(
            f"cannot back up to {folder}: {error}. Nothing is left of it."
        ) from error


def _read_note(warehouse: Warehouse) -> dict[str, Any]:
    with warehouse.read(_LAST) as reader:
        (last,) = reader.read_all().to_pylist()
    with warehouse.read(_POSITIONS) as reader:
        positions = reader.read_all().to_pylist()
    return {"warehouse": str(warehouse.path), **last, "positions": positions}


class _Copied:
    """Copies files and adds up how far that has come."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None] | None) -> None:
        self.done = 0
        self._total = total
        self._on_progress = on_progress

    def count(self, size: int) -> None:
        self.done += size
        if self._on_progress is not None:
            self._on_progress(self.done, max(self._total, self.done))

    def add(self, source: Path, target: Path) -> None:
        copy_file(source, target, on_bytes=self.count)

    def complete(self, source: Path, target: Path) -> None:
        """Copy a file of the archive again that has grown since, or that is new."""
        had = target.stat().st_size if target.exists() else 0
        if had != source.stat().st_size:
            target.unlink(missing_ok=True)
            self.done -= had
            self.add(source, target)


class _Copier:
    """Copies files that DuckDB has open, in a child process that is ready before it is needed.

    Closing any descriptor of such a file in this process would let go of the lock that keeps
    others out.
    """

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [sys.executable, "-c", _COPIER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._child:
            self._child.kill()

    def await_ready(self) -> None:
        """Wait until it takes orders: a loaded machine takes seconds to start a process."""
        assert self._child.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        self._child.stdout.readline()

    def copy(self, source: Path, target: Path, on_bytes: Callable[[int], None]) -> None:
        orders, told = self._child.stdin, self._child.stdout
        assert orders is not None  # noqa: S101 - for the type checker: both are pipes
        assert told is not None  # noqa: S101 - the same
        orders.write(json.dumps([str(source), str(target)]) + "\n")
        orders.flush()
        for line in told:
            match json.loads(line):
                case int(size):
                    on_bytes(size)
                case str(fault):
                    raise OSError(fault)
                case _:
                    return
        raise WarehouseError(f"copying {source} to {target} broke off")
