"""Objects as they lie in buckets: compressed by content, damaged, padded, hostile."""

import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import cramjam
import pytest
import zstandard

from consumer.decode import Limits, decode
from consumer.envelope import Bundle, Envelope
from consumer.errors import SourceUnavailable

Decode = Callable[..., Any]
Example = Callable[[str], bytes]


def make_zip(*members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for number, member in enumerate(members):
            archive.writestr(f"part-{number}", member)
    return file.getvalue()


def make_hadoop_snappy(data: bytes) -> bytes:
    stored = b""
    for at in range(0, len(data), 100_000):
        plain = data[at : at + 100_000]
        block = bytes(cramjam.snappy.compress_raw(plain))
        stored += len(plain).to_bytes(4, "big") + len(block).to_bytes(4, "big") + block
    return stored


STORED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip, two members": lambda data: gzip.compress(data[:5000]) + gzip.compress(data[5000:]),
    "gzip, padded": lambda data: gzip.compress(data) + bytes(700),
    "gzip, padded between": lambda data: (
        gzip.compress(data[:5000]) + bytes(100_000) + gzip.compress(data[5000:])
    ),
    "zip": make_zip,
    "zip, two members": lambda data: make_zip(data, b""),
    "zstd": zstandard.compress,
    "zstd, two frames": lambda data: zstandard.compress(data[:5]) + zstandard.compress(data[5:]),
    "zstd, skippable frame first": lambda data: (
        b"\x50\x2a\x4d\x18\x04\0\0\0size" + zstandard.compress(data)
    ),
    "snappy, framed": lambda data: bytes(cramjam.snappy.compress(data)),
    "snappy, hadoop": make_hadoop_snappy,
    "snappy, bare": lambda data: bytes(cramjam.snappy.compress_raw(data)),
}


@pytest.fixture
def object_of_500(example: Example) -> bytes:
    event = example("published-delivery.json")
    return b"".join(event[:-1] + b',"n":%d}\n' % number for number in range(500))


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("piece_bytes", [1_000_000, 777])
def test_an_object_is_read_however_it_is_stored(
    decode_all: Decode, object_of_500: bytes, stored: str, piece_bytes: int
) -> None:
    body = STORED[stored](object_of_500)
    pieces = [body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes)]
    outcome = decode_all(pieces)
    assert (["Delivery"] * 500, [], []) == (outcome.types, outcome.reasons, outcome.ignored)


@pytest.mark.parametrize("stored", ["gzip", "zip", "zstd", "snappy, framed"])
def test_an_empty_object_is_ignored_however_it_is_stored(decode_all: Decode, stored: str) -> None:
    assert ["empty"] == decode_all(STORED[stored](b"")).ignored


