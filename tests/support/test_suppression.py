"""Who must not be mailed, and why."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consumer.addresses import parse_address
from consumer.errors import UsageError
from consumer.suppression.recipients import lift
from consumer.warehouse.erasure.erasing import erase

Desk = Any
Letter = Any
NewLetter = Callable[..., Letter]
Verb = Callable[..., Any]


def suppressed(desk: Desk) -> dict[str, list[str]]:
    rows = desk.rows("select recipient, reasons from suppressed_recipients")
    return {row["recipient"]: row["reasons"] for row in rows}


@pytest.mark.parametrize(
    ("event", "options", "reasons"),
    [
        ("bounce", {}, ["hard_bounce"]),
        ("bounce", {"bounce_type": "Transient"}, None),
        ("bounce", {"bounce_type": "Undetermined", "has_dsn": False}, None),
        ("bounce", {"sub_type": "OnAccountSuppressionList"}, ["refused_by_ses"]),
        ("bounce", {"sub_type": "UnsubscribedRecipient"}, ["unsubscribe"]),
        ("complaint", {}, ["complaint"]),
        ("complaint", {"feedback_type": "not-spam"}, None),
        ("complaint", {"feedback_type": "virus"}, None),
        ("complaint", {"to": ["ann@example.com", "bob@example.com"]}, None),
        ("complaint", {"sub_type": "OnAccountSuppressionList"}, ["refused_by_ses"]),
        ("subscription", {}, ["unsubscribe"]),
        ("subscription", {"new": {"topicSubscriptionStatus": []}}, None),
        ("delivery", {}, None),
    ],
)
def test_each_event_suppresses_or_does_not(
    desk: Desk, letter: Letter, event: str, options: dict[str, Any], reasons: list[str] | None
) -> None:
    desk.write(letter.send(), getattr(letter, event)(**options))

    assert ({} if reasons is None else {"ann@example.com": reasons}) == suppressed(desk)


def test_the_simulator_suppresses_nobody(desk: Desk, new_letter: NewLetter) -> None:
    desk.write(new_letter(to=["bounce@simulator.amazonses.com"]).bounce())
    assert {} == suppressed(desk)


def test_all_reasons_of_a_recipient_stand_in_one_row_with_their_times(
    desk: Desk, letter: Letter
) -> None:
    desk.write(letter.bounce(), letter.complaint())

    (row,) = desk.rows("from suppressed_recipients")

    assert ["complaint", "hard_bounce"] == row["reasons"]
    assert (2, "abuse") == (row["events"], row["last_detail"])
    assert row["suppressed_at"] == row["hard_bounced_at"] < row["complained_at"]
    assert row["last_event_at"] == row["complained_at"]


def test_whoever_subscribes_again_is_no_longer_unsubscribed(desk: Desk, letter: Letter) -> None:
    back = letter.subscription(
        after=9_000, new={"unsubscribeAll": False}, old={"unsubscribeAll": True}
    )
    desk.write(back, letter.subscription(after=8_000))
    assert {} == suppressed(desk)


def test_a_lifted_suppression_stays_lifted_until_the_next_such_event(
    desk: Desk, new_letter: NewLetter
) -> None:
    letter = new_letter()
    desk.write(letter.bounce())

    lift(desk.access, "Ann <ANN@example.com>", note="wrote to us")

    assert {} == suppressed(desk)
    with pytest.raises(UsageError, match="not suppressed"):
        lift(desk.access, "ann@example.com")
    ((lifted_at,),) = (row.values() for row in desk.rows("select lifted_at from suppression_lifts"))
    later = new_letter(message_id="m2", sent=lifted_at + timedelta(minutes=1))
    desk.write(later.bounce(feedback_id="another"))
    assert {"ann@example.com": ["hard_bounce"]} == suppressed(desk)


def test_an_erased_address_stays_suppressed_and_can_be_lifted(desk: Desk, letter: Letter) -> None:
    desk.write(letter.bounce())
    address = parse_address("ann@example.com", desk.warehouse.secret)
    erase(desk.warehouse, address)

    assert {address.hidden: ["hard_bounce"]} == suppressed(desk)
    (lifted,) = lift(desk.access, "ann@example.com")
    assert address.hidden == lifted.recipient
    assert {} == suppressed(desk)


def test_the_verbs_list_export_and_lift(desk: Desk, duckpost: Verb, new_letter: NewLetter) -> None:
    bounced = new_letter(message_id="m1", to=["=ann@example.com"])
    complained = new_letter(message_id="m2", to=["bob@example.com"])
    desk.write(bounced.bounce(), complained.complaint())

    listed = duckpost("suppression", "list")
    some = json.loads(duckpost("suppression", "list", "--reason", "complaint", "--json").out)
    exported = list(csv.DictReader(io.StringIO(duckpost("suppression", "export").out)))
    lifted = duckpost("suppression", "lift", "bob@example.com")

    assert "=ann@example.com" in listed.out
    assert ["bob@example.com"] == [row["recipient"] for row in some]
    assert ["bob@example.com", "'=ann@example.com"] == [row["recipient"] for row in exported]
    assert "bob@example.com may be mailed again (was: complaint)" in lifted.out
    assert 2 == duckpost("suppression", "lift", "bob@example.com").code
    assert 2 == duckpost("suppression", "list", "--reason", "weather").code
    assert "nobody" in duckpost("suppression", "list", "--reason", "unsubscribe").out
