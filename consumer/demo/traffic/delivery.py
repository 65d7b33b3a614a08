"""What the simulator sends, as a queue delivers it or Firehose writes it to a bucket."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from isal import igzip

from consumer.demo.traffic.cast import PUBLISHED_STREAMS
from consumer.demo.traffic.events import Event
from consumer.demo.traffic.simulator import Simulator, to_uuid
from consumer.demo.traffic.truth import Truth
from consumer.demo.traffic.wrappings import Wrapper, make_malformed, make_non_event

DEFAULT_START = datetime(2026, 11, 1, tzinfo=UTC)
_SHUFFLED_PAYLOADS = 2_000
_REDELIVERED, _TWICE_WRAPPED, _MALFORMED, _NON_EVENTS = 0.015, 0.01, 0.001, 0.001


@dataclass(frozen=True, slots=True)
class Traffic:
    """Payloads as they would come out of a queue, and the truth about them.

    Attributes:
        payloads: each the whole body of one queue message; an iterator, to be gone through once.
        truth: of what was taken from ``payloads`` so far (and of up to 2,000 that the shuffling
            still holds); complete when they are exhausted.
    """

    payloads: Iterator[bytes]
    truth: Truth


@dataclass(slots=True)
class Objects:
    """What `write_firehose_objects` wrote.

    Attributes:
        paths: the objects, oldest first.
        events: lines in all of them, copies included.
        plain_bytes: before compression.
    """

    truth: Truth
    paths: list[Path] = field(default_factory=list)
    events: int = 0
    plain_bytes: int = 0


def generate(
    messages: int, seed: int = 1, start: datetime = DEFAULT_START, days: float = 7.0
) -> Traffic:
    """Send ``messages`` e-mails and deliver all that SES says of them, as a queue would.

    Wrapped in SNS, raw and EventBridge; some delivered twice, or through two wrappings, or as
    event and identity notification; out of order; with malformed payloads and non-events among
    them. The same arguments give the same bytes. About 2.5 payloads a message, 2 to 4 KB each;
    memory doesn't grow with ``messages``.
    """
    simulator = Simulator(seed=seed, start_ms=_to_ms(start), days=days)
    rng = random.Random(f"delivery {seed}")
    return Traffic(_shuffle(_deliver(simulator, messages, rng), rng), simulator.truth)


def write_firehose_objects(  # noqa: PLR0913 - one argument a property of the traffic
    directory: Path,
    messages: int,
    *,
    seed: int = 1,
    start: datetime = DEFAULT_START,
    days: float = 7.0,
    object_bytes: int = 16 * 1024 * 1024,
) -> Objects:
    """Write the same traffic as Firehose would to S3: gzip objects of newline-delimited events.

    Only event publishing goes there, unwrapped, so there is no mail without a configuration set.
    Some lines occur twice; none is malformed. Objects hold about ``object_bytes`` before
    compression, under Firehose's keys
    (docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html).
    """
    simulator = Simulator(seed=seed, start_ms=_to_ms(start), days=days, streams=PUBLISHED_STREAMS)
    rng = random.Random(f"firehose {seed}")
    objects = Objects(simulator.truth)
    lines = _shuffle(_publish(simulator, messages, rng), rng)
    buffer: list[bytes] = []
    buffered = 0
    for line in lines:
        buffer.append(line)
        buffered += len(line)
        objects.plain_bytes += len(line)
        objects.events += 1
        if buffered >= object_bytes:
            objects.paths.append(_write_object(directory, buffer, start, len(objects.paths), rng))
            buffer, buffered = [], 0
    if buffer:
        objects.paths.append(_write_object(directory, buffer, start, len(objects.paths), rng))
    return objects


def _deliver(simulator: Simulator, messages: int, rng: random.Random) -> Iterator[bytes]:
    """Give every event as many times as it is delivered, and keep the pipeline's truth."""
    wrapper = Wrapper(rng)
    pipeline = simulator.truth.pipeline
    for _ in range(messages):
        for event in simulator.play():
            copies = list(_copy(event, wrapper, rng))
            pipeline.payloads += len(copies)
            pipeline.received += event.rows * len(copies)
            pipeline.inserted += event.rows
            pipeline.repeated += event.rows * (len(copies) - 1)
            yield from copies
            chance = rng.random()
            if chance < _MALFORMED:
                pipeline.quarantined += 1
                yield make_malformed(event, event.published or event.notified or "", rng)
            elif chance < _MALFORMED + _NON_EVENTS:
                pipeline.ignored += 1
                yield make_non_event(event, rng)
            else:
                continue
            pipeline.payloads += 1
            pipeline.received += 1


def _copy(event: Event, wrapper: Wrapper, rng: random.Random) -> Iterator[bytes]:
    if event.published is not None:
        payload = wrapper.wrap_published(event, event.published)
        yield payload
        if rng.random() < _REDELIVERED:
            yield payload
        if rng.random() < _TWICE_WRAPPED:
            yield wrapper.wrap_published(event, event.published)
    if event.notified is not None:
        yield wrapper.wrap_notified(event, event.notified)


def _publish(simulator: Simulator, messages: int, rng: random.Random) -> Iterator[bytes]:
    pipeline = simulator.truth.pipeline
    for _ in range(messages):
        for event in simulator.play():
            line = (event.published or "").encode()
            copies = 2 if rng.random() < _REDELIVERED else 1
            pipeline.payloads += copies
            pipeline.received += event.rows * copies
            pipeline.inserted += event.rows
            pipeline.repeated += event.rows * (copies - 1)
            yield from (line,) * copies


def _shuffle(payloads: Iterator[bytes], rng: random.Random) -> Iterator[bytes]:
    """Give them in another order, each within reach of where it was: queues keep none."""
    held: list[bytes] = []
    for payload in payloads:
        if len(held) < _SHUFFLED_PAYLOADS:
            held.append(payload)
            continue
        place = rng.randrange(_SHUFFLED_PAYLOADS)
        yield held[place]
        held[place] = payload
    rng.shuffle(held)
    yield from held


def _write_object(
    directory: Path, lines: list[bytes], start: datetime, number: int, rng: random.Random
) -> Path:
    at = start + timedelta(minutes=5 * number)
    name = f"ses-events-1-{at:%Y-%m-%d-%H-%M-%S}-{to_uuid(rng)}.gz"
    path = directory / f"{at:%Y/%m/%d/%H}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without an mtime, so that the same seed writes the same bytes.
    path.write_bytes(igzip.compress(b"".join(lines), mtime=0))
    return path


def _to_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
