"""A source that is well and brings nothing, its time in the test's hands."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.cli.sources import to_silence
from consumer.errors import SourceUnavailable
from consumer.intake import Backoff, Intake
from consumer.settings import BatchSettings, FilesSettings, SourceSettings, SqsSettings
from consumer.sources.files import FilesSource
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse

Send = Callable[[int], bytes]
Script = Callable[..., Any]
Fake = Any  # a class of conftest.py, which tests cannot import: they are no package

SILENCE_SECS = 60.0


@pytest.fixture
def telemetry(clock: Fake) -> Telemetry:
    return Telemetry(silence_secs={"sqs:test": SILENCE_SECS}, clock=clock, monotonic=clock)


@pytest.fixture
def begin(
    warehouse: Warehouse, telemetry: Telemetry, stop: Fake, clock: Fake
) -> Callable[[Fake], Intake]:
    def make(source: Fake) -> Intake:
        return Intake(
            source,
            builder=warehouse.new_builder(source.name),
            write=warehouse.write,
            has_room=lambda: True,
            limits=BatchSettings(),
            telemetry=telemetry,
            stop=stop,
            clock=clock,
            backoff=Backoff(draw=lambda: 1.0),
        )

    return make


def watch(source: Fake, telemetry: Telemetry, clock: Fake) -> list[tuple[float, str]]:
    """Note the source's state before every receive, with the seconds passed till then."""
    seen: list[tuple[float, str]] = []
    started, receive = clock.now, source.receive

    def note(*, limit: int, wait_secs: float) -> Fake:
        seen.append((clock.now - started, read(telemetry)["state"]))
        return receive(limit=limit, wait_secs=wait_secs)

    source.receive = note
    return seen


def read(telemetry: Telemetry) -> dict[str, Any]:
    _, report = telemetry.health()
    source: dict[str, Any] = report["sources"]["sqs:test"]  # type: ignore[index]  # JSON
    return source


def gauge(telemetry: Telemetry, name: str) -> float | None:
    return telemetry.registry.get_sample_value(name, {"source": "sqs:test"})


def test_a_source_without_an_event_for_silence_secs_is_silent_since_then(
    begin: Callable[[Fake], Intake], script: Script, telemetry: Telemetry, clock: Fake
) -> None:
    source = script(idle_limit=90)
    seen = watch(source, telemetry, clock)
    started = clock.now
    begin(source).run()
    assert {"up"} == {state for secs, state in seen if 0 < secs < SILENCE_SECS}
    assert {"silent"} == {state for secs, state in seen if secs > SILENCE_SECS}
    is_well, report = telemetry.health()
    assert not is_well
    assert report["status"] == "ill"
    assert "no event since the worker started" in read(telemetry)["detail"]
    assert read(telemetry)["since"] == "1970-01-01T00:17:40Z"
    assert started + SILENCE_SECS == 17 * 60 + 40
    assert gauge(telemetry, "duckpost_source_silent") == 1
    assert gauge(telemetry, "duckpost_source_up") == 0
    assert gauge(telemetry, "duckpost_last_event_received_timestamp_seconds") is None


def test_an_event_ends_the_silence_and_starts_its_count_anew(
    begin: Callable[[Fake], Intake], script: Script, send: Send, telemetry: Telemetry, clock: Fake
) -> None:
    source = script(*[[]] * 70, [send(1)], idle_limit=59)
    seen = watch(source, telemetry, clock)
    begin(source).run()
    assert "silent" in {state for _, state in seen}
    assert telemetry.health()[0]
    assert read(telemetry)["state"] == "up"
    assert read(telemetry)["detail"] == ""
    assert gauge(telemetry, "duckpost_source_silent") == 0
    assert gauge(telemetry, "duckpost_last_event_received_timestamp_seconds") is not None


def test_a_known_event_is_a_sign_of_life_and_what_is_no_event_is_none(
    begin: Callable[[Fake], Intake], script: Script, send: Send, telemetry: Telemetry
) -> None:
    no_events = script([send(1)], *[[]] * 40, [b"not json at all"], idle_limit=25)
    begin(no_events).run()
    assert read(telemetry)["state"] == "silent"

    begin_again = script([send(1)], *[[]] * 40, [send(1)], idle_limit=25)
    no_events.stop._event.clear()
    begin(begin_again).run()
    assert read(telemetry)["state"] == "up"


@pytest.mark.parametrize(("year", "state"), [(2026, "up"), (2027, "silent")])
def test_objects_of_a_backfill_are_no_sign_of_life(
    begin: Callable[[Fake], Intake],
    script: Script,
    send: Send,
    telemetry: Telemetry,
    clock: Fake,
    *,
    year: int,
    state: str,
) -> None:
    """The mail is of March 2026: live then, a year later a backfill through the live source."""
    clock.now = datetime(year, 3, 3, tzinfo=UTC).timestamp()
    begin(script([send(1)], *[[]] * 40, [send(2)], idle_limit=25)).run()
    assert state == read(telemetry)["state"]


def test_an_outage_is_no_silence(
    begin: Callable[[Fake], Intake], script: Script, send: Send, telemetry: Telemetry, clock: Fake
) -> None:
    outage = [SourceUnavailable("timed out")] * 9
    source = script([send(1)], *outage, *[[]] * 30, idle_limit=1)
    seen = watch(source, telemetry, clock)
    begin(source).run()
    assert {"starting", "up", "unavailable"} == {state for _, state in seen}
    assert seen[-1][0] > SILENCE_SECS
    assert read(telemetry)["state"] == "up"


def test_silence_is_off_unless_it_is_asked_for(
    begin: Callable[[Fake], Intake], script: Script, telemetry: Telemetry
) -> None:
    source = script(name="sqs:other", idle_limit=10_000)
    begin(source).run()
    assert telemetry.health()[0]
    assert SqsSettings(type="sqs", queue="q").silence_secs == 0


def test_the_setting_reaches_the_source_it_is_made_for(script: Script, tmp_path: Fake) -> None:
    settings: list[SourceSettings] = [
        FilesSettings(type="files", paths=[str(tmp_path)]),
        SqsSettings(type="sqs", queue="q", silence_secs=900),
    ]
    sources = [FilesSource([str(tmp_path)]), script(name="sqs:q")]
    assert {"sqs:q": 900.0} == to_silence(settings, sources)
