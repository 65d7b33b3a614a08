"""The partitions being read: what of them is handed out, and how far a batch takes them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kafka import TopicPartition

from consumer.envelope import Envelope
from consumer.errors import EnvelopesLost
from consumer.sources.kafka_position import Identity, Position


@dataclass(slots=True, eq=False)
class Part:
    """A partition from one placement to the next.

    Attributes:
        partition: which.
        identity: which log it is.
        stored: its position in the warehouse, as text; None where it has none.
        next_offset: behind the last record handed out.
        out: offsets handed out and not settled.
        is_to_keep: whether its position is worth a commit though nothing was read yet.
        is_lost: whether another reader has it, so that what is out must not be written.
        asked: the position of the batch being written.
    """

    partition: TopicPartition
    identity: Identity
    stored: str | None
    next_offset: int
    out: set[int] = field(default_factory=set)
    is_to_keep: bool = False
    is_lost: bool = False
    asked: str | None = None

    @property
    def name(self) -> str:
        """``topic/partition``, as the warehouse knows it."""
        return to_name(self.partition)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an envelope of this source carries."""

    part: Part
    offset: int


class Parts:
    """All partitions being read, and those that went while records of them were out."""

    def __init__(self) -> None:
        self._placed: dict[TopicPartition, Part] = {}
        self._leaving: list[Part] = []

    @property
    def is_anything_out(self) -> bool:
        """Whether records are handed out and not settled."""
        return any(part.out for part in self._all())

    def placed(self) -> Mapping[TopicPartition, Part]:
        """Return those being read."""
        return self._placed

    def put(self, part: Part) -> None:
        """Read a partition from its placement on."""
        self.take_out([part.partition])
        self._placed[part.partition] = part

    def take_out(self, partitions: Iterable[TopicPartition]) -> None:
        """Read partitions no more; what of them is out may still be settled."""
        for partition in partitions:
            part = self._placed.pop(partition, None)
            if part is not None and part.out:
                self._leaving.append(part)

    def lose(self, partitions: Iterable[TopicPartition]) -> None:
        """Read partitions no more, and let nothing of them be written."""
        gone = frozenset(partitions)
        for part in self._all():
            if part.partition in gone:
                part.is_lost = True
        self.take_out(gone)

    def refuse_lost(self) -> None:
        """Raise `EnvelopesLost` when something is out that another consumer has now."""
        if lost := sorted({part.name for part in self._all() if part.is_lost and part.out}):
            raise EnvelopesLost(f"{', '.join(lost)}: the group gave them to another consumer")

    def advance(self, envelopes: Sequence[Envelope]) -> list[tuple[Part, str | None]]:
        """Ask for the position of each partition once ``envelopes`` are committed.

        That is the first offset still out, or behind the last: an envelope that is settled later
        than its successors is never skipped. Returns the parts that move, with what is stored of
        them now. Raises `EnvelopesLost`.
        """
        self.refuse_lost()
        moving = []
        ending = _by_part(envelopes)
        for part in self._all():
            part.asked = None
            mine = ending.get(part, set())
            if not (mine or part.is_to_keep):
                continue
            rest = part.out - mine
            text = Position(min(rest, default=part.next_offset), part.identity).to_text()
            if text != part.stored:
                part.asked = text
                moving.append((part, part.stored))
        return moving

    def settle(self, envelopes: Sequence[Envelope]) -> list[Part]:
        """Count what `advance` asked for as stored, and the envelopes as done."""
        moved = [part for part in self._all() if part.asked is not None]
        for part in moved:
            part.stored, part.asked, part.is_to_keep = part.asked, None, False
        for part, offsets in _by_part(envelopes).items():
            part.out -= offsets
        self._leaving = [part for part in self._leaving if part.out]
        return moved

    def give_up(self, envelopes: Sequence[Envelope]) -> list[TopicPartition]:
        """Forget placements that envelopes came from; returns those to be placed anew."""
        given_up = []
        for part, offsets in _by_part(envelopes).items():
            if not part.out & offsets:
                continue  # settled already
            part.out.clear()
            if self._placed.get(part.partition) is part:
                del self._placed[part.partition]
                given_up.append(part.partition)
        self._leaving = [part for part in self._leaving if part.out]
        return given_up

    def _all(self) -> list[Part]:
        return [*self._placed.values(), *self._leaving]


def to_name(partition: TopicPartition) -> str:
    """``topic/partition``."""
    return f"{partition.topic}/{partition.partition}"


def _by_part(envelopes: Iterable[Envelope]) -> dict[Part, set[int]]:
    found: defaultdict[Part, set[int]] = defaultdict(set)
    for envelope in envelopes:
        if isinstance(envelope.receipt, Receipt):
            found[envelope.receipt.part].add(envelope.receipt.offset)
    return dict(found)
