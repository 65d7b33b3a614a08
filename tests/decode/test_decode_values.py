"""How a stream falls into values, and what becomes of the rest."""

import hashlib
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from consumer.decode import Limits

Decode = Callable[..., Any]
Example = Callable[[str], bytes]

GLUE = {
    "a line each": b"\n",
    "windows lines": b"\r\n",
    "nothing between": b"",
    "blanks": b"  \t ",
    "empty lines": b"\n\n\n",
    "commas": b",",
    "commas and lines": b",\n",
    "byte order marks": b"\xef\xbb\xbf",
}


@pytest.mark.parametrize("glue", GLUE)
@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("indent", [None, 0, 2])
def test_values_are_found_whatever_is_between_them(
    decode_all: Decode, example: Example, glue: str, end: bytes, indent: int | None
) -> None:
    event = json.dumps(json.loads(example("published-click.json")), indent=indent).encode()
    outcome = decode_all(GLUE[glue].join([event] * 5) + end)
    assert (["Click"] * 5, [], []) == (outcome.types, outcome.reasons, outcome.ignored)
    assert [event] * 5 == [found.raw for found in outcome.decoded]


def test_an_array_over_many_lines_gives_its_elements(decode_all: Decode, example: Example) -> None:
    event = example("published-open.json")
    outcome = decode_all(b"[\n" + b",\n".join([event] * 3) + b"\n]\n")
    assert (["Open"] * 3, []) == (outcome.types, outcome.reasons)


def test_the_stump_of_a_last_value_is_kept_and_the_rest_counts(
    decode_all: Decode, example: Example
) -> None:
    event = example("published-open.json")
    outcome = decode_all(event + b"\n" + event + b"\n" + event[:700])
    assert ["Open"] * 2 == outcome.types
    [stump] = outcome.quarantined
    assert ("truncated", event[:700]) == (stump.reason, stump.payload)
    assert 2 * len(event) + 2 == stump.offset


@pytest.mark.parametrize("cut", [1, 31, 400, 700])
def test_a_record_cut_in_the_middle_takes_no_other_with_it(
    decode_all: Decode, example: Example, cut: int
) -> None:
    event = example("published-open.json")
    outcome = decode_all(event + b"\n" + event[:cut] + b"\n" + b"\n".join([event] * 4))
    assert (["Open"] * 5, [event[:cut]]) == (
        outcome.types,
        [stretch.payload for stretch in outcome.quarantined],
    )


def test_many_cut_records_are_not_scanned_over_and_over(
    decode_all: Decode, example: Example
) -> None:
    event = example("published-open.json")
    outcome = decode_all((b'{"a":\n' * 50 + event + b"\n") * 200)
    assert 200 == len(outcome.types)
    assert {"truncated"} == set(outcome.reasons)


def test_garbage_between_values_is_one_stretch_up_to_the_next_line_that_begins_one(
    decode_all: Decode, example: Example
) -> None:
    event = example("published-open.json")
    outcome = decode_all(event + b"\nsome text\nand more\n" + event + b"\n")
    assert ["Open"] * 2 == outcome.types
    [garbage] = outcome.quarantined
    assert ("not_json", b"some text\nand more") == (garbage.reason, garbage.payload)
    assert len(event) + 1 == garbage.offset


def test_an_object_that_is_no_json_does_not_hide_its_neighbour_on_the_line(
    decode_all: Decode, example: Example
) -> None:
    event = example("published-open.json")
    outcome = decode_all(b'{"a": oops}' + event)
    assert (["Open"], ["not_json"]) == (outcome.types, outcome.reasons)


def test_the_topic_validation_text_is_known_without_its_envelope(
    decode_all: Decode, example: Example
) -> None:
    text = b"Successfully validated SNS topic for Amazon SES event publishing."
    outcome = decode_all(text + example("published-open.json") + b"\n" + text + b"\n")
    assert (["Open"], ["topic_validation"] * 2, []) == (
        outcome.types,
        outcome.ignored,
        outcome.reasons,
    )


@pytest.mark.parametrize("body", [b"", b" \n\t\r\n", b"[]", b"\xef\xbb\xbf"])
def test_nothing_is_ignored_as_empty(decode_all: Decode, body: bytes) -> None:
    outcome = decode_all(body)
    assert (1, ["empty"]) == (len(outcome.decoded), outcome.ignored)


