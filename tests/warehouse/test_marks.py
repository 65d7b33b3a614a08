"""Who counts once: the least event of its group, whatever came first (D22)."""

import itertools
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

Event = dict[str, Any]
MakeDesk = Callable[..., "Desk"]
MakeLetter = Callable[..., "Letter"]

HELD = """
select m.kind, e.event_type, e.event_at::varchar as at
from marks as m join events as e on e.event_key = m.event_key
order by all
"""


def test_the_earliest_open_holds_the_mark_whatever_came_first(
    new_desk: MakeDesk, letter: "Letter"
) -> None:
    opens = [letter.open(after=300), letter.open(after=200), letter.open(after=100)]
    for order in (opens, opens[::-1]):
        desk = new_desk()
        for event in order:
            desk.write(event)
        together = new_desk()
        together.write(*order)

        assert {"2026-03-02 09:31:55.422"} == {row["at"] for row in desk.rows(HELD)}
        assert ["engaged", "human_engaged", "human_open", "open"] == [
            row["kind"] for row in desk.rows(HELD)
        ]
        assert desk.content() == together.content()
        assert [] == desk.faults()


def test_opens_of_the_same_instant_are_settled_by_their_keys(
    new_desk: MakeDesk, letter: "Letter"
) -> None:
    opens = [letter.open(ip=f"192.0.2.{number}") for number in range(4)]
    holders = set()
    for order in itertools.islice(itertools.permutations(opens), 0, 24, 7):
        desk = new_desk()
        for event in order:
            desk.write(event)
        holders.add(desk.value("select event_key from marks where kind = 'open'"))
        least = desk.value("select min(event_key) from events")
    assert {least} == holders


def test_a_click_before_the_first_open_is_the_engagement(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.open(after=200))
    desk.write(letter.click(after=100))

    assert [
        ("click", "Click"),
        ("engaged", "Click"),
        ("human_click", "Click"),
        ("human_engaged", "Click"),
        ("human_open", "Open"),
        ("open", "Open"),
    ] == [(row["kind"], row["event_type"]) for row in desk.rows(HELD)]


def test_a_machines_open_holds_no_human_mark(desk: "Desk", letter: "Letter") -> None:
    machine = letter.open(after=1)
    machine["open"]["isBotEvent"] = "Likely"
    desk.write(letter.open(after=500), machine)

    assert {
        "engaged": "2026-03-02 09:30:16.422",
        "open": "2026-03-02 09:30:16.422",
        "human_engaged": "2026-03-02 09:38:35.422",
        "human_open": "2026-03-02 09:38:35.422",
    } == {row["kind"]: row["at"] for row in desk.rows(HELD)}


def test_an_open_of_a_mail_to_several_holds_no_mark(desk: "Desk", new_letter: MakeLetter) -> None:
    letter = new_letter(to=["ann@example.com", "ben@example.com"])
    desk.write(letter.open(), letter.click())

    assert [] == desk.rows(HELD)
    assert [] == desk.faults()


