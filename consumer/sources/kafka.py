"""SES events from Kafka topics, each record once: offsets are committed with its rows."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from kafka import KafkaConsumer
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata

from consumer.envelope import Envelope
from consumer.sources.base import Condition, Step
from consumer.sources.kafka_assignment import Assignment
from consumer.sources.kafka_client import KafkaAccess, Watch, open_consumer, to_source_fault
from consumer.sources.kafka_parts import Part, Parts, Receipt, to_name
from consumer.sources.kafka_placement import GONE, Placement, Scope
from consumer.sources.kafka_position import Position, Start

CLOSE_MS: Final = 5_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """What a consumer of topics may be told.

    Attributes:
        access: how the cluster is reached.
        topics: those that are read.
        group: the consumer group, and the name that positions are kept under: another group
            reads everything anew.
        member: tells consumers of one group in one worker apart.
        start: where a partition is begun that the warehouse has no position of.
        session_secs: how long the group waits for a consumer that was killed before others get
            its partitions; between the broker's ``group.min.session.timeout.ms`` and ``…max…``.
    """

    access: KafkaAccess
    topics: tuple[str, ...]
    group: str = "duckpost"
    member: int = 1
    start: Start = "earliest"
    session_secs: float = 10.0


class KafkaSource:
    """Topics as a `consumer.sources.base.FencedSource`; a part is a partition.

    The group decides who reads which partition, nothing else: reading starts where the warehouse
    ends, and a batch is refused when that has moved. The offsets the broker gets, after the
    commit, are for tools that show lag.

    When partitions go, `receive` returns nothing until what is out is committed or handed back;
    only then are those that came read, from the position which that commit left. Partitions that
    must not be read (their topic is gone, or made anew) stand still, the others go on, and
    `condition` tells.

    Nothing is opened until the first `receive`.

    Args:
        options: topics, group and bounds.
        clock: seconds, monotonic.
        wall_clock: the time now, aware.
    """

    def __init__(
        self,
        options: KafkaOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options = options
        self._wall_clock = wall_clock
        self._owner = f"kafka:{options.group}"
        self._consumer: KafkaConsumer | None = None
        self._assignment: Assignment | None = None
        self._parts = Parts()
        self._placement = Placement(
            Watch(options.access),
            self._parts,
            Scope(self.name, self._owner, options.topics, options.start),
            clock=clock,
        )

    @property
    def name(self) -> str:
        """``kafka:`` and the group, with the member's number from the second on."""
        member = self._options.member
        return self._owner if member == 1 else f"{self._owner}#{member}"

    @property
    def exhausted(self) -> bool:
        """Never: a topic may always get another record."""
        return False

    @property
    def condition(self) -> Condition:
        """Records behind the last one handed out, gaps, and partitions that stand still."""
        placement = self._placement
        return Condition(self._find_lag(), placement.skipped, "; ".join(placement.ailments))

    def follow(self, read_positions: Callable[[str], Mapping[str, str]]) -> None:
        """Read positions from there, at each placement."""
        self._placement.read_positions = read_positions

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:
        """Return the next records, of any of the partitions.

        1. Take in what the group changed. What is out is committed before anything is placed.
        2. Ask the cluster about the topics, now and then.
        3. Place the partitions that came.
        4. Poll, which is when the group changes things.

        Raises `SourceUnavailable`, `SourceDenied`, and `EnvelopesLost` when the group has given
        away what is out.
        """
        consumer = self._open()
        is_changed = self._take_changes()  # 1
        placement = self._placement
        if (is_changed or placement.is_waiting) and self._parts.is_anything_out:
            return []
        if placement.is_look_due:
            placement.look(consumer)  # 2
            if placement.is_waiting and self._parts.is_anything_out:
                return []
        if placement.is_waiting:
            placement.place(consumer)  # 3
        return list(self._poll(consumer, limit, wait_secs))  # 4

    def step(self, envelopes: Sequence[Envelope]) -> Step:
        """Return the next offsets once ``envelopes`` are committed, and those before them."""
        self._take_changes_quietly()
        moving = self._parts.advance(envelopes)
        return Step(
            positions={part.name: part.asked for part, _ in moving if part.asked is not None},
            expects={part.name: stored for part, stored in moving},
            positions_of=self._owner,
        )

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Go on from what was committed, and tell the broker, for those who watch the lag."""
        moved = self._parts.settle(envelopes)
        if self._consumer is None:
            return
        placed = self._parts.placed()
        offsets = {
            part.partition: OffsetAndMetadata(Position.from_text(part.stored).next_offset, "", -1)
            for part in moved
            if part.stored is not None and placed.get(part.partition) is part
        }
        if offsets:
            try:
                self._consumer.commit_async(offsets)
            except kafka_errors.KafkaError as error:
                _log.debug("kafka_group_offsets_not_committed", reason=str(error))

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        """Read the partitions of these records anew, from what the warehouse has of them."""
        given_up = self._parts.give_up(envelopes)
        if self._consumer is not None and given_up:
            self._placement.hold(self._consumer, given_up)

    def close(self) -> None:
        """Leave the group, so that others get the partitions at once. Twice is once."""
        self._placement.close()
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            options = self._options
            consumer = open_consumer(
                options.access, group=options.group, session_secs=options.session_secs
            )
            self._assignment = Assignment(consumer)
            consumer.subscribe(topics=list(options.topics), listener=self._assignment)
            self._consumer = consumer
        return self._consumer

    def _take_changes(self) -> bool:
        """Take in what the group did; raises `EnvelopesLost` if what is out went with it."""
        is_changed = self._take_changes_quietly()
        self._parts.refuse_lost()
        return is_changed

    def _take_changes_quietly(self) -> bool:
        changes = self._assignment.take() if self._assignment is not None else []
        for change in changes:
            if change.kind == "assigned":
                self._placement.await_place(change.partitions)
                self._parts.take_out(change.partitions)
            else:
                self._placement.forget(change.partitions)
                if change.kind == "lost":
                    self._parts.lose(change.partitions)
                else:
                    self._parts.take_out(change.partitions)
            if change.partitions:
                _log.info(
                    "kafka_partitions_changed",
                    source=self.name,
                    change=change.kind,
                    partitions=sorted(map(to_name, change.partitions)),
                )
        return bool(changes)

    def _poll(self, consumer: KafkaConsumer, limit: int, wait_secs: float) -> Iterator[Envelope]:
        try:
            found = consumer.poll(timeout_ms=int(wait_secs * 1_000), max_records=limit)
        except kafka_errors.OffsetOutOfRangeError as error:
            self._placement.hold(consumer, list(error.args[0]))
            return
        except kafka_errors.LogTruncationError as error:
            _log.error("kafka_log_truncated", source=self.name, reason=str(error))
            self._placement.hold(consumer, list(self._parts.placed()))
            return
        except kafka_errors.KafkaError as error:
            self._placement.is_doubted = True
            servers = ", ".join(self._options.access.bootstrap_servers)
            doing = f"reading from Kafka at {servers}"
            raise to_source_fault(error, doing, self._options.access) from error
        received_at = self._wall_clock()
        placed = self._parts.placed()
        for partition, records in found.items():
            part = placed.get(partition)
            if part is not None:
                yield from _to_envelopes(part, records, received_at)

    def _find_lag(self) -> int | None:
        lags = []
        for partition, part in self._parts.placed().items():
            with suppress(*GONE):
                high = None if self._consumer is None else self._consumer.highwater(partition)
                lags += [] if high is None else [max(0, high - part.next_offset)]
        return sum(lags) if lags else None


def _to_envelopes(part: Part, records: Sequence[Any], received_at: datetime) -> Iterator[Envelope]:
    """Wrap records; a null value, a tombstone, is an empty body and counted as ignored."""
    name = part.name
    for record in records:
        offset = record.offset
        part.out.add(offset)
        part.next_offset = offset + 1
        yield Envelope(
            body=record.value or b"",
            receipt=Receipt(part, offset),
            origin=f"kafka:{name}@{offset}",
            received_at=received_at,
        )
