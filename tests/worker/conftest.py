import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumer.envelope import Body, Envelope
from consumer.intake import Stop
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

RECEIVED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_send(number: int) -> bytes:
    """A Send in the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    return json.dumps(
        {
            "eventType": "Send",
            "mail": {
                "timestamp": "2026-03-01T11:59:00.000Z",
                "source": "news@example.com",
                "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
                "sendingAccountId": "123456789012",
                "messageId": f"message-{number}",
                "destination": [f"reader{number}@example.net"],
                "tags": {"ses:configuration-set": ["news"], "ses:from-domain": ["example.com"]},
            },
            "send": {},
        }
    ).encode()


@dataclass
class Clock:
    """Seconds that pass only when somebody waits."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class ScriptedSource:
    """A queue that delivers at least once, by a script.

    Each step is a list of bodies, or an exception to raise. An empty list waits `wait_secs` of
    the clock. What is nacked comes again after the script; the worker is stopped when all is
    settled, or after `idle_limit` empty receives.
    """

    steps: deque[list[bytes | Body] | Exception]
    clock: Clock
    stop: Stop
    name: str = "sqs:test"
    idle_limit: int = 3
    acked: list[bytes | Body] = field(default_factory=list)
    nacked: list[bytes | Body] = field(default_factory=list)
    out: int = 0
    waits: list[float] = field(default_factory=list)
    is_closed: bool = False
    on_empty: Callable[[], None] | None = None

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:
        self.waits.append(wait_secs)
        step = self.steps.popleft() if self.steps else []
        if isinstance(step, Exception):
            raise step
        if not step:
            self.clock.now += wait_secs
            self.idle_limit -= not self.steps
            if self.idle_limit <= 0:
                self.stop.ask()
        self.out += len(step)
        return [Envelope(body, n, self.name, RECEIVED_AT) for n, body in enumerate(step)]

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        self.out -= len(envelopes)
        self.acked += [envelope.body for envelope in envelopes]

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        self.out -= len(envelopes)
        self.nacked += [envelope.body for envelope in envelopes]
        self.steps.append([envelope.body for envelope in envelopes])

    def close(self) -> None:
        self.is_closed = True

    @property
    def exhausted(self) -> bool:
        return False


class ClockedStop(Stop):
    """Waiting moves the clock instead of the tester's patience."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.waited: list[float] = []

    def wait(self, secs: float) -> None:
        self.waited.append(secs)
        self._clock.now += secs


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stop(clock: Clock) -> ClockedStop:
    return ClockedStop(clock)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(clock=RECEIVED_AT.timestamp)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "ses.duckdb", WarehouseOptions(min_free_bytes=0)) as opened:
        yield opened


@pytest.fixture
def send() -> Callable[[int], bytes]:
    return make_send


@pytest.fixture
def script(clock: Clock, stop: ClockedStop) -> Callable[..., ScriptedSource]:
    def make(*steps: list[bytes | Body] | Exception, **settings: object) -> ScriptedSource:
        return ScriptedSource(deque(steps), clock, stop, **settings)  # type: ignore[arg-type]  # a test's own keywords

    return make
