"""Rules that tell a machine's open or click from a person's."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from consumer.warehouse.rules.machines import Machines
from consumer.warehouse.rules.rows import MachineRule

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

Rule = tuple[str, str | None, str | None, str | None, float | None, str | None]


def set_rules(desk: "Desk", *rules: Rule) -> None:
    names = list(MachineRule.model_fields)
    made = [MachineRule(**dict(zip(names, rule, strict=True))) for rule in rules]
    desk.warehouse._standing.machines = Machines(made)


def verdicts(desk: "Desk") -> dict[str, str | None]:
    return {
        row["ip"]: row["machine_rule"] for row in desk.rows("select ip, machine_rule from events")
    }


def test_all_conditions_of_a_rule_must_hold(desk: "Desk", letter: "Letter") -> None:
    set_rules(desk, ("scanner", "Click", "(?i)scan", "192.0.2.", 30.0, None))
    desk.write(
        letter.click(after=30, ip="192.0.2.1", user_agent="LinkScan/1"),
        letter.click(after=30.001, ip="192.0.2.2", user_agent="LinkScan/1"),
        letter.click(after=30, ip="192.0.2.3", user_agent="Mozilla"),
        letter.click(after=30, ip="198.51.100.4", user_agent="LinkScan/1"),
        letter.open(after=30, ip="192.0.2.5", user_agent="LinkScan/1"),
    )

    assert {
        "192.0.2.1": "scanner",
        "192.0.2.2": None,
        "192.0.2.3": None,
        "198.51.100.4": None,
        "192.0.2.5": None,
    } == verdicts(desk)


def test_ses_own_verdict_goes_first_and_then_the_rules_in_their_order(
    desk: "Desk", letter: "Letter"
) -> None:
    set_rules(
        desk,
        ("named_first", None, "Mozilla", None, None, None),
        ("a_later_one", None, "Mozilla", None, None, None),
    )
    likely, unlikely = letter.open(ip="192.0.2.1"), letter.open(ip="192.0.2.2")
    likely["open"]["isBotEvent"] = "Likely"
    unlikely["open"]["isBotEvent"] = "Unlikely"
    desk.write(likely, unlikely)

    assert {"192.0.2.1": "ses_is_bot_event", "192.0.2.2": "named_first"} == verdicts(desk)


def test_without_user_agent_or_address_nothing_is_a_machines(
    desk: "Desk", letter: "Letter"
) -> None:
    set_rules(
        desk,
        ("agent", None, "Mozilla", None, None, None),
        ("address", None, None, "192.", None, None),
    )
    event = letter.open()
    event["open"] = {"timestamp": event["open"]["timestamp"]}
    desk.write(event)

    assert [{"machine_rule": None}] == desk.rows("select machine_rule from events")


def test_quotes_in_a_rule_are_text(desk: "Desk", letter: "Letter") -> None:
    set_rules(desk, ("it's'); drop table events; --", None, "O'Reilly", "19'", None, None))
    desk.write(letter.open(user_agent="O'Reilly", ip="19'2"))

    assert {"19'2": "it's'); drop table events; --"} == verdicts(desk)


def test_an_event_stamped_before_its_message_is_within_any_span(
    desk: "Desk", letter: "Letter"
) -> None:
    set_rules(desk, ("at once", "Open", None, None, 0.5, None))
    desk.write(letter.open(after=-2, ip="192.0.2.1"), letter.open(after=0.6, ip="192.0.2.2"))

    assert {"192.0.2.1": "at once", "192.0.2.2": None} == verdicts(desk)


def test_no_rules_leave_ses_own_verdict(desk: "Desk", letter: "Letter") -> None:
    set_rules(desk)
    desk.write(letter.open())

    assert {"192.0.2.1": None} == verdicts(desk)


def test_the_rules_that_come_with_duckpost_are_taken_as_they_are(
    new_desk: Callable[..., "Desk"],
) -> None:
    assert 0 < new_desk().value("select count(*) from machine_rules")


def test_more_user_agents_than_are_remembered_are_judged_alike(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.rules.machines._MOST_REMEMBERED", 2)
    set_rules(desk, ("scanner", None, "(?i)scan", None, None, None))
    for number in range(3):
        desk.write(
            *(
                letter.open(
                    ip=f"192.0.2.{number}{of}",
                    user_agent=f"{'Scan' if of else 'Reader'}/{number}{of}",
                )
                for of in range(3)
            )
        )

    assert {
        f"192.0.2.{number}{of}": "scanner" if of else None for number in range(3) for of in range(3)
    } == verdicts(desk)
