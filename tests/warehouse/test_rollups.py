"""Rollups say what a recount of the events says, whatever came, in whatever order and batches."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.resources import sql_folder
from consumer.warehouse import Warehouse
from consumer.warehouse.rollups import tables
from consumer.warehouse.rollups.compaction import compact
from consumer.warehouse.rollups.folding import (
    enter_corrections,
    find_corrections,
    fold,
    recompute,
)
from consumer.warehouse.rollups.remaking import is_pending, note_pending, remake_rollups
from consumer.warehouse.rules.files import RuleFiles, read_rules
from consumer.warehouse.rules.rows import ProviderRow

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

Payload = dict[str, Any]

START = datetime(2026, 3, 2, 22, 40, tzinfo=UTC)
ARN = "arn:aws:ses:eu-west-1:111122223333:identity/example.com"
SETS = ("orders", "news", None)
TALLIES = tuple(rollup.table for rollup in tables.TALLIES)


def new_random(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - test data


def to_text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def to_mail(number: int, sent_at: datetime, recipients: list[str]) -> Payload:
    """The mail object of an event (docs.aws.amazon.com/ses/latest/dg/event-publishing-…)."""
    chosen = SETS[number % len(SETS)]
    tags = {"ses:configuration-set": [chosen]} if chosen else {}
    return {
        "timestamp": to_text(sent_at),
        "source": f"sender{number % 2}@example.com",
        "sourceArn": ARN,
        "sendingAccountId": "111122223333",
        "messageId": f"0102017c{number:08x}-0000-0000-0000-000000000000-000000",
        "destination": recipients,
        "tags": {**tags, "ses:from-domain": ["example.com"], "campaign": [f"c{number % 3}"]},
    }


def publish(kind: str, mail: Payload, **detail: object) -> Payload:
    """An event as event publishing sends it."""
    name = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}.get(
        kind, kind[0].lower() + kind[1:]
    )
    return {"eventType": kind, "mail": mail, name: detail}


def notify(event: Payload) -> Payload:
    """The same event as an identity's notification: without tags, its instants cut."""
    kind = event["eventType"]
    name = kind.lower()
    mail = {key: value for key, value in event["mail"].items() if key != "tags"}
    detail = dict(event[name])
    detail["timestamp"] = detail["timestamp"][:19] + ".000Z"
    return {"notificationType": kind, "mail": mail, name: detail}


def to_bounce(mail: Payload, at: datetime, recipient: str, rng: random.Random) -> Payload:
    number = rng.randrange(10**9)
    return publish(
        "Bounce",
        mail,
        bounceType=rng.choice(["Permanent", "Transient", "Undetermined"]),
        bounceSubType=rng.choice(["General", "Suppressed", "OnAccountSuppressionList", "NoEmail"]),
        bouncedRecipients=[
            {"emailAddress": recipient, "action": "failed", "status": "5.7.1",
             "diagnosticCode": "smtp; 550 5.7.1 listed at spamhaus"},
        ],
        timestamp=to_text(at),
        feedbackId=f"bounce-{number}",
        reportingMTA="dns; a.example",
    )  # fmt: skip


def to_complaint(mail: Payload, at: datetime, recipient: str, rng: random.Random) -> Payload:
    return publish(
        "Complaint",
        mail,
        complainedRecipients=[{"emailAddress": recipient}],
        timestamp=to_text(at),
        feedbackId=f"complaint-{rng.randrange(10**9)}",
        complaintSubType=rng.choice([None, None, "OnAccountSuppressionList"]),
        complaintFeedbackType=rng.choice(["abuse", "not-spam", "virus", "auth-failure"]),
    )


