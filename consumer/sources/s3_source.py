"""SES events from the objects of a bucket that sends no notices: listed, read, remembered."""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from consumer.envelope import Body, Envelope
from consumer.errors import ObjectGone, SourceError
from consumer.sources.s3_bucket import S3Bucket, S3Object, S3Place
from consumer.sources.s3_listing import Listing, to_position
from consumer.sources.s3_read_ahead import AheadBody, ReadAhead

_MAX_RETRY_SECS = 900.0
# More wait for the next sweep, which finds them again.
_MAX_RETRIES_HELD = 1_000
# A batch of many small objects holds this many at most.
_MAX_OUT = 10_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """What a bucket's source may be told.

    Attributes:
        place: bucket, prefix, access.
        poll_secs: from the end of a poll to the next.
        sweep_secs: how often everything is listed, where that takes more than ten requests.
        look_back_secs: how late a key may be in key order and still be found by the next poll
            instead of the next sweep.
        objects_at_once: handed out together, and read ahead beside them.
    """

    place: S3Place
    poll_secs: float = 60.0
    sweep_secs: float = 3_600.0
    look_back_secs: float = 86_400.0
    objects_at_once: int = 8


@dataclass(slots=True, eq=False)
class ListedBody:
    """An object's bytes; one deleted since it was listed is empty, and known as gone.

    Attributes:
        is_gone: whether reading found that the object is not there any more.
    """

    body: Body
    origin: str
    is_gone: bool = False

    def chunks(self) -> Iterator[bytes]:
        """Stream the object; raises as `S3Body` does, `ObjectGone` only half-way."""
        has_begun = False
        try:
            for chunk in self.body.chunks():
                has_begun = True
                yield chunk
        except ObjectGone:
            if has_begun:
                raise
            self.is_gone = True
            _log.warning("s3_object_gone", origin=self.origin, next="skipped")


@dataclass(slots=True, eq=False)
class _Handed:
    """An object given out: what its envelope's receipt is."""

    found: S3Object
    attempts: int
    body: ListedBody | None
    ahead: AheadBody | None
    is_settled: bool = False


@dataclass(order=True, slots=True)
class _Retry:
    due_at: float
    order: int
    found: S3Object = field(compare=False)
    attempts: int = field(compare=False)


