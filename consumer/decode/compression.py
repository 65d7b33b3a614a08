"""Bytes as stored to bytes as meant: formats told by their first bytes, never by a name.

A Firehose stream's owner may give its objects any extension.
https://docs.aws.amazon.com/firehose/latest/dev/create-destination.html
"""

import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

import zstandard

from consumer.decode import snappy
from consumer.decode.inflate import read_gzip
from consumer.decode.intake import BLOCK_BYTES, DamageError, Intake, bound_output
from consumer.decode.limits import Limits
from consumer.decoded import Reason

_OUTPUT_BYTES: Final = 256 * 1024
_SNIFFED_BYTES: Final = 64
_ZSTD_SIP_BYTES: Final = 256
_ZSTD_WINDOW_BYTES: Final = 128 * 1024 * 1024


class Format(Enum):
    """How a body is stored."""

    PLAIN = auto()
    GZIP = auto()
    ZIP = auto()
    ZSTD = auto()
    SNAPPY_FRAMED = auto()
    SNAPPY_HADOOP = auto()
    SNAPPY_BARE = auto()
    UNSUPPORTED = auto()


_MAGIC: Final = {
    b"\x1f\x8b": Format.GZIP,
    b"PK\x03\x04": Format.ZIP,
    b"PK\x05\x06": Format.ZIP,
    b"\x28\xb5\x2f\xfd": Format.ZSTD,
    b"\x50\x2a\x4d\x18": Format.ZSTD,  # a skippable frame first, as pzstd writes it
    snappy.FRAMED_MAGIC: Format.SNAPPY_FRAMED,
}
_UNSUPPORTED: Final = {
    b"PAR1": "Parquet",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x04\x22\x4d\x18": "LZ4",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"\x82SNAPPY\x00": "Xerial Snappy",
}


def detect_format(head: bytes) -> Format:
    """Tell a body's format by its first bytes."""
    for magic, form in _MAGIC.items():
        if head.startswith(magic):
            return form
    if any(head.startswith(magic) for magic in _UNSUPPORTED):
        return Format.UNSUPPORTED
    if snappy.is_hadoop(head):
        return Format.SNAPPY_HADOOP
    if snappy.is_bare(head):
        return Format.SNAPPY_BARE
    return Format.PLAIN


def open_members(pieces: Iterable[bytes], limits: Limits) -> Iterator[Iterator[bytes]]:
    """Decompress a body into the streams it holds: one, or a zip file's each.

    A stream raises `DamageError` where it can't be read on, after everything before that.
    """
    intake = Intake(pieces)
    head = intake.peek(_SNIFFED_BYTES)
    match detect_format(head):
        case Format.PLAIN:
            yield intake.rest()
            return
        case Format.ZIP:
            yield from _open_zip(intake, limits)
            return
        case Format.GZIP:
            member = read_gzip(intake)
        case Format.ZSTD:
            member = _read_zstd(intake)
        case Format.SNAPPY_FRAMED:
            member = snappy.read_framed(intake)
        case Format.SNAPPY_HADOOP:
            member = snappy.read_hadoop(intake)
        case Format.SNAPPY_BARE:
            member = snappy.read_bare(intake, limits)
        case Format.UNSUPPORTED:
            member = _fail(_refuse(intake))
    yield bound_output(member, intake, limits)


def _read_zstd(intake: Intake) -> Iterator[bytes]:
    """Decompress frame after frame, in sips: four bytes may become a block of 128 KiB."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    stored = intake.read(_ZSTD_SIP_BYTES)
    while stored:
        frame = decompressor.decompressobj()
        is_whole = False
        while not is_whole:
            if not stored:
                raise intake.damage("the zstd data ends inside a frame")
            try:
                piece = frame.decompress(stored)
            except zstandard.ZstdError as error:
                raise intake.damage(f"zstd: {error}", stored) from error
            if piece:
                yield piece
            is_whole = frame.eof
            stored = b"" if is_whole else intake.read(_ZSTD_SIP_BYTES)
        stored = frame.unused_data or intake.read(_ZSTD_SIP_BYTES)


def _refuse(intake: Intake) -> DamageError:
    head = intake.peek(BLOCK_BYTES)
    name = next(name for magic, name in _UNSUPPORTED.items() if head.startswith(magic))
    detail = f"{name} is not read: let the stream deliver JSON, plain or gzip, zip, zstd, Snappy"
    return DamageError(Reason.UNSUPPORTED_FORMAT, detail, head)


def _open_zip(intake: Intake, limits: Limits) -> Iterator[Iterator[bytes]]:
    """Spool the file, because its directory is at its end, and open each of its members."""
    head = intake.peek(BLOCK_BYTES)
    with tempfile.SpooledTemporaryFile(max_size=limits.max_payload_bytes) as spool:
        for block in intake.blocks():
            if intake.taken > limits.max_spooled_bytes:
                detail = f"a zip file of more than {limits.max_spooled_bytes} bytes"
                yield _fail(DamageError(Reason.TOO_LARGE, detail, head))
                return
            spool.write(block)
        try:
            archive = zipfile.ZipFile(spool)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            yield _fail(intake.damage(f"zip: {error}", head))
            return
        for entry in archive.infolist():
            if not entry.is_dir():
                member = _read_zip_entry(archive, entry, intake, head)
                yield bound_output(member, intake, limits)


def _read_zip_entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, intake: Intake, head: bytes
) -> Iterator[bytes]:
    # RuntimeError: encrypted; NotImplementedError: a method zipfile doesn't know
    faults = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError)
    try:
        with archive.open(entry) as stream:
            while piece := stream.read(_OUTPUT_BYTES):
                yield piece
    except faults as error:
        raise intake.damage(f"zip entry {entry.filename[:80]!r}: {error}", head) from error


def _fail(damage: DamageError) -> Iterator[bytes]:
    """Be a stream that is damaged from its first byte on."""
    yield b""
    raise damage
