"""What the group's coordinator gives and takes, noted on its thread and read on ours."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener


@dataclass(frozen=True, slots=True)
class Change:
    """Partitions that came, or went in an orderly way, or were somebody else's already."""

    kind: Literal["assigned", "revoked", "lost"]
    partitions: frozenset[TopicPartition]


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Holds what was assigned still until it is placed, and queues the changes for the source.

    Called on the library's own thread, which sends heartbeats too: nothing here waits. A partition
    that just came would be read from wherever the group left off; so it is paused before the
    first record, with a position that nobody reads from.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._changes: list[Change] = []

    def take(self) -> list[Change]:
        """Return what changed since the last call, in order."""
        with self._lock:
            changes, self._changes = self._changes, []
        return changes

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause what came."""
        self._consumer.pause(*assigned)
        for partition in assigned:
            self._consumer.seek(partition, 0)
        self._note("assigned", assigned)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Note what goes; what was read of it may still be committed, behind the fence."""
        self._note("revoked", revoked)

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        """Note what went without our noticing; what was read of it is dropped."""
        self._note("lost", lost)

    def _note(
        self, kind: Literal["assigned", "revoked", "lost"], partitions: Iterable[TopicPartition]
    ) -> None:
        with self._lock:
            self._changes.append(Change(kind, frozenset(partitions)))