class S3Source:
    """A bucket as a `consumer.sources.base.ResumingSource`; also what finds lost notices.

    Which objects were taken in is kept in the warehouse's ``positions``, key → ETag, committed
    with their rows: nothing depends on keys coming in order, and an object written anew under
    its old key is read again. An object read twice is only waste, as rows are known by content.

    Objects of no bytes and folder markers count as empty without being asked for. One deleted
    between listing and reading is skipped, logged and counted as empty, and not remembered.
    One that cannot be read is handed out again, later each time, and never holds the others up.

    Args:
        options: the bucket and the bounds.
        clock: seconds, monotonic.
        wall_clock: the time now, aware.

    Attributes:
        gone: objects that were deleted before they were read.
    """

    def __init__(
        self,
        options: S3Options,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options = options
        self._clock = clock
        self._wall_clock = wall_clock
        self._bucket = S3Bucket(options.place)
        self._listing = Listing(
            options.place.prefix,
            poll_secs=options.poll_secs,
            sweep_secs=options.sweep_secs,
            look_back=timedelta(seconds=options.look_back_secs),
        )
        self._ready: deque[tuple[S3Object, int]] = deque()
        self._begun: dict[tuple[str, str], AheadBody] = {}
        self._held: set[tuple[str, str]] = set()  # ready, out, or waiting to be tried again
        self._retries: list[_Retry] = []
        self._order = itertools.count()
        self._out: set[_Handed] = set()
        self._unread: deque[AheadBody] = deque()
        self._closing = threading.Event()
        self._read_ahead: ReadAhead | None = None
        self.gone = 0

    @property
    def name(self) -> str:
        """``s3:`` and bucket and prefix."""
        return self._options.place.name

    @property
    def exhausted(self) -> bool:
        """Never: a bucket may always get another object."""
        return False

    def restore(self, positions: Mapping[str, str]) -> None:
        """Take in which objects are committed: key → ETag and time."""
        self._listing.restore(positions)

    def positions(self, envelopes: Sequence[Envelope]) -> Mapping[str, str]:
        """Return key → ETag and time of the objects, to be committed with their last rows."""
        return {
            handed.found.key: to_position(handed.found)
            for handed in _handed_of(envelopes)
            if not _is_gone(handed)
        }

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:
        """Hand out objects that are not committed, in key order; lists when there are none left.

        A page of a listing under way may take longer than ``wait_secs``. Raises what listing
        raised; the next call goes on behind the last key listed.
        """
        deadline = self._clock() + wait_secs
        while not self._closing.is_set():
            now = self._clock()
            self._ready_retries(now)
            is_listing = not self._ready and self._list_on(now)
            if self._ready:
                return self._hand_out(limit)
            rest_secs = deadline - self._clock()
            if rest_secs <= 0:
                break
            if not is_listing:
                self._closing.wait(max(0.0, min(rest_secs, self._next_at() - self._clock())))
        return []

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Remember objects as taken in, until the process ends; the warehouse has it for good."""
        for handed in self._settle(envelopes):
            self._held.discard(_identity(handed.found))
            if _is_gone(handed):
                self.gone += 1
            else:
                self._listing.note_committed(handed.found)

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        """Hand objects out again: at once, then later and later."""
        for handed in self._settle(envelopes):
            if len(self._retries) >= _MAX_RETRIES_HELD:
                self._held.discard(_identity(handed.found))
                continue
            delay_secs = min(_MAX_RETRY_SECS, 2.0 ** (handed.attempts - 1)) * (handed.attempts > 0)
            due_at = self._clock() + delay_secs
            retry = _Retry(due_at, next(self._order), handed.found, handed.attempts + 1)
            heapq.heappush(self._retries, retry)

    def close(self) -> None:
        """Stop listing and reading. Twice is once; what is out is listed again by the next run."""
        if self._closing.is_set():
            return
        self._closing.set()
        for ahead in [*self._begun.values(), *(one.ahead for one in self._out if one.ahead)]:
            ahead.cancel()
        if self._read_ahead is not None:
            self._read_ahead.close()
        self._bucket.close()

    def probe(self) -> list[str]:
        """Ask the bucket about itself, reading nothing: what `duckpost check` shows."""
        return self._bucket.probe()

    def _list_on(self, now: float) -> bool:
        """List one more page if it is time; returns whether it was."""
        planned = self._listing.next_stretch(now)
        if planned is None:
            return False
        stretch, token = planned
        try:
            page = self._bucket.list_page(
                prefix=stretch.prefix, start_after=stretch.start_after, token=token
            )
        except SourceError:
            self._listing.forget_token()
            raise
        for found in self._listing.take(page, self._clock()):
            if _identity(found) not in self._held:
                self._held.add(_identity(found))
                self._ready.append((found, 0))
        return True

    def _ready_retries(self, now: float) -> None:
        while self._retries and self._retries[0].due_at <= now:
            retry = heapq.heappop(self._retries)
            self._ready.append((retry.found, retry.attempts))

    def _next_at(self) -> float:
        """When there is something to do again, if nothing else happens."""
        retry_at = self._retries[0].due_at if self._retries else float("inf")
        return min(self._listing.due_at, retry_at)

    def _hand_out(self, limit: int) -> list[Envelope]:
        received_at = self._wall_clock()
        at_once = self._options.objects_at_once
        # What goes out now and the next as many are on their way together.
        for found, _ in itertools.islice(self._ready, 2 * at_once):
            self._begin(found)
        count = min(limit, at_once, len(self._ready), _MAX_OUT - len(self._out))
        return [self._make(*self._ready.popleft(), received_at) for _ in range(count)]

    def _begin(self, found: S3Object) -> None:
        identity = _identity(found)
        while self._unread and self._unread[0].is_taken:
            self._unread.popleft()
        has_room = len(self._begun) + len(self._unread) < 3 * self._options.objects_at_once
        if found.size and identity not in self._begun and has_room:
            if self._read_ahead is None:
                self._read_ahead = ReadAhead(self._options.objects_at_once)
            self._begun[identity] = self._read_ahead.open(self._bucket.open_body(found.key))

    def _make(self, found: S3Object, attempts: int, received_at: datetime) -> Envelope:
        origin = f"s3://{self._options.place.bucket}/{found.key}"
        ahead = self._begun.pop(_identity(found), None)
        if ahead is not None:
            self._unread.append(ahead)
        body = None
        if found.size:
            body = ListedBody(ahead or self._bucket.open_body(found.key), origin)
        handed = _Handed(found, attempts, body, ahead)
        self._out.add(handed)
        region = self._options.place.access.region
        return Envelope(b"" if body is None else body, handed, origin, received_at, region)

    def _settle(self, envelopes: Sequence[Envelope]) -> list[_Handed]:
        settled = []
        for handed in _handed_of(envelopes):
            if handed.is_settled:
                continue
            handed.is_settled = True
            self._out.discard(handed)
            if handed.ahead is not None:
                handed.ahead.cancel()
            settled.append(handed)
        return settled


def _handed_of(envelopes: Sequence[Envelope]) -> list[_Handed]:
    return [envelope.receipt for envelope in envelopes if isinstance(envelope.receipt, _Handed)]


def _identity(found: S3Object) -> tuple[str, str]:
    return found.key, found.etag


def _is_gone(handed: _Handed) -> bool:
    return handed.body is not None and handed.body.is_gone
