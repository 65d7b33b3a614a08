"""Simulated SES traffic into an emulated AWS account: what `docker compose up` is fed by.

    python -m consumer.demo.publish --endpoint-url http://127.0.0.1:5000 --queue ses-events

Events go into the queue as a subscription would put them there; with ``--topic`` they are
published to SNS, which does it itself; with ``--stream`` every second message's events go through
Firehose into a bucket that sends notices to the queue. What is not there is made first.
"""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import click
from botocore.exceptions import BotoCoreError, ClientError

from consumer.demo.account import Account
from consumer.demo.traffic.events import Event
from consumer.demo.traffic.simulator import Simulator
from consumer.demo.traffic.truth import Truth
from consumer.demo.traffic.wrappings import EVENT_SUBJECT, Wrapper
from consumer.errors import DuckpostError, UsageError

# Mail of a week that ended two days ago: all that ever becomes of it lies in the past.
_DAYS: Final = 7.0
_AGO: Final = timedelta(days=9)
# docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html, and the same in SQS
_BATCH_ENTRIES: Final = 10
_BATCH_RECORDS: Final = 200  # Firehose takes 500, or 4 MB; events are 2 to 4 KB


class Way(Protocol):
    """A way from SES to duckpost."""

    def put(self, event: Event, text: str, *, is_notification: bool) -> None:
        """Send one event on its way; it may wait for others until `flush`."""
        ...

    def flush(self) -> None:
        """Send what waits. Raises `DuckpostError` when any of it is refused."""
        ...


@dataclass(slots=True)
class _Batches:
    """Sends entries so many at a time, and looks at every one's fate."""

    send: Callable[[list[dict[str, Any]]], Sequence[dict[str, Any]]]
    size: int
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def add(self, entry: dict[str, Any]) -> None:
        self.waiting.append(entry)
        if len(self.waiting) >= self.size:
            self.flush()

    def flush(self) -> None:
        if not self.waiting:
            return
        entries, self.waiting = self.waiting, []
        if refused := self.send(entries):
            raise DuckpostError(f"{len(refused)} of {len(entries)} events refused: {refused[0]}")


class QueueWay:
    """Straight into the queue, in the wrappings found there."""

    def __init__(self, account: Account, queue_url: str, seed: int) -> None:
        sqs = account.open_client("sqs")
        self._wrapper = Wrapper(random.Random(f"wrappings {seed}"))
        self._batches = _Batches(
            lambda entries: sqs.send_message_batch(
                QueueUrl=queue_url, Entries=_number(entries)
            ).get("Failed", []),
            _BATCH_ENTRIES,
        )

    def put(self, event: Event, text: str, *, is_notification: bool) -> None:
        """Wrap the event and send it when ten are waiting."""
        wrap = self._wrapper.wrap_notified if is_notification else self._wrapper.wrap_published
        self._batches.add({"MessageBody": wrap(event, text).decode()})

    def flush(self) -> None:
        """Send what waits."""
        self._batches.flush()


class TopicWay:
    """Through SNS, as SES publishes."""

    def __init__(self, account: Account, topic_arn: str) -> None:
        sns = account.open_client("sns")
        self._batches = _Batches(
            lambda entries: sns.publish_batch(
                TopicArn=topic_arn, PublishBatchRequestEntries=_number(entries)
            ).get("Failed", []),
            _BATCH_ENTRIES,
        )

    def put(self, event: Event, text: str, *, is_notification: bool) -> None:  # noqa: ARG002 - a Way's signature
        """Publish the event when ten are waiting; identity notifications have no subject."""
        subject = {} if is_notification else {"Subject": EVENT_SUBJECT}
        self._batches.add({"Message": text, **subject})

    def flush(self) -> None:
        """Publish what waits."""
        self._batches.flush()