def to_story(  # noqa: C901 - a life is many things
    number: int, rng: random.Random
) -> list[Payload]:
    """Whatever can happen to one message, likely or not."""
    sent_at = START + timedelta(minutes=rng.randrange(0, 3000), milliseconds=rng.randrange(1000))
    domains = ["gmail.com", "example.net", "example.org"]
    recipients = [f"reader{one}@{rng.choice(domains)}" for one in range(rng.choice([1, 1, 1, 2]))]
    mail = to_mail(number, sent_at, recipients)
    story = []
    if rng.random() < 0.9:
        story.append(publish("Send", mail))

    def later(most: float) -> datetime:
        return sent_at + timedelta(seconds=rng.uniform(-1, most))

    for recipient in recipients:
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            story.append(  # noqa: PERF401 - each by its own chance
                publish(
                    "Delivery",
                    mail,
                    timestamp=to_text(later(rng.choice([30, 90_000]))),
                    processingTimeMillis=rng.randrange(5000),
                    recipients=[recipient],
                    smtpResponse="250 ok",
                )
            )
        for _ in range(rng.choice([0, 0, 1, 2])):
            story.append(to_bounce(mail, later(90_000), recipient, rng))  # noqa: PERF401 - each by its own chance
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            story.append(to_complaint(mail, later(200_000), recipient, rng))  # noqa: PERF401 - each by its own chance
        for _ in range(rng.choice([0, 0, 1, 2])):
            story.append(  # noqa: PERF401 - each by its own chance
                publish(
                    "DeliveryDelay",
                    mail,
                    timestamp=to_text(later(4000)),
                    delayType=rng.choice(["InternalFailure", "MailboxFull"]),
                    delayedRecipients=[{"emailAddress": recipient, "status": "4.2.2"}],
                )
            )
    if rng.random() < 0.1:
        story.append(publish("Reject", mail, reason="Bad content"))
    if rng.random() < 0.1:
        story.append(
            publish("Rendering Failure", mail, templateName="t", errorMessage="no such field")
        )
    bare = {key: value for key, value in mail.items() if key != "sourceArn"}
    for kind in ("Open", "Click"):
        for _ in range(rng.choice([0, 1, 2])):
            link = {"link": "https://example.com/", "linkTags": None} if kind == "Click" else {}
            story.append(
                publish(
                    kind,
                    bare,
                    timestamp=to_text(later(400_000)),
                    ipAddress="192.0.2.1",
                    userAgent=rng.choice(["Mozilla/5.0", "GoogleImageProxy"]),
                    **link,
                )
            )
    return story


def to_stream(seed: int, messages: int) -> list[Payload]:
    """Events of some messages, some of them by both forms or twice, in any order."""
    rng = new_random(seed)
    stream = []
    for number in range(messages):
        for event in to_story(number, rng):
            by = rng.random()
            if event["eventType"] not in {"Bounce", "Complaint", "Delivery"} or by < 0.6:
                stream.append(event)
            elif by < 0.8:
                stream.append(notify(event))
            else:
                stream += [event, notify(event)]
            if rng.random() < 0.1:
                stream.append(event)
    rng.shuffle(stream)
    return stream


def write_split(desk: "Desk", stream: list[Payload], rng: random.Random, most: int) -> None:
    """Commit a stream in batches of any size up to ``most``."""
    at = 0
    while at < len(stream):
        size = rng.randint(1, most)
        desk.write(*stream[at : at + size])
        at += size


def connection_of(warehouse: Warehouse) -> duckdb.DuckDBPyConnection:
    return warehouse._connection


def rolled(desk: "Desk") -> dict[str, list[dict[str, Any]]]:
    """The rollups, added up."""
    fold(connection_of(desk.warehouse))
    content = {}
    for rollup in tables.ROLLUPS:
        content[rollup.name] = desk.rows(f"{rollup.to_compacted('true')} order by all")
    return content


@pytest.mark.parametrize("seed", range(3))
def test_rollups_equal_a_recount_after_any_stream_in_any_batches(desk: "Desk", seed: int) -> None:
    stream = to_stream(seed, 25)
    write_split(desk, stream, new_random(seed), 40)
    assert [] == desk.faults()
    fold(connection_of(desk.warehouse))
    assert [] == desk.faults()
    for basis in tables.BASES:
        assert 0 == desk.value(f"select count(*) from {basis.deltas}")  # noqa: S608 - our own names


def test_every_order_and_division_gives_the_same_rollups(new_desk: Callable[..., "Desk"]) -> None:
    stream = to_stream(7, 8)
    whole, backwards, single = new_desk(), new_desk(), new_desk()
    whole.write(*stream)
    write_split(backwards, stream[::-1], new_random(1), 30)
    write_split(single, stream, new_random(2), 8)
    assert rolled(whole) == rolled(backwards)
    assert rolled(whole) == rolled(single)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), most=st.integers(5, 30), folds=st.booleans())
