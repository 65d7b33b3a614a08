"""The warehouse again from its archive: the same rows from the same code and payloads.

No damaged file and no better schema ever costs data while the archive is there. Every whole frame
is taken in, those whose commit failed too: their events are real, and a batch counts once.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.errors import WarehouseDamaged
from consumer.frame import FrameReader
from consumer.warehouse.archive import Torn, read_frames, sync_folder
from consumer.warehouse.connection import WarehouseOptions
from consumer.warehouse.place import Place, write_secret
from consumer.warehouse.warehouse import Warehouse


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

    1. Build a new warehouse under another name from every whole frame.
    2. Put the old file and its log aside; they are never deleted here.
    3. Move the new file into their place.

    ``on_progress`` gets bytes done and bytes in all. Raises `WarehouseDamaged` where there is no
    archive or no key, and `WarehouseLocked` where a worker has the file.
    """
    place = Place(path.absolute())
    files = sorted(place.archive.glob("*.zst"))
    if not files:
        raise WarehouseDamaged(
            f"cannot rebuild {place.file}: there is no archive in {place.archive}. "
            "Restore a backup, or ingest the sources again."
        )
    _check_unlocked(place, options)
    secret = place.load_secret(is_new=False)
    fresh = Place(place.file.with_name(f"{place.file.stem}.rebuilding.duckdb"))
    _clear(fresh)
    write_secret(fresh.key, secret)
    total = sum(file.stat().st_size for file in files)
    # 1
    counts = {"batches": 0, "payloads": 0, "rows": 0, "quarantined": 0, "torn": 0}
    seen: set[UUID] = set()
    done = 0
    with Warehouse(fresh, replace(options, archive=False)) as warehouse:
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
    # 2
    kept = _put_aside(place)
    # 3
    fresh.file.rename(place.file)
    _clear(fresh)
    sync_folder(place.file.parent)
    return RebuildResult(kept=kept, **counts)


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


def _check_unlocked(place: Place, options: WarehouseOptions) -> None:
    """Refuse to replace a file that a worker has open; a damaged one is what we are here for."""
    if not place.file.exists():
        return
    try:
        Warehouse(place, replace(options, archive=False)).close()
    except WarehouseDamaged:
        return


def _put_aside(place: Place) -> Path | None:
    if not place.file.exists():
        return None
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    kept = place.file.with_name(f"{place.file.name}.before-{stamp}")
    if place.wal.exists():
        place.wal.rename(kept.with_name(kept.name + ".wal"))
    place.file.rename(kept)
    return kept


def _clear(place: Place) -> None:
    for leftover in (place.file, place.wal, place.key):
        leftover.unlink(missing_ok=True)