class StreamWay:
    """Through Firehose into a bucket; only event publishing goes that way."""

    def __init__(self, account: Account, stream: str) -> None:
        firehose = account.open_client("firehose")

        def send(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
            answer = firehose.put_record_batch(DeliveryStreamName=stream, Records=records)
            return [one for one in answer["RequestResponses"] if one.get("ErrorCode")]

        self._batches = _Batches(send, _BATCH_RECORDS)

    def put(self, event: Event, text: str, *, is_notification: bool) -> None:  # noqa: ARG002 - a Way's signature
        """Put the event into the stream when two hundred are waiting."""
        self._batches.add({"Data": text.encode()})

    def flush(self) -> None:
        """Put what waits into the stream."""
        self._batches.flush()


def publish(  # noqa: PLR0913 - one argument a property of the traffic
    ways: Sequence[Way],
    *,
    messages: int,
    per_sec: float,
    seed: int,
    now: datetime,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Truth:
    """Send the events of ``messages`` e-mails, at most ``per_sec`` e-mails a second.

    Args:
        ways: each message's events take one of them, in turn; identity notifications the first.
        messages: e-mails; about 2.5 events each.
        per_sec: 0 is as fast as they are taken.
        seed: decides all of the traffic but its dates.
        now: the mail was sent from nine days to two days before.
        clock: monotonic seconds.
        wait: sleeps.

    Returns what was true of the traffic, for a comparison with `duckpost report`.
    """
    start_ms = int((now - _AGO).timestamp() * 1_000)
    simulator = Simulator(seed=seed, start_ms=start_ms, days=_DAYS)
    pipeline = simulator.truth.pipeline
    started = clock()
    burst = max(1, round(per_sec))  # a second's messages at once: Firehose makes objects of them
    for number in range(messages):
        if per_sec and number % burst == 0:
            for way in ways:
                way.flush()
            wait(max(0.0, started + number / per_sec - clock()))
        for event in simulator.play():
            if event.published is not None:
                ways[number % len(ways)].put(event, event.published, is_notification=False)
            if event.notified is not None:
                ways[0].put(event, event.notified, is_notification=True)
            copies = (event.published is not None) + (event.notified is not None)
            pipeline.payloads += copies
            pipeline.received += event.rows * copies
            pipeline.inserted += event.rows
            pipeline.repeated += event.rows * (copies - 1)
    for way in ways:
        way.flush()
    return simulator.truth


def add_up(truth: Truth) -> dict[str, int]:
    """Sum the traffic up over all senders: what `duckpost report` has to show of it."""
    names = ("sends", "deliveries", "hard_bounces", "soft_bounces", "complaints", "opens", "clicks")
    figures = truth.figures.values()
    return {
        "messages": truth.messages,
        "received": truth.pipeline.received,
        **{name: sum(getattr(one, name) for one in figures) for name in names},
    }


@click.command()
@click.option("--endpoint-url", required=True, help="The emulator's address; never AWS's own.")
@click.option("--queue", required=True, help="Name of the queue that duckpost reads.")
@click.option("--topic", help="Name of an SNS topic to publish to instead.")
@click.option("--stream", help="Name of a Firehose stream for every second message; with --bucket.")
@click.option("--bucket", help="Name of the bucket that the stream writes to.")
@click.option("--messages", default=10_000, type=click.IntRange(min=0), show_default=True,
              help="E-mails to simulate; 0 only makes what is not there.")  # fmt: skip
@click.option("--per-sec", default=0.0, type=click.FloatRange(min=0), show_default=True,
              help="E-mails a second; 0 is as fast as they are taken.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="The same seed, the same traffic.")
def main(  # noqa: PLR0913, PLR0917 - one argument an option
    endpoint_url: str,
    queue: str,
    topic: str | None,
    stream: str | None,
    bucket: str | None,
    messages: int,
    per_sec: float,
    seed: int,
) -> None:
    """Send simulated SES events to an emulator of AWS, and say what was sent."""
    try:
        ways = _open_ways(Account(endpoint_url), queue, topic, stream, bucket, seed)
        truth = publish(ways, messages=messages, per_sec=per_sec, seed=seed, now=datetime.now(UTC))
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"publishing to {endpoint_url}: {error}") from error
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    except DuckpostError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps({"event": "published", "queue": queue, **add_up(truth)}))


def _open_ways(  # noqa: PLR0913, PLR0917 - one argument an option
    account: Account,
    queue: str,
    topic: str | None,
    stream: str | None,
    bucket: str | None,
    seed: int,
) -> list[Way]:
    if (stream is None) != (bucket is None):
        raise UsageError("--stream and --bucket go together")
    queue_url = account.make_queue(queue)
    ways: list[Way] = []
    if topic is None:
        ways.append(QueueWay(account, queue_url, seed))
    else:
        ways.append(TopicWay(account, account.make_topic(topic, queue_url)))
    if stream is not None and bucket is not None:
        ways.append(StreamWay(account, account.make_stream(stream, bucket, queue_url)))
    return ways


def _number(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Id": str(number), **entry} for number, entry in enumerate(entries)]


if __name__ == "__main__":
    main()
