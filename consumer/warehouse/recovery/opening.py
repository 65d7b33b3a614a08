"""Opening by itself what a kill or a power cut damaged; the way to every open warehouse.

What can be mended is mended on a copy, tried out in a process of its own, and only then put in the
place of the file, which is kept under another name. What cannot be mended is built again from the
archive. What cannot be built again is left as it is, and the error names the command to run.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from consumer.errors import WarehouseDamaged, WarehouseError, WarehouseFull
from consumer.warehouse.archive import list_files
from consumer.warehouse.connection import WarehouseOptions
from consumer.warehouse.copies import copy_file, require_room, sum_sizes
from consumer.warehouse.place import Place, locked
from consumer.warehouse.recovery.rebuild import exchange, rebuild
from consumer.warehouse.recovery.refill import Refill, refill
from consumer.warehouse.recovery.storage import count_commits, cut_log, find_silent_end, mend_block
from consumer.warehouse.recovery.trial import try_out
from consumer.warehouse.schema import Upgrade
from consumer.warehouse.warehouse import Warehouse

_BLOCK: Final = re.compile(r"in block at location (\d+)")
_LOG: Final = re.compile(r'WAL file "([^"]+)"')
_POSITION: Final = re.compile(r"at byte position (\d+)")
_STALE: Final = re.compile(r"WAL does not match|checkpoint iteration", re.IGNORECASE)
_DROPPED: Final = "its log is damaged where DuckDB would pass over the rest of it"
_MOST_REPAIRS: Final = 16
# A kill leaves one frame at most behind the ledger's last one, of what was not acknowledged.
_UNUSUAL_FRAMES: Final = 2


@dataclass(frozen=True, slots=True)
class Recovery:
    """What it took to open a warehouse.

    Attributes:
        what: what was done, as words.
        kept: what the file as it was is kept as.
        batches: that came out of the archive, as the file had lost them or was built anew.
        is_whole: False where something may be missing; ``what`` says what.
        seconds: how long it took.
        is_upgrade: whether nothing was wrong: it came from an older duckpost.
    """

    what: str
    kept: Path | None
    batches: int
    is_whole: bool
    seconds: float
    is_upgrade: bool = False


def open_warehouse(
    path: Path,
    options: WarehouseOptions | None = None,
    *,
    on_recovery: Callable[[Recovery], None] | None = None,
) -> Warehouse:
    """Open the warehouse at ``path``, creating it where there is none and mending it where it must.

    ``on_recovery`` is told when it was not as a killed worker leaves it; by default the log is.
    Raises `WarehouseLocked`, `WarehouseNewer`, `WarehouseDamaged` or another `WarehouseError`.
    """
    began = time.monotonic()
    place, options = Place(path.absolute()), options or WarehouseOptions()
    place.check_folder()
    place.clear_leftovers()
    has_log = place.has_log
    fault = _find_fault(place)
    warehouse = None
    if not fault:
        try:
            warehouse = Warehouse(place, options)
        except WarehouseDamaged as error:
            if not error.fault:
                raise
            fault = error.fault
    mended = recover(place, options, fault) if fault else None
    if warehouse is None:
        warehouse = Warehouse(place, options)
    try:
        found = (
            refill(warehouse, at_least=1 if mended else _UNUSUAL_FRAMES)
            if options.archive and (has_log or mended)
            else Refill()
        )
    except BaseException:
        warehouse.close()
        raise
    if warehouse.upgrade is not None:
        (on_recovery or _log)(_to_notice(warehouse.upgrade))
    if mended or found.batches:
        recovery = _sum_up(mended, found, seconds=time.monotonic() - began)
        (on_recovery or _log)(recovery)
    return warehouse


def salvage(path: Path, options: WarehouseOptions) -> Recovery:
    """Keep what can be read of a file whose archive cannot help; somebody accepted the loss.

    Raises `WarehouseDamaged` where nothing can be read.
    """
    began = time.monotonic()
    mended = recover(Place(path.absolute()), options, "its owner asked", may_lose=True)
    return _sum_up(mended, Refill(), seconds=time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class _Mended:
    repairs: tuple[str, ...]
    kept: Path | None
    batches: int = 0


def recover(
    place: Place, options: WarehouseOptions, fault: str, *, may_lose: bool = False
) -> _Mended:
    """Mend the file or build it again; ``fault`` is what DuckDB said, or we found.

    A block that a killed checkpoint tore has a log beside it, and its content is sound. Without a
    log it is rot, which a new checksum would only hide: then the archive is asked first.

    ``may_lose`` takes what can be read of a file whose archive cannot help.

    Raises `WarehouseDamaged` where neither helps; the file is as it was then.
    """
    is_rot = not place.has_log
    has_archive = bool(list_files(place.archive)) and not place.gaps.exists()
    steps: list[Callable[[], _Mended]] = [
        lambda: _mend(place, options, may_lose=may_lose or has_archive)
    ]
    if has_archive and not may_lose:
        steps.insert(0 if is_rot else 1, lambda: _build_again(place, options))
    reasons: list[WarehouseError] = []
    for step in steps:
        try:
            return step()
        except (WarehouseDamaged, WarehouseFull) as error:
            reasons.append(error)
    raise WarehouseDamaged(
        f"cannot open warehouse {place.file}: {fault.splitlines()[0]}. "
        f"{' '.join(map(str, reasons))} The file is left as it is. {_advise(place, reasons)}",
        fault=fault,
    )


def _advise(place: Place, reasons: Sequence[WarehouseError]) -> str:
    """Say what to do about a file that neither mending nor the archive helped."""
    if any(isinstance(reason, _WouldLose) for reason in reasons):
        command = "duckpost rebuild --salvage"
        return f"Restore a backup, or go on without them: {command} --warehouse {place.file}"
    if list_files(place.archive):
        command = f"duckpost rebuild --warehouse {place.file}"
        return f"Restore a backup, or take what the archive has: {command}"
    return (
        "Restore a backup, or move the file away and take the sources in again: duckpost ingest "
        f"PATH --warehouse {place.file}"
    )


class _WouldLose(WarehouseDamaged):
    """Mending would cost transactions that were acknowledged."""


def _find_fault(place: Place) -> str:
    """Return what DuckDB would not say by itself: a log it would drop, damage a writer met."""
    if place.doubt.exists():
        return place.doubt.read_text(encoding="utf-8")
    if place.file.exists() and any(find_silent_end(log) is not None for log in place.logs):
        return _DROPPED
    return ""


def _build_again(place: Place, options: WarehouseOptions) -> _Mended:
    built = rebuild(place.file, options, is_strict=True)
    return _Mended(("built again from its archive",), built.kept, built.batches)


def _mend(place: Place, options: WarehouseOptions, *, may_lose: bool) -> _Mended:
    """Mend a copy, try it out, and put it in the file's place."""
    files = [file for file in (place.file, *place.logs) if file.exists()]
    fresh = place.to_working("recovering")
    with locked(place):
        fresh.clear()
        require_room(place.file.parent, sum_sizes(files), doing="mending a copy of it")
        try:
            for file in files:
                copy_file(file, fresh.file.with_name(_rename(file, place, fresh)))
            repairs = _Repairs(fresh, may_lose=may_lose).run(options)
            kept = exchange(place, fresh)
        finally:
            fresh.clear()
    return _Mended(repairs, kept)


