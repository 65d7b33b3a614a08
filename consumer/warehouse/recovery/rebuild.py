"""The warehouse again from its archive: the same rows from the same code and payloads.

No damaged file and no better schema ever costs data while the archive is there. Every whole frame
is taken in, those whose commit failed too: their events are real, and a batch counts once.
"""

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

import duckdb
import pyarrow as pa

from consumer.errors import WarehouseDamaged, WarehouseLocked, WarehouseNewer
from consumer.resources import sql_folder
from consumer.warehouse.archive import Torn, list_files, read_frames, sync_folder
from consumer.warehouse.connection import WarehouseOptions, open_file
from consumer.warehouse.facts import ARCHIVE_FROM, HORIZON
from consumer.warehouse.faults import to_open_fault
from consumer.warehouse.own_sql import KeptOwn, keep_own, restore_own
from consumer.warehouse.place import Place, locked, new_secret, write_secret
from consumer.warehouse.recovery.carried import Carried, put_back, set_facts, take_along
from consumer.warehouse.recovery.refill import read_head, write_again
from consumer.warehouse.rules.mail_hosts import Answer, read_answers
from consumer.warehouse.schema import refuse_newer
from consumer.warehouse.warehouse import Warehouse, refuse_other_mode

# what dropped quarantined payloads, or brought nothing new, leaves no trace to lose
# what people and AWS said, which no event can say again
_NOTED: Final = ("suppression_lifts", "ses_suppressions", "reconciliations", "postures")
# what DNS said, which events are judged by as they come in
_ANSWERS: Final = "mx_answers"
_HOLDING: Final = "select batch_id from ledger where inserted + superseded + quarantined > 0"
# Batches whose payloads left the archive, and whose rows are gone too or taken along: a message is
# sent before its events come in, but for a sender's clock.
_PRUNED: Final = f"""
select batch_id from ledger
where
    archive_file < ({ARCHIVE_FROM})
    and last_received_at < ({HORIZON})::timestamp - interval 1 day
    and batch_id not in (select batch_id from quarantine)
"""


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
    is_strict: bool = False,
    has_new_key: bool = False,
) -> RebuildResult:
    """Build the file at ``path`` again from the archive beside it.

    1. Build a new warehouse under another name from every whole frame, and give up where the old
       one holds batches that it lacks.
    2. Take over figures of what retention let go of, failures that it kept, what users made in
       the schema `my`, whom they let be mailed again, and what AWS said beside our figures, as far
       as the old file can be read.
    3. Give the old file and its logs a second name; they are never deleted here.
    4. Move the new file over the old one, in one step: a kill leaves the one or the other.
    5. Take the old logs from beside it. After a kill before this the next start does it.

    Nobody can open the old file meanwhile: what they wrote would not be in the new one.

    Args:
        path: the warehouse file.
        options: how it is opened.
        on_progress: gets bytes done and bytes in all.
        is_strict: give up too where a frame in the middle of a file cannot be read: what nobody
            asked for must not cost data in silence.
        has_new_key: for a warehouse whose key is lost: hash recipients with a new one.

    Raises `WarehouseDamaged` where there is no archive or no key, or where the archive lacks what
    the file holds, and `WarehouseLocked` where a worker has the file.
    """
    place = Place(path.absolute())
    _require_archive(place)
    secret = new_secret() if has_new_key else place.load_secret(is_new=False)
    # the archive knows it too, where the key file is lost that says it
    is_hashed = _is_archive_hashed(place) if has_new_key else place.is_hashed
    refuse_other_mode(place, options, is_hashed=is_hashed)
    fresh = place.to_working("rebuilding")
    known, own, noted, carried = _read_old(place, options, fresh)
    answers = read_answers(noted.pop(_ANSWERS)) if _ANSWERS in noted else []
    with locked(place):
        fresh.clear()
        write_secret(fresh.key, secret, is_hashed=is_hashed)
        if place.erased.exists() and not has_new_key:
            shutil.copyfile(place.erased, fresh.erased)
        # 1
        counts, taken, damaged = _fill(
            fresh, place, replace(options, archive=False), carried, answers, on_progress
        )
        lost = len(known - taken)
        if lost or (is_strict and damaged):
            fresh.clear()
            if carried is not None:
                carried.discard()
            lack = (
                f"of its {len(known)} batches the archive in {place.archive} lacks {lost}"
                if lost
                else f"the archive in {place.archive} is damaged in {damaged} places"
            )
            raise WarehouseDamaged(
                f"cannot rebuild {place.file}: {lack}, which would be lost. The file is left as it "
                "is; restore a backup of the archive."
            )
        # 2
        if carried is not None:
            with open_file(fresh, options, fresh.file) as connection:
                put_back(connection, carried)
        if own is not None:
            with open_file(fresh, options, fresh.file) as connection:
                restore_own(connection, own)
        if noted:
            with open_file(fresh, options, fresh.file) as connection:
                for table, rows in noted.items():
                    connection.register("noted", rows)
                    connection.execute(f"insert into {table} by name select * from noted")
                    connection.unregister("noted")
        if has_new_key:
            place.key.unlink(missing_ok=True)
            write_secret(place.key, secret, is_hashed=is_hashed)
        # 3 to 5
        kept = exchange(place, fresh)
    return RebuildResult(kept=kept, **counts)


