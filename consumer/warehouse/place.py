"""Where a warehouse's parts lie: the file, and what stands beside it under the same stem."""

import fcntl
import os
import re
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from consumer.errors import WarehouseDamaged, WarehouseError, WarehouseLocked

_KEY_BYTES = 32
# The key file's second line, where recipients are kept as tokens alone: nothing opens the
# warehouse or rebuilds it without that file, so that nobody goes on in another way by accident.
_HASHED = "recipients hashed"


@dataclass(frozen=True, slots=True)
class Place:
    """The paths of one warehouse: ``ses.duckdb``, ``ses.key``, ``ses.archive/``, ``ses.sock``."""

    file: Path

    @property
    def wal(self) -> Path:
        """DuckDB's write-ahead log."""
        return self.file.with_name(self.file.name + ".wal")

    @property
    def logs(self) -> tuple[Path, ...]:
        """Every log that DuckDB may have beside the file: while it checkpoints there are more."""
        name = self.wal.name
        return (
            self.wal,
            self.wal.with_name(f"{name}.checkpoint"),
            self.wal.with_name(f"{name}.recovery"),
        )

    @property
    def has_log(self) -> bool:
        """Whether a log waits to be read: the file was not closed in order."""
        return any(log.exists() and log.stat().st_size for log in self.logs)

    @property
    def doubt(self) -> Path:
        """There when a writer met damage: the next start looks closely, and takes it away."""
        return self.file.with_name(f"{self.file.name}.damaged")

    @property
    def gaps(self) -> Path:
        """There when rows were written without the archive: it alone is not the whole then."""
        return self.file.with_suffix(".archive-incomplete")

    @property
    def key(self) -> Path:
        """The secret that recipients are hashed with; never inside the file."""
        return self.file.with_suffix(".key")

    @property
    def erased(self) -> Path:
        """The tokens of erased addresses; a rebuild needs them as much as the key."""
        return self.file.with_suffix(".erased")

    @property
    def rewrite(self) -> Path:
        """There while a rewrite of the file was asked for and is not done."""
        return self.file.with_suffix(".rewrite")

    @property
    def archive(self) -> Path:
        """The payloads, an hour a file."""
        return self.file.with_suffix(".archive")

    @property
    def spill(self) -> Path:
        """Where queries larger than memory go for a while."""
        return self.file.with_suffix(".tmp")

    @property
    def socket(self) -> Path:
        """The door that a running worker opens for other commands."""
        return self.file.with_suffix(".sock")

    def to_working(self, what: str) -> "Place":
        """Return where a new file for this place is prepared; ``what`` is done to it."""
        return Place(self.file.with_name(f"{self.file.stem}.{what}.duckdb"))

    def to_kept(self, what: str) -> Path:
        """Return a name for the file as it is now, which nothing has yet."""
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        return self.file.with_name(f"{self.file.name}.{what}-{stamp}")

    def put_aside(self) -> Path | None:
        """Give the file and its logs second names, which nothing has yet and nobody deletes."""
        kept = self.to_kept("before")
        for old in (self.file, *self.logs):
            if old.exists():
                os.link(old, kept.with_name(kept.name + old.name.removeprefix(self.file.name)))
        return kept if kept.exists() else None

    def clear(self) -> None:
        """Delete a working file, its logs, its key and its list of erased addresses."""
        for leftover in (self.file, *self.logs, self.key, self.erased):
            leftover.unlink(missing_ok=True)

    def clear_leftovers(self) -> None:
        """Delete what a killed creation left: files named after a process that is gone."""
        names = "|".join(re.escape(path.name) for path in (self.file, self.key, self.rewrite))
        unfinished = re.compile(rf"\.(?:{names})\.(\d+)\.new(?:\..+)?")
        for path in self.file.parent.glob(".*.new*"):
            found = unfinished.fullmatch(path.name)
            if found and not _is_running(int(found[1])):
                path.unlink(missing_ok=True)

    def check_folder(self) -> None:
        """Raise `WarehouseError` at once where nothing can be written."""
        folder = self.file.parent
        if not folder.is_dir():
            raise WarehouseError(
                f"cannot open warehouse {self.file}: the folder {folder} does not exist. Create it."
            )
        if not os.access(folder, os.W_OK | os.X_OK) or _is_read_only(folder):
            raise WarehouseError(
                f"cannot open warehouse {self.file}: the folder {folder} is not writable. DuckDB "
                "keeps its log beside the file; give this user write access, or choose another."
            )
        if self.file.exists() and not os.access(self.file, os.R_OK | os.W_OK):
            raise WarehouseError(
                f"cannot open warehouse {self.file}: this user may not read and write it."
            )

    @property
    def is_hashed(self) -> bool:
        """Whether recipients are kept as tokens alone; for good, as the key file says it."""
        return _HASHED in self.key.read_text(encoding="ascii").splitlines()[1:]

    def load_secret(self, *, is_new: bool, is_hashed: bool = False) -> bytes:
        """Read the key, or make one for a new warehouse; ``is_hashed`` is said of a new one.

        Raises `WarehouseDamaged` where a warehouse has lost its key: with another one every event
        in it would be counted again.
        """
        if not self.key.exists():
            if not is_new:
                if not _is_database(self.file):
                    raise WarehouseDamaged(
                        f"cannot open warehouse {self.file}: it is no DuckDB file and has no key "
                        f"{self.key} beside it, so duckpost did not make it. Choose another name, "
                        "or restore both from a backup."
                    )
                raise WarehouseDamaged(
                    f"cannot open warehouse {self.file}: its key {self.key} is gone. Restore it "
                    "from a backup: without it events already there would be counted again. Where "
                    "there is none, the archive gives the same warehouse under a new key: duckpost "
                    f"rebuild --new-key --warehouse {self.file}. If duckpost did not make this "
                    "file, choose another name."
                )
            write_secret(self.key, new_secret(), is_hashed=is_hashed)
        try:
            secret = bytes.fromhex(self.key.read_text(encoding="ascii").split("\n", 1)[0])
        except ValueError:
            secret = b""
        if len(secret) != _KEY_BYTES:
            raise WarehouseDamaged(
                f"cannot open warehouse {self.file}: {self.key} does not hold a key of "
                f"{_KEY_BYTES} bytes in hex. Restore it from a backup, or delete it and build the "
                f"warehouse under a new one: duckpost rebuild --new-key --warehouse {self.file}"
            )
        return secret


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Hold the lock that DuckDB takes on a file that it opens; none where there is no file."""
    if not place.file.exists():
        yield
        return
    with place.file.open("rb+") as file:
        try:
            _lock(file.fileno())
        except (BlockingIOError, PermissionError) as error:
            raise WarehouseLocked(
                f"cannot work on {place.file}: another process has just opened it. Stop that one."
            ) from error
        yield


def _lock(descriptor: int) -> None:
    """Lock a whole file for writing, at once or not at all.

    Linux can tie a lock to the open file. Elsewhere it is the process's, and closing any other
    descriptor of the same file lets go of it.
    """
    if hasattr(fcntl, "F_OFD_SETLK"):
        whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, whole)
    else:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def new_secret() -> bytes:
    """Draw a key."""
    return secrets.token_bytes(_KEY_BYTES)


def write_secret(key: Path, secret: bytes, *, is_hashed: bool = False) -> None:
    """Write a key file, whole or not at all; one that another process made meanwhile stands."""
    temporary = key.with_name(f".{key.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    try:
        with open(temporary, "x", encoding="ascii", opener=_open_private) as file:
            file.write(f"{secret.hex()}\n{_HASHED}\n" if is_hashed else f"{secret.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, key)
    finally:
        temporary.unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _is_running(pid: int) -> bool:
    """Whether a process is there; our own number was another's before, in a container."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _is_database(file: Path) -> bool:
    """Whether it starts as DuckDB's files do, behind their checksum."""
    with file.open("rb") as opened:
        return opened.read(12)[8:] == b"DUCK"