def _rename(file: Path, place: Place, fresh: Place) -> str:
    return fresh.file.name + file.name.removeprefix(place.file.name)


class _Repairs:
    """Repairs of a working copy: one for each fault that opening it names, until it opens.

    Args:
        fresh: the working copy.
        may_lose: whether transactions of the log may go which were acknowledged, because the
            archive has them or because somebody said so.
    """

    def __init__(self, fresh: Place, *, may_lose: bool) -> None:
        self._fresh = fresh
        self._may_lose = may_lose
        self._done: list[str] = []

    def run(self, options: WarehouseOptions) -> tuple[str, ...]:
        """Repair one fault after the other, as they come to light; returns what was done.

        Raises `WarehouseDamaged` where the copy stays unreadable, or its books do not agree.
        """
        for log in self._fresh.logs:
            position = find_silent_end(log)
            if position == 0:
                self._drop(log)
            elif position is not None:
                self._cut(log, position)
        for _ in range(_MOST_REPAIRS):
            trial = try_out(self._fresh, options)
            if trial.stage == "done":
                return tuple(self._done) or ("found to be whole",)
            # what comes to light only while rows are read is data: no new checksum mends that
            if trial.stage != "open" or not self._repair(trial.fault):
                break
        raise WarehouseDamaged(f"A mended copy does not hold: {trial.fault.splitlines()[0]}.")

    def _repair(self, fault: str) -> bool:
        named = _LOG.search(fault)
        log = Path(named[1]) if named else self._fresh.wal
        if block := _BLOCK.search(fault):
            location = int(block[1])
            self._done.append(f"torn block at byte {location} mended")
            return mend_block(self._fresh.file, location)
        if _STALE.search(fault) and log.exists():
            return self._drop(log)
        if named and (position := _POSITION.search(fault)) and log.exists():
            return self._cut(log, int(position[1]))
        return False

    def _cut(self, log: Path, position: int) -> bool:
        # the next transaction begins after this one's sync: two that end behind the damage mean
        # that at least the first of them was acknowledged
        lost = count_commits(log, position)
        self._require_leave(lost - 1, f"log damaged at byte {position}")
        cut_bytes = log.stat().st_size - position
        cut_log(log, position)
        self._done.append(
            f"log cut at byte {position}, {cut_bytes} bytes before its end"
            + (f", with {lost} transactions" if lost else "")
        )
        return True

    def _drop(self, log: Path) -> bool:
        lost = count_commits(log, 0)
        self._require_leave(lost, "log of another file")
        log.unlink()
        self._done.append(f"log put aside, with {lost} transactions")
        return True

    def _require_leave(self, lost: int, what: str) -> None:
        if lost > 0 and not self._may_lose:
            raise _WouldLose(
                f"The {what} holds at least {lost} acknowledged transactions, and there is no "
                "archive to take them from."
            )


