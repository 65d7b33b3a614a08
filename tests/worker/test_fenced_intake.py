"""The loop over a source whose parts may be another reader's by the time of the commit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consumer.envelope import Envelope
from consumer.errors import EnvelopesLost
from consumer.intake import Backoff, Intake
from consumer.settings import BatchSettings
from consumer.sources.base import Condition, FencedSource, Step
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse

Send = Callable[[int], bytes]
Script = Callable[..., Any]
Fake = Any  # a class of conftest.py, which tests cannot import: they are no package


class Fenced:
    """A scripted source of one part, whose positions count what was committed."""

    def __init__(self, script: Fake, expects: Sequence[str | Exception | None]) -> None:
        self._script = script
        self._expects = list(expects)
        self._number = 0
        self.condition = Condition(lag=7, skipped=1)

    def __getattr__(self, name: str) -> Fake:
        return getattr(self._script, name)

    def follow(self, read_positions: Callable[[str], Mapping[str, str]]) -> None:
        raise AssertionError

    def step(self, envelopes: Sequence[Envelope]) -> Step:
        if not envelopes:
            return Step({}, {}, "kafka:test")
        expected = self._expects.pop(0)
        if isinstance(expected, Exception):
            raise expected
        self._number += 1
        return Step({"ses/0": str(self._number)}, {"ses/0": expected}, "kafka:test")


def run(source: Fake, warehouse: Warehouse, telemetry: Telemetry, stop: Fake, clock: Fake) -> None:
    assert isinstance(source, FencedSource)
    Intake(
        source,
        builder=warehouse.new_builder(source.name),
        write=warehouse.write,
        has_room=lambda: True,
        limits=BatchSettings(),
        telemetry=telemetry,
        stop=stop,
        clock=clock,
        backoff=Backoff(draw=lambda: 1.0),
    ).run()


def test_a_refused_batch_is_handed_back_and_taken_again(  # noqa: PLR0917 - fixtures
    script: Script, send: Send, warehouse: Warehouse, telemetry: Telemetry, stop: Fake, clock: Fake
) -> None:
    inner = script([send(1), send(2)])
    run(Fenced(inner, ["elsewhere", None]), warehouse, telemetry, stop, clock)
    assert [send(1), send(2)] == inner.nacked
    assert [send(1), send(2)] == inner.acked
    assert {"ses/0": "2"} == warehouse.positions("kafka:test")


def test_what_another_reader_has_is_dropped_unwritten(  # noqa: PLR0917 - fixtures
    script: Script, send: Send, warehouse: Warehouse, telemetry: Telemetry, stop: Fake, clock: Fake
) -> None:
    inner = script([send(1)])
    source = Fenced(inner, [EnvelopesLost("gone"), None])
    run(source, warehouse, telemetry, stop, clock)
    assert [send(1)] == inner.nacked
    assert [send(1)] == inner.acked
    with warehouse.read("select payloads from ledger") as reader:
        assert [{"payloads": 1}] == reader.read_all().to_pylist()


def test_an_ailment_of_some_parts_shows_while_the_others_are_taken_in(  # noqa: PLR0917 - fixtures
    script: Script, send: Send, warehouse: Warehouse, telemetry: Telemetry, stop: Fake, clock: Fake
) -> None:
    inner = script([send(1)])
    source = Fenced(inner, [None])
    source.condition = Condition(ailment="topic ses does not exist")
    run(source, warehouse, telemetry, stop, clock)
    assert [send(1)] == inner.acked
    is_well, report = telemetry.health()
    assert not is_well
    assert "topic ses does not exist" in str(report)
