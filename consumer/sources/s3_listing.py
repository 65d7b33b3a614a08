"""What to list next of a bucket that sends no notices, and which of it is new.

Three ideas keep this both complete and cheap:

- Every object taken in is remembered by key and ETag. So an object is new whatever its place in
  key order and whatever its time, and one that was written anew under its old key is new too
  (Firehose may do that after a partial failure).
- A *sweep* lists everything: what it finds is complete by itself. A small place is swept at
  every poll, a large one now and then.
- Between sweeps of a large place, a poll lists only where new keys are to be expected: behind
  the part of the key that comes before its date, from the oldest key of the last hours on. Late
  keys, and several streams under one prefix, are found so; what is not, the next sweep finds.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from consumer.sources.s3_bucket import Page, S3Object

# So many pages, at $0.005 per thousand requests, are nobody's cost.
_CHEAP_PAGES: Final = 10
_MAX_HEADS: Final = 50
_YEAR: Final = re.compile(r"(?:19|20)\d\d(?=\D)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Keys to list: those that begin with ``prefix`` and come after ``start_after``."""

    prefix: str
    start_after: str = ""
    is_sweep: bool = False


class KnownObjects:
    """Which objects were taken in, 16 bytes each: key and ETag as one hash."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._listed: set[bytes] = set()

    def __contains__(self, one: S3Object) -> bool:
        return digest(one) in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, one: S3Object) -> None:
        """Remember that an object was taken in."""
        self._digests.add(digest(one))

    def note_listed(self, objects: Iterable[S3Object]) -> None:
        """Note what a sweep finds."""
        self._listed.update(map(digest, objects))

    def end_sweep(self) -> None:
        """Forget objects that are no longer there, so that memory follows the bucket's size."""
        self._digests &= self._listed
        self._listed = set()


def digest(one: S3Object) -> bytes:
    """Hash key and ETag to 16 bytes."""
    return hashlib.blake2b(f"{one.key}\0{one.etag}".encode(), digest_size=16).digest()


def find_head(key: str) -> str | None:
    """Return what comes before a key's date (its first year); None where it has none.

    Keys with one head sort by time: ``stream-a/2026/11/22/13/…``, ``dt=2026-11-22/…``.
    """
    year = _YEAR.search(key)
    return key[: year.start()] if year else None


@dataclass(slots=True)
class _Tail:
    newest_at: datetime
    recent: dict[str, datetime] = field(default_factory=dict)


class Tails:
    """Where keys of the last hours begin, for each head.

    Args:
        look_back: how long before a head's newest object a key may be late and still be found
            by the next poll.
    """

    def __init__(self, look_back: timedelta) -> None:
        self._look_back = look_back
        self._tails: dict[str, _Tail] = {}

    def note(self, one: S3Object) -> None:
        """Take an object in that is committed."""
        head = find_head(one.key)
        if head is None:
            return
        tail = self._tails.setdefault(head, _Tail(one.modified_at))
        tail.newest_at = max(tail.newest_at, one.modified_at)
        if one.modified_at >= tail.newest_at - self._look_back:
            tail.recent[one.key] = one.modified_at

    def find_stretches(self) -> list[Stretch]:
        """Return what a poll lists: each head's end, of the heads that were written to last."""
        newest = sorted(self._tails.items(), key=lambda item: item[1].newest_at)[-_MAX_HEADS:]
        self._tails = dict(newest)
        stretches = []
        for head, tail in newest:
            horizon = tail.newest_at - self._look_back
            tail.recent = {key: at for key, at in tail.recent.items() if at >= horizon}
            # One letter less sorts right before the key, which may have been written anew.
            if tail.recent:
                stretches.append(Stretch(head, min(tail.recent)[:-1]))
        return sorted(stretches, key=lambda stretch: stretch.prefix)


class Listing:
    """Decides what to list and when, and sorts out what is new.

    Args:
        prefix: of the place.
        poll_secs: from the end of a poll to the next.
        sweep_secs: from the end of a sweep to the next, where there is much to list.
        look_back: see `Tails`.
    """

    def __init__(
        self, prefix: str, *, poll_secs: float, sweep_secs: float, look_back: timedelta
    ) -> None:
        self._prefix = prefix
        self._poll_secs = poll_secs
        self._sweep_secs = sweep_secs
        self.known = KnownObjects()
        self._tails = Tails(look_back)
        self._plan: list[Stretch] = []
        self._token: str | None = None
        self._pages = 0
        self._is_small = False
        self.due_at = float("-inf")
        self._sweep_at = float("-inf")

    def restore(self, positions: Mapping[str, str]) -> None:
        """Take in what was committed by earlier runs: key → `to_position`."""
        for key, position in positions.items():
            etag, _, modified = position.partition(" ")
            self.note_committed(S3Object(key, etag, 0, datetime.fromisoformat(modified)))

    def note_committed(self, one: S3Object) -> None:
        """Remember an object whose rows are committed."""
        self.known.add(one)
        self._tails.note(one)

    def next_stretch(self, now: float) -> tuple[Stretch, str | None] | None:
        """Return what to list now and its page's token; None while no poll is due."""
        if not self._plan:
            if now < self.due_at:
                return None
            self._plan = self._make_plan(now)
        if not self._plan:  # keys without dates, too many to list each time
            self.due_at = self._sweep_at
            return None
        return self._plan[0], self._token

    def take(self, page: Page, now: float) -> list[S3Object]:
        """Note a page of the stretch at hand; return what in it was not taken in yet."""
        stretch = self._plan[0]
        self._pages += 1
        if stretch.is_sweep:
            self.known.note_listed(page.objects)
        self._token = page.next_token
        if page.next_token is not None:
            # Tokens may lapse: after a fault the listing goes on behind the last key.
            if page.objects:
                last_key = page.objects[-1].key
                self._plan[0] = Stretch(stretch.prefix, last_key, stretch.is_sweep)
        else:
            self._plan.pop(0)
            if stretch.is_sweep:
                self.known.end_sweep()
                self._is_small = self._pages <= _CHEAP_PAGES
                self._sweep_at = now + self._sweep_secs
            self._pages = 0
            if not self._plan:
                self.due_at = now + self._poll_secs
        return [one for one in page.objects if one not in self.known]

    def forget_token(self) -> None:
        """Go on behind the last key at the next try: listing failed."""
        self._token = None

    def _make_plan(self, now: float) -> list[Stretch]:
        self._pages = 0
        if self._is_small:
            return [Stretch(self._prefix, is_sweep=True)]
        stretches = self._tails.find_stretches()
        if now >= self._sweep_at:
            stretches.append(Stretch(self._prefix, is_sweep=True))
        return stretches


def to_position(one: S3Object) -> str:
    """Write down what `Listing.restore` needs of an object beside its key."""
    return f"{one.etag} {one.modified_at.astimezone(UTC).isoformat()}"
