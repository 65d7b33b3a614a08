"""Keeping messages hidden for as long as they are worked on."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from consumer.errors import SourceError
from consumer.sources.sqs_client import MAX_BATCH_ENTRIES, SqsClient
from consumer.sources.sqs_holdings import VISIBILITY_CEILING_SECS, Held, Holdings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Extends what is held, buffered or handed out, before its visibility ends.

    Attributes:
        client: of the queue.
        holdings: what is held; guarded by `changed`.
        changed: the source's condition.
        visibility_secs: what an extension sets, and a receive before it.
        clock: seconds, monotonic: a wall clock that jumps must not end or keep anything.
    """

    client: SqsClient
    holdings: Holdings
    changed: threading.Condition
    visibility_secs: int
    clock: Callable[[], float]

    def beat_until(self, closing: threading.Event) -> None:
        """Beat every sixth of the visibility timeout: a message is extended before half is over."""
        interval_secs = self.visibility_secs / 6
        # Jitter, because workers started together would otherwise beat together.
        while not closing.wait(interval_secs * (0.8 + 0.2 * random.random())):  # noqa: S311
            self.beat()

    def beat(self) -> None:
        """Extend what was hidden a third of the timeout ago, and let go at SQS's 12 hours."""
        now = self.clock()
        with self.changed:
            due = self.holdings.find_due(now, self.visibility_secs / 3)
            expired = [
                held for held in due if now - held.received_at >= VISIBILITY_CEILING_SECS - 1
            ]
            self.holdings.forget(expired)
            rest = [held for held in due if held.is_beating]
            if expired:
                self.changed.notify_all()
        if expired:
            _log.warning(
                "sqs_held_for_12_hours",
                queue=self.client.queue_name,
                messages=len(expired),
                next="they are redelivered, and recognised as duplicates",
            )
        for start in range(0, len(rest), MAX_BATCH_ENTRIES):
            self._extend(rest[start : start + MAX_BATCH_ENTRIES], now)

    def _extend(self, helds: Sequence[Held], now: float) -> None:
        changes = [(held.handle, self._find_extension_secs(held, now)) for held in helds]
        try:
            failed = self.client.change_visibility(changes)
        except SourceError as fault:
            # The next beat tries again; past the timeout they are redelivered, which is harmless.
            _log.warning("sqs_heartbeat_failed", queue=self.client.queue_name, reason=str(fault))
            return
        with self.changed:
            verdicts = {entry.position: entry for entry in failed}
            for position, held in enumerate(helds):
                if held.handle != changes[position][0]:
                    continue  # received anew meanwhile, and hidden by that
                verdict = verdicts.get(position)
                if verdict is None:
                    held.hidden_at = now
                elif verdict.is_sender_fault:
                    # Not in flight any more: it comes again, with a handle that beats anew.
                    held.is_beating = False

    def _find_extension_secs(self, held: Held, now: float) -> int:
        until_ceiling_secs = int(held.received_at + VISIBILITY_CEILING_SECS - now)
        return min(self.visibility_secs, until_ceiling_secs)
