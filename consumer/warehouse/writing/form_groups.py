"""Which of an event's copies remains, told of the few rows that may have another form."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

REPORTS: Final = ("Bounce", "Complaint")
# Of an arriving row, in the order of `Copy`.
ARRIVING: Final = (
    *("event_key", "event_type", "event_at", "sent_at", "message_id", "feedback_id"),
    *("is_identity_notification", "ordinal"),
)


class Copy(NamedTuple):
    """One form of an event, stored or arriving.

    ``event_key`` is its text; ``ordinal`` an arriving row's place in its batch, and of a stored one
    that of an arriving row with its key.
    """

    event_key: str
    event_type: str
    event_at: datetime
    sent_at: datetime
    message_id: str
    feedback_id: str | None
    is_identity: bool
    ordinal: int | None

    @property
    def group(self) -> object:
        """What the copies of one event share; reports without feedback id: message and second."""
        if self.event_type not in REPORTS:
            return self.event_key
        if self.feedback_id is not None:
            return self.feedback_id
        return self.event_type, self.message_id, self.event_at.replace(microsecond=0)


class Rank(NamedTuple):
    """Of an arriving identity copy beside others of its key.

    It improves where its content is less than all before it, and is overtaken where one behind it
    improves again.
    """

    is_improving: bool
    is_overtaken: bool


def is_expired(copy: Copy, horizon: datetime | None) -> bool:
    """Whether the copy's message was pruned."""
    return horizon is not None and copy.sent_at < horizon


@dataclass(slots=True)
class Told:
    """What becomes of the arriving ones.

    Attributes:
        fates: rows by their place in the conservation law.
        staying: the ordinals of rows that are in ``events`` once the batch is committed.
        passed_over: rows that are new, and gave way in the batch already.
        giving_way: stored copies that go.
    """

    fates: Counter[str] = field(default_factory=Counter)
    staying: list[int] = field(default_factory=list)
    passed_over: int = 0
    giving_way: list[Copy] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """The copies of one event: which forms are stored, and what arrives first of either."""

    has_published: bool = False
    has_identity: bool = False
    first_published: int | None = None
    first_identity: int | None = None


_UNRIVALLED: Final = Rank(is_improving=False, is_overtaken=False)


def tell(
    arriving: Iterable[Copy],
    stored: Sequence[Copy],
    ranks: Mapping[int, Rank],
    horizon: datetime | None,
) -> Told:
    """Say of each arriving copy what becomes of it, and which stored ones give way.

    Args:
        arriving: whose ordinals are those of their batch.
        stored: copies of theirs that are there, a row once or twice.
        ranks: by ordinal, of identity copies that share their key.
        horizon: the instant before which messages have been pruned.
    """
    ordered = sorted(arriving, key=_place)
    is_published = {copy.event_key: not copy.is_identity for copy in stored}
    groups = _gather(ordered, stored, horizon)
    told = Told()
    seen: set[tuple[str, bool]] = set()
    superseded: set[object] = set()
    for copy in ordered:
        rank = ranks.get(_place(copy), _UNRIVALLED)
        group = groups[copy.group]
        form = (copy.event_key, copy.is_identity)
        fate = "expired"
        if not is_expired(copy, horizon):
            is_stored_published = is_published.get(copy.event_key)
            fate = _judge(copy, group, rank, is_stored_published, is_repeated=form in seen)
        seen.add(form)
        told.fates[fate] += 1
        if fate not in {"inserted", "superseded"}:
            continue
        if copy.is_identity and (group.first_published is not None or rank.is_overtaken):
            told.passed_over += 1
        else:
            told.staying.append(_place(copy))
        if fate == "superseded":
            superseded.add(form if copy.is_identity else copy.group)
    told.giving_way = [
        copy
        for copy in {copy.event_key: copy for copy in stored if copy.is_identity}.values()
        if copy.group in superseded or (copy.event_key, True) in superseded
    ]
    return told


def _gather(
    arriving: Iterable[Copy], stored: Iterable[Copy], horizon: datetime | None
) -> dict[object, _Group]:
    """Gather copies by what those of one event share; ``arriving`` in their order."""
    groups: dict[object, _Group] = {}
    for copy in stored:
        group = groups.setdefault(copy.group, _Group())
        group.has_identity |= copy.is_identity
        group.has_published |= not copy.is_identity
    for copy in arriving:
        group = groups.setdefault(copy.group, _Group())
        if is_expired(copy, horizon):
            continue
        if copy.is_identity and group.first_identity is None:
            group.first_identity = _place(copy)
        elif not copy.is_identity and group.first_published is None:
            group.first_published = _place(copy)
    return groups


def _judge(
    copy: Copy, group: _Group, rank: Rank, is_stored_published: bool | None, *, is_repeated: bool
) -> str:
    """Give the fate of an arriving copy; ``is_stored_published`` is None where none is stored."""
    if copy.is_identity:
        if group.has_published or _is_first(group.first_published, copy):
            return "duplicate"
        if rank.is_improving:
            return "superseded"
        return "duplicate" if is_repeated or is_stored_published is not None else "inserted"
    if is_repeated or is_stored_published:
        return "duplicate"
    if group.has_identity or _is_first(group.first_identity, copy):
        return "superseded"
    return "inserted"


def _is_first(place: int | None, copy: Copy) -> bool:
    return place is not None and place < _place(copy)


def _place(copy: Copy) -> int:
    assert copy.ordinal is not None, copy  # noqa: S101 - an arriving one has one
    return copy.ordinal