def exchange(place: Place, fresh: Place) -> Path | None:
    """Move a new file, closed in order, into a place's; returns what the old one is kept as.

    The caller holds the old one's lock.
    """
    kept = place.put_aside()
    fresh.file.replace(place.file)
    for log in place.logs:
        log.unlink(missing_ok=True)
    fresh.clear()
    place.doubt.unlink(missing_ok=True)
    sync_folder(place.file.parent)
    return kept


def _require_archive(place: Place) -> None:
    if not list_files(place.archive):
        raise WarehouseDamaged(
            f"cannot rebuild {place.file}: there is no archive in {place.archive}. Restore a "
            "backup, ingest the sources again, or keep what can still be read of the file: "
            f"duckpost rebuild --salvage --warehouse {place.file}"
        )


def _is_archive_hashed(place: Place) -> bool:
    """Whether recipients are hashed in the archive; all of it is alike."""
    frames = (found for found in read_frames(place.archive) if not isinstance(found, Torn))
    return any(read_head(frame).is_hashed for _, frame in itertools.islice(frames, 1))


def _fill(  # noqa: PLR0913, PLR0917 - what a new file is made of
    fresh: Place,
    place: Place,
    options: WarehouseOptions,
    carried: Carried | None,
    answers: Sequence[Answer],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, int], set[UUID], int]:
    """Build the warehouse at ``fresh`` from the archive of ``place``.

    Returns counts, which batches, and in how many places the archive is damaged.
    """
    total = sum(file.stat().st_size for file in list_files(place.archive))
    counts = {"batches": 0, "payloads": 0, "rows": 0, "quarantined": 0, "torn": 0}
    seen: set[UUID] = set()
    done = damaged = 0
    with Warehouse(fresh, options) as warehouse:
        if carried is not None:
            warehouse.change("noting horizons", lambda connection: set_facts(connection, carried))
        if answers:
            warehouse.learn(answers)
        for found in read_frames(place.archive):
            if isinstance(found, Torn):
                counts["torn"] += 1
                damaged += not found.is_end
                continue
            segment, frame = found
            done += segment.length
            batch_id = read_head(frame).batch_id
            if batch_id not in seen:
                seen.add(batch_id)
                result = write_again(warehouse, segment, frame)
                counts["batches"] += 1
                counts["payloads"] += result.payloads
                counts["rows"] += result.rows
                counts["quarantined"] += result.quarantined
            if on_progress is not None:
                on_progress(done, total)
        warehouse.checkpoint()
    return counts, seen, damaged


def _read_old(
    place: Place, options: WarehouseOptions, fresh: Place
) -> tuple[set[UUID], KeptOwn | None, dict[str, pa.Table], Carried | None]:
    """Read what a rebuild must not lose; a damaged file is what we are here for, and has nothing.

    Opening it also refuses to replace a file that a worker has open.
    """
    if not place.file.exists():
        return set(), None, {}, None
    try:
        with open_file(place, options, place.file) as connection:
            refuse_newer(connection, sql_folder())
            known = {batch_id for (batch_id,) in connection.execute(_HOLDING).fetchall()}
            known -= {batch_id for (batch_id,) in connection.execute(_PRUNED).fetchall()}
            there = connection.execute("select table_name from duckdb_tables()").fetchall()
            noted = {
                table: connection.sql(f"from {table}").to_arrow_table()
                for table in (*_NOTED, _ANSWERS)
                if (table,) in there
            }
            carried = take_along(connection, fresh.file.with_suffix(".carried"))
            own = keep_own(connection, fresh.file.with_suffix(".own"))
            return known, own, noted, carried
    except duckdb.Error as error:
        fault = to_open_fault(error, place.file)
        if isinstance(fault, WarehouseLocked | WarehouseNewer):
            raise fault from error
        return set(), None, {}, None
