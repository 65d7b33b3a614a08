"""`duckpost find`: the whole story of a message or a recipient."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from consumer.cli.find import to_span
from consumer.find import find, guess_sent_at

Desk = Any
Letter = Any
NewLetter = Callable[..., Letter]
Verb = Callable[..., Any]

DAY = timedelta(days=1)


def make_id(letter: Letter, *, off: timedelta = timedelta(0)) -> str:
    """A message id whose digits 5 to 16 are the milliseconds of sending, or ``off`` them."""
    millis = int((letter.sent + off).timestamp() * 1000)
    return f"0102{millis:012x}-5f2c9f4e-1111-4222-8333-444455556666-000000"


def test_a_message_is_told_in_the_order_in_which_things_happened(
    desk: Desk, letter: Letter
) -> None:
    desk.write(letter.click(), letter.bounce(), letter.send(), letter.delivery())

    story = find(desk.access, letter.message_id)

    (message,) = story.messages
    assert ["Send", "Delivery", "Bounce", "Click"] == [row["event_type"] for row in message.events]
    assert {"ann@example.com": "bounced hard"} == message.states
    assert ("Spring", "newsletter") == (
        message.about["subject"],
        message.about["configuration_set"],
    )
    bounce = message.events[2]
    assert ("hard", "invalid_recipient", 3_250) == (
        bounce["kind"],
        bounce["bounce_class"],
        bounce["since_sending_ms"],
    )


def test_an_id_that_tells_its_time_is_looked_for_there_and_one_that_lies_everywhere(
    desk: Desk, letter: Letter, new_letter: NewLetter
) -> None:
    honest = new_letter(message_id=make_id(letter))
    liar = new_letter(message_id=make_id(letter, off=90 * DAY), to=["bob@example.com"])
    desk.write(honest.send(), liar.send())

    assert letter.sent.replace(microsecond=422_000) == guess_sent_at(honest.message_id)
    for one in (honest, liar):
        (message,) = find(desk.access, one.message_id).messages
        assert one.message_id == message.message_id


def test_digits_that_are_no_time_are_no_guess() -> None:
    for message_id in ("message-1", "ffffffffffffffff-a", "0102000000000001-a", ""):
        assert guess_sent_at(message_id) is None


def test_the_header_of_a_mail_names_its_message(desk: Desk, new_letter: NewLetter) -> None:
    letter = new_letter(message_id=make_id(new_letter()))
    desk.write(letter.send())

    story = find(desk.access, f"<{letter.message_id}@eu-west-1.amazonses.com>")

    assert [letter.message_id] == [one.message_id for one in story.messages]


def test_a_recipient_is_found_however_the_address_is_written(desk: Desk, letter: Letter) -> None:
    desk.write(letter.send())

    for asked in (
        "ann@example.com",
        "ANN@Example.COM",
        '"Ann" <ann@example.com>',
        " ann@example.com",
    ):
        assert 1 == find(desk.access, asked).total
    assert 0 == find(desk.access, "joann@example.com").total


def test_a_recipients_messages_come_newest_first_and_leave_others_recipients_out(
    desk: Desk, new_letter: NewLetter
) -> None:
    letters = [
        new_letter(message_id=f"m{number}", sent=new_letter().sent + number * DAY)
        for number in (1, 3, 2)
    ]
    shared = new_letter(
        message_id="m4", sent=new_letter().sent, to=["bob@example.com", "ann@example.com"]
    )
    for one in letters:
        desk.write(one.send(), one.delivery())
    desk.write(shared.send(), shared.open())

    story = find(desk.access, "ann@example.com", limit=3)

    assert ["m3", "m2", "m1"] == [one.message_id for one in story.messages]
    assert 4 == story.total
    last = find(desk.access, "bob@example.com").messages[0]
    assert [("Send", "bob@example.com"), ("Open", None)] == [
        (row["event_type"], row["recipient"]) for row in last.events
    ]
    since = letters[2].sent.replace(tzinfo=None)
    assert ["m3", "m2"] == [
        one.message_id for one in find(desk.access, "ann@example.com", since=since).messages
    ]


def test_a_forwarders_bounce_is_found_under_both_addresses(desk: Desk, letter: Letter) -> None:
    desk.write(letter.send(), letter.bounce(to=["Else@Forward.example.net"]))

    assert 2 == len(find(desk.access, letter.to[0]).messages[0].events)
    (message,) = find(desk.access, "else@forward.example.net").messages
    assert ["Bounce"] == [row["event_type"] for row in message.events]


def test_a_complaint_advises_against_mailing_again_and_a_delivery_does_not(
    desk: Desk, new_letter: NewLetter
) -> None:
    ann = new_letter(message_id="m1")
    bob = new_letter(message_id="m2", to=["bob@example.com"])
    desk.write(ann.send(), ann.complaint(), bob.send(), bob.delivery())

    reasons = [
        advice.reasons
        for name in ("ann@example.com", "bob@example.com")
        if (advice := find(desk.access, name).advice) is not None
    ]
    assert [["complaint"], []] == reasons


def test_mail_to_the_simulator_is_in_its_story_without_a_state(
    desk: Desk, new_letter: NewLetter
) -> None:
    letter = new_letter(to=["bounce@simulator.amazonses.com"])
    desk.write(letter.send(), letter.bounce())

    (message,) = find(desk.access, "bounce@simulator.amazonses.com").messages

    assert (2, {}) == (len(message.events), message.states)


def test_the_verb_shows_a_strangers_escape_codes_instead_of_obeying_them(
    desk: Desk, duckpost: Verb, new_letter: NewLetter
) -> None:
    letter = new_letter(tags={"\x1b[2J": ["\x1b]0;x\x07"]}, source="\x1b[31m <news@example.com>")
    letter = new_letter(**{**vars(letter), "to": ["\x1b[31mann@example.com"]})
    bounce = letter.bounce()
    bounce["bounce"]["bouncedRecipients"][0]["diagnosticCode"] = "550 \x1b[2J[bold]no\u202e"
    send = letter.send()
    send["mail"]["commonHeaders"]["subject"] = "\x1b[2J[link]"
    desk.write(send, bounce)

    for asked in (letter.message_id, letter.to[0]):
        shown = duckpost("find", asked)
        assert 0 == shown.code
        assert "\x1b" not in shown.out
        assert "\u202e" not in shown.out
        assert "550 \\x1b[2J[bold]no" in shown.out


def test_the_verb_answers_programs(desk: Desk, duckpost: Verb, letter: Letter) -> None:
    desk.write(letter.send(), letter.bounce())

    told = json.loads(duckpost("find", "Ann@example.com", "--json").out)

    assert ("ann@example.com", 1, ["hard_bounce"]) == (
        told["asked"],
        told["total"],
        told["suppression"]["reasons"],
    )
    (message,) = told["messages"]
    assert {"ann@example.com": "bounced hard"} == message["states"]
    assert ["Send", "Bounce"] == [row["event_type"] for row in message["events"]]


def test_the_verb_says_so_when_nothing_is_known(duckpost: Verb) -> None:
    assert "nothing is known of nobody@example.com" in duckpost("find", "nobody@example.com").out
    assert "nothing is known of m1" in duckpost("find", "m1").out
    assert 2 == duckpost("find", "m1", "--since", "yesterday").code


def test_spans_are_written_in_their_two_largest_units() -> None:
    spans = {
        0: "0.000 s",
        1_250: "1.250 s",
        -400: "-0.400 s",
        90_000: "1 min 30 s",
        172_800_000: "2 d",
    }
    assert list(spans.values()) == [to_span(one) for one in spans]
    assert "-" == to_span(None)
