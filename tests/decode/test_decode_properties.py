"""What holds for all bytes."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.decode import Limits
from consumer.decode.limits import DEFAULT

EXAMPLES = Path(__file__).parent.parent / "examples"
SMALL = Limits(max_payload_bytes=300, kept_bytes=64)

event = (EXAMPLES / "published-reject.json").read_bytes()
compact = json.dumps(json.loads(event)).encode()
fragments = st.sampled_from(
    [
        compact,
        compact + b"\n",
        event,
        gzip.compress(compact),
        b"\n",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\",
        b",",
        b"null",
        b"12",
        b"\n{",
        b"\n[",
        b'{"a":"x\n',
        b'{"a":1}',
        b'}{"',
        b"\x00",
        b"\xff",
        b'"\\ud800"',
        b"PAR1",
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
        b"\xff\x06\x00\x00sNaPpY",
        b"\x5d\x2a\x4d\x18",
        b"Successfully validated SNS topic for Amazon SES event publishing.",
        b'{"Records":[{"body":"{}"}]}',
        b'{"Type":"Notification","Message":"[1, {"}',
        b'{"detail-type":"x","detail":[]}',
        b"x" * 400,
    ]
)
bodies = st.one_of(st.binary(max_size=600), st.lists(fragments, max_size=12).map(b"".join))
limits = st.sampled_from([DEFAULT, SMALL])
relaxed = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(body=bodies, limits=limits)
def test_any_bytes_decode_to_something_and_nothing_raises(
    decode_all: Callable[..., Any], body: bytes, limits: Limits
) -> None:
    outcome = decode_all(body, limits=limits)
    assert outcome.decoded
    for found in outcome.decoded:
        assert found.events or found.quarantined or found.ignored


@relaxed
@given(body=bodies, limits=limits, sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_the_pieces_a_body_comes_in_change_nothing(
    decode_all: Callable[..., Any], body: bytes, limits: Limits, sizes: list[int]
) -> None:
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(body[at : at + size])
        at += size
    assert decode_all(body, limits=limits).verdicts == decode_all(pieces, limits=limits).verdicts


@relaxed
@given(body=bodies, limits=limits)
def test_what_the_archive_keeps_decodes_to_the_same_again(
    decode_all: Callable[..., Any], body: bytes, limits: Limits
) -> None:
    first = decode_all(body, limits=limits)
    for found in first.decoded:
        again = decode_all(found.raw, limits=limits)
        assert [v for v in first.verdicts if v == again.verdicts[0]], found.raw
        assert 1 == len(again.decoded)


@relaxed
@given(stored=st.binary(max_size=300), at=st.integers(0, 200), flipped=st.integers(1, 255))
def test_damaged_compressed_bytes_never_raise(
    decode_all: Callable[..., Any], stored: bytes, at: int, flipped: int
) -> None:
    damaged = bytearray(gzip.compress(compact * 3 + stored))
    damaged[at % len(damaged)] ^= flipped
    assert decode_all(bytes(damaged)).decoded


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_gzip_file_cut_anywhere_gives_its_whole_events_and_a_stump(
    decode_all: Callable[..., Any], cut: int
) -> None:
    whole = gzip.compress(b"".join(compact[:-1] + b',"n":%d}\n' % n for n in range(200)))
    outcome = decode_all(whole[: len(whole) - 1 - cut])
    assert set(outcome.types) <= {"Reject"}
    assert "bad_compression" in outcome.reasons
