"""The demo's outside world, as a process of its own: the simulator and the queue it feeds."""

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from multiprocessing.connection import Connection

from consumer.demo.loopback import LoopbackQueue
from consumer.demo.traffic import generate
from consumer.demo.traffic.truth import Truth

_CHUNK_PAYLOADS = 200
# As much as may lie in the queue: memory stays flat however many messages are asked for.
_MAX_WAITING = 5_000
_POLL_SECS = 0.02
# Longer than any demo: a message that came back on a timeout would be one more duplicate than
# the truth knows of.
_VISIBILITY_SECS = 3_600


@dataclass(frozen=True, slots=True)
class Opened:
    """The queue is there, and may be asked."""

    queue_url: str
    endpoint_url: str


@dataclass(frozen=True, slots=True)
class Progress:
    """So many messages have been sent and told of in so many payloads."""

    messages: int
    payloads: int


@dataclass(frozen=True, slots=True)
class Drained:
    """Everything that was delivered has been deleted from the queue; this was the truth."""

    truth: Truth


Report = Opened | Progress | Drained


def serve_traffic(
    reports: Connection, *, messages: int, seed: int, start: datetime, days: float
) -> None:
    """Run the outside world; the target of a process.

    1. Open the queue and say where.
    2. Fill it, no faster than it is emptied.
    3. When it is empty, tell the truth.
    4. Go on serving until the other end hangs up.
    """
    # Ctrl-C reaches every process of the terminal; the other end decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (
        contextlib.suppress(ConnectionError),  # the other end hung up
        LoopbackQueue(visibility_secs=_VISIBILITY_SECS) as queue,
    ):
        reports.send(Opened(queue.url, queue.endpoint_url))  # 1
        traffic = generate(messages, seed, start, days)
        payloads = 0
        for chunk in _chunk(traffic.payloads):  # 2
            queue.send(payload.decode() for payload in chunk)
            payloads += len(chunk)
            reports.send(Progress(traffic.truth.messages, payloads))
            while queue.depth().visible > _MAX_WAITING and not reports.poll():
                time.sleep(_POLL_SECS)
        while not _is_empty(queue) and not reports.poll():  # 3
            time.sleep(_POLL_SECS)
        reports.send(Drained(traffic.truth))
        reports.poll(None)  # 4


def _chunk(payloads: Iterator[bytes]) -> Iterator[list[bytes]]:
    while chunk := list(islice(payloads, _CHUNK_PAYLOADS)):
        yield chunk


def _is_empty(queue: LoopbackQueue) -> bool:
    depth = queue.depth()
    return depth.visible + depth.in_flight + depth.delayed == 0
