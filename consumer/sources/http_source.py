"""A source that is sent to: each request becomes an envelope, each settled envelope an answer."""

import asyncio
import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from consumer.envelope import Body, Envelope
from consumer.sources.http_refusal import Refusal, Why

_MIB = 1024 * 1024
_ARN_REGION = 3
RETRY_AFTER_SECS = 5
WARN_AGAIN_SECS = 60.0

_log = structlog.get_logger()


class Outcome(Enum):
    """What became of a request's envelope, as far as its sender may know."""

    COMMITTED = "every row of it is in the warehouse"
    RETURNED = "the worker handed it back; send it again"
    LATE = "not settled in the time a sender waits; send it again, it is a duplicate at worst"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one source holds, and how long a sender may be kept waiting.

    Attributes:
        max_in_flight: requests being received, waiting or being worked on; one more gets a 503.
        max_in_flight_bytes: the same in bytes of their bodies, decompressed.
        answer_secs: from a request's headers to its answer, whatever happens.
    """

    max_in_flight: int = 1_000
    max_in_flight_bytes: int = 256 * _MIB
    answer_secs: float = 170.0


class Admission:
    """One request's share of the bounds; an envelope's receipt. Guarded by its source's lock.

    Attributes:
        size: bytes it holds.
        is_over: whether its share was given back.
    """

    __slots__ = ("answer", "is_over", "loop", "size", "started_at")

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.size = 0
        self.is_over = False
        self.loop: asyncio.AbstractEventLoop | None = None
        self.answer: asyncio.Future[Outcome] | None = None


class HttpSource(ABC):
    """The half of a `consumer.sources.base.Source` that all senders over HTTP share.

    The server's loop calls `answer` for each request; the worker's thread calls the rest. A
    request is answered with success only when its envelope is acked. It is answered with 503
    when the envelope is nacked, when the bounds are reached, when the source closes, and when
    the sender would stop waiting; then the envelope may still be committed, and what the sender
    sends again is recognised as a duplicate.

    Opens no socket: whoever makes the source serves `paths` (see `consumer.sources.http_app`).

    Args:
        kind: the first half of its name.
        path: where it is served, the second half.
        bounds: what it holds at most.
        clock: monotonic seconds.
    """

    def __init__(
        self, kind: str, path: str, bounds: Bounds, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self._name = f"{kind}:{path}"
        self._bounds = bounds
        self._clock = clock
        self._changed = threading.Condition()
        self._ready: OrderedDict[Admission, Envelope] = OrderedDict()
        self._waiting: set[Admission] = set()  # for an answer, handed out or not
        self._count = 0
        self._size = 0
        self._is_closed = False
        self._answers: Counter[tuple[int, str]] = Counter()
        self._warned_at: dict[Why, float] = {}

    # --- the worker's side -----------------------------------------------------------------

    @property
    def name(self) -> str:
        """``firehose:/path`` or ``sns:/path``."""
        return self._name

    @property
    def exhausted(self) -> bool:
        """Never: somebody may always send another request."""
        return False

    @property
    def in_flight(self) -> tuple[int, int]:
        """Requests in our hands, those still being received included, and bytes of them."""
        with self._changed:
            return self._count, self._size

    def count_answers(self) -> dict[tuple[int, str], int]:
        """Answers given so far, by status and reason (`Why`, or ``committed``)."""
        with self._changed:
            return dict(self._answers)

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:
        """Take requests that are complete, in the order in which they became so."""
        deadline = time.monotonic() + wait_secs
        with self._changed:
            while not self._ready:
                remaining_secs = deadline - time.monotonic()
                if remaining_secs <= 0 or self._is_closed:
                    return []
                self._changed.wait(remaining_secs)
            return [self._ready.popitem(last=False)[1] for _ in range(min(limit, len(self._ready)))]

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Have the senders answered: it is committed."""
        self._settle(_admissions_of(envelopes), Outcome.COMMITTED)

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        """Have the senders answered with 503, so that they send again."""
        self._settle(_admissions_of(envelopes), Outcome.RETURNED)

    def close(self) -> None:
        """Answer all that is not acked with 503, and every request to come. Twice is once."""
        with self._changed:
            self._is_closed = True
            unsettled = list(self._waiting)
            self._ready.clear()
            self._changed.notify_all()
        self._settle(unsettled, Outcome.RETURNED)

    # --- the server's side -----------------------------------------------------------------

    @property
    def paths(self) -> Sequence[str]:
        """Every path it answers, as Starlette writes them."""
        return [self.path]

    async def answer(self, request: Request) -> Response:
        """Answer one request and count the answer; the server's loop calls it."""
        try:
            response, reason = await self._take(request), "committed"
        except Refusal as refusal:
            response, reason = self._to_response(request, refusal), refusal.why.value
            if refusal.status == Refusal.UNAVAILABLE:
                response.headers["Retry-After"] = str(RETRY_AFTER_SECS)
            self._warn(refusal)
        except ClientDisconnect:
            response, reason = Response(status_code=400), "disconnected"  # nobody reads it
        with self._changed:
            self._answers[response.status_code, reason] += 1
        return response

    @abstractmethod
    async def _take(self, request: Request) -> Response:
        """Take the request in and answer it with success; raise `Refusal` otherwise."""

    @abstractmethod
    def _to_response(self, request: Request, refusal: Refusal) -> Response:
        """Say a refusal as this kind of sender expects it."""

    @contextlib.contextmanager
    def _admitted(self) -> Iterator[Admission]:
        """Give a request its share of the bounds, until it is over or becomes an envelope."""
        with self._changed:
            if self._is_closed:
                raise Refusal(Why.CLOSING, "duckpost is stopping; send it again")
            if self._count >= self._bounds.max_in_flight:
                raise Refusal(Why.OVERLOADED, "too many requests are in flight; send it again")
            self._count += 1
        admission = Admission(self._clock())
        try:
            yield admission
        finally:
            with self._changed:
                if admission.answer is None:
                    self._forget(admission)

    def _grow(self, admission: Admission, size: int) -> None:
        """Count bytes of the request's body; refuses what would break the bound."""
        with self._changed:
            if self._size + size > self._bounds.max_in_flight_bytes:
                raise Refusal(Why.OVERLOADED, "too many bytes are in flight; send it again")
            admission.size += size
            self._size += size

    async def _deliver(
        self,
        admission: Admission,
        body: bytes | Body,
        *,
        region: str | None,
        account: str | None = None,
        sender: str = "",
    ) -> None:
        """Hand the body to the worker; return once it is committed, else raise `Refusal`.

        Args:
            admission: the request's.
            body: what to decode.
            region: see `Envelope`.
            account: see `Envelope`.
            sender: what to call the sender in the envelope's origin, beside our own name.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()
        origin = f"{self._name} {sender}" if sender else self._name
        envelope = Envelope(body, admission, origin, datetime.now(UTC), region, account)
        with self._changed:
            if self._is_closed:
                raise Refusal(Why.CLOSING, "duckpost is stopping; send it again")
            admission.loop, admission.answer = loop, answer
            self._ready[admission] = envelope
            self._waiting.add(admission)
            self._changed.notify_all()
        left_secs = admission.started_at + self._bounds.answer_secs - self._clock()
        try:
            done, _ = await asyncio.wait({answer}, timeout=max(0.0, left_secs))
        finally:
            with self._changed:
                # Not taken yet: nobody will answer for it. Taken: ack or nack gives it back.
                if self._ready.pop(admission, None) is not None:
                    self._forget(admission)
        outcome = answer.result() if done else Outcome.LATE
        if outcome is not Outcome.COMMITTED:
            why = Why.LATE if outcome is Outcome.LATE else Why.RETURNED
            raise Refusal(why, outcome.value)

    def _settle(self, admissions: Iterable[Admission], outcome: Outcome) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[Outcome]]] = {}
        with self._changed:
            for admission in admissions:
                if not admission.is_over and admission.loop is not None and admission.answer:
                    self._forget(admission)
                    by_loop.setdefault(admission.loop, []).append(admission.answer)
        for loop, answers in by_loop.items():
            # A loop that is closed has no connection left to answer on.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, answers, outcome)

    def _forget(self, admission: Admission) -> None:
        if not admission.is_over:
            admission.is_over = True
            self._waiting.discard(admission)
            self._count -= 1
            self._size -= admission.size

    def _warn(self, refusal: Refusal) -> None:
        """Log a refusal, each kind once a minute: a flood of forgeries is none of the log."""
        now = self._clock()
        if now - self._warned_at.get(refusal.why, -WARN_AGAIN_SECS) >= WARN_AGAIN_SECS:
            self._warned_at[refusal.why] = now
            _log.warning(
                "request refused",
                source=self._name,
                status=refusal.status,
                reason=refusal.why.value,
                detail=str(refusal),
            )


def find_arn_region(arn: str) -> str | None:
    """Return the region in an ARN, ``arn:partition:service:region:account:name``."""
    parts = arn.split(":")
    return (parts[_ARN_REGION] or None) if len(parts) > _ARN_REGION else None


def _admissions_of(envelopes: Iterable[Envelope]) -> list[Admission]:
    return [envelope.receipt for envelope in envelopes if isinstance(envelope.receipt, Admission)]


def _resolve(answers: Iterable[asyncio.Future[Outcome]], outcome: Outcome) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_result(outcome)
