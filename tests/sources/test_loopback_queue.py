"""The fake keeps SQS's promises, so what is proven on it means something."""

import time
from collections.abc import Callable
from threading import Timer
from typing import Protocol

import boto3
import pytest
from botocore.exceptions import ClientError
from mypy_boto3_sqs import SQSClient

from consumer.demo.loopback import LoopbackQueue


class HandClock(Protocol):
    """The clock of conftest, as far as these tests use it."""

    def advance(self, secs: float) -> None: ...


@pytest.fixture
def boto(loopback: LoopbackQueue) -> SQSClient:
    return boto3.client("sqs", endpoint_url=loopback.endpoint_url)


def _receive(boto: SQSClient, url: str, **options: int) -> list[tuple[str, str]]:
    answer = boto.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **options)  # type: ignore[arg-type]  # numbers all
    return [(found["Body"], found["ReceiptHandle"]) for found in answer.get("Messages", [])]


def test_a_received_message_is_hidden_until_its_visibility_ends(
    loopback: LoopbackQueue, boto: SQSClient, hand_clock: HandClock
) -> None:
    loopback.send(["one"])
    [(_, first)] = _receive(boto, loopback.url, VisibilityTimeout=10)
    hand_clock.advance(9.9)
    assert not _receive(boto, loopback.url)
    hand_clock.advance(0.1)
    [(_, second)] = _receive(boto, loopback.url)
    assert first != second


def test_a_stale_handle_deletes_nothing(
    loopback: LoopbackQueue, boto: SQSClient, hand_clock: HandClock
) -> None:
    loopback.send(["one"])
    [(_, stale)] = _receive(boto, loopback.url)
    hand_clock.advance(30)
    [(_, newest)] = _receive(boto, loopback.url)
    boto.delete_message(QueueUrl=loopback.url, ReceiptHandle=stale)
    assert 0 == loopback.queue.deleted
    boto.delete_message(QueueUrl=loopback.url, ReceiptHandle=newest)
    assert 1 == loopback.queue.deleted


def test_visibility_zero_shows_a_message_at_once(loopback: LoopbackQueue, boto: SQSClient) -> None:
    loopback.send(["one"])
    [(_, handle)] = _receive(boto, loopback.url)
    boto.change_message_visibility(QueueUrl=loopback.url, ReceiptHandle=handle, VisibilityTimeout=0)
    assert 1 == len(_receive(boto, loopback.url))


def test_visibility_cannot_be_changed_once_it_ended_nor_past_twelve_hours(
    loopback: LoopbackQueue, boto: SQSClient, hand_clock: HandClock
) -> None:
    loopback.send(["one"])
    [(_, handle)] = _receive(boto, loopback.url, VisibilityTimeout=43_000)
    hand_clock.advance(400)

    def change(secs: int) -> None:
        boto.change_message_visibility(
            QueueUrl=loopback.url, ReceiptHandle=handle, VisibilityTimeout=secs
        )

    with pytest.raises(ClientError, match="beyond the limit"):
        change(42_801)
    change(42_800)
    hand_clock.advance(42_800)
    with pytest.raises(ClientError, match="MessageNotInflight"):
        change(10)


def test_a_long_poll_ends_with_the_first_message(loopback: LoopbackQueue, boto: SQSClient) -> None:
    sender = Timer(0.1, loopback.send, args=(["late"],))
    start = time.monotonic()
    sender.start()
    assert ["late"] == [body for body, _ in _receive(boto, loopback.url, WaitTimeSeconds=20)]
    assert 0.1 <= time.monotonic() - start < 10
    sender.join()


def test_a_message_counts_its_receives_and_knows_when_it_was_sent(
    loopback: LoopbackQueue, boto: SQSClient, hand_clock: HandClock
) -> None:
    loopback.queue.wall_ms = lambda: 1_795_300_000_000
    loopback.send(["one"])
    for expected in ("1", "2"):
        answer = boto.receive_message(QueueUrl=loopback.url, MessageSystemAttributeNames=["All"])
        [message] = answer["Messages"]
        found = message["Attributes"]
        assert expected == found["ApproximateReceiveCount"]
        assert "1795300000000" == found["SentTimestamp"]
        hand_clock.advance(30)


_Call = Callable[[SQSClient, str], object]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c, u: c.receive_message(QueueUrl=u, MaxNumberOfMessages=11), "ParameterValue"),
        (lambda c, u: c.receive_message(QueueUrl=u, WaitTimeSeconds=21), "InvalidParameterValue"),
        (lambda c, u: c.receive_message(QueueUrl=u + "x"), "NonExistentQueue"),
        (lambda c, u: c.send_message(QueueUrl=u, MessageBody="x" * 1_048_577), "Parameter"),
        (lambda c, u: c.delete_message(QueueUrl=u, ReceiptHandle="made up"), "HandleIsInvalid"),
        (
            lambda c, u: c.delete_message_batch(
                QueueUrl=u, Entries=[{"Id": "1", "ReceiptHandle": "a#1"}] * 2
            ),
            "BatchEntryIdsNotDistinct",
        ),
        (
            lambda c, u: c.delete_message_batch(
                QueueUrl=u, Entries=[{"Id": str(n), "ReceiptHandle": "a#1"} for n in range(11)]
            ),
            "TooManyEntriesInBatchRequest",
        ),
        (lambda c, u: c.list_queues(), "InvalidAction"),
    ],
)
def test_what_sqs_refuses_is_refused(
    loopback: LoopbackQueue, boto: SQSClient, call: _Call, code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        call(boto, loopback.url)


def test_a_batch_answers_for_each_entry(loopback: LoopbackQueue, boto: SQSClient) -> None:
    answer = boto.send_message_batch(
        QueueUrl=loopback.url,
        Entries=[{"Id": "good", "MessageBody": "one"}, {"Id": "bad", "MessageBody": ""}],
    )
    assert ["good"] == [entry["Id"] for entry in answer["Successful"]]
    assert [("bad", True)] == [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]]


def test_a_delayed_message_is_neither_visible_nor_in_flight(
    loopback: LoopbackQueue, boto: SQSClient, hand_clock: HandClock
) -> None:
    boto.send_message(QueueUrl=loopback.url, MessageBody="later", DelaySeconds=5)
    assert (0, 0, 1) == (
        loopback.depth().visible,
        loopback.depth().in_flight,
        loopback.depth().delayed,
    )
    hand_clock.advance(5)
    assert 1 == loopback.depth().visible


def test_another_queue_keeps_its_own_messages(loopback: LoopbackQueue, boto: SQSClient) -> None:
    url = boto.create_queue(QueueName="other", Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    boto.send_message(QueueUrl=url, MessageBody="one")
    assert 0 == loopback.depth().visible
    attributes = boto.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert ("1", "7") == (
        attributes["ApproximateNumberOfMessages"],
        attributes["VisibilityTimeout"],
    )