def test_a_truncated_gzip_file_gives_its_whole_events_then_the_stump_and_the_damage(
    decode_all: Decode, object_of_500: bytes
) -> None:
    stored = gzip.compress(object_of_500)
    outcome = decode_all(stored[: len(stored) * 2 // 3])
    assert ["truncated", "bad_compression"] == outcome.reasons
    stump, damage = outcome.quarantined
    assert object_of_500[: damage.offset].endswith(stump.payload)
    assert object_of_500[: stump.offset].count(b"\n") == len(outcome.types) > 100


@pytest.mark.parametrize("garbage", [b"trailing garbage", b"\x1f\x8bnot gzip at all", b"\0\0x"])
def test_garbage_after_a_gzip_file_is_kept_beside_all_its_events(
    decode_all: Decode, object_of_500: bytes, garbage: bytes
) -> None:
    outcome = decode_all(gzip.compress(object_of_500) + garbage)
    assert (500, ["bad_compression"]) == (len(outcome.types), outcome.reasons)
    [damage] = outcome.quarantined
    assert len(object_of_500) == damage.offset
    assert damage.payload == garbage.lstrip(b"\0")


def test_a_flipped_bit_costs_no_event_before_the_last_few_kilobytes(
    decode_all: Decode, object_of_500: bytes
) -> None:
    stored = bytearray(gzip.compress(object_of_500))
    stored[-5] ^= 1  # the checksum's trailer
    outcome = decode_all(bytes(stored))
    assert len(outcome.types) >= 490
    assert "bad_compression" in outcome.reasons


@pytest.mark.parametrize("stored", ["zip", "zstd", "snappy, framed", "snappy, hadoop"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_object_is_never_silently_short(
    decode_all: Decode, object_of_500: bytes, stored: str, share: float
) -> None:
    body = STORED[stored](object_of_500)
    outcome = decode_all(body[: int(len(body) * share)])
    assert len(outcome.types) < 500
    assert outcome.reasons


def test_a_bomb_is_left_at_the_cap_with_memory_flat(decode_all: Decode) -> None:
    bomb = gzip.compress(bytes(100 * 1024 * 1024))
    tracemalloc.start()
    outcome = decode_all(bomb, limits=Limits(max_decompressed_bytes=50 * 1024 * 1024))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "decompression_bomb" in outcome.reasons
    assert peak_bytes < 48 * 1024 * 1024


def test_a_ratio_no_honest_object_has_is_a_bomb(decode_all: Decode) -> None:
    bomb = zstandard.compress(bytes(20 * 1024 * 1024))
    limits = Limits(ratio_floor_bytes=1024 * 1024)
    assert "decompression_bomb" in decode_all(bomb, limits=limits).reasons


def test_small_bombs_in_one_bundle_share_what_one_envelope_may_become() -> None:
    bomb = zstandard.compress(bytes(600 * 1024))
    event = b'{"Type": "Notification", "Message": "Successfully validated"}'
    packed = gzip.compress(event)
    bundle = Bundle([bomb, packed, bomb, packed, event])
    limits = Limits(ratio_floor_bytes=1024 * 1024)
    found = list(decode(Envelope(bundle, None, "test", datetime.now(UTC)), limits=limits))
    reasons = [one.quarantined[0].reason.value for one in found if one.quarantined]
    assert 1 == reasons.count("decompression_bomb")
    assert 3 == sum(1 for one in found if one.raw == event)


@pytest.mark.parametrize("magic", [b"PAR1", b"ORC", b"Obj\x01", b"BZh91AY", b"\xfd7zXZ\x00"])
def test_formats_that_are_not_read_are_named(decode_all: Decode, magic: bytes) -> None:
    outcome = decode_all(magic + bytes(range(256)) * 4)
    assert ["unsupported_format"] == outcome.reasons
    assert "plain or gzip" in outcome.quarantined[0].detail


def test_what_was_cut_or_damaged_is_archived_so_that_it_decodes_to_the_same(
    decode_all: Decode, object_of_500: bytes
) -> None:
    stored = gzip.compress(object_of_500)
    first = decode_all(stored[: len(stored) // 2] + b"")
    again = [decode_all(found.raw).verdicts[0] for found in first.decoded]
    assert first.verdicts == again


def test_an_encrypted_zip_entry_is_damage_and_its_neighbour_is_read(
    decode_all: Decode, example: Example
) -> None:
    stored = bytearray(make_zip(b"secret", example("published-open.json")))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        entry = stored.index(b"part-0", stored.index(magic) + 1)
        stored[stored.rindex(magic, 0, entry) + flags] |= 1
        del entry
        stored[:] = stored
    outcome = decode_all(bytes(stored))
    assert (["Open"], ["bad_compression"]) == (outcome.types, outcome.reasons)


def test_a_transport_that_fails_half_way_is_the_callers_to_handle(
    decode_all: Decode, example: Example
) -> None:
    def pieces() -> Iterator[bytes]:
        yield example("published-open.json")
        raise SourceUnavailable("the connection was reset")

    with pytest.raises(SourceUnavailable):
        decode_all(pieces())
