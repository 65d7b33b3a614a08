"""The queue's source against a queue that keeps SQS's promises and, on demand, its accidents."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import pytest

from consumer.demo.loopback import LoopbackQueue
from consumer.envelope import Envelope
from consumer.errors import SourceDenied, SourceUnavailable
from consumer.sources.sqs import SqsSource
from consumer.sources.sqs_client import SqsMessage

MakeSource = Callable[..., SqsSource]
Eventually = Callable[[Callable[[], object]], None]


class HandClock(Protocol):
    """The clock of conftest, as far as these tests use it."""

    now: float

    def advance(self, secs: float) -> None: ...


def _take(source: SqsSource, count: int) -> list[Envelope]:
    taken: list[Envelope] = []
    for _ in range(200):
        taken += source.receive(limit=count - len(taken), wait_secs=0.1)
        if len(taken) == count:
            return taken
    pytest.fail(f"{len(taken)} of {count} envelopes came")


def _beat(source: SqsSource) -> None:
    assert source._running is not None
    source._running.heartbeat.beat()


@pytest.mark.parametrize(
    "body",
    [
        '{"eventType":"Send","mail":{}}\n',
        '{\n  "Type" : "Notification",\n  "Message" : "{\\"eventType\\":\\"Send\\"}\\n"\n}',
        '{"source":"aws.ses","detail-type":"Email Sent","detail":{"eventType":"Send"}}',
        '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}',
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "héllo \U0001f4e7 \u2028",
    ],
    ids=["raw", "sns", "eventbridge", "s3-test-event", "topic-validation", "non-ascii"],
)
def test_a_body_passes_through_verbatim(
    loopback: LoopbackQueue, make_source: MakeSource, body: str
) -> None:
    loopback.send([body])
    [envelope] = _take(make_source(), 1)
    assert (body.encode(), "sqs:ses-events", "us-east-1") == (
        envelope.body,
        envelope.origin,
        envelope.region,
    )


def test_an_acked_message_is_deleted(loopback: LoopbackQueue, make_source: MakeSource) -> None:
    loopback.send(str(n) for n in range(35))
    source = make_source()
    source.ack(_take(source, 35))
    source.close()
    assert (35, 0) == (loopback.queue.deleted, source.in_flight)


# RELIABILITY 15; bbc/sqs-consumer#193, airflow#73423: entries that failed were taken for deleted
def test_only_failed_entries_of_a_delete_are_tried_again(
    loopback: LoopbackQueue, make_source: MakeSource, eventually: Eventually
) -> None:
    loopback.fail("DeleteMessageBatch", "InternalError", entries=[1, 4], times=1)
    loopback.send(str(n) for n in range(10))
    source = make_source()
    source.ack(_take(source, 10))
    eventually(lambda: loopback.queue.deleted == 10)
    assert 2 == loopback.requests["DeleteMessageBatch"]


def test_a_delete_that_the_queue_is_too_busy_for_is_tried_again(
    loopback: LoopbackQueue, make_source: MakeSource, eventually: Eventually
) -> None:
    loopback.send(["one"])
    source = make_source()
    [envelope] = _take(source, 1)
    loopback.fail("DeleteMessageBatch", "RequestThrottled", status=400, times=3)
    source.ack([envelope])
    eventually(lambda: loopback.queue.deleted == 1)


def test_an_entry_that_can_never_be_deleted_is_let_go(
    loopback: LoopbackQueue, make_source: MakeSource, eventually: Eventually
) -> None:
    loopback.fail("DeleteMessageBatch", "ReceiptHandleIsInvalid", status=400, entries=[0])
    loopback.send(["one"])
    source = make_source()
    source.ack(_take(source, 1))
    eventually(lambda: source.in_flight == 0)
    assert 1 == loopback.requests["DeleteMessageBatch"]


def test_a_refused_delete_is_told_to_whoever_receives_next(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    loopback.send(["one"])
    source = make_source()
    [envelope] = _take(source, 1)
    loopback.fail("DeleteMessageBatch", "AccessDenied", status=403)
    source.ack([envelope])
    with pytest.raises(SourceDenied, match=r"DeleteMessageBatch on ses-events.*AccessDenied"):
        source.receive(limit=1, wait_secs=5)


# RELIABILITY 13
def test_the_heartbeat_keeps_a_message_hidden_past_its_visibility(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock
) -> None:
    loopback.send(["handed out", "buffered"])
    source = make_source(visibility_secs=30)
    _take(source, 1)
    for _ in range(10):
        hand_clock.advance(11)
        _beat(source)
    assert (0, 2) == (loopback.depth().visible, loopback.depth().in_flight)
    assert [1, 1] == [message.receive_count for message in loopback.queue._hidden.values()]


def test_the_heartbeat_extends_only_what_is_due(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock
) -> None:
    loopback.send(["one"])
    source = make_source(visibility_secs=30)
    _take(source, 1)
    hand_clock.advance(9)
    _beat(source)
    assert 0 == loopback.requests["ChangeMessageVisibilityBatch"]
    hand_clock.advance(1)
    _beat(source)
    _beat(source)
    assert 1 == loopback.requests["ChangeMessageVisibilityBatch"]


def test_the_heartbeat_beats_by_itself(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock, eventually: Eventually
) -> None:
    loopback.send(["one"])
    source = make_source(visibility_secs=1)
    _take(source, 1)
    hand_clock.advance(0.5)
    eventually(lambda: loopback.requests["ChangeMessageVisibilityBatch"])
    assert 1 == source.in_flight


# RELIABILITY 14
def test_after_twelve_hours_a_message_is_left_to_be_redelivered(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock
) -> None:
    loopback.send(["one"])
    source = make_source(visibility_secs=600)
    [first] = _take(source, 1)
    for _ in range(43_200 // 300 - 1):
        hand_clock.advance(300)
        _beat(source)
    hand_clock.advance(299.5)
    _beat(source)
    hand_clock.advance(0.5)
    [again] = _take(source, 1)
    source.ack([first])
    source.ack([again])
    source.close()
    assert (1, b"one") == (loopback.queue.deleted, again.body)


# RELIABILITY 12 and 13; SlimMessageBus#473: a stale handle deletes nothing
def test_a_message_redelivered_while_in_hand_is_deleted_by_its_newest_handle(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock, eventually: Eventually
) -> None:
    loopback.send(["one"])
    source = make_source(visibility_secs=30)
    envelopes = _take(source, 1)
    hand_clock.advance(300)  # the machine slept: no heartbeat, visibility is over
    eventually(lambda: loopback.requests["ReceiveMessage"] and not loopback.depth().visible)
    assert not source.receive(limit=10, wait_secs=0.05)
    eventually(lambda: loopback.queue._hidden and _holds_newest_handle(loopback, source))
    source.ack(envelopes)
    source.close()
    assert 1 == loopback.queue.deleted


def _holds_newest_handle(loopback: LoopbackQueue, source: SqsSource) -> bool:
    [message] = loopback.queue._hidden.values()
    return source._holdings._held[message.message_id].handle == message.handle


def test_a_heartbeat_too_late_lets_the_redelivery_take_over(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock, eventually: Eventually
) -> None:
    loopback.send(["one"])
    source = make_source(visibility_secs=30, max_in_flight=1)  # at its bound: nobody receives
    envelopes = _take(source, 1)
    hand_clock.advance(31)
    _beat(source)
    assert 1 == loopback.depth().visible
    source.ack(envelopes)
    source.close()
    # a handle that only lapsed still deletes, as long as nobody received the message since
    assert 1 == loopback.queue.deleted


# RELIABILITY 17
def test_the_same_message_twice_in_one_receive_is_one_envelope(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    loopback.send(["one"])
    source = make_source()
    _take(source, 1)
    assert source._running is not None
    [message] = loopback.queue._hidden.values()
    twin = SqsMessage(message.message_id, f"{message.message_id}#9", b"one", 2, message.sent_ms)
    with source._changed:
        source._polls += 1
    source._admit(source._running, [twin, twin])
    assert not source.receive(limit=10, wait_secs=0.05)
    assert 1 == source.in_flight


# RELIABILITY 16
def test_a_message_whose_worker_died_before_its_delete_comes_again(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock
) -> None:
    loopback.send(["one"])
    killed = make_source(max_in_flight=1)  # full, so that it takes nothing more
    _take(killed, 1)  # committed, and then the process was killed
    hand_clock.advance(31)
    [again] = _take(make_source(), 1)
    assert b"one" == again.body


def test_a_nack_shows_the_message_again_after_a_growing_delay(
    loopback: LoopbackQueue, make_source: MakeSource, hand_clock: HandClock, eventually: Eventually
) -> None:
    loopback.send(["one"])
    source = make_source(nack_secs=5, max_nack_secs=12)
    delays: list[float] = []

    def is_hidden_by_the_nack() -> bool:
        return loopback.requests["ChangeMessageVisibilityBatch"] == len(delays) + 1

    for _ in range(4):
        source.nack(_take(source, 1))
        eventually(is_hidden_by_the_nack)
        eventually(lambda: loopback.queue._hidden)
        [message] = loopback.queue._hidden.values()
        delays.append(message.visible_at - hand_clock.now)
        hand_clock.advance(delays[-1])
    assert [5, 10, 12, 12] == delays


# dramatiq_sqs#53: what was prefetched and never handed out must not wait for its visibility
def test_closing_gives_buffered_messages_back_at_once(
    loopback: LoopbackQueue, make_source: MakeSource, eventually: Eventually
) -> None:
    loopback.send(str(n) for n in range(20))
    source = make_source(receivers=1)
    _take(source, 1)
    eventually(lambda: source.in_flight == 20)
    source.close()
    # A poll still under way may take ten of them for a moment, and gives them back too.
    eventually(lambda: (loopback.depth().visible, loopback.depth().in_flight) == (19, 1))


def test_what_a_poll_brings_after_closing_is_given_back_at_once(
    loopback: LoopbackQueue, make_source: MakeSource, eventually: Eventually
) -> None:
    source = make_source(receivers=1, long_poll_secs=10)
    assert not source.receive(limit=1, wait_secs=0)
    eventually(lambda: loopback.requests["ReceiveMessage"] == 1)
    source.close()
    loopback.send(["late"])
    eventually(lambda: loopback.requests["ChangeMessageVisibilityBatch"] == 1)
    eventually(lambda: loopback.depth().visible == 1)


def test_receiving_stops_at_the_bound_and_goes_on_when_there_is_room(
    loopback: LoopbackQueue, make_source: MakeSource, eventually: Eventually
) -> None:
    loopback.send(str(n) for n in range(100))
    source = make_source(receivers=3, max_in_flight=40)
    held = _take(source, 40)
    assert not source.receive(limit=1, wait_secs=0.2)
    assert 40 == source.in_flight
    source.ack(held[:20])
    assert 20 == len(_take(source, 20))
    assert source.in_flight <= 40


def test_receiving_stops_at_the_bound_of_bytes(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    loopback.send("x" * 1000 for _ in range(50))
    source = make_source(receivers=1, max_in_flight_bytes=10_000)
    held = _take(source, 10)
    assert not source.receive(limit=1, wait_secs=0.2)
    source.ack(held)
    assert 10 == len(_take(source, 10))


# RELIABILITY 36
def test_an_empty_queue_is_waited_for_in_long_polls(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    source = make_source(receivers=1)
    assert not source.receive(limit=10, wait_secs=0.1)  # opens the client, which takes CPU
    cpu_start = time.process_time()
    assert not source.receive(limit=10, wait_secs=1.5)
    assert loopback.requests["ReceiveMessage"] <= 2
    assert time.process_time() - cpu_start < 0.25


# RELIABILITY 36
def test_a_denied_queue_is_asked_once_for_each_receive(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    loopback.fail("ReceiveMessage", "AccessDenied", status=403, times=1_000_000)
    source = make_source(receivers=1)
    for _ in range(3):
        with pytest.raises(SourceDenied, match="allow the action in the policy"):
            source.receive(limit=10, wait_secs=5)
    threading.Event().wait(0.2)  # whoever loops would have by now
    assert 3 == loopback.requests["ReceiveMessage"]


# RELIABILITY 37
def test_receiving_goes_on_once_the_fault_is_gone(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    loopback.fail("ReceiveMessage", "ExpiredToken", status=403)
    loopback.send(["one"])
    source = make_source(receivers=1)
    with pytest.raises(SourceDenied, match="credentials have expired: renew them"):
        source.receive(limit=1, wait_secs=5)
    assert [b"one"] == [envelope.body for envelope in _take(source, 1)]


# RELIABILITY 36, 37: /health must not call a queue well that has not answered
def test_a_fault_is_told_again_until_the_queue_has_answered(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    loopback.fail("ReceiveMessage", "ExpiredToken", status=403)
    source = make_source(receivers=1, long_poll_secs=20)
    with pytest.raises(SourceDenied):
        source.receive(limit=1, wait_secs=5)
    with pytest.raises(SourceDenied):
        source.receive(limit=1, wait_secs=0)
    assert not source.receive(limit=1, wait_secs=1)  # the empty queue has answered by now


def test_what_is_buffered_is_handed_out_before_a_fault_is_told(
    loopback: LoopbackQueue, make_source: MakeSource, eventually: Eventually
) -> None:
    loopback.send(["one"])
    source = make_source(receivers=1)
    assert not source.receive(limit=0, wait_secs=5)
    eventually(lambda: source.in_flight == 1)
    source._note_fault(SourceUnavailable("a fault"))
    assert 1 == len(source.receive(limit=1, wait_secs=0))
    with pytest.raises(SourceUnavailable, match="a fault"):
        source.receive(limit=1, wait_secs=0)


def test_a_queue_that_does_not_exist_says_where_to_look(make_source: MakeSource) -> None:
    source = make_source(queue="no-such-queue")
    with pytest.raises(SourceDenied, match="check the queue's name, account and region"):
        source.receive(limit=1, wait_secs=5)


def test_a_queue_may_be_given_by_name(loopback: LoopbackQueue, make_source: MakeSource) -> None:
    loopback.send(["one"])
    source = make_source(queue="ses-events")
    assert ["sqs:ses-events"] == [envelope.origin for envelope in _take(source, 1)]


def test_probing_consumes_nothing_and_reports_the_queue(
    loopback: LoopbackQueue, make_source: MakeSource
) -> None:
    loopback.send(["one", "two"])
    loopback.queue.attributes["RedrivePolicy"] = (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"3"}'
    )
    report = make_source().probe()
    assert (2, 0, 3) == (report.waiting, report.in_flight, report.max_receives)
    assert "allow more" in report.describe()[-1]
    assert 0 == loopback.requests["ReceiveMessage"]


def test_probing_a_queue_that_does_not_exist_is_denied(make_source: MakeSource) -> None:
    with pytest.raises(SourceDenied, match="QueueDoesNotExist"):
        make_source(queue="no-such-queue").probe()