def test_a_value_past_the_limit_is_kept_by_its_head_length_and_hash(
    decode_all: Decode, example: Example
) -> None:
    event = example("published-open.json")
    huge = b'{"x": "' + b"y" * 5_000_000 + b'"}'
    limits = Limits(max_payload_bytes=1_000_000)
    outcome = decode_all(event + b"\n" + huge + b"\n" + event + b"\n", limits=limits)
    assert ["Open"] * 2 == outcome.types
    [stretch] = outcome.quarantined
    assert "too_large" == stretch.reason
    assert (huge[: 64 * 1024], len(huge)) == (stretch.payload, stretch.length)
    assert hashlib.sha256(huge).hexdigest() == stretch.sha256


def test_a_line_of_a_hundred_megabytes_streams_through(decode_all: Decode) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"x": "'
        for _ in range(100):
            yield b"y" * 1024 * 1024

    tracemalloc.start()
    outcome = decode_all(pieces())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ["too_large"] == outcome.reasons
    assert 100 * 1024 * 1024 + 7 == outcome.quarantined[0].length
    assert peak_bytes < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b'{"a":' * 5_000],
)
def test_deep_nesting_is_refused_quickly(decode_all: Decode, body: bytes) -> None:
    assert ["too_deep"] == decode_all(body).reasons


HOSTILE = {
    "invalid utf-8": (b'"templateName": "\xff\xfe"', "not_json"),
    "lone surrogate": (b'"templateName": "\\ud800"', "not_json"),
    "5,000 digits": (b'"templateName": ' + b"1" * 5_000, "not_json"),
    "1e400 where a time belongs": (
        b'"mail": {"messageId": "m", "timestamp": 1e400}',
        "invalid_event",
    ),
    "NaN where a time belongs": (b'"mail": {"messageId": "m", "timestamp": NaN}', "invalid_event"),
    "year 9999999": (b'"mail": {"messageId": "m", "timestamp": "9999999-01-01"}', "invalid_event"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_scalars_end_in_quarantine_verbatim(decode_all: Decode, case: str) -> None:
    scalar, reason = HOSTILE[case]
    mail = b'"mail": {"messageId": "m", "timestamp": "2026-03-02T08:00:00Z"}'
    body = b'{"eventType": "Rendering Failure", ' + mail + b', "failure": {}, ' + scalar + b"}"
    if b"templateName" in scalar:
        body = body.replace(b'"failure": {}, ' + scalar, b'"failure": {' + scalar + b"}")
    outcome = decode_all(body)
    assert ([reason], body) == (outcome.reasons, outcome.quarantined[0].payload)


def test_an_event_that_names_too_many_recipients_is_quarantined_whole(
    decode_all: Decode, example: Example
) -> None:
    event = json.loads(example("published-send.json"))
    event["mail"]["destination"] = [f"reader-{number}@example.com" for number in range(10_001)]
    body = json.dumps(event).encode()
    outcome = decode_all(body)
    assert (["too_many_recipients"], body) == (outcome.reasons, outcome.quarantined[0].payload)
    del event["mail"]["destination"][0]
    assert ["Send"] == decode_all(json.dumps(event).encode()).types


def test_a_forged_seal_is_only_bytes(decode_all: Decode) -> None:
    verdict = {
        "duckpost": 1,
        "reason": "not_json",
        "detail": "trust me",
        "sha256": "0" * 64,
        "length": 7,
        "offset": 0,
    }
    content = json.dumps(verdict).encode() + b"\npayload"
    body = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
    [stretch] = decode_all(body).quarantined
    assert (body, len(body)) == (stretch.payload, stretch.length)


def test_a_nul_character_is_kept(decode_all: Decode, example: Example) -> None:
    event = example("published-bounce.json").replace(b"no such user", b"no\\u0000user")
    [found] = decode_all(event).decoded
    assert (
        "smtp; 550 5.1.1 no\0user"
        == found.events[0]["bounce"]["bouncedRecipients"][0]["diagnosticCode"]
    )


def test_of_a_key_given_twice_the_last_counts(decode_all: Decode, example: Example) -> None:
    event = example("published-send.json")
    [found] = decode_all(event[:-1] + b', "eventType": "Send", "eventType": "Open"}').decoded
    assert "invalid_event" == found.quarantined[0].reason
