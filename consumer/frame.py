"""The archive's unit: one zstd frame a batch, with its payloads verbatim.

Decompressed, a frame is a line of JSON about the batch, then sections, then a line of JSON with
the source's positions after it. A section is a line of JSON about the payloads that follow
(origin, time, region, account, their lengths in bytes), then the payloads, each followed by a
newline: ``zstdcat`` shows a text a person can read, and a program needs no escaping. Frames stand
one after another in a file; one that was torn is the last.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

import zstandard

from consumer.decoded import Decoded

_FORMAT: Final = 1
_LEVEL: Final = (
    1  # 2 KB events shrink tenfold already; level 3 costs twice the CPU for a tenth more
)
_PIECE_BYTES: Final = 1 << 20
_SECTION_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """What a frame says of its batch; ``is_hashed``: recipients stand in it as tokens alone."""

    batch_id: UUID
    source: str
    is_hashed: bool = False

    def to_line(self) -> bytes:
        """Write the frame's first line."""
        about = {"format": _FORMAT, "batch_id": str(self.batch_id), "source": self.source}
        return _to_line({**about, "recipients": "hashed"} if self.is_hashed else about)


@dataclass(frozen=True, slots=True)
class Stored:
    """One payload out of a frame, with what it came with."""

    raw: bytes
    origin: str
    received_at: datetime
    region: str | None
    account: str | None


class FrameBuilder:
    """Payloads of a batch in the making, compressed as they come: never all held at once.

    Args:
        head: what the frame says of its batch.
    """

    def __init__(self, head: Head) -> None:
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._stream = compressor.compressobj()
        self._compressed: list[bytes] = []
        self._section: tuple[str, datetime, str | None, str | None] | None = None
        self._raws: list[bytes] = []
        self._raw_bytes = 0
        self._feed(head.to_line())

    def add(self, decoded: Decoded) -> None:
        """Add one top-level value with what it came with."""
        section = (decoded.origin, decoded.received_at, decoded.region, decoded.account)
        if section != self._section or self._raw_bytes >= _SECTION_BYTES:
            self._close_section()
            self._section = section
        self._raws.append(decoded.raw)
        self._raw_bytes += len(decoded.raw)

    def finish(self, positions: Mapping[str, str], positions_of: str = "") -> bytes:
        """Return the whole frame, compressed.

        Args:
            positions: where to read on after it, by part.
            positions_of: the name they are kept under; empty for the frame's source.
        """
        self._close_section()
        shared = {"of": positions_of} if positions_of else {}
        self._feed(_to_line({"positions": dict(positions), **shared}))
        self._compressed.append(self._stream.flush())
        return b"".join(self._compressed)

    def _close_section(self) -> None:
        if self._section is None or not self._raws:
            return
        origin, received_at, region, account = self._section
        about = {
            "origin": origin,
            "received_at": received_at.astimezone(UTC).isoformat(),
            "region": region,
            "account": account,
            "bytes": [len(raw) for raw in self._raws],
        }
        self._feed(_to_line(about))
        self._feed(b"\n".join([*self._raws, b""]))
        self._raws = []
        self._raw_bytes = 0

    def _feed(self, plain: bytes) -> None:
        if compressed := self._stream.compress(plain):
            self._compressed.append(compressed)


def to_release_frame(head: Head, sha256s: Sequence[str]) -> bytes:
    """Make the frame of a batch that only drops payloads from quarantine.

    Without it they would be back after a rebuild.
    """
    lines: Sequence[Mapping[str, Any]] = (
        {"released": list(sha256s)},
        {"positions": {}},
    )
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return compressor.compress(b"".join([head.to_line(), *map(_to_line, lines)]))


class FrameReader:
    """Reads one frame back; `head` at once, the payloads as a stream, then `positions`.

    ``released`` are sha256 of payloads that the batch dropped from quarantine, known then too.

    Raises ``zstandard.ZstdError``, ``ValueError`` or ``EOFError`` from a frame that is torn.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = _Lines(zstandard.ZstdDecompressor().stream_reader(stream))
        about = json.loads(self._lines.line())
        if about["format"] != _FORMAT:
            raise ValueError(f"frame of format {about['format']}, expected {_FORMAT}")
        is_hashed = about.get("recipients") == "hashed"
        self.head = Head(UUID(about["batch_id"]), about["source"], is_hashed)
        self.positions: Mapping[str, str] = {}
        self.positions_of = ""
        self.released: Sequence[str] = ()

    def payloads(self) -> Iterator[Stored]:
        """Yield the payloads in the order in which they were added."""
        while line := self._lines.line():
            about = json.loads(line)
            if "positions" in about:
                self.positions = about["positions"]
                self.positions_of = about.get("of", "")
                return
            if "released" in about:
                self.released = about["released"]
                continue
            received_at = datetime.fromisoformat(about["received_at"])
            for length in about["bytes"]:
                raw = self._lines.take(length + 1)[:-1]
                yield Stored(raw, about["origin"], received_at, about["region"], about["account"])


class _Lines:
    """Lines and counted stretches of a decompressed stream, read in pieces."""

    def __init__(self, stream: zstandard.ZstdDecompressionReader) -> None:
        self._stream = stream
        self._held = b""
        self._start = 0

    def line(self) -> bytes:
        """Return up to and with the next newline; nothing at the end."""
        while (end := self._held.find(b"\n", self._start)) < 0:
            if not self._more():
                return self.take(len(self._held) - self._start)
        return self.take(end + 1 - self._start)

    def take(self, length: int) -> bytes:
        while len(self._held) - self._start < length:
            if not self._more():
                raise EOFError("the frame ends in the middle of a payload")
        taken = self._held[self._start : self._start + length]
        self._start += length
        return taken

    def _more(self) -> bool:
        piece = self._stream.read(_PIECE_BYTES)
        self._held = self._held[self._start :] + piece
        self._start = 0
        return bool(piece)


def _to_line(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about, separators=(",", ":")).encode() + b"\n"