def test_each_delayed_recipient_holds_a_mark_of_the_first_delay(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    letter = new_letter(to=["ann@example.com", "ben@example.com"])
    desk.write(letter.delay(after=600), letter.delay(after=1_200))

    assert [
        {"kind": "delay", "event_type": "DeliveryDelay", "at": "2026-03-02 09:40:15.422"}
    ] * 2 == (desk.rows(HELD))


def test_d14_a_report_of_several_possible_complainers_is_one_complaint(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    letter = new_letter(to=["ann@example.com", "ben@example.com"])
    desk.write(letter.complaint())

    assert 2 == desk.value("select count(*) from events where is_ambiguous")
    assert 1 == desk.value("select count(*) from marks where kind = 'complaint'")


@pytest.mark.parametrize(
    ("feedback_type", "sub_type", "marks"),
    [
        ("abuse", None, 1),
        (None, None, 1),
        ("fraud", None, 1),
        ("not-spam", None, 0),
        ("auth-failure", None, 0),
        ("virus", None, 0),
        ("abuse", "OnAccountSuppressionList", 0),
    ],
)
def test_only_what_counts_as_a_complaint_is_marked(
    desk: "Desk", letter: "Letter", feedback_type: str | None, sub_type: str | None, marks: int
) -> None:
    desk.write(letter.complaint(feedback_type=feedback_type, sub_type=sub_type))

    assert marks == desk.value("select count(*) from marks")
    assert [] == desk.faults()


def test_the_mailbox_simulator_holds_no_mark(desk: "Desk", new_letter: MakeLetter) -> None:
    letter = new_letter(to=["complaint@simulator.amazonses.com"])
    desk.write(letter.complaint(), letter.open(), letter.click(), letter.delay())

    assert 4 == desk.value("select count(*) from events where is_simulator")
    assert [] == desk.rows(HELD)
    assert [] == desk.faults()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("together", [False, True])
def test_every_delivery_but_a_recipients_first_is_noted_as_a_repeat(
    desk: "Desk", letter: "Letter", order: tuple[int, ...], together: bool
) -> None:
    deliveries = [letter.delivery(after=after) for after in (2, 3_700, 86_000)]
    arriving = [deliveries[number] for number in order]
    for batch in [arriving] if together else [[one] for one in arriving]:
        desk.write(*batch)

    assert [
        {"kind": "repeat", "event_type": "Delivery", "at": "2026-03-02 10:31:55.422"},
        {"kind": "repeat", "event_type": "Delivery", "at": "2026-03-03 09:23:35.422"},
    ] == desk.rows(HELD)
    assert [] == desk.faults()


def test_a_delivery_to_another_or_far_from_its_sending_repeats_nothing(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    letter = new_letter(to=["ann@example.com", "ben@example.com"])
    desk.write(letter.delivery(after=2, to=["ann@example.com"]))
    desk.write(letter.delivery(after=9, to=["ben@example.com"]))
    desk.write(letter.delivery(after=90_000, to=["ann@example.com"]))
    desk.write(letter.delivery(after=-4_000, to=["ann@example.com"]))
    assert [] == desk.rows(HELD)
    assert [] == desk.faults()


def test_a_delivery_that_names_nobody_repeats_nothing_and_stops_nothing(
    desk: "Desk", letter: "Letter"
) -> None:
    desk.write(letter.delivery(after=2, to=[]))
    result = desk.write(letter.delivery(after=3))
    desk.write(letter.delivery(after=4, to=[]), letter.delivery(after=5))

    assert 1 == result.inserted
    assert ["2026-03-02 09:30:20.422"] == [row["at"] for row in desk.rows(HELD)]
    assert [] == desk.faults()


def test_both_forms_of_a_repeated_delivery_leave_one_note(
    new_desk: MakeDesk, letter: "Letter"
) -> None:
    first, second = letter.delivery(after=2.5), letter.delivery(after=6.5)
    events = [first, second, letter.by_identity(first), letter.by_identity(second)]
    for order in itertools.islice(itertools.permutations(events), 0, 24, 5):
        desk = new_desk()
        for event in order:
            desk.write(event)
        assert ["2026-03-02 09:30:21.922"] == [row["at"] for row in desk.rows(HELD)]
        assert [] == desk.faults()


# --- any order, any batches ------------------------------------------------------------------


def tell_story(choice: random.Random, new_letter: MakeLetter) -> Iterator[Event]:
    """All types in both forms, with simulators, several recipients, and copies."""
    people = [f"p{number}@example.com" for number in range(4)]
    people += ["success@simulator.amazonses.com", "Cem <CEM@Example.net>"]
    start = new_letter().sent
    for number in range(12):
        letter = new_letter(
            message_id=f"0102-{number:04}",
            sent=start + timedelta(seconds=choice.randrange(200_000), milliseconds=number),
            to=choice.sample(people, choice.choice([1, 1, 1, 2, 3])),
            configuration_set=choice.choice(["newsletter", "receipts", None]),
            account=choice.choice(["111122223333", "444455556666"]),
            source=choice.choice(["news@shop.example.org", "Shop@example.org"]),
            identity=choice.choice(["shop.example.org", "example.org"]),
        )
        fb = f"fb-{number}"
        both = [
            letter.delivery(after=choice.random() * 9),
            letter.delivery(after=choice.random() * 90_000),
            letter.bounce(feedback_id=fb, after=choice.random() * 9),
            letter.complaint(feedback_id=f"{fb}-c", after=choice.random() * 9_000),
            letter.complaint(feedback_id=f"{fb}-n", feedback_type="not-spam"),
        ]
        single = [
            letter.reject(),
            letter.rendering_failure(),
            letter.delay(after=600),
            letter.delay(after=choice.random() * 4_000),
            letter.open(after=choice.random() * 90_000),
            letter.open(after=choice.random() * 90_000, user_agent="GoogleImageProxy"),
            letter.open(after=900),
            letter.open(after=900, ip="198.51.100.9"),
            letter.click(after=choice.random() * 90_000),
            letter.click(after=960, link="https://shop.example.org/other"),
            letter.subscription(),
        ]
        if choice.random() < 0.7:
            yield letter.send()
        yield from choice.sample(single, 6)
        for event in both:
            form = choice.choice(["published", "identity", "both"])
            if form != "identity":
                yield event
            if form != "published":
                yield letter.by_identity(event, is_cut=choice.random() < 0.7)


def in_batches(choice: random.Random, events: list[Event]) -> Iterator[list[Event]]:
    while events:
        size = choice.choice([1, 3, 10, 40])
        yield events[:size]
        events = events[size:]


@pytest.mark.parametrize("seed", range(4))
def test_d22_no_order_and_no_batching_changes_rows_or_marks(
    new_desk: MakeDesk, new_letter: MakeLetter, seed: int
) -> None:
    choice = random.Random(seed)  # noqa: S311 - a seed, not a secret
    events = list(tell_story(choice, new_letter))
    events += choice.sample(events, len(events) // 4)
    whole = new_desk()
    whole.write(*events)
    expected = whole.content()
    assert [] == whole.faults()
    assert expected["marks"]

    shuffled = choice.sample(events, len(events))
    for order in (events[::-1], shuffled):
        desk = new_desk()
        for batch in in_batches(choice, order):
            desk.write(*batch)

        assert [] == desk.faults()
        for table, rows in expected.items():
            assert rows == desk.content()[table], table
        assert whole.rows(IDENTITIES) == desk.rows(IDENTITIES)


IDENTITIES = (
    "select account, region, source, identity, identity_account from identities order by all"
)
