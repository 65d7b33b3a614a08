"""One source's loop, its time in the test's hands, its warehouse a real one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from consumer.batch import Batch
from consumer.errors import (
    CommitOutcomeUnknown,
    ObjectGone,
    SourceDenied,
    SourceUnavailable,
    WarehouseFull,
)
from consumer.intake import DENIED_WAIT_SECS, Backoff, Intake
from consumer.settings import BatchSettings
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse, WriteResult

Send = Callable[[int], bytes]
Script = Callable[..., Any]
Fake = Any  # a class of conftest.py, which tests cannot import: they are no package


@pytest.fixture
def begin(
    warehouse: Warehouse, telemetry: Telemetry, stop: Fake, clock: Fake
) -> Callable[..., Intake]:
    def make(source: Fake, **settings: Fake) -> Intake:
        write = settings.pop("write", warehouse.write)
        has_room = settings.pop("has_room", lambda: True)
        return Intake(
            source,
            builder=warehouse.new_builder(source.name),
            write=write,
            has_room=has_room,
            limits=BatchSettings(**settings),
            telemetry=telemetry,
            stop=stop,
            clock=clock,
            backoff=Backoff(draw=lambda: 1.0),
        )

    return make


def count_events(warehouse: Warehouse) -> int:
    with warehouse.read("select count(*) as n from events") as reader:
        return int(reader.read_all().to_pylist()[0]["n"])


def ledger_payloads(warehouse: Warehouse) -> list[int]:
    with warehouse.read("select payloads from ledger order by committed_at") as reader:
        return [row["payloads"] for row in reader.read_all().to_pylist()]


def test_d12_a_quiet_stream_is_committed_after_flush_secs_though_the_batch_is_far_from_full(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse, clock: Fake
) -> None:
    committed_at: list[float] = []

    def write(batch: Batch) -> WriteResult:
        committed_at.append(clock.now)
        return warehouse.write(batch)

    source = script([send(1)])
    started = clock.now
    begin(source, write=write, flush_secs=2.0).run()
    assert [send(1)] == source.acked
    assert len(committed_at) == 1
    assert committed_at[0] - started <= 2.0


def test_a_trickle_that_never_pauses_is_committed_by_time_too(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse, clock: Fake
) -> None:
    source = script(*[[send(n)] for n in range(9)])
    slow = source.receive

    def receive(*, limit: int, wait_secs: float) -> Fake:
        clock.now += 0.5
        return slow(limit=limit, wait_secs=wait_secs)

    source.receive = receive
    begin(source, flush_secs=2.0).run()
    assert len(ledger_payloads(warehouse)) > 1
    assert count_events(warehouse) == 9


def test_a_batch_closes_when_it_has_max_rows(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse
) -> None:
    source = script([send(n) for n in range(10)])
    begin(source, max_rows=4).run()
    assert ledger_payloads(warehouse) == [4, 4, 2]
    assert len(source.acked) == 10


def test_a_batch_closes_when_it_has_max_bytes(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse
) -> None:
    source = script([send(n) for n in range(4)])
    begin(source, max_bytes=len(send(1)) * 2).run()
    assert ledger_payloads(warehouse) == [2, 2]


def test_nothing_is_acked_before_its_batch_is_committed(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse
) -> None:
    source = script([send(1), send(2)], [send(3)])
    seen: list[int] = []

    def write(batch: Batch) -> WriteResult:
        seen.append(len(source.acked))
        return warehouse.write(batch)

    begin(source, write=write, max_rows=2).run()
    assert seen == [0, 2]
    assert len(source.acked) == 3


class ManyEvents:
    """A streamed body: one object with many events, whose first reading may end in a fault."""

    def __init__(self, payloads: list[bytes], fault: Exception | None = None) -> None:
        self.payloads = payloads
        self.fault = fault

    def chunks(self) -> Iterator[bytes]:
        yield from self.payloads
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault


def test_an_envelope_over_several_batches_is_acked_after_the_last_of_them(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse
) -> None:
    body = ManyEvents([send(n) for n in range(5)])
    source = script([body])
    acked_before: list[int] = []

    def write(batch: Batch) -> WriteResult:
        acked_before.append(len(source.acked))
        return warehouse.write(batch)

    begin(source, write=write, max_rows=2).run()
    assert ledger_payloads(warehouse) == [2, 2, 1]
    assert acked_before == [0, 0, 0]
    assert source.acked == [body]


def test_an_object_that_breaks_off_keeps_what_was_read_and_comes_again(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse
) -> None:
    body = ManyEvents([send(1), send(2)], ObjectGone("s3://bucket/key is not there"))
    source = script([body, send(3)])
    begin(source).run()
    assert body in source.nacked
    assert send(3) in source.acked
    assert send(3) not in source.nacked
    assert count_events(warehouse) == 3


def test_an_object_that_stays_gone_ends_in_quarantine_and_its_notice_is_acked(
    begin: Callable[..., Intake], script: Script, warehouse: Warehouse
) -> None:
    notice = b'{"Records": []}'
    gone = ObjectGone("reading s3://b/k: there is no such object", is_final=True, notice=notice)
    source = script([ManyEvents([], gone)])
    begin(source).run()
    assert len(source.acked) == 1
    with warehouse.read("select reason, payload from quarantine") as reader:
        assert reader.read_all().to_pylist() == [{"reason": "object_gone", "payload": notice}]


def test_d5_what_cannot_be_parsed_is_kept_verbatim_and_acked_with_the_rest(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse
) -> None:
    source = script([send(1), b"not json at all", send(2)])
    begin(source).run()
    assert len(source.acked) == 3
    assert count_events(warehouse) == 2
    with warehouse.read("select reason, payload from quarantine") as reader:
        kept = reader.read_all().to_pylist()
    assert kept == [{"reason": "not_json", "payload": b"not json at all"}]


def test_a_full_warehouse_nacks_stops_receiving_and_resumes_alone(  # noqa: PLR0917 - fixtures
    begin: Callable[..., Intake],
    script: Script,
    send: Send,
    warehouse: Warehouse,
    telemetry: Telemetry,
    stop: Fake,
) -> None:
    source = script([send(1), send(2)])
    states: list[object] = []
    free = iter([True, True, False, False])

    def has_room() -> bool:
        return next(free, True)

    failures = iter([WarehouseFull("no room")])

    def write(batch: Batch) -> WriteResult:
        if (failure := next(failures, None)) is not None:
            raise failure
        return warehouse.write(batch)

    receives_while_full: list[int] = []
    wait = stop.wait

    def note(secs: float) -> None:
        receives_while_full.append(len(source.waits))
        states.append(telemetry.health()[0])
        wait(secs)

    stop.wait = note
    begin(source, write=write, has_room=has_room).run()
    assert source.nacked == [send(1), send(2)]
    assert len(set(receives_while_full)) == 1
    assert len(receives_while_full) == 3
    assert not any(states)
    assert source.acked == [send(1), send(2)]
    assert count_events(warehouse) == 2
    assert telemetry.health()[0]


def test_a_batch_too_large_for_the_memory_limit_is_tried_in_halves(
    begin: Callable[..., Intake], script: Script, send: Send, warehouse: Warehouse
) -> None:
    source = script([send(n) for n in range(400)])

    def write(batch: Batch) -> WriteResult:
        if batch.payloads > 200:
            raise WarehouseFull("out of memory")
        return warehouse.write(batch)

    begin(source, write=write, max_rows=400).run()
    assert count_events(warehouse) == 400


def test_a_commit_of_unknown_outcome_nacks_everything_and_is_raised(
    begin: Callable[..., Intake], script: Script, send: Send
) -> None:
    source = script([send(1), send(2), send(3)])

    def write(batch: Batch) -> WriteResult:
        raise CommitOutcomeUnknown("COMMIT raised")

    intake = begin(source, write=write, max_rows=2)
    with pytest.raises(CommitOutcomeUnknown):
        intake.run()
    assert source.acked == []
    assert source.out == 0
    assert sorted(source.nacked) == [send(1), send(2), send(3)]


def test_a_broken_worker_hands_back_what_is_decoded_without_writing_it(
    begin: Callable[..., Intake], script: Script, send: Send, stop: Fake
) -> None:
    source = script([send(1)], [])

    def write(batch: Batch) -> WriteResult:
        raise AssertionError("written after the warehouse failed")

    receive = source.receive

    def break_after_first(*, limit: int, wait_secs: float) -> Fake:
        found = receive(limit=limit, wait_secs=wait_secs)
        stop.break_off()
        return found

    source.receive = break_after_first
    begin(source, write=write).run()
    assert source.nacked == [send(1)]


def test_a_source_that_does_not_answer_is_asked_ever_less_often(
    begin: Callable[..., Intake], script: Script, send: Send, stop: Fake, telemetry: Telemetry
) -> None:
    source = script(*[SourceUnavailable("timed out")] * 9, [send(1)])
    begin(source).run()
    assert stop.waited == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert source.acked == [send(1)]
    assert telemetry.health()[0]


def test_a_source_that_refuses_us_is_asked_once_a_minute_and_health_says_why(
    begin: Callable[..., Intake], script: Script, stop: Fake, telemetry: Telemetry
) -> None:
    source = script(SourceDenied("sqs:ReceiveMessage is not allowed; grant it"))
    seen: list[dict[str, Any]] = []
    wait = stop.wait

    def note(secs: float) -> None:
        is_well, report = telemetry.health()
        seen.append({"is_well": is_well, **report["sources"]["sqs:test"]})  # type: ignore[index]  # JSON
        wait(secs)

    stop.wait = note
    begin(source).run()
    assert stop.waited == [DENIED_WAIT_SECS]
    assert seen[0]["is_well"] is False
    assert seen[0]["state"] == "denied"
    assert "grant it" in seen[0]["detail"]


def test_what_is_decoded_is_committed_before_a_denied_source_rests(
    begin: Callable[..., Intake], script: Script, send: Send, stop: Fake
) -> None:
    source = script([send(1)], SourceDenied("no more"))
    acked_at_rest: list[int] = []
    wait = stop.wait

    def note(secs: float) -> None:
        acked_at_rest.append(len(source.acked))
        wait(secs)

    stop.wait = note
    begin(source).run()
    assert acked_at_rest == [1]


def test_the_conservation_law_holds_at_every_scrape(
    begin: Callable[..., Intake],
    script: Script,
    send: Send,
    warehouse: Warehouse,
    telemetry: Telemetry,
) -> None:
    source = script([send(1), send(1), b"{}", send(2)], [b"{}"], [send(2), send(3)])
    failures = iter([WarehouseFull("no room")])
    checked = []

    def check_law() -> None:
        value = telemetry.registry.get_sample_value
        labels = {"source": "sqs:test"}

        def total(name: str) -> float:
            return sum(
                sample.value
                for family in telemetry.registry.collect()
                for sample in family.samples
                if sample.name == f"duckpost_{name}_total"
            )

        sides = ("inserted", "superseded", "duplicates", "quarantined", "ignored", "returned")
        in_flight = value("duckpost_in_flight", labels)
        assert in_flight is not None
        assert total("received") == sum(map(total, sides)) + in_flight
        checked.append(total("received"))

    def write(batch: Batch) -> WriteResult:
        check_law()
        if (failure := next(failures, None)) is not None:
            raise failure
        result = warehouse.write(batch)
        check_law()
        return result

    begin(source, write=write, max_rows=100).run()
    check_law()
    assert len(checked) >= 4
    assert checked[-1] > 0


def refuse_to_be_read() -> ManyEvents:
    return ManyEvents([], SourceDenied("s3:GetObject is not allowed; grant it"))


def test_an_object_that_is_refused_holds_no_other_up_and_health_says_why(
    begin: Callable[..., Intake], script: Script, send: Send, stop: Fake, telemetry: Telemetry
) -> None:
    source = script([refuse_to_be_read(), send(1)], [send(2)])
    begin(source).run()
    assert [] == stop.waited
    assert [send(1), send(2)] == source.acked[:2]
    is_well, report = telemetry.health()
    assert not is_well
    assert "grant it" in str(report)


def test_a_source_of_which_nothing_may_be_read_rests(
    begin: Callable[..., Intake], script: Script, stop: Fake
) -> None:
    begin(script([refuse_to_be_read()])).run()
    assert [DENIED_WAIT_SECS] == stop.waited
