"""Envelopes to decode, and what is in them put briefly."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumer.decode import DEFAULT, Limits, decode
from consumer.decoded import Decoded, Quarantined
from consumer.envelope import Envelope

EXAMPLES = Path(__file__).parent.parent / "examples"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Pieces:
    """A body that arrives in the pieces given."""

    pieces: Iterable[bytes]

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces


@dataclass
class Outcome:
    """Everything found in one envelope."""

    decoded: list[Decoded] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [
            str(event.get("eventType") or event.get("notificationType"))
            for found in self.decoded
            for event in found.events
        ]

    @property
    def quarantined(self) -> list[Quarantined]:
        return [stretch for found in self.decoded for stretch in found.quarantined]

    @property
    def reasons(self) -> list[str]:
        return [stretch.reason.value for stretch in self.quarantined]

    @property
    def ignored(self) -> list[str]:
        return [what.value for found in self.decoded for what in found.ignored]

    @property
    def verdicts(self) -> list[tuple[object, ...]]:
        """What is the same whenever the same bytes are decoded, wherever they lie."""
        return [
            (
                found.region,
                found.events,
                [(q.reason, q.sha256, q.length, q.payload) for q in found.quarantined],
                found.ignored,
            )
            for found in self.decoded
        ]


Decode = Callable[..., Outcome]


@pytest.fixture(scope="session")
def decode_all() -> Decode:
    def run(body: bytes | Iterable[bytes], *, limits: Limits = DEFAULT) -> Outcome:
        whole = body if isinstance(body, bytes) else Pieces(body)
        return Outcome(list(decode(Envelope(whole, None, "test", NOON), limits=limits)))

    return run


@pytest.fixture(scope="session")
def example() -> Callable[[str], bytes]:
    """Read an example as one compact line without its end."""

    def read(name: str) -> bytes:
        return json.dumps(json.loads((EXAMPLES / name).read_bytes())).encode()

    return read
