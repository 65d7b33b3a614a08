"""One source on its thread: receive, decode, write, and ack once it is committed."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode, refuse
from consumer.decoded import Reason
from consumer.envelope import Envelope
from consumer.errors import (
    EnvelopesLost,
    ObjectGone,
    PositionMoved,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    WarehouseFull,
)
from consumer.settings import BatchSettings
from consumer.sources.base import FencedSource, ResumingSource, Source, Step
from consumer.telemetry import State, Telemetry
from consumer.warehouse import WriteResult

RECEIVE_LIMIT = 1_000
IDLE_WAIT_SECS = 1.0  # also how long a quiet source may take to notice that it should stop
DENIED_WAIT_SECS = 60.0  # somebody has to act; asking more often only fills their logs
FEWEST_ROWS = 100


class Stop:
    """Tells every thread of the worker to come to an end, and wakes those that wait.

    Attributes:
        is_broken: the warehouse may not be written any more: hand everything back, flush nothing.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.is_broken = False

    @property
    def is_asked(self) -> bool:
        """Whether to come to an end."""
        return self._event.is_set()

    def ask(self) -> None:
        """Ask for an orderly end: commit and ack what is decoded, hand the rest back."""
        self._event.set()

    def break_off(self) -> None:
        """Ask for an end that leaves the warehouse alone."""
        self.is_broken = True
        self._event.set()

    def wait(self, secs: float) -> None:
        """Wait, at most until somebody asks for the end."""
        self._event.wait(secs)


