"""The payloads beside the file: one append-only file an hour, a zstd frame a batch.

A frame is synced before the commit whose ledger row names its file, offset and length. A start or
a failed write opens a new file, so a torn frame is always the last of its file, and rebuilding
needs no ledger.
"""

import io
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import zstandard

from consumer.errors import WarehouseFull
from consumer.frame import FrameReader

_SUFFIX = ".zst"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a frame lies: file name within the archive's folder, first byte, length."""

    file: str
    offset: int
    length: int


class Archive:
    """The writing end. Not thread-safe: the warehouse's writer lock covers it."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] | None = None) -> None:
        self.folder = folder
        self._clock = clock or (lambda: datetime.now(UTC))
        self._file: BinaryIO | None = None
        self._hour = ""

    def append(self, frame: bytes) -> Segment:
        """Write one frame and sync it. Raises `WarehouseFull` where there is no room."""
        hour = f"{self._clock():%Y%m%dT%H}"
        try:
            if self._file is None or hour != self._hour:
                self.close()
                self._file = self._create(hour)
                self._hour = hour
            offset = self._file.tell()
            self._file.write(frame)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            # what stands after a failed write is unknown: the next frame goes into a new file
            self.close()
            raise WarehouseFull(f"cannot write the archive in {self.folder}: {error}") from error
        return Segment(Path(self._file.name).name, offset, len(frame))

    @property
    def current(self) -> Path | None:
        """The file that the next frame of this hour goes into."""
        return None if self._file is None else Path(self._file.name)

    def close(self) -> None:
        """Close the current file; the next frame opens another."""
        if self._file is not None:
            # closing flushes once more what a full disk refused; the caller knows already
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _create(self, hour: str) -> BinaryIO:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # an erasure gives a file another name, and the old one must not come to hold other frames
        taken = {path.name.partition(".")[0] for path in list_files(self.folder)}
        number = 0
        while f"{hour}-{number:03}" in taken:
            number += 1
        while True:
            path = self.folder / f"{hour}-{number:03}{_SUFFIX}"
            try:
                file = open(path, "xb", opener=_open_private)  # noqa: SIM115 - it stays open
            except FileExistsError:
                number += 1
                continue
            sync_folder(self.folder)
            return file


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@dataclass(frozen=True, slots=True)
class Torn:
    """A stretch of a file that is no whole frame.

    ``is_end`` says that no frame follows in this file: a kill while writing leaves such an end, of
    what was never acknowledged. Anywhere else it is damage.
    """

    file: str
    offset: int
    reason: str
    is_end: bool = True


def list_files(folder: Path) -> list[Path]:
    """Return the archive's files, oldest first."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def read_frames(folder: Path) -> Iterator[tuple[Segment, bytes] | Torn]:
    """Yield every whole frame, oldest first, and what is torn where there is any."""
    for path in list_files(folder):
        yield from read_file(path)


def read_file(path: Path, *, start: int = 0) -> Iterator[tuple[Segment, bytes] | Torn]:
    """Yield one file's frames from byte ``start`` on; after damage from the next whole one on."""
    if path.stat().st_size <= start:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        offset = start
        while offset < len(data):
            try:
                length = _frame_length(data, offset)
            except (zstandard.ZstdError, EOFError) as error:
                following = _find_frame(data, offset + 1)
                yield Torn(path.name, offset, str(error), is_end=following is None)
                if following is None:
                    return
                offset = following
                continue
            yield Segment(path.name, offset, length), data[offset : offset + length]
            offset += length


def _find_frame(data: mmap.mmap, offset: int) -> int | None:
    """Find the next whole frame of ours: a payload may hold zstd of its own."""
    while (offset := data.find(zstandard.FRAME_HEADER, offset)) >= 0:
        try:
            length = _frame_length(data, offset)
            FrameReader(io.BytesIO(data[offset : offset + length]))
        except (zstandard.ZstdError, EOFError, ValueError, KeyError, TypeError):
            offset += 1
        else:
            return offset
    return None


def read_segment(folder: Path, segment: Segment) -> FrameReader:
    """Open the frame a ledger row names. Raises ``OSError`` or ``ValueError`` where it is not."""
    with (folder / segment.file).open("rb") as file:
        file.seek(segment.offset)
        data = file.read(segment.length)
    if len(data) != segment.length:
        raise ValueError(f"{segment.file} ends before byte {segment.offset + segment.length}")
    return FrameReader(io.BytesIO(data))


def _frame_length(data: mmap.mmap, offset: int) -> int:
    """Find where a frame ends by decompressing it; checks its checksum on the way."""
    engine = zstandard.ZstdDecompressor().decompressobj()
    fed = offset
    while not engine.eof:
        piece = data[fed : fed + _PIECE_BYTES]
        if not piece:
            raise EOFError("the file ends inside a frame")
        engine.decompress(piece)
        fed += len(piece)
    return fed - len(engine.unused_data) - offset
