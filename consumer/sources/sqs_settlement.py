"""Deletes and visibility changes, in tens, from threads of their own."""

import itertools
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from consumer.errors import SourceDenied, SourceError
from consumer.sources.sqs_client import MAX_BATCH_ENTRIES, FailedEntry, SqsClient
from consumer.sources.sqs_holdings import Held

_ATTEMPTS = 6
_BACK_OFF_SECS = 0.1

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Job:
    """Up to ten messages to delete, or to hide for ``visibility_secs`` of each."""

    action: str
    helds: Sequence[Held]
    visibility_secs: Sequence[int] | None = None


class Settlement:
    """Settles messages without making anybody wait for the queue's round trips.

    A delete of ten takes a round trip, so one thread would settle a few hundred messages a
    second; several keep up with the receivers. Nothing here raises: what stays unsettled is
    redelivered and recognised as duplicate.

    Args:
        client: of the queue.
        on_settled: called from a settling thread with messages that are done with, whatever
            became of them.
        on_denied: called with the fault when the queue refuses for good: deletes that never
            work would have everything redelivered for ever, so somebody must be told.
        closing: ends pauses between retries early.
        threads: how many settle at the same time.
    """

    def __init__(
        self,
        client: SqsClient,
        *,
        on_settled: Callable[[Sequence[Held]], None],
        on_denied: Callable[[SourceDenied], None],
        closing: threading.Event,
        threads: int,
    ) -> None:
        self._client = client
        self._on_settled = on_settled
        self._on_denied = on_denied
        self._closing = closing
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._settle_forever, name=f"sqs-settle-{n}", daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def delete(self, helds: Iterable[Held]) -> None:
        """Have messages deleted soon."""
        for ten in _in_tens(helds):
            self._jobs.put(_Job("delete", ten))

    def show_again(self, helds: Iterable[Held], back_off_secs: Callable[[Held], int]) -> None:
        """Have messages redelivered after their own delay, 0 for at once."""
        for ten in _in_tens(helds):
            delays = [back_off_secs(held) for held in ten]
            self._jobs.put(_Job("change_visibility", ten, delays))

    def drain(self, timeout_secs: float) -> None:
        """Finish what was asked for, within ``timeout_secs``, and end the threads."""
        deadline = time.monotonic() + timeout_secs
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            _log.warning(
                "sqs_left_unsettled",
                queue=self._client.queue_name,
                batches=self._jobs.qsize(),
                next="their messages are redelivered, and recognised as duplicates",
            )

    def _settle_forever(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._settle(job)
            self._on_settled(job.helds)

    def _settle(self, job: _Job) -> None:
        """Do a job, then again only what failed of it, with handles as new as there are."""
        left = list(range(len(job.helds)))
        for attempt in itertools.count(1):
            try:
                failed = self._send(job, left)
            except SourceDenied as fault:
                self._on_denied(fault)
                return
            except SourceError as fault:
                _log.warning("sqs_settling_failed", action=job.action, reason=str(fault))
                failed = [
                    FailedEntry(n, "Unavailable", str(fault), False) for n in range(len(left))
                ]
            hopeless = [entry for entry in failed if entry.is_sender_fault]
            # "Not in flight" and the like: the message has come again already, or will.
            self._report(job, hopeless)
            worth_it = [entry for entry in failed if not entry.is_sender_fault]
            left = [left[entry.position] for entry in worth_it]
            if not left:
                return
            if attempt == _ATTEMPTS:
                self._report(job, worth_it)
                return
            self._closing.wait(_BACK_OFF_SECS * 2**attempt * (0.5 + random.random() / 2))  # noqa: S311 - jitter

    def _send(self, job: _Job, positions: Sequence[int]) -> list[FailedEntry]:
        if job.visibility_secs is None:
            return self._client.delete([job.helds[n].handle for n in positions])
        return self._client.change_visibility(
            [(job.helds[n].handle, job.visibility_secs[n]) for n in positions]
        )

    def _report(self, job: _Job, failed: Sequence[FailedEntry]) -> None:
        if failed:
            _log.warning(
                "sqs_not_settled",
                queue=self._client.queue_name,
                action=job.action,
                messages=len(failed),
                codes=sorted({entry.code for entry in failed}),
                next="they are redelivered, and recognised as duplicates",
            )


def _in_tens(helds: Iterable[Held]) -> Iterable[Sequence[Held]]:
    rest = iter(helds)
    while ten := list(itertools.islice(rest, MAX_BATCH_ENTRIES)):
        yield ten
