"""Where a partition is read on, and what is to be said when it cannot be."""

import json
from dataclasses import dataclass
from typing import Literal

Start = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which log a partition is, beyond its name: a topic made anew has another id.

    https://cwiki.apache.org/confluence/display/KAFKA/KIP-516%3A+Topic+Identifiers

    Attributes:
        topic_id: the broker's, empty before Kafka 2.8.
        cluster_id: the cluster's.
    """

    topic_id: str
    cluster_id: str


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to read, and of which log: what the warehouse keeps for a partition."""

    next_offset: int
    identity: Identity

    def to_text(self) -> str:
        """Write it as the warehouse keeps it; equal positions are equal texts."""
        about = {
            "next_offset": self.next_offset,
            "topic_id": self.identity.topic_id,
            "cluster_id": self.identity.cluster_id,
        }
        return json.dumps(about, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Position":
        """Read what `to_text` wrote."""
        about = json.loads(text)
        return cls(about["next_offset"], Identity(about["topic_id"], about["cluster_id"]))


@dataclass(frozen=True, slots=True)
class Log:
    """A partition as the broker has it now; ``high`` is the offset of the next record to come."""

    identity: Identity
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Read on from ``offset``; ``skipped`` offsets before it are gone and were never read."""

    offset: int
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """Do not read: it would leave records out without anybody noticing."""

    why: str


def place(part: str, stored: Position | None, log: Log, start: Start) -> Placed | Refused:
    """Decide where to read ``part`` on.

    What retention or compaction took is lost whatever we do, so reading goes on behind it. A log
    that is another one than that read before is refused: its offsets mean other records.
    """
    if stored is None:
        return Placed(log.low if start == "earliest" else log.high)
    advice = "To read it from its start, give the source another group."
    for what, before, now in (
        ("cluster", stored.identity.cluster_id, log.identity.cluster_id),
        ("topic", stored.identity.topic_id, log.identity.topic_id),
    ):
        if before and now and before != now:
            return Refused(
                f"{part}: this is not the {what} that was read before (id {before}, now {now}): "
                f"the warehouse's offset {stored.next_offset} means nothing in it. {advice}"
            )
    if stored.next_offset > log.high:
        return Refused(
            f"{part}: the warehouse is at offset {stored.next_offset}, the partition ends at "
            f"{log.high}: it was made anew or cut off. {advice}"
        )
    if stored.next_offset < log.low:
        return Placed(log.low, skipped=log.low - stored.next_offset)
    return Placed(stored.next_offset)
