"""SES events from an SQS queue: raw, SNS-wrapped, from EventBridge, or as notices of S3 objects."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from consumer.envelope import Envelope
from consumer.errors import SourceDenied, SourceError
from consumer.sources.aws import AwsAccess
from consumer.sources.sqs_client import MAX_BATCH_ENTRIES, SqsClient, SqsMessage
from consumer.sources.sqs_envelopes import EnvelopeMaker
from consumer.sources.sqs_heartbeat import Heartbeat
from consumer.sources.sqs_holdings import Held, Holdings, Receipt
from consumer.sources.sqs_probe import QueueReport, probe_queue
from consumer.sources.sqs_settlement import Settlement

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsOptions:
    """What a queue's source may be told.

    Attributes:
        queue: URL or name.
        access: account, region, endpoints.
        receivers: threads that long-poll, and as many that delete. More only helps far from the
            region: ten messages a round trip each, and Python runs one thread at a time.
        visibility_secs: how long a message stays hidden after its receive or last extension, so
            how long a crash delays it. Extended at a third of it.
        long_poll_secs: how long a receive waits for a message, at most 20.
        max_in_flight: messages held and not settled; at the bound receiving stops.
        max_in_flight_bytes: the same in bytes of their bodies, overrun by at most what the
            polls under way bring (10 MiB each).
        nack_secs: delay of the first redelivery after a nack; doubles with each receive.
        max_nack_secs: where that doubling ends.
        gone_after_secs: how long after its notice an S3 object that is missing is waited for.
        buckets: those whose notices are followed; empty for all. A queue whose policy lets
            strangers send could otherwise make us read their bucket (confused deputy).
        close_secs: how long `close` waits for deletes under way.
    """

    queue: str
    access: AwsAccess = field(default_factory=AwsAccess)
    receivers: int = 4
    visibility_secs: int = 120
    long_poll_secs: int = 20
    max_in_flight: int = 10_000
    max_in_flight_bytes: int = 256 * 1_048_576
    nack_secs: int = 5
    max_nack_secs: int = 900
    gone_after_secs: int = 86_400
    buckets: frozenset[str] = frozenset()
    close_secs: float = 10.0


class SqsSource:
    """A queue as a `consumer.sources.base.Source`.

    Receiver threads long-poll into a buffer that `receive` drains; a heartbeat keeps what is
    buffered or handed out hidden, up to SQS's 12 hours; settling threads delete. `ack` and
    `nack` return at once, `close` waits for what they asked.

    A notice of S3 objects becomes an envelope an object, streamed on reading; its message is
    deleted when all of them are acked, and shown again when one is nacked. Notices of the same
    object in one receive are read once. Order among notices does not matter, so neither does
    their ``sequencer``: without versioning, every read gets what the key holds now.

    Nothing is opened until the first `receive` or `probe`.

    Args:
        options: the queue and the bounds.
        clock: seconds, monotonic, for everything about visibility.
        wall_clock: the time now, aware.
    """

    def __init__(
        self,
        options: SqsOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options = options
        self._clock = clock
        self._wall_clock = wall_clock
        self._queue_name = options.queue.rstrip("/").rpartition("/")[2]
        self._take = min(MAX_BATCH_ENTRIES, options.max_in_flight)
        # One condition for everything below it.
        self._changed = threading.Condition()
        self._ready: deque[Envelope] = deque()
        self._holdings = Holdings()
        self._polls = 0
        self._fault: SourceError | None = None
        self._fault_was_raised = False
        self._doubt: SourceError | None = None  # the last fault, until the queue answers again
        self._closing = threading.Event()
        self._running: _Running | None = None

    @property
    def name(self) -> str:
        """``sqs:`` and the queue's name."""
        return f"sqs:{self._queue_name}"

    @property
    def exhausted(self) -> bool:
        """Never: a queue may always get another message."""
        return False

    @property
    def in_flight(self) -> int:
        """Messages received and not settled, buffered ones included."""
        with self._changed:
            return self._holdings.count

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:
        """Take what the receivers have buffered, waiting at most ``wait_secs`` for something.

        A fault of theirs is raised once nothing is buffered; they then rest until the next call,
        so the caller's back-off is theirs too. Until the queue has answered again it is raised
        anew: silence after a fault is no sign that all is well.
        """
        if self._running is None:
            self._running = self._start()
        deadline = time.monotonic() + wait_secs
        with self._changed:
            if self._fault_was_raised:
                self._doubt, self._fault, self._fault_was_raised = self._fault, None, False
                self._changed.notify_all()
            while not self._ready:
                if self._fault is not None:
                    self._fault_was_raised = True
                    raise self._fault
                remaining_secs = deadline - time.monotonic()
                if self._closing.is_set():
                    return []
                if remaining_secs <= 0:
                    if self._doubt is not None:
                        raise self._doubt
                    return []
                self._changed.wait(remaining_secs)
            return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Have messages deleted of which every envelope is acked; returns at once."""
        if self._running is not None:
            with self._changed:
                done = self._holdings.ack(_receipts_of(envelopes))
            self._running.settlement.delete(done)

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        """Have messages shown again after a delay that grows with their receives."""
        if self._running is not None:
            with self._changed:
                given_up = self._holdings.nack(_receipts_of(envelopes))
                self._changed.notify_all()
            self._running.settlement.show_again(given_up, self._find_delay_secs)

    def close(self) -> None:
        """Stop receiving, give back what is buffered, finish deletes. Twice is once.

        A long poll under way is left to end by itself: what it brings is shown again if the
        process still lives, else when its visibility ends.
        """
        with self._changed:
            if self._closing.is_set():
                return
            self._closing.set()
            unread = self._holdings.nack(_receipts_of(self._ready))
            self._ready.clear()
            self._changed.notify_all()
        if self._running is not None:
            self._running.settlement.show_again(unread, lambda _: 0)
            self._running.settlement.drain(self._options.close_secs)
            self._running.client.close()

    def probe(self) -> QueueReport:
        """Ask the queue about itself, consuming nothing: what `duckpost check` shows."""
        return probe_queue(self._options.access, self._options.queue)

    def _start(self) -> "_Running":
        options = self._options
        client = SqsClient(
            options.access,
            options.queue,
            pause=self._closing.wait,
            # one for each thread: receivers, settlers, heartbeat
            connections=2 * options.receivers + 1,
        )
        running = _Running(
            client=client,
            envelopes=EnvelopeMaker(
                origin=self.name,
                region=client.region,
                access=options.access,
                buckets=options.buckets,
                gone_after=timedelta(seconds=options.gone_after_secs),
                clock=self._wall_clock,
            ),
            heartbeat=Heartbeat(
                client, self._holdings, self._changed, options.visibility_secs, self._clock
            ),
            settlement=Settlement(
                client,
                on_settled=self._note_settled,
                on_denied=self._note_fault,
                closing=self._closing,
                threads=options.receivers,
            ),
        )
        threading.Thread(
            target=running.heartbeat.beat_until,
            args=(self._closing,),
            name="sqs-heartbeat",
            daemon=True,
        ).start()
        for n in range(options.receivers):
            threading.Thread(
                target=self._receive_forever, args=(running,), name=f"sqs-receive-{n}", daemon=True
            ).start()
        return running

    def _receive_forever(self, running: "_Running") -> None:
        while self._wait_for_room():
            try:
                messages = running.client.receive(
                    limit=self._take,
                    # After a fault the question is whether the queue answers at all.
                    wait_secs=0 if self._doubt is not None else self._options.long_poll_secs,
                    visibility_secs=self._options.visibility_secs,
                )
            except SourceError as fault:
                self._note_fault(fault)
                messages = []
            else:
                self._doubt = None
            self._admit(running, messages)

    def _wait_for_room(self) -> bool:
        """Wait until a poll may begin and count it in; False once closed."""
        with self._changed:
            self._changed.wait_for(self._may_poll)
            if self._closing.is_set():
                return False
            self._polls += 1
            return True

    def _may_poll(self) -> bool:
        expected = self._holdings.count + (self._polls + 1) * self._take
        return self._closing.is_set() or (
            self._fault is None
            and expected <= self._options.max_in_flight
            and self._holdings.size < self._options.max_in_flight_bytes
        )

    def _admit(self, running: "_Running", messages: Sequence[SqsMessage]) -> None:
        with self._changed:
            self._polls -= 1
            is_closed = self._closing.is_set()
            if not is_closed:
                now = self._clock()
                taken = [(self._holdings.take(message, now), message) for message in messages]
                new = [(held, message) for held, message in taken if held is not None]
                self._ready.extend(running.envelopes.make(new))
            self._changed.notify_all()
        if is_closed and messages:  # nobody is left to settle them
            try:
                running.client.change_visibility([(message.handle, 0) for message in messages])
            except SourceError as fault:
                _log.warning("sqs_not_given_back", messages=len(messages), reason=str(fault))

    def _note_settled(self, helds: Sequence[Held]) -> None:
        with self._changed:
            self._holdings.forget(helds)
            self._changed.notify_all()

    def _note_fault(self, fault: SourceError) -> None:
        with self._changed:
            # A refusal outlives a hiccup: somebody has to read it.
            if self._fault is None or isinstance(fault, SourceDenied):
                self._fault = fault
            self._changed.notify_all()

    def _find_delay_secs(self, held: Held) -> int:
        doublings = min(held.receive_count - 1, 16)
        return min(self._options.nack_secs << doublings, self._options.max_nack_secs)


@dataclass(frozen=True, slots=True)
class _Running:
    """The parts that exist from the first receive on."""

    client: SqsClient
    envelopes: EnvelopeMaker
    heartbeat: Heartbeat
    settlement: Settlement


def _receipts_of(envelopes: Iterable[Envelope]) -> list[Receipt]:
    return [envelope.receipt for envelope in envelopes if isinstance(envelope.receipt, Receipt)]
