"""DuckDB's files, as far as mending them needs: blocks with their checksums, the log's commits.

Read off files that duckdb 2.0.0 wrote, storage versions 64 to 69.
"""

import os
import re
import struct
from pathlib import Path
from typing import Final

HEADER_BYTES: Final = 4_096
BLOCK_BYTES: Final = 262_144

_MAIN_HEADER: Final = 0
_DATABASE_HEADERS: Final = (HEADER_BYTES, 2 * HEADER_BYTES)
_SEED: Final = 5_381
_FACTOR: Final = 0xBF58476D1CE4E5B9
_WORD: Final = 2**64 - 1
_CHECKSUM: Final = struct.Struct("<Q")
# checksum, iteration, metadata's block, free list's, blocks, bytes of one, vector size, version
_HEADER: Final = struct.Struct("<8Q")
# the log's first entry: a version, the database's identifier of 16 numbers, its checkpoint
_LOG_START: Final = re.compile(
    rb"\x64\x00\x62\x65\x00.\x66\x00\x10(?:[\x00-\x7f]|[\x80-\xff]\x01){16}"
    rb"\x67\x00[\x80-\xff]{,9}[\x00-\x7f]\xff\xff",
    re.DOTALL,
)
# the entry that ends each transaction: its size, its checksum, itself
_COMMIT: Final = bytes.fromhex("0500000000000000e7fe7d722fed3d5e640064ffff")
# of every further entry: its size, its checksum
_ENTRY_HEAD: Final = struct.Struct("<QQ")
_ENTRY_HEAD_BYTES: Final = _ENTRY_HEAD.size


def to_checksum(content: bytes) -> int:
    """Return the checksum of a block's content: all of the block after its first 8 bytes."""
    checksum = _SEED
    for (word,) in _CHECKSUM.iter_unpack(content):
        checksum ^= word * _FACTOR & _WORD
    return checksum


def mend_block(file: Path, location: int) -> bool:
    """Make the checksum of the block at ``location`` agree with what stands in it.

    One of the two database headers is replaced by the other, where its own content makes no sense:
    checkpoints write them in turn, and until the second is whole the first one holds. Returns
    whether anything was changed.
    """
    is_header = location in (_MAIN_HEADER, *_DATABASE_HEADERS)
    size = HEADER_BYTES if is_header else BLOCK_BYTES
    with file.open("rb+") as stream:
        block = os.pread(stream.fileno(), size, location)
        if len(block) != size or _is_whole(block):
            return False
        content = block[_CHECKSUM.size :]
        mended = _CHECKSUM.pack(to_checksum(content)) + content
        if location in _DATABASE_HEADERS:
            other = os.pread(stream.fileno(), size, sum(_DATABASE_HEADERS) - location)
            if _is_whole(other) and not _are_successive(block, other):
                mended = other
        os.pwrite(stream.fileno(), mended, location)
        os.fsync(stream.fileno())
    return True


def cut_log(log: Path, position: int) -> None:
    """Cut a log before the entry that DuckDB reports at ``position``: behind the entry's head."""
    with log.open("rb+") as stream:
        stream.truncate(max(0, position - _ENTRY_HEAD_BYTES))
        os.fsync(stream.fileno())


def count_commits(log: Path, position: int) -> int:
    """Count the transactions of a log that end at or after ``position``."""
    with log.open("rb") as stream:
        stream.seek(max(0, position - _ENTRY_HEAD_BYTES))
        held, count = b"", 0
        while piece := stream.read(1 << 24):
            held = held[-len(_COMMIT) + 1 :] + piece
            count += held.count(_COMMIT)
    return count


def find_silent_end(log: Path) -> int | None:
    """Return where DuckDB would stop reading a log without a word, while transactions follow.

    It takes a log with an unreadable beginning for an empty one (0 is returned), and an entry that
    would reach past the end for one that a kill cut off; one transaction behind such an entry may
    be its own. None where all is read, or the rest is nothing.
    """
    if not log.exists():
        return None
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        start = _LOG_START.match(stream.read(128))
        if start is None:
            return 0 if count_commits(log, 0) else None
        at = start.end()
        while at + _ENTRY_HEAD_BYTES <= size:
            stream.seek(at)
            entry_bytes, _ = _ENTRY_HEAD.unpack(stream.read(_ENTRY_HEAD_BYTES))
            if not 0 < entry_bytes <= size - at - _ENTRY_HEAD_BYTES:
                position = at + _ENTRY_HEAD_BYTES
                return position if count_commits(log, position) > 1 else None
            at += _ENTRY_HEAD_BYTES + int(entry_bytes)
    return None


def _are_successive(header: bytes, other: bytes) -> bool:
    """Whether two database headers can be those of one checkpoint and the next."""
    (iteration, *_, block_bytes, vector_size, version) = _HEADER.unpack_from(header)[1:]
    (other_iteration, *_, other_block_bytes, other_vector_size, other_version) = (
        _HEADER.unpack_from(other)[1:]
    )
    return abs(iteration - other_iteration) == 1 and (block_bytes, vector_size, version) == (
        other_block_bytes,
        other_vector_size,
        other_version,
    )


def _is_whole(block: bytes) -> bool:
    (stated,) = _CHECKSUM.unpack(block[: _CHECKSUM.size])
    return bool(stated == to_checksum(block[_CHECKSUM.size :]))