class Backoff:
    """Delays that double from ``first_secs`` to ``most_secs``, the upper half of each by chance."""

    def __init__(
        self,
        *,
        first_secs: float = 0.5,
        most_secs: float = 60.0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._first_secs = first_secs
        self._most_secs = most_secs
        self._draw = draw
        self._failures = 0

    def next_secs(self) -> float:
        """Return how long to wait after one more failure."""
        ceiling = min(self._most_secs, self._first_secs * float(2**self._failures))
        self._failures = min(self._failures + 1, 32)
        return ceiling * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """Start over: something worked."""
        self._failures = 0


class Intake:
    """The loop over one source.

    Every envelope received is acked after the batch with the last of its rows committed, or
    nacked. `run` returns when asked to stop or when the source is exhausted; it raises only
    what the whole process must answer for: a warehouse that may not go on, or a defect.

    Args:
        source: called from the thread that calls `run` and from no other.
        builder: makes the source's batches.
        write: commits a batch; shared by all sources, thread-safe.
        has_room: whether the disk has the configured free space.
        limits: when a batch closes.
        telemetry: told of every state and batch.
        stop: the worker's.
        clock: monotonic seconds.
        backoff: delays after failures.
    """

    def __init__(  # noqa: PLR0913 - what a loop needs, each by name
        self,
        source: Source,
        *,
        builder: BatchBuilder,
        write: Callable[[Batch], WriteResult],
        has_room: Callable[[], bool],
        limits: BatchSettings,
        telemetry: Telemetry,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self.source = source
        self._resuming = source if isinstance(source, ResumingSource) else None
        self._fenced = source if isinstance(source, FencedSource) else None
        self._builder = builder
        self._write = write
        self._has_room = has_room
        self._limits = limits
        self._max_rows = limits.max_rows
        self._is_full = False
        self._refused = ""  # why an envelope among others could not be read
        self._refused_until = 0.0
        self._telemetry = telemetry
        self._stop = stop
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._log = structlog.get_logger().bind(source=source.name)
        self._received: deque[Envelope] = deque()  # not yet decoded to their end
        self._decoded: list[Envelope] = []  # acked once the batch at hand is committed
        self._opened_at: float | None = None
        self._decode_secs = 0.0
        telemetry.add_source(source.name)

    def run(self) -> None:
        """Take in what the source delivers until asked to stop or until it is exhausted.

        1. Receive, when the disk has room.
        2. Decode each envelope into the batch at hand, closing it as often as it is full.
        3. Write the batch when it is due, or when nothing more is coming.
        """
        is_done = False
        try:
            while not (self._stop.is_asked or is_done):
                try:
                    is_done = self._step()
                except WarehouseFull as error:
                    self._is_full = True
                    self._give_back()
                    self._pause("warehouse_full", error, self._backoff.next_secs())
                except (EnvelopesLost, PositionMoved) as error:
                    self._log.warning("batch dropped, to be received anew", error=str(error))
                    self._give_back()
                    self._stop.wait(self._backoff.next_secs())
            self._finish()
        finally:
            self._give_back()
        if is_done:
            self._telemetry.set_state(self.source.name, "done")

    def _step(self) -> bool:
        """Go round once; returns whether the source is exhausted and all of it settled."""
        try:
            if not self._has_room():
                raise WarehouseFull("the disk is below warehouse.min_free_bytes")
            self._receive()  # 1
            is_idle = not self._received
            refused: list[SourceDenied] = []
            is_any_read = False
            while self._received and not self._stop.is_asked:
                try:
                    is_any_read |= self._take(self._received[0])  # 2
                except SourceDenied as error:
                    refused.append(error)
                if self._is_due():
                    self._flush()  # 3
            if refused:
                self._note_refused(refused[0], is_all=not is_any_read)
            if is_idle or self._is_due():
                self._flush()
        except SourceDenied as error:
            self._flush()
            self._pause("denied", error, DENIED_WAIT_SECS)
        except SourceUnavailable as error:
            self._flush()
            self._pause("unavailable", error, self._backoff.next_secs())
        else:
            return is_idle and self.source.exhausted
        return False

    def _receive(self) -> None:
        wait_secs = IDLE_WAIT_SECS
        if self._opened_at is not None:
            due_at = self._opened_at + self._limits.flush_secs
            wait_secs = max(0.0, min(wait_secs, due_at - self._clock()))
        self._received.extend(self.source.receive(limit=RECEIVE_LIMIT, wait_secs=wait_secs))
        if not (self._is_full and self._received):  # else the next commit decides
            self._note_up()

    def _take(self, envelope: Envelope) -> bool:
        """Decode the oldest received envelope into the batch, or hand it back half-way.

        Returns whether it was decoded to its end. Raises `SourceDenied` once it is handed back.
        Rows of an envelope handed back may be committed already: it comes again, and they are
        recognised as duplicates.
        """
        started = self._clock()
        try:
            for decoded in decode(envelope):
                if self._is_due():
                    self._decode_secs += self._clock() - started
                    self._flush()
                    started = self._clock()
                if self._stop.is_asked and not isinstance(envelope.body, bytes):
                    return False  # what is streamed may be long; it comes again
                if self._opened_at is None:
                    self._opened_at = started
                self._builder.add(decoded)
        except SourceError as error:
            if isinstance(error, ObjectGone) and error.is_final:
                self._builder.add(refuse(envelope, Reason.OBJECT_GONE, str(error), error.notice))
                self._opened_at = started if self._opened_at is None else self._opened_at
                self._decoded.append(self._received.popleft())
                return True
            self._received.popleft()
            self.source.nack([envelope])
            self._log.warning("envelope handed back", origin=envelope.origin, error=str(error))
            if isinstance(error, SourceDenied):
                raise
            return False
        else:
            self._decoded.append(self._received.popleft())
            return True
        finally:
            self._decode_secs += self._clock() - started

    def _is_due(self) -> bool:
        if self._opened_at is None:
            return False
        return (
            max(self._builder.rows, self._builder.payloads) >= self._max_rows
            or self._builder.payload_bytes >= self._limits.max_bytes
            or self._clock() - self._opened_at >= self._limits.flush_secs
        )

    def _flush(self) -> None:
        """Commit the batch at hand, then ack the envelopes that end in it."""
        step = self._fenced.step(self._decoded) if self._fenced else None
        if self._builder.is_empty and not (step and step.positions):
            self._settle()
            return
        payload_bytes = self._builder.payload_bytes
        batch = self._finish_batch(step)
        self._opened_at = None
        self._telemetry.batch_closed(batch)
        started = self._clock()
        is_committed = False
        try:
            result = self._write(batch)
            is_committed = True
        except WarehouseFull:
            # Too much for the memory limit, perhaps: half of it may fit.
            self._max_rows = max(FEWEST_ROWS, self._max_rows // 2)
            raise
        finally:
            if not is_committed:
                self._telemetry.batch_returned(batch)
        self._settle()
        self._telemetry.batch_committed(
            batch,
            result,
            payload_bytes=payload_bytes,
            decode_secs=self._decode_secs,
            write_secs=self._clock() - started,
        )
        self._decode_secs = 0.0
        self._max_rows = min(self._limits.max_rows, self._max_rows * 2)
        self._note_up()

    def _finish_batch(self, step: Step | None) -> Batch:
        if step is not None:
            return self._builder.finish(
                positions=step.positions, expects=step.expects, positions_of=step.positions_of
            )
        positions = self._resuming.positions(self._decoded) if self._resuming else None
        return self._builder.finish(positions=positions)

    def _settle(self) -> None:
        if self._decoded or self._fenced:
            self.source.ack(self._decoded)
            self._decoded = []

    def _finish(self) -> None:
        """Commit and ack what is decoded, unless the warehouse must be left alone."""
        if self._stop.is_broken:
            return
        try:
            self._flush()
        except (WarehouseFull, EnvelopesLost, PositionMoved) as error:
            self._log.warning("left without the last batch", error=str(error))

    def _give_back(self) -> None:
        """Nack all that is held and forget the batch at hand."""
        held = [*self._decoded, *self._received]
        self._decoded = []
        self._received.clear()
        self._opened_at = None
        if not self._builder.is_empty:
            self._builder.finish()
        if held:
            self.source.nack(held)

    def _note_refused(self, error: SourceDenied, *, is_all: bool) -> None:
        """Tell of envelopes that may not be read; the source rests only when none could be.

        One object in a bucket must not hold up the others: it was handed back, and comes again
        later each time.
        """
        if is_all:
            raise error
        self._refused, self._refused_until = str(error), self._clock() + DENIED_WAIT_SECS
        self._note_up()

    def _note_up(self) -> None:
        self._is_full = False
        self._backoff.reset()
        if self._clock() < self._refused_until:
            self._telemetry.set_state(self.source.name, "denied", self._refused)
            return
        if self._fenced is not None:
            condition = self._fenced.condition
            self._telemetry.set_progress(
                self.source.name, lag=condition.lag, skipped=condition.skipped
            )
            if condition.ailment:  # of some of its parts; the others go on
                self._telemetry.set_state(self.source.name, "denied", condition.ailment)
                return
        self._telemetry.set_state(self.source.name, "up")

    def _pause(self, state: State, error: Exception, secs: float) -> None:
        self._telemetry.set_state(self.source.name, state, str(error))
        self._stop.wait(secs)
