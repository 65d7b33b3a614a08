"""Snappy in the three wrappings it is stored in: framed, Hadoop's blocks, and bare.

https://github.com/google/snappy/blob/main/framing_format.txt and format_description.txt. The
masked CRC-32C of a frame is not verified: what comes out must still be valid JSON.
"""

import re
from collections.abc import Iterator
from typing import Final

import cramjam

from consumer.decode.intake import Intake
from consumer.decode.limits import Limits

FRAMED_MAGIC: Final = b"\xff\x06\x00\x00sNaPpY"
_COMPRESSED, _UNCOMPRESSED, _FIRST_SKIPPABLE = 0x00, 0x01, 0x80
_FRAME_BYTES: Final = 65_536
_CHECKSUM_BYTES: Final = 4
# A bare block has no magic, but one that holds events begins with its length, a varint of two
# bytes or more, and a literal (its own length in the tag, or in one to three bytes after it) that
# begins with a brace or bracket. A byte order mark would pass for a varint.
_SHORT_LITERALS: Final = re.escape(bytes(range(0x00, 0xF0, 4)))
_BARE: Final = re.compile(
    rb"(?!\xef\xbb\xbf)[\x80-\xff]{1,4}[\x00-\x7f]"
    rb"(?:[" + _SHORT_LITERALS + rb"]|\xf0.|\xf4..|\xf8...)[{\[]",
    re.DOTALL,
)
_HADOOP_BLOCK_BYTES: Final = 16 * 1024 * 1024


def is_hadoop(head: bytes) -> bool:
    """Tell Hadoop's blocks: two big-endian lengths that fit each other and the block's own."""
    if len(head) < 9 or head[0] != 0:  # noqa: PLR2004 - two lengths and the first byte after
        return False
    plain, stored = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    return 0 < stored <= 32 + plain + plain // 6 and _read_varint(head[8:13]) in range(1, plain + 1)


def is_bare(head: bytes) -> bool:
    """Tell a bare block that holds JSON."""
    return _BARE.match(head) is not None


def read_framed(intake: Intake) -> Iterator[bytes]:
    """Decompress the framing format, frame by frame (64 KiB each)."""
    while header := intake.read(4):
        kind, size = header[0], int.from_bytes(header[1:], "little")
        frame = intake.read(size)
        if len(header) < 4 or len(frame) < size:  # noqa: PLR2004 - a header's bytes
            raise intake.damage("the Snappy stream ends inside a frame")
        if kind == _COMPRESSED:
            yield _decompress(intake, frame[_CHECKSUM_BYTES:], _FRAME_BYTES)
        elif kind == _UNCOMPRESSED:
            yield frame[_CHECKSUM_BYTES:]
        elif kind < _FIRST_SKIPPABLE:
            raise intake.damage(f"Snappy frame of unknown type {kind}", header + frame[:1024])


def read_hadoop(intake: Intake) -> Iterator[bytes]:
    """Decompress Hadoop's blocks, each of one or several Snappy blocks."""
    while header := intake.read(4):
        left = int.from_bytes(header, "big")
        if left > _HADOOP_BLOCK_BYTES:
            raise intake.damage(f"Hadoop Snappy block of {left} bytes", header)
        while left > 0:
            size = int.from_bytes(intake.read(4), "big")
            if not 0 < size <= 2 * _HADOOP_BLOCK_BYTES:
                raise intake.damage("the Hadoop Snappy stream ends inside a block")
            block = intake.read(size)
            if len(block) < size:
                raise intake.damage("the Hadoop Snappy stream ends inside a block")
            plain = _decompress(intake, block, left)
            left -= len(plain)
            yield plain


def read_bare(intake: Intake, limits: Limits) -> Iterator[bytes]:
    """Decompress one bare block, which can't be done piece by piece."""
    block = intake.read(limits.max_block_bytes + 1)
    if len(block) > limits.max_block_bytes:
        raise intake.damage(f"a bare Snappy block of more than {limits.max_block_bytes} bytes")
    yield _decompress(intake, block, limits.max_block_bytes)


def _decompress(intake: Intake, block: bytes, max_bytes: int) -> bytes:
    if not 0 < _read_varint(block[:5]) <= max_bytes:
        raise intake.damage("a Snappy block's length makes no sense", block[:1024])
    try:
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise intake.damage(f"Snappy: {error}", block[:1024]) from error


def _read_varint(head: bytes) -> int:
    value = 0
    for index, byte in enumerate(head):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value
    return 0