def _sum_up(mended: _Mended | None, found: Refill, *, seconds: float) -> Recovery:
    words = list(mended.repairs) if mended else []
    if found.batches:
        words.append(f"{found.batches} batches taken in from the archive")
    if found.left:
        words.append(f"{found.left} archived batches could not be taken in (duckpost rebuild does)")
    if mended and found.torn:
        words.append(f"{found.torn} frames of the archive could not be read")
    return Recovery(
        what=", ".join(words),
        kept=mended.kept if mended else None,
        batches=(mended.batches if mended else 0) + found.batches,
        is_whole=not (found.left or (mended and found.torn)),
        seconds=round(seconds, 3),
    )


def _to_notice(upgrade: Upgrade) -> Recovery:
    what = "; ".join(f"{name}: {purpose}" for name, purpose in upgrade.applied.items())
    return Recovery(
        what, upgrade.kept, 0, is_whole=True, seconds=round(upgrade.seconds, 3), is_upgrade=True
    )


def _log(recovery: Recovery) -> None:
    log = structlog.get_logger()
    kept = str(recovery.kept) if recovery.kept else None
    if recovery.is_upgrade:
        log.info("warehouse upgraded", what=recovery.what, kept=kept, secs=recovery.seconds)
        return
    about = {
        "what": recovery.what,
        "kept": kept,
        "batches": recovery.batches,
        "secs": recovery.seconds,
    }
    if recovery.is_whole:
        log.warning("warehouse mended", **about)
    else:
        log.error("warehouse mended", **about)
