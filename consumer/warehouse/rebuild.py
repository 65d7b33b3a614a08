"""The warehouse again from its archive: the same rows from the same code and payloads.

No damaged file and no better schema ever costs data while the archive is there. Every whole frame
is taken in, those whose commit failed too: their events are real, and a batch counts once.
"""

import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.errors import QueryError, WarehouseDamaged, WarehouseLocked
from consumer.frame import FrameReader
from consumer.warehouse.archive import Torn, read_frames, sync_folder
from consumer.warehouse.connection import WarehouseOptions
from consumer.warehouse.place import Place, write_secret
from consumer.warehouse.warehouse import Warehouse

# what dropped quarantined payloads, or brought nothing new, leaves no trace to lose
_HOLDING: Final = "select batch_id from ledger where inserted + superseded + quarantined > 0"


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """What a rebuild did; ``kept`` is where the old file was put aside, if there was one."""

    batches: int
    payloads: int
    rows: int
    quarantined: int
    torn: int
    kept: Path | None


def rebuild(
    path: Path,
    options: WarehouseOptions,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> RebuildResult:
    """Build the file at ``path`` again from the archive beside it.

    1. Build a new warehouse under another name from every whole frame, and give up where the old
       one holds batches that it lacks.
    2. Give the old file and its log a second name; they are never deleted here.
    3. Move the new file over the old one, in one step: a kill leaves the one or the other.
    4. Take the old log from beside it. After a kill before this the new file is refused, for a
       log that is not its own, until another rebuild.

    Nobody can open the old file meanwhile: what they wrote would not be in the new one.

    ``on_progress`` gets bytes done and bytes in all. Raises `WarehouseDamaged` where there is no
    archive or no key, or where the archive lacks what the file holds, and `WarehouseLocked` where
    a worker has the file.
    """
    place = Place(path.absolute())
    files = sorted(place.archive.glob("*.zst"))
    if not files:
        raise WarehouseDamaged(
            f"cannot rebuild {place.file}: there is no archive in {place.archive}. "
            "Restore a backup, or ingest the sources again."
        )
    known = _read_batch_ids(place, options)
    secret = place.load_secret(is_new=False)
    fresh = Place(place.file.with_name(f"{place.file.stem}.rebuilding.duckdb"))
    _clear(fresh)
    write_secret(fresh.key, secret)
    with _kept_locked(place):
        # 1
        counts, taken = _fill(fresh, place, replace(options, archive=False), on_progress)
        if lost := known - taken:
            _clear(fresh)
            raise WarehouseDamaged(
                f"cannot rebuild {place.file}: of its {len(known)} batches the archive in "
                f"{place.archive} lacks {len(lost)}, which would be lost. The file is left as it "
                "is; restore a backup of the archive."
            )
        # 2
        kept = _put_aside(place)
        # 3
        fresh.file.replace(place.file)
        # 4
        place.wal.unlink(missing_ok=True)
        _clear(fresh)
        sync_folder(place.file.parent)
    return RebuildResult(kept=kept, **counts)


def _fill(
    fresh: Place,
    place: Place,
    options: WarehouseOptions,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, int], set[UUID]]:
    """Build the warehouse at ``fresh`` from the archive of ``place``: counts, and which batches."""
    total = sum(file.stat().st_size for file in place.archive.glob("*.zst"))
    counts = {"batches": 0, "payloads": 0, "rows": 0, "quarantined": 0, "torn": 0}
    seen: set[UUID] = set()
    done = 0
    with Warehouse(fresh, options) as warehouse:
        for found in read_frames(place.archive):
            if isinstance(found, Torn):
                counts["torn"] += 1
                continue
            segment, frame = found
            done += segment.length
            batch = _build_again(frame, warehouse)
            if batch.batch_id not in seen:
                seen.add(batch.batch_id)
                result = warehouse.write(batch, segment=segment)
                counts["batches"] += 1
                counts["payloads"] += result.payloads
                counts["rows"] += result.rows
                counts["quarantined"] += result.quarantined
            if on_progress is not None:
                on_progress(done, total)
        warehouse.checkpoint()
    return counts, seen


def _build_again(frame: bytes, warehouse: Warehouse) -> Batch:
    """Decode an archived batch anew, under its own id, source and positions."""
    reader = FrameReader(io.BytesIO(frame))
    builder = BatchBuilder(
        reader.head.source,
        warehouse.secret,
        store_subject=warehouse.options.store_subject,
        archive=False,
        batch_id=reader.head.batch_id,
    )
    for stored in reader.payloads():
        envelope = Envelope(stored.raw, None, stored.origin, stored.received_at, stored.region)
        for decoded in decode(envelope):
            builder.add(decoded)
    return builder.finish(positions=reader.positions, positions_of=reader.positions_of)


def _read_batch_ids(place: Place, options: WarehouseOptions) -> set[UUID]:
    """Read what a rebuild must not lose; a damaged file is what we are here for, and has nothing.

    Opening it also refuses to replace a file that a worker has open.
    """
    if not place.file.exists():
        return set()
    try:
        with (
            Warehouse(place, replace(options, archive=False)) as warehouse,
            warehouse.read(_HOLDING) as reader,
        ):
            return {UUID(str(row["batch_id"])) for row in reader.read_all().to_pylist()}
    except (WarehouseDamaged, QueryError):
        return set()


@contextmanager
def _kept_locked(place: Place) -> Iterator[None]:
    """Hold the lock that DuckDB takes on a file that it opens; none where there is no file."""
    if not place.file.exists():
        yield
        return
    with place.file.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WarehouseLocked(
                f"cannot rebuild {place.file}: another process has just opened it. Stop that one."
            ) from error
        yield


def _put_aside(place: Place) -> Path | None:
    """Give the file and its log second names, ones that nothing has yet."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    kept = place.file.with_name(f"{place.file.name}.before-{stamp}")
    for old, name in ((place.file, kept), (place.wal, kept.with_name(kept.name + ".wal"))):
        if old.exists():
            os.link(old, name)
    return kept if kept.exists() else None


def _clear(place: Place) -> None:
    for leftover in (place.file, place.wal, place.key):
        leftover.unlink(missing_ok=True)
