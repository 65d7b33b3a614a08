"""DuckDB's exceptions as duckpost's, at the edge of the room."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import duckdb

from consumer.errors import (
    CommitOutcomeUnknown,
    QueryError,
    WarehouseDamaged,
    WarehouseError,
    WarehouseFull,
    WarehouseLocked,
    WarehouseNewer,
)

_HOLDER = re.compile(r"PID (\d+)")
_NO_ROOM = re.compile(
    r"No space left|disk quota|failed to offload|Could not write all bytes", re.IGNORECASE
)
# what DuckDB says of bytes that are not those it wrote
_DAMAGE = re.compile(
    r"Corrupt|not a valid DuckDB|replaying WAL|WAL (?:does not match|was created for)"
    r"|checkpoint iteration|deserializ|Serialization Error|INTERNAL Error|Could not read enough",
    re.IGNORECASE,
)
_NEWER = re.compile(r"storage version number|created with a newer version", re.IGNORECASE)


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error of opening or writing speaks of a damaged file."""
    return bool(_DAMAGE.search(str(error)))


def to_open_fault(error: duckdb.Error, path: Path) -> WarehouseError:
    """Translate what opening the file raised."""
    text = str(error)
    if "Could not set lock" in text or "Conflicting lock" in text:
        found = _HOLDER.search(text)
        pid = int(found.group(1)) if found else None
        holder = f"process {pid}" if pid else "another process"
        return WarehouseLocked(
            f"cannot open warehouse {path}: {holder} has it open. "
            "Stop that process, or ask it: while a worker runs, duckpost's commands go through it.",
            pid=pid,
        )
    if isinstance(error, duckdb.IOException) and re.search(
        r"Permission denied|Read-only file system", text
    ):
        return WarehouseError(
            f"cannot open warehouse {path}: {text.splitlines()[0]}. "
            "The file and its folder must be writable by this user."
        )
    if _NO_ROOM.search(text):
        return WarehouseFull(f"cannot open warehouse {path}: no room on its disk. Free some space.")
    if _NEWER.search(text):
        return WarehouseNewer(
            f"cannot open warehouse {path}: a later DuckDB than this one wrote it. Install the "
            "duckpost that made it, or a later one; nothing was changed."
        )
    if is_damage(error):
        return WarehouseDamaged(
            f"cannot open warehouse {path}: {text.splitlines()[0]}. The file is left as it is. "
            f"Build it again from its archive: duckpost rebuild --warehouse {path}",
            fault=text,
        )
    return WarehouseError(f"cannot open warehouse {path}: {text.splitlines()[0]}")


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Raise `KeyboardInterrupt` again, which DuckDB's client makes a ``RuntimeError``."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the body: a COMMIT that is broken off has an unknown outcome.

    DuckDB's client looks at signals while it waits for a statement, on the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
        if heard and callable(before):
            before(*heard[0])


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Translate what a statement before the COMMIT raises; the caller rolls back.

    A FATAL error is an unknown outcome: the instance is unusable from there on. Damage that a
    writer meets is left to the next start, which mends or rebuilds.
    """
    try:
        with ended_by_ctrl_c():
            yield
    except duckdb.FatalException as error:
        raise CommitOutcomeUnknown(f"{doing} failed for good: {error}") from error
    except duckdb.OutOfMemoryException as error:
        raise WarehouseFull(
            f"{doing} failed for want of memory: {error}. Raise warehouse.memory_limit."
        ) from error
    except duckdb.Error as error:
        if _NO_ROOM.search(str(error)):
            raise WarehouseFull(
                f"{doing} failed: no room on the warehouse's disk ({error})"
            ) from error
        if "Corrupt database file" in str(error):
            raise WarehouseDamaged(
                f"{doing} failed: {error}. Start again: the file is looked at closely then, and "
                "mended or built again from its archive.",
                fault=str(error),
            ) from error
        raise WarehouseError(f"{doing} failed: {error}") from error


def to_query_fault(error: duckdb.Error) -> QueryError:
    """Translate what a reader's statement raised: the reader's own fault or limit."""
    return QueryError(str(error))