def test_no_stream_makes_rollups_differ_from_a_recount(
    new_desk: Callable[..., "Desk"], seed: int, most: int, folds: bool
) -> None:
    desk = new_desk()
    rng = new_random(seed)
    stream = to_stream(seed, 4)
    write_split(desk, stream[: len(stream) // 2], rng, most)
    if folds:
        fold(connection_of(desk.warehouse))
    write_split(desk, stream, rng, most)
    assert [] == desk.faults()


def test_writing_twice_changes_no_rollup(desk: "Desk") -> None:
    stream = to_stream(3, 15)
    desk.write(*stream)
    once = rolled(desk)
    write_split(desk, stream[::-1], new_random(3), 20)
    assert once == rolled(desk)


@pytest.mark.parametrize("hours", [24, 72, 168])
def test_an_age_is_reached_to_the_millisecond(
    desk: "Desk", new_letter: Callable[..., "Letter"], hours: int
) -> None:
    for late in (-1, 0, 1, 60_000):
        letter = new_letter(message_id=f"0102-{late}")
        at = hours * 3_600 + late / 1_000
        desk.write(letter.send(), letter.open(after=at), letter.click(after=at))

    assert [] == desk.faults()


def test_a_bounce_that_waited_for_its_send_moves_to_the_send_s_configuration_set(
    desk: "Desk",
) -> None:
    mail = to_mail(0, START, ["reader@example.net"])
    bounce = to_bounce(mail, START + timedelta(hours=3), "reader@example.net", new_random(1))
    desk.write(notify(bounce))
    counted = (
        "select configuration_set, sum(events)::int as n from rollup_coverage "
        "where axis = 'event_day' and event_type = 'Bounce' group by all having sum(events) != 0"
    )
    fold(connection_of(desk.warehouse))
    assert [{"configuration_set": None, "n": 1}] == desk.rows(counted)
    desk.write(publish("Send", mail))
    fold(connection_of(desk.warehouse))
    assert [{"configuration_set": "orders", "n": 1}] == desk.rows(counted)
    assert [] == desk.faults()


def test_a_batch_that_is_rolled_back_leaves_no_delta(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write(publish("Send", to_mail(0, START, ["a@example.net"])))
    before = desk.rows("select * from rollup_deltas order by all")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("consumer.warehouse.writing.write._enter", fail)
        with pytest.raises(KeyboardInterrupt):
            desk.write(publish("Send", to_mail(1, START, ["b@example.net"])))
    assert before == desk.rows("select * from rollup_deltas order by all")
    assert [] == desk.faults()


def test_many_deltas_are_folded_by_the_batch_that_brings_them(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.rollups.folding.MOST_DELTAS", 30)
    write_split(desk, to_stream(5, 12), new_random(5), 25)
    assert desk.value("select count(*) from rollup_deltas") < 30
    assert 0 < desk.value("select count(*) from rollup_hourly_by_event_time")
    assert [] == desk.faults()


def test_recomputing_makes_the_same_rollups(desk: "Desk") -> None:
    write_split(desk, to_stream(9, 10), new_random(9), 40)
    expected = rolled(desk)
    recompute(connection_of(desk.warehouse))
    assert expected == rolled(desk)


@pytest.mark.parametrize("days", [(None, None), (datetime(2026, 3, 3), datetime(2026, 3, 4))])  # noqa: DTZ001
def test_rollups_lack_nothing_of_what_batches_entered(
    desk: "Desk", days: tuple[datetime | None, datetime | None]
) -> None:
    write_split(desk, to_stream(9, 10), new_random(9), 40)
    found = list(find_corrections(connection_of(desk.warehouse), *days))
    assert {rollup.name for rollup in tables.ROLLUPS} == {rollup.name for rollup, _ in found}
    assert not any(rows.num_rows for _, rows in found)


def test_what_rollups_lack_is_entered_later_than_it_was_found_whatever_came_meanwhile(
    desk: "Desk",
) -> None:
    parts = [to_stream(9, count) for count in (8, 12, 16)]
    desk.write(*parts[0])
    connection = connection_of(desk.warehouse)
    fold(connection)
    for rollup in tables.ROLLUPS:
        first, last = rollup.counted[0], rollup.counted[-1]
        connection.execute(f"delete from {rollup.table} where {first} = 1 and {rollup.part}")  # noqa: S608 - our own names
        connection.execute(f"update {rollup.table} set {last} = {last} + 3 where {rollup.part}")  # noqa: S608 - the same
    desk.write(*parts[1])
    found = list(find_corrections(connection, None, None))
    assert all(rows.num_rows for _, rows in found)
    desk.write(*parts[2])
    fold(connection)
    for rollup, rows in found:
        enter_corrections(connection, rollup, rows)
    assert [] == desk.faults()


def test_making_rollups_again_is_done_once_more_where_it_was_noted_meanwhile(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.rollups.remaking._AT_ONCE", 1)
    desk.write(*to_stream(9, 20))
    connection = connection_of(desk.warehouse)
    fold(connection)
    wrong = "update rollup_hourly_by_event_time set sends = sends + 1 where sends > 0"
    connection.execute(wrong)
    desk.warehouse.change("noting", note_pending)
    steps = 0

    def spoil() -> None:
        nonlocal steps
        steps += 1
        if steps == 5:
            desk.warehouse.change("spoiling", lambda writer: writer.execute(wrong))
            desk.warehouse.change("noting", note_pending)

    remake_rollups(desk.warehouse, spoil)
    assert steps > 5
    assert not is_pending(desk.warehouse)
    assert [] == desk.faults()


def test_recomputing_in_stretches_makes_the_same_rollups(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    write_split(desk, to_stream(9, 10), new_random(9), 40)
    expected = rolled(desk)
    monkeypatch.setattr("consumer.warehouse.rollups.folding._RECOUNTED_AT_ONCE", 10)
    recompute(connection_of(desk.warehouse))
    assert expected == rolled(desk)
    assert [] == desk.faults()


@pytest.mark.parametrize("table", ["rollup_hourly_by_send_cohort", "rollup_daily_by_event_time"])
def test_verify_finds_a_rollup_that_says_something_else(desk: "Desk", table: str) -> None:
    desk.write(*to_stream(2, 5))
    connection = connection_of(desk.warehouse)
    fold(connection)
    connection.execute(f"update {table} set sends = sends + 1")  # noqa: S608 - our own names
    assert [True] == [table in fault for fault in desk.faults()]


LINES = """
select distinct provider from rollup_rows('{axis}') where events != 0 order by provider
"""


@pytest.mark.parametrize("is_folded", [False, True])
def test_the_long_tail_is_one_line_by_the_hour_and_itself_by_the_day(
    desk: "Desk", is_folded: bool
) -> None:
    for number, domain in enumerate(("gmail.com", "example.net", "example.org")):
        desk.write(publish("Send", to_mail(number, START, [f"reader@{domain}"])))
    if is_folded:
        fold(connection_of(desk.warehouse))
    for of_axis in ("event", "cohort"):
        hourly, daily = (desk.rows(LINES.format(axis=f"{of_axis}_{by}")) for by in ("hour", "day"))
        assert ["(other)", "Gmail"] == [row["provider"] for row in hourly]
        assert ["Gmail", "example.net", "example.org"] == [row["provider"] for row in daily]


def test_a_provider_called_as_a_domain_takes_its_mail_out_of_the_one_line(desk: "Desk") -> None:
    desk.write(*to_stream(4, 6))
    fold(connection_of(desk.warehouse))
    with desk.warehouse.read("select provider, domain, has_feedback_loop from providers") as found:
        known = [ProviderRow.model_construct(**row) for row in found.read_all().to_pylist()]
    own = ProviderRow(domain="mail.example.net", provider="example.net", has_feedback_loop=False)
    rules = read_rules(sql_folder() / "seeds", RuleFiles())
    desk.warehouse.enforce(replace(rules, providers=[*known, own], digest="other"))
    remake_rollups(desk.warehouse, lambda: None)
    assert {"provider": "example.net"} in desk.rows(LINES.format(axis="cohort_hour"))
    assert [] == desk.faults()


def test_compacting_leaves_one_row_a_key_and_no_figure_changes(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in (to_stream(6, 12), to_stream(6, 16), to_stream(6, 20)):
        desk.write(*part)
        fold(connection_of(desk.warehouse))
    expected = rolled(desk)
    monkeypatch.setattr("consumer.warehouse.rollups.compaction.SLICE_ROWS", 25)
    monkeypatch.setattr("consumer.warehouse.rollups.compaction._LEAST_SHARE", 0)
    compacted = compact(desk.warehouse, now=datetime(2026, 6, 1))  # noqa: DTZ001 - naive UTC
    assert compacted.rows_after < compacted.rows_before
    for rollup in tables.TALLIES:
        assert expected[rollup.name] == desk.rows(f"from {rollup.table} order by all")
    assert 0 == compact(desk.warehouse, now=datetime(2026, 6, 1)).periods  # noqa: DTZ001 - naive UTC
    assert [] == desk.faults()


def test_hours_that_are_being_filled_are_not_compacted(desk: "Desk") -> None:
    for number in range(3):
        desk.write(publish("Send", to_mail(number, START, ["reader@example.net"])))
        fold(connection_of(desk.warehouse))
    now = START.replace(tzinfo=None) + timedelta(hours=1)
    assert 0 == compact(desk.warehouse, now=now).periods


def test_what_is_frozen_is_neither_recomputed_nor_compared(desk: "Desk") -> None:
    desk.write(*to_stream(2, 10))
    expected = rolled(desk)
    connection = connection_of(desk.warehouse)
    connection.execute(
        "insert into warehouse_facts values ('rollups_frozen_until', '2026-03-20T00:00:00')"
    )
    connection.execute("delete from events")
    recompute(connection)
    assert expected == rolled(desk)
    assert not [fault for fault in desk.faults() if fault.startswith("rollups")]
