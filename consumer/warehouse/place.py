"""Where a warehouse's parts lie: the file, and what stands beside it under the same stem."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from consumer.errors import WarehouseDamaged, WarehouseError

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Place:
    """The paths of one warehouse: ``ses.duckdb``, ``ses.key``, ``ses.archive/``, ``ses.sock``."""

    file: Path

    @property
    def wal(self) -> Path:
        """DuckDB's write-ahead log."""
        return self.file.with_name(self.file.name + ".wal")

    @property
    def key(self) -> Path:
        """The secret that recipients are hashed with; never inside the file."""
        return self.file.with_suffix(".key")

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

    def load_secret(self, *, is_new: bool) -> bytes:
        """Read the key, or make one for a new warehouse.

        Raises `WarehouseDamaged` where a warehouse has lost its key: with another one every event
        in it would be counted again.
        """
        if not self.key.exists():
            if not is_new:
                raise WarehouseDamaged(
                    f"cannot open warehouse {self.file}: its key {self.key} is gone. Restore it "
                    "from a backup: without it events already there would be counted again. If "
                    "duckpost did not make this file, choose another name."
                )
            write_secret(self.key, secrets.token_bytes(_KEY_BYTES))
        try:
            secret = bytes.fromhex(self.key.read_text(encoding="ascii").strip())
        except ValueError:
            secret = b""
        if len(secret) != _KEY_BYTES:
            raise WarehouseDamaged(
                f"cannot open warehouse {self.file}: {self.key} does not hold a key of "
                f"{_KEY_BYTES} bytes in hex. Restore it from a backup."
            )
        return secret


def write_secret(key: Path, secret: bytes) -> None:
    """Write a key file, whole or not at all; one that another process made meanwhile stands."""
    temporary = key.with_name(f".{key.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    try:
        with open(temporary, "x", encoding="ascii", opener=_open_private) as file:
            file.write(secret.hex() + "\n")
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
