"""Where partitions are read from: the warehouse's positions, held against what the brokers have."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors

from consumer.sources.kafka_client import CALL_MS, Cluster, Watch, translated
from consumer.sources.kafka_parts import Part, Parts, to_name
from consumer.sources.kafka_position import (
    Identity,
    Log,
    Placed,
    Position,
    Refused,
    Start,
    place,
)

LOOK_SECS: Final = 10.0  # how long a topic made anew, or gone, may stay unnoticed
# What the library raises of a partition that its own thread saw go a moment before.
GONE: Final = (KeyError, ValueError, kafka_errors.IllegalStateError)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose partitions are placed.

    Attributes:
        name: the source's, for the log.
        owner: the name that positions are kept under.
        topics: those that are read.
        start: where a partition is begun that the warehouse has no position of.
    """

    name: str
    owner: str
    topics: tuple[str, ...]
    start: Start


class Placement:
    """Partitions that wait for their place, stand still in it, or must not have one.

    Args:
        watch: looks at the cluster; closed with the placement.
        parts: takes those that were placed.
        scope: whose they are.
        clock: seconds, monotonic.

    Attributes:
        read_positions: gives the warehouse's positions, by part, of an owner.
        skipped: offsets that were gone before they were read.
        is_doubted: whether the cluster should be asked again at once.
    """

    def __init__(
        self,
        watch: Watch,
        parts: Parts,
        scope: Scope,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._parts = parts
        self._scope = scope
        self._clock = clock
        self.read_positions: Callable[[str], Mapping[str, str]] = _no_positions
        self.skipped = 0
        self.is_doubted = True
        self._look_at = 0.0  # when the cluster is asked again
        self._unplaced: set[TopicPartition] = set()
        self._refused: dict[TopicPartition, str] = {}
        self._faults: dict[str, str] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether a partition is to be placed."""
        return bool(self._unplaced)

    @property
    def is_look_due(self) -> bool:
        """Whether the cluster is to be asked about the topics."""
        return self.is_doubted or self._clock() >= self._look_at

    @property
    def ailments(self) -> Iterable[str]:
        """Why partitions stand still, each reason once."""
        return dict.fromkeys([*self._faults.values(), *self._refused.values()])

    def await_place(self, partitions: Iterable[TopicPartition]) -> None:
        """Note partitions that the group gave us."""
        self._unplaced.update(partitions)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop partitions that the group took."""
        for partition in partitions:
            self._unplaced.discard(partition)
            self._refused.pop(partition, None)

    def close(self) -> None:
        """End the watch."""
        self._watch.close()

    def look(self, consumer: KafkaConsumer) -> None:
        """Ask for the topics; partitions of one made anew, or refused before, are placed again."""
        self.is_doubted = True  # until it succeeds
        cluster = self._watch.look(self._scope.topics)
        self._note_faults(cluster)
        moved = [
            part.partition
            for part in self._parts.placed().values()
            if part.partition.topic not in self._faults
            and _identify(cluster, part.partition) != part.identity
        ]
        self.hold(consumer, [*moved, *self._refused])
        self._look_at = self._clock() + LOOK_SECS
        self.is_doubted = False

    def _note_faults(self, cluster: Cluster) -> None:
        faults = {name: topic.fault for name, topic in cluster.topics.items() if topic.fault}
        for name in faults.keys() - self._faults.keys():
            _log.warning("kafka_topic_ill", source=self._scope.name, reason=faults[name])
        self._faults = faults

    def place(self, consumer: KafkaConsumer) -> None:
        """Set out from the warehouse's positions, or refuse to."""
        cluster = self._watch.look(self._scope.topics)
        self._note_faults(cluster)
        sound = [one for one in self._unplaced if one.topic not in self._faults]
        for partition in self._unplaced.difference(sound):
            self._refused[partition] = self._faults[partition.topic]
        self._unplaced.intersection_update(sound)
        if not sound:
            return
        with translated(self._watch.access, "asking for offsets"):
            lows = consumer.beginning_offsets(sound, timeout_ms=CALL_MS)
            highs = consumer.end_offsets(sound, timeout_ms=CALL_MS)
        stored = self.read_positions(self._scope.owner)
        for partition in sound:
            with suppress(*GONE):
                log = Log(_identify(cluster, partition), lows[partition], highs[partition])
                self._set_out(consumer, partition, log, stored.get(to_name(partition)))
        self._unplaced -= set(sound)

    def _set_out(
        self, consumer: KafkaConsumer, partition: TopicPartition, log: Log, stored: str | None
    ) -> None:
        before = None if stored is None else Position.from_text(stored)
        name = to_name(partition)
        outcome = place(name, before, log, self._scope.start)
        if isinstance(outcome, Refused):
            if self._refused.get(partition) != outcome.why:
                _log.error("kafka_partition_refused", source=self._scope.name, reason=outcome.why)
            self._refused[partition] = outcome.why
            return
        self._refused.pop(partition, None)
        self._note_gap(name, outcome)
        part = Part(partition, log.identity, stored, outcome.offset)
        # What was pointed out as the start, or is gone, stays so when nothing comes till a restart.
        part.is_to_keep = outcome.skipped > 0 or (stored is None and self._scope.start == "latest")
        consumer.seek(partition, outcome.offset)
        consumer.resume(partition)
        self._parts.put(part)

    def _note_gap(self, name: str, outcome: Placed) -> None:
        if outcome.skipped:
            self.skipped += outcome.skipped
            _log.error(
                "kafka_gap",
                source=self._scope.name,
                partition=name,
                skipped=outcome.skipped,
                goes_on_at=outcome.offset,
                why="retention or deletion took these offsets before they were read",
            )

    def hold(self, consumer: KafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading partitions until they are placed again."""
        self._parts.take_out(partitions)
        for partition in partitions:
            with suppress(*GONE):
                consumer.pause(partition)
                self._unplaced.add(partition)


def _identify(cluster: Cluster, partition: TopicPartition) -> Identity:
    topic = cluster.topics.get(partition.topic)
    return Identity(topic.topic_id if topic is not None else "", cluster.cluster_id)


def _no_positions(_name: str) -> Mapping[str, str]:
    return {}
