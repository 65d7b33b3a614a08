"""Other rules, and history judged by them: as if everything came in anew."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.resources import sql_folder
from consumer.settings import PrivacySettings
from consumer.upkeep import Upkeep
from consumer.warehouse import WarehouseOptions
from consumer.warehouse.recount import verify
from consumer.warehouse.retention import Retention, prune
from consumer.warehouse.rollups.remaking import is_pending
from consumer.warehouse.rules.files import RuleFiles, read_rules
from consumer.warehouse.rules.reclassification import Change, reclassify

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

OWN_PROVIDERS = "domain,provider,has_feedback_loop\nexample.com,Post,true\n"
OWN_MACHINES = "rule,event_type,ip_prefix\nour_proxy,,192.0.2.\n"
OWN_BOUNCES = "rule,class,status_pattern\nour_code,policy,X.1.1\n"
SETTLED = """
select event_type, recipient, provider, machine_rule, bounce_rule, bounce_class
from events order by event_key
"""
ROLLED = """
select * exclude (sums), from (
    select period, configuration_set, provider, sum(opens)::bigint as opens,
        sum(machine_opens)::bigint as machine_opens, sum(block_bounces)::bigint as blocks,
        sum(unique_human_opens)::bigint as human, sum(fbl_deliveries)::bigint as looped,
        sum(events)::bigint as sums
    from rollup_rows('{axis}') group by all
) where sums != 0 order by all
"""


@pytest.fixture
def files(tmp_path: Path) -> RuleFiles:
    """A user's own files, with nothing in them yet but their headers."""
    named = {"providers": OWN_PROVIDERS, "machine_rules": OWN_MACHINES, "bounce_rules": OWN_BOUNCES}
    made = {}
    for name, text in named.items():
        made[name] = tmp_path / f"{name}.csv"
        made[name].write_text(text.partition("\n")[0] + "\n", encoding="utf-8")
    return RuleFiles(made["providers"], made["machine_rules"], made["bounce_rules"])


def fill(files: RuleFiles) -> None:
    for file, text in (
        (files.providers, OWN_PROVIDERS),
        (files.machine_rules, OWN_MACHINES),
        (files.bounce_rules, OWN_BOUNCES),
    ):
        assert file is not None
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def options(files: RuleFiles) -> WarehouseOptions:
    return WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0, rule_files=files)


def log_traffic(desk: "Desk", new_letter: Callable[..., "Letter"]) -> None:
    """Three messages with all that rules judge: a machine's open before and after a person's."""
    for number, to in enumerate(("ann@example.com", "bob@gmail.com", "cy@example.net")):
        letter = new_letter(message_id=f"message-{number}", to=[to])
        desk.write(letter.send(), letter.delivery(), letter.delay())
        desk.write(
            letter.open(after=600, ip="192.0.2.9"),
            letter.open(after=700, ip="198.51.100.1"),
            letter.click(after=800, ip="192.0.2.9"),
            letter.bounce(feedback_id=f"bounce-{number}", after=4_000),
            letter.complaint(feedback_id=f"complaint-{number}"),
        )


def test_history_is_judged_as_if_it_came_in_by_the_new_rules(
    new_desk: Callable[..., "Desk"],
    new_letter: Callable[..., "Letter"],
    options: WarehouseOptions,
    files: RuleFiles,
) -> None:
    old = new_desk(options)
    log_traffic(old, new_letter)
    before = old.content()
    fill(files)
    dry = reclassify(old.warehouse, is_dry_run=True)
    assert before == old.content()
    done = reclassify(old.warehouse)
    fresh = new_desk(options)
    log_traffic(fresh, new_letter)

    assert fresh.rows(SETTLED) == old.rows(SETTLED)
    assert fresh.content() == old.content()
    for axis in ("event_hour", "cohort_hour"):
        assert fresh.rows(ROLLED.format(axis=axis)) == old.rows(ROLLED.format(axis=axis))
    assert [] == old.faults()
    assert dry.changes == done.changes
    assert {
        Change("provider", "example.com", "Post", 8),
        Change("machine_rule", None, "our_proxy", 6),
        Change("bounce_class", "invalid_recipient", "policy", 3),
    } == set(done.changes)


