"""Gzip as it lies in buckets: several members, padded, cut off, with something behind."""

from collections.abc import Iterator
from typing import Final

from isal import igzip_lib, isal_zlib

from consumer.decode.intake import BLOCK_BYTES, Intake

_MAGIC: Final = b"\x1f\x8b"
_OUTPUT_BYTES: Final = 256 * 1024
# What one call may inflate. A call that meets damage gives nothing, so up to this much before the
# damage is lost; smaller steps cost more calls (14 % at this size).
_STEP_BYTES: Final = 4096


def read_gzip(intake: Intake) -> Iterator[bytes]:
    """Inflate one member after the other; zeros after the last are padding.

    Raises `DamageError` after all that could be inflated before the damage.
    """
    block = intake.read(BLOCK_BYTES)
    while block:
        if not block.startswith(_MAGIC):
            raise intake.damage("what follows the gzip data is no gzip data", block)
        inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not inflater.eof:
            yield from _inflate(inflater, block, intake)
            if not inflater.eof:
                block = intake.read(BLOCK_BYTES)
                if not block:
                    raise intake.damage("the gzip data ends before its end mark")
        block = _skip_padding(inflater.unused_data, intake)


def _inflate(
    inflater: "igzip_lib.IgzipDecompressor", block: bytes, intake: Intake
) -> Iterator[bytes]:
    """Inflate a block of input, up to its end or the member's."""
    gathered: list[bytes] = []
    given = block
    while True:
        try:
            step = inflater.decompress(given, _STEP_BYTES)
        except isal_zlib.IsalError as error:  # type: ignore[misc]  # its stub says instance, not class
            yield b"".join(gathered)
            raise intake.damage(f"gzip: {error}", block) from error
        given = b""
        gathered.append(step)
        if inflater.eof or inflater.needs_input:
            break
        if len(gathered) * _STEP_BYTES >= _OUTPUT_BYTES:
            yield b"".join(gathered)
            gathered.clear()
    yield b"".join(gathered)


def _skip_padding(block: bytes, intake: Intake) -> bytes:
    """Return what follows a member, from its first byte that is not zero."""
    block = block.lstrip(b"\0")
    while not block:
        block = intake.read(BLOCK_BYTES)
        if not block:
            return b""
        block = block.lstrip(b"\0")
    if len(block) < len(_MAGIC):
        block += intake.read(BLOCK_BYTES)
    return block
