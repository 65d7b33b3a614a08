"""Copies of files: with room looked for first, and in pieces that report how far they are."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from consumer.errors import WarehouseFull

_PIECE_BYTES: Final = 8 * 1024 * 1024
_SPARE_BYTES: Final = 16 * 1024 * 1024


def require_room(folder: Path, needed_bytes: int, *, doing: str) -> None:
    """Raise `WarehouseFull` unless ``folder`` has room for so much, and some more."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + _SPARE_BYTES:
        raise WarehouseFull(
            f"{doing} needs {_to_mib(needed_bytes + _SPARE_BYTES)} MiB in {folder}, "
            f"{_to_mib(free)} are free. Nothing was changed; make room or choose another disk."
        )


def copy_file(source: Path, target: Path, *, on_bytes: Callable[[int], None] | None = None) -> None:
    """Copy a file and sync the copy; a file system that shares blocks (XFS, btrfs) shares them."""
    with source.open("rb") as reading, open(target, "xb", opener=_open_private) as writing:
        while copied := _copy_piece(reading.fileno(), writing.fileno()):
            if on_bytes is not None:
                on_bytes(copied)
        os.fsync(writing.fileno())


def sum_sizes(files: Sequence[Path]) -> int:
    """Return how many bytes files have together, those that are there."""
    return sum(file.stat().st_size for file in files if file.exists())


def _copy_piece(source: int, target: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, _PIECE_BYTES)
        except OSError:
            pass  # between some file systems it is not permitted: by hand then
    piece = os.read(source, _PIECE_BYTES)
    done = 0
    while done < len(piece):
        done += os.write(target, piece[done:])
    return len(piece)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _to_mib(size: int) -> int:
    return -(-size // 2**20)


def _tell(what: int | str | None) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def copy_as_told() -> None:
    """Copy what lines of JSON on standard input name, ``["source", "target"]``.

    Each is answered with the bytes of every piece and then ``null``, or with a text that says what
    was wrong. A ``null`` before all of them says that it is ready.
    """
    _tell(None)
    for line in sys.stdin:
        source, target = json.loads(line)
        try:
            copy_file(Path(source), Path(target), on_bytes=_tell)
            _tell(None)
        except OSError as error:
            _tell(str(error))