def test_nothing_is_left_to_change_after_it(
    new_desk: Callable[..., "Desk"],
    letter: "Letter",
    options: WarehouseOptions,
    files: RuleFiles,
) -> None:
    desk = new_desk(options)
    desk.write(letter.send(), letter.bounce())
    fill(files)
    assert desk.warehouse.is_history_judged
    reclassify(desk.warehouse)
    again = reclassify(desk.warehouse)
    assert [] == again.changes
    assert 2 == again.events
    assert desk.warehouse.is_history_judged


def test_what_comes_in_after_it_is_judged_by_the_new_rules(
    new_desk: Callable[..., "Desk"],
    letter: "Letter",
    options: WarehouseOptions,
    files: RuleFiles,
) -> None:
    desk = new_desk(options)
    desk.write(letter.send())
    fill(files)
    reclassify(desk.warehouse)
    desk.write(letter.open(ip="192.0.2.1"), letter.bounce())
    assert [("Post", "our_proxy", None), ("Post", None, "our_code"), ("Post", None, None)] == [
        (row["provider"], row["machine_rule"], row["bounce_rule"])
        for row in desk.rows("from events order by event_type = 'Send', event_type = 'Bounce'")
    ]
    assert [] == desk.faults()


def test_new_rules_leave_history_until_they_are_asked_to_judge_it(
    new_desk: Callable[..., "Desk"],
    letter: "Letter",
    options: WarehouseOptions,
    files: RuleFiles,
) -> None:
    desk = new_desk(options)
    desk.write(letter.send(), letter.delivery(), letter.complaint())
    fill(files)
    desk.warehouse.reopen()
    assert not desk.warehouse.is_history_judged
    assert {"example.com"} == {row["provider"] for row in desk.rows("from events")}
    assert [] == desk.faults()
    reclassify(desk.warehouse)
    assert {"Post"} == {row["provider"] for row in desk.rows("from events")}
    assert [] == desk.faults()


