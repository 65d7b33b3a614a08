"""What is written at once: put together, passed between processes, the same on the other side."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.decoded import Decoded
from consumer.envelope import Envelope
from schemas.events import parse_event

if TYPE_CHECKING:
    from tests.conftest import Letter

SECRET = b"s" * 32
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def add(builder: BatchBuilder, payload: Mapping[str, Any] | bytes, at: datetime = AT) -> None:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    for decoded in decode(Envelope(body, None, "sqs:ses-events", at, "eu-west-1")):
        builder.add(decoded)


def whole(batch: Batch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "source": batch.source,
        "rows": batch.rows.to_pylist(),
        "schema": batch.rows.schema,
        "quarantined": batch.quarantined.to_pylist(),
        "ignored": dict(batch.ignored),
        "counts": (batch.payloads, batch.received),
        "received_at": (batch.first_received_at, batch.last_received_at),
        "positions": dict(batch.positions),
        "frame": batch.frame,
    }


@pytest.fixture
def builder() -> BatchBuilder:
    return BatchBuilder("sqs:ses-events", SECRET)


def test_a_batch_comes_out_of_bytes_as_it_went_in(builder: BatchBuilder, letter: "Letter") -> None:
    add(builder, letter.send())
    add(builder, letter.click(link="\0\N{SNOWMAN}"), AT + timedelta(microseconds=1))
    add(builder, b"\xff{nonsense")
    add(builder, b"Successfully validated SNS topic for Amazon SES event publishing.")
    batch = builder.finish(positions={"shard \N{SNOWMAN}": "17"})

    assert whole(batch) == whole(Batch.from_bytes(batch.to_bytes()))
    assert 2 == batch.rows.num_rows
    assert batch.ignored


def test_an_empty_batch_comes_out_of_bytes_too(builder: BatchBuilder) -> None:
    batch = builder.finish()

    assert whole(batch) == whole(Batch.from_bytes(batch.to_bytes()))
    assert (0, 0, b"", None) == (
        batch.payloads,
        batch.received,
        batch.frame,
        batch.first_received_at,
    )


@pytest.mark.parametrize("data", [b"", b"duckpost", b"PK\3\4 zip", b"duckpost batch 2\n"])
def test_other_bytes_are_no_batch(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a batch"):
        Batch.from_bytes(data)


def test_bytes_cut_short_are_no_batch(builder: BatchBuilder, letter: "Letter") -> None:
    add(builder, letter.send())
    data = builder.finish().to_bytes()
    head = data.index(b"{")
    for cut in (30, head + 5, head + 400):
        with pytest.raises((ValueError, OSError)):
            Batch.from_bytes(data[:cut])


def test_a_builder_starts_anew_after_it_has_finished(
    builder: BatchBuilder, letter: "Letter"
) -> None:
    add(builder, letter.send())
    add(builder, b"{nonsense")
    assert (1, 2, False) == (builder.rows, builder.payloads, builder.is_empty)
    assert builder.payload_bytes == len(json.dumps(letter.send())) + len(b"{nonsense")
    first = builder.finish()
    assert (0, 0, 0, True) == (
        builder.rows,
        builder.payloads,
        builder.payload_bytes,
        builder.is_empty,
    )
    add(builder, letter.open())
    second = builder.finish()

    assert first.batch_id != second.batch_id
    assert ["Open"] == second.rows["event_type"].to_pylist()
    assert [0] == second.rows["ordinal"].to_pylist()
    assert 0 == second.quarantined.num_rows


def test_a_batch_remembers_when_its_first_and_last_envelope_came(
    builder: BatchBuilder, letter: "Letter"
) -> None:
    for minutes in (5, 1, 9):
        add(builder, letter.send(), AT + timedelta(minutes=minutes))
    batch = builder.finish()

    assert (AT + timedelta(minutes=1), AT + timedelta(minutes=9)) == (
        batch.first_received_at,
        batch.last_received_at,
    )


def test_times_of_another_zone_are_kept_in_utc(builder: BatchBuilder, letter: "Letter") -> None:
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    add(builder, letter.send(), tokyo)
    add(builder, b"{nonsense", tokyo)
    batch = builder.finish()

    assert [AT.replace(tzinfo=None)] == batch.rows["received_at"].to_pylist()
    assert [AT.replace(tzinfo=None)] == batch.quarantined["received_at"].to_pylist()


def test_received_counts_every_fate(builder: BatchBuilder, letter: "Letter") -> None:
    event = parse_event(json.dumps(letter.send()))
    builder.add(Decoded(b"[{}, {}]", "sqs:ses-events", AT, events=[event, event]))
    add(builder, b"{nonsense")
    add(builder, b"Successfully validated SNS topic for Amazon SES event publishing.")
    batch = builder.finish()

    assert (3, 4) == (batch.payloads, batch.received)


def test_without_archive_a_batch_has_no_frame(letter: "Letter") -> None:
    builder = BatchBuilder("files", SECRET, archive=False)
    add(builder, letter.send())

    assert b"" == builder.finish().frame


def test_an_archived_batch_keeps_its_id_and_the_next_gets_another(letter: "Letter") -> None:
    batch_id = uuid.UUID(int=7)
    builder = BatchBuilder("files", SECRET, batch_id=batch_id)
    add(builder, letter.send())
    first = builder.finish()
    add(builder, letter.send())

    assert batch_id == first.batch_id
    assert batch_id != builder.finish().batch_id
