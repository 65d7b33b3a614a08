"""What belongs to the message: rows that don't carry it take it from the message's Send."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

MakeLetter = Callable[..., "Letter"]

FACTS = "configuration_set, tenant, from_domain, tags"
OF_THE_SEND = {
    "configuration_set": "newsletter",
    "tenant": "blue",
    "from_domain": "shop.example.org",
    "tags": [("campaign", ["spring"])],
}


@pytest.fixture
def sender(new_letter: MakeLetter) -> "Letter":
    return new_letter(tags={"campaign": ["spring"], "ses:tenant-name": ["blue"]})


def poor_events(letter: "Letter") -> list[dict[str, Any]]:
    return [
        letter.by_identity(letter.bounce()),
        letter.by_identity(letter.complaint()),
        letter.by_identity(letter.delivery()),
        letter.delay(),
        letter.rendering_failure(),
    ]


def facts(desk: "Desk") -> list[dict[str, Any]]:
    return desk.rows(f"select {FACTS} from events where event_type != 'Send'")  # noqa: S608 - a constant


def test_rows_that_come_after_the_send_take_what_it_says(desk: "Desk", sender: "Letter") -> None:
    desk.write(sender.send())
    desk.write(*poor_events(sender))

    assert [OF_THE_SEND] * 5 == facts(desk)
    assert 0 == desk.value("select count(*) from waiting")


def test_rows_that_come_before_the_send_wait_for_it(desk: "Desk", sender: "Letter") -> None:
    desk.write(*poor_events(sender))
    assert 5 == desk.value("select count(*) from waiting")
    desk.write(sender.send())

    assert [OF_THE_SEND] * 5 == facts(desk)
    assert 0 == desk.value("select count(*) from waiting")
    assert 6 == desk.value("select count(*) from events")
    assert [] == desk.faults()


@pytest.mark.parametrize("is_send_first", [True, False])
def test_rows_in_the_sends_own_batch_take_what_it_says(
    desk: "Desk", sender: "Letter", *, is_send_first: bool
) -> None:
    poor = poor_events(sender)
    desk.write(*([sender.send(), *poor] if is_send_first else [*poor, sender.send()]))

    assert [OF_THE_SEND] * 5 == facts(desk)
    assert 0 == desk.value("select count(*) from waiting")


def test_a_duplicate_of_the_send_serves_those_that_come_with_it(
    desk: "Desk", sender: "Letter"
) -> None:
    desk.write(sender.send())
    desk.write(sender.send(), sender.delay())

    assert [OF_THE_SEND] == facts(desk)


def test_without_a_send_a_row_keeps_what_it_says_itself(desk: "Desk", sender: "Letter") -> None:
    desk.write(sender.delay(), sender.by_identity(sender.bounce()))

    assert [
        {"event_type": "Bounce", "configuration_set": None, "from_domain": "shop.example.org"},
        {
            "event_type": "DeliveryDelay",
            "configuration_set": "newsletter",
            "from_domain": "shop.example.org",
        },
    ] == desk.rows(
        "select event_type, configuration_set, from_domain from events order by event_type"
    )


def test_the_send_of_another_account_says_nothing_about_it(
    desk: "Desk", sender: "Letter", new_letter: MakeLetter
) -> None:
    other = new_letter(account="999988887777", configuration_set="theirs")
    desk.write(sender.by_identity(sender.bounce()))
    desk.write(other.send())

    assert [{"configuration_set": None}] == desk.rows(
        "select configuration_set from events where event_type = 'Bounce'"
    )
    assert 1 == desk.value("select count(*) from waiting")


@pytest.mark.parametrize("is_own_first", [True, False])
def test_sends_of_two_accounts_in_one_batch_are_kept_apart(
    desk: "Desk", sender: "Letter", new_letter: MakeLetter, *, is_own_first: bool
) -> None:
    other = new_letter(account="999988887777", configuration_set="theirs", tags={})
    desk.write(sender.by_identity(sender.bounce()))
    sends = [sender.send(), {**other.send(), "mail": {**other.mail(), "destination": ["x@y.org"]}}]
    desk.write(*(sends if is_own_first else reversed(sends)))

    assert [{"configuration_set": "newsletter"}] == desk.rows(
        "select configuration_set from events where event_type = 'Bounce'"
    )
    assert 0 == desk.value("select count(*) from waiting")


def test_a_send_without_a_set_takes_nothing_away_but_says_there_is_none(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    letter = new_letter(configuration_set=None, tags={})
    desk.write(letter.by_identity(letter.bounce()))
    desk.write(letter.send())

    assert [{"configuration_set": None, "tags": []}] == desk.rows(
        "select configuration_set, tags from events where event_type = 'Bounce'"
    )
    assert 0 == desk.value("select count(*) from waiting")


def test_outgoing_tags_stay_with_their_event(desk: "Desk", sender: "Letter") -> None:
    delivery = sender.delivery()
    delivery["mail"]["tags"]["ses:outgoing-ip"] = ["203.0.113.5"]
    desk.write(delivery)
    desk.write(sender.by_identity(sender.bounce()))
    desk.write(sender.send())

    assert [
        {"event_type": "Bounce", "outgoing_ip": None},
        {"event_type": "Delivery", "outgoing_ip": "203.0.113.5"},
        {"event_type": "Send", "outgoing_ip": None},
    ] == desk.rows("select event_type, outgoing_ip from events order by event_type")


def test_every_recipient_of_the_message_is_completed(desk: "Desk", new_letter: MakeLetter) -> None:
    letter = new_letter(to=[f"r{number}@example.com" for number in range(40)])
    desk.write(letter.by_identity(letter.bounce()), letter.delay())
    desk.write(letter.send())

    assert 120 == desk.value("select count(*) from events where configuration_set = 'newsletter'")
    assert 0 == desk.value("select count(*) from waiting")
    assert [] == desk.faults()


def test_a_send_accepted_at_the_very_hour_finds_what_waited_from_the_second_before(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    """An identity notification may carry the message's time cut to the second, too."""
    letter = new_letter(sent=datetime(2026, 3, 2, 10, 0, 0, 400_000, tzinfo=UTC))
    bounce = letter.by_identity(letter.bounce())
    bounce["mail"]["timestamp"] = "2026-03-02T09:59:59.999Z"
    desk.write(bounce)
    desk.write(letter.send())

    assert 0 == desk.value("select count(*) from waiting")


def test_marks_of_rows_that_waited_stay_with_them(desk: "Desk", sender: "Letter") -> None:
    desk.write(sender.delay(), sender.by_identity(sender.complaint()))
    before = desk.rows("select * from marks order by all")
    desk.write(sender.send())

    assert before == desk.rows("select * from marks order by all")
    assert [] == desk.faults()