def test_it_can_be_broken_off_between_two_stretches(
    new_desk: Callable[..., "Desk"],
    new_letter: Callable[..., "Letter"],
    options: WarehouseOptions,
    files: RuleFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumer.warehouse.rules.reclassification.STRETCH_EVENTS", 1)
    desk = new_desk(options)
    one = new_letter(message_id="message-1")
    later = new_letter(message_id="message-2", sent=one.sent.replace(hour=20))
    for letter in (one, later):
        desk.write(letter.send(), letter.open(ip="192.0.2.9"))
    fill(files)

    def break_off(done: int, total: int) -> None:
        assert 4 == total
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reclassify(desk.warehouse, on_progress=break_off)
    assert ["Post", "Post", "example.com", "example.com"] == [
        row["provider"] for row in desk.rows("from events order by message_id")
    ]
    assert [] == desk.faults()
    assert not desk.warehouse.is_history_judged
    reclassify(desk.warehouse)
    assert {"Post"} == {row["provider"] for row in desk.rows("from events")}
    assert [] == desk.faults()


def test_messages_of_one_second_are_changed_in_portions_and_nothing_is_wrong_between_them(
    new_desk: Callable[..., "Desk"],
    new_letter: Callable[..., "Letter"],
    options: WarehouseOptions,
    files: RuleFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumer.warehouse.pace.FIRST_ROWS", 1)
    monkeypatch.setattr("consumer.warehouse.pace.LEAST_ROWS", 1)
    monkeypatch.setattr("consumer.warehouse.pace.MOST_ROWS", 1)
    old, fresh = new_desk(options), new_desk(options)
    log_traffic(old, new_letter)
    fill(files)
    faults, steps = [], 0

    def look(done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        faults.extend(old.faults())

    reclassify(old.warehouse, on_progress=look)
    fresh.warehouse.reopen()
    log_traffic(fresh, new_letter)
    assert 4 < steps  # a look, three messages, and the rollups
    assert [] == faults
    assert fresh.content() == old.content()


def test_figures_of_pruned_messages_stay_and_those_that_remain_are_judged(
    new_desk: Callable[..., "Desk"],
    new_letter: Callable[..., "Letter"],
    options: WarehouseOptions,
    files: RuleFiles,
) -> None:
    desk = new_desk(options)
    late = new_letter(message_id="message-2")
    early = new_letter(message_id="message-1", sent=late.sent - timedelta(days=40))
    for letter in (early, late):
        bounce = letter.bounce(feedback_id=f"bounce of {letter.message_id}")
        desk.write(letter.send(), letter.open(ip="192.0.2.9"), bounce)
    days = (datetime.now(UTC) - late.sent).days + 20
    prune(desk.warehouse, Retention(events_days=days, failure_events_days=days + 40))
    fill(files)
    reclassify(desk.warehouse)

    by_day = (
        "select period_day::varchar as day, provider, sum(opens)::bigint as opens, "
        "sum(machine_opens)::bigint as machines from rollup_rows('cohort_day') "
        "group by all having sum(events) != 0 order by all"
    )
    assert [("example.com", 1, 0), ("Post", 1, 1)] == [
        (row["provider"], row["opens"], row["machines"]) for row in desk.rows(by_day)
    ]
    assert [] == desk.faults()


def test_rollups_are_made_again_some_days_at_a_time_and_broken_off_go_on_from_there(
    new_desk: Callable[..., "Desk"],
    new_letter: Callable[..., "Letter"],
    options: WarehouseOptions,
    files: RuleFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumer.warehouse.rollups.remaking._AT_ONCE", 1)

    def log_days(desk: "Desk") -> None:
        for number in range(4):
            one = new_letter(message_id=f"message-{number}", to=["ann@example.com"])
            letter = new_letter(
                message_id=one.message_id, to=one.to, sent=one.sent + timedelta(days=number)
            )
            desk.write(
                letter.send(),
                letter.delivery(),
                letter.complaint(feedback_id=f"c-{number}", after=90_000),
            )

    old, fresh = new_desk(options), new_desk(options)
    log_days(old)
    fill(files)
    steps = 0

    def break_off(_done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        assert [] == old.faults()  # what is not made again yet is no fault
        if steps == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reclassify(old.warehouse, on_progress=break_off)
    notes = {one.note for one in verify(old.warehouse) if one.check.startswith("rollups")}
    assert ["they are being made again"] == [note.partition(":")[0] for note in notes]
    later = new_letter(message_id="later", to=["ann@example.com"])
    old.write(later.send(), later.delivery())
    reclassify(old.warehouse)

    assert {""} == {one.note for one in verify(old.warehouse) if one.check.startswith("rollups")}
    assert [] == old.faults()
    fresh.warehouse.reopen()
    log_days(fresh)
    fresh.write(later.send(), later.delivery())
    for axis in ("event_hour", "cohort_hour"):
        assert fresh.rows(ROLLED.format(axis=axis)) == old.rows(ROLLED.format(axis=axis))


def test_a_start_comes_to_the_end_of_rollups_that_are_half_made_again(
    new_desk: Callable[..., "Desk"],
    new_letter: Callable[..., "Letter"],
    options: WarehouseOptions,
    files: RuleFiles,
) -> None:
    desk = new_desk(options)
    log_traffic(desk, new_letter)
    fill(files)
    rules = read_rules(sql_folder() / "seeds", files)
    desk.warehouse.enforce(rules)  # and killed right after it

    desk.warehouse.reopen()

    assert {""} == {one.note for one in verify(desk.warehouse) if one.check.startswith("rollups")}
    assert [] == desk.faults()


def test_a_worker_starts_at_once_and_comes_to_their_end_while_it_works(
    new_desk: Callable[..., "Desk"],
    new_letter: Callable[..., "Letter"],
    options: WarehouseOptions,
    files: RuleFiles,
) -> None:
    desk = new_desk(replace(options, finishes_rollups=False))
    log_traffic(desk, new_letter)
    fill(files)
    desk.warehouse.enforce(read_rules(sql_folder() / "seeds", files))
    desk.warehouse.reopen()
    assert is_pending(desk.warehouse)

    upkeep = Upkeep(
        desk.warehouse,
        PrivacySettings(),
        Retention(),
        on_rewrite_due=lambda: None,
        on_broken=lambda: None,
    )
    with upkeep:
        wait_until = time.monotonic() + 30
        while is_pending(desk.warehouse):
            assert time.monotonic() < wait_until
            time.sleep(0.01)

    assert {""} == {one.note for one in verify(desk.warehouse) if one.check.startswith("rollups")}
    assert [] == desk.faults()
