"""One event as identity notification and as event publishing: the published copy remains (D15)."""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from consumer.warehouse import WriteResult, open_warehouse
from consumer.warehouse.recovery.rebuild import rebuild

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

Event = dict[str, Any]
MakeDesk = Callable[..., "Desk"]
MakeLetter = Callable[..., "Letter"]


def published(letter: "Letter", event_type: str) -> Event:
    makers: dict[str, Callable[[], Event]] = {
        "Bounce": letter.bounce,
        "Complaint": letter.complaint,
        "Delivery": letter.delivery,
    }
    return makers[event_type]()


def fates(result: WriteResult) -> tuple[int, int, int, int]:
    return result.inserted, result.superseded, result.duplicates, result.rows


TYPES = pytest.mark.parametrize("event_type", ["Bounce", "Complaint", "Delivery"])


@TYPES
def test_d15_the_published_copy_replaces_the_identity_copy(
    desk: "Desk", letter: "Letter", event_type: str
) -> None:
    event = published(letter, event_type)
    first = desk.write(letter.by_identity(event))
    second = desk.write(event)

    assert (1, 0, 0, 1) == fates(first)
    assert (0, 1, 0, 0) == fates(second)
    assert [{"is_identity_notification": False, "configuration_set": "newsletter"}] == desk.rows(
        "select is_identity_notification, configuration_set from events"
    )
    assert 0 == desk.value("select count(*) from waiting")
    assert [] == desk.faults()


@TYPES
def test_d15_an_identity_copy_after_the_published_one_is_a_duplicate(
    desk: "Desk", letter: "Letter", event_type: str
) -> None:
    event = published(letter, event_type)
    desk.write(event)
    content = desk.content()

    assert (0, 0, 1, 0) == fates(desk.write(letter.by_identity(event)))
    assert content == desk.content()
    assert [] == desk.faults()


@TYPES
@pytest.mark.parametrize("is_published_first", [True, False])
def test_d15_both_forms_in_one_batch_leave_the_published_one(
    new_desk: MakeDesk, letter: "Letter", event_type: str, *, is_published_first: bool
) -> None:
    event = published(letter, event_type)
    identity = letter.by_identity(event)
    alone, both = new_desk(), new_desk()
    alone.write(event)
    result = both.write(*([event, identity] if is_published_first else [identity, event]))

    assert ((1, 0, 1, 1) if is_published_first else (1, 1, 0, 1)) == fates(result)
    assert alone.content() == both.content()
    assert [] == both.faults()


@TYPES
def test_every_order_of_copies_of_both_forms_ends_alike(
    new_desk: MakeDesk, letter: "Letter", event_type: str
) -> None:
    event = published(letter, event_type)
    identity = letter.by_identity(event)
    desk = new_desk()
    desk.write(event)
    expected = desk.content()
    copies = {"p": event, "i": identity}
    for order in sorted(set(itertools.permutations("ppii"))):
        apart, together = new_desk(), new_desk()
        for copy in order:
            apart.write(copies[copy])
        together.write(*(copies[copy] for copy in order))

        assert expected == apart.content(), order
        assert expected == together.content(), order
        assert [] == apart.faults() + together.faults(), order


def test_a_delivery_stamped_in_the_hours_last_second_meets_its_cut_copy(
    desk: "Desk", letter: "Letter"
) -> None:
    """09:59:59.999 is cut to 09:59:59, and 10:00:00.400 to 10:00:00."""
    for after in (1_784.577, 1_784.978):
        event = letter.delivery(after=after)
        desk.write(letter.by_identity(event))
        assert 1 == desk.write(event).superseded
    assert 2 == desk.value("select count(*) from events")


def test_an_uncut_identity_copy_is_recognised_too(desk: "Desk", letter: "Letter") -> None:
    for event in (letter.bounce(), letter.delivery(), letter.complaint()):
        desk.write(letter.by_identity(event, is_cut=False))
        assert 1 == desk.write(event).superseded


def test_the_published_copy_removes_all_rows_of_its_feedback_id_where_the_lists_differ(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    letter = new_letter(to=["ann@example.com", "ben@example.com", "cem@example.com"])
    identity = letter.by_identity(letter.complaint(to=["ann@example.com", "ben@example.com"]))
    desk.write(identity)
    result = desk.write(letter.complaint(to=["ben@example.com", "cem@example.com"]))

    assert (0, 2, 0, 0) == fates(result)
    assert [{"recipient": "ben@example.com"}, {"recipient": "cem@example.com"}] == desk.rows(
        "select recipient from events order by recipient"
    )
    assert (0, 0, 2, 0) == fates(desk.write(identity))
    assert 1 == desk.value("select count(*) from marks where kind = 'complaint'")
    assert [] == desk.faults()


def test_a_shorter_published_list_shrinks_the_rows_and_the_books_agree(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    letter = new_letter(to=["ann@example.com", "ben@example.com"])
    desk.write(letter.by_identity(letter.bounce()))
    result = desk.write(letter.bounce(to=["ann@example.com"]))

    assert (0, 1, 0, -1) == fates(result)
    assert 2 == desk.value("select removed from ledger where superseded > 0")
    assert [] == desk.faults()


@pytest.mark.parametrize("form", ["bounce", "complaint"])
def test_an_empty_list_is_one_row_and_gives_way_to_a_full_one(
    desk: "Desk", letter: "Letter", form: str
) -> None:
    make = getattr(letter, form)
    desk.write(letter.by_identity(make(to=[])))
    assert [{"recipient": None}] == desk.rows("select recipient from events")

    assert (0, 1, 0, 0) == fates(desk.write(make()))
    assert [{"recipient": "ann@example.com"}] == desk.rows("select recipient from events")
    assert (0, 0, 1, 0) == fates(desk.write(letter.by_identity(make(to=[]))))
    assert [] == desk.faults()


def test_a_new_recipient_of_a_published_report_joins_the_others(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    """A report split over two events keeps both lists, in one form."""
    letter = new_letter(to=["ann@example.com", "ben@example.com"])
    desk.write(letter.bounce(to=["ann@example.com"]), letter.by_identity(letter.bounce()))
    result = desk.write(letter.bounce(to=["ben@example.com"]))

    assert (1, 0, 0, 1) == fates(result)
    assert 2 == desk.value("select count(*) from events")
    assert [] == desk.faults()


def test_the_mark_of_a_complaint_follows_its_copy(desk: "Desk", letter: "Letter") -> None:
    event = letter.complaint()
    desk.write(letter.by_identity(event))
    desk.write(event)

    assert 1 == desk.value(
        "select count(*) from marks as m join events as e on "
        "e.event_key = m.event_key and e.event_at = m.event_at and m.kind = 'complaint'"
    )
    assert 1 == desk.value("select count(*) from marks")


def test_a_waiting_identity_copy_waits_no_longer_once_it_gave_way(
    desk: "Desk", letter: "Letter"
) -> None:
    desk.write(letter.by_identity(letter.bounce()))
    assert 1 == desk.value("select count(*) from waiting")
    desk.write(letter.bounce())
    assert 0 == desk.value("select count(*) from waiting")
    desk.write(letter.send())
    assert 2 == desk.value("select count(*) from events")


def test_another_messages_identity_copy_stays_out_of_it(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    one = new_letter(message_id="0102-one")
    other = new_letter(message_id="0102-other")
    desk.write(
        one.by_identity(one.bounce(feedback_id="fb-one")),
        other.by_identity(other.bounce(feedback_id="fb-other")),
    )
    result = desk.write(one.bounce(feedback_id="fb-one"))

    assert (0, 1, 0, 0) == fates(result)
    assert [{"message_id": "0102-other"}] == desk.rows(
        "select message_id from events where is_identity_notification"
    )


@pytest.mark.parametrize("feedback_id", [None, ""])
def test_reports_without_feedback_id_are_told_apart_by_message_and_second(
    desk: "Desk", new_letter: MakeLetter, feedback_id: str | None
) -> None:
    one = new_letter(message_id="0102-one")
    other = new_letter(message_id="0102-other")
    desk.write(
        one.by_identity(one.bounce(feedback_id=feedback_id)),
        other.by_identity(other.bounce(feedback_id=feedback_id)),
    )
    result = desk.write(one.bounce(feedback_id=feedback_id))

    assert (0, 1, 0, 0) == fates(result)
    assert [
        {"message_id": "0102-one", "is_identity_notification": False},
        {"message_id": "0102-other", "is_identity_notification": True},
    ] == desk.rows("select message_id, is_identity_notification from events order by message_id")
    assert [] == desk.faults()


@pytest.mark.parametrize("is_published_first", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_copies_without_feedback_id_are_one_report_though_their_lists_differ(
    desk: "Desk", new_letter: MakeLetter, *, is_published_first: bool, together: bool
) -> None:
    letter = new_letter(to=["ann@example.com", "ben@example.com", "cem@example.com"])
    published = letter.bounce(feedback_id=None, to=["ann@example.com"])
    identity = letter.by_identity(
        letter.bounce(feedback_id=None, to=["ben@example.com", "ann@example.com"])
    )
    other = letter.by_identity(letter.complaint(feedback_id=None, after=3.25))
    order = [published, identity] if is_published_first else [identity, published]
    for batch in [[*order, other]] if together else [[one] for one in [*order, other]]:
        desk.write(*batch)

    assert [{"event_type": "Bounce", "recipient": "ann@example.com", "n": 1}] == desk.rows(
        "select event_type, recipient, count(*) as n from events "
        "where event_type = 'Bounce' group by all"
    )
    assert 3 == desk.value("select count(*) from events where event_type = 'Complaint'")
    assert [] == desk.faults()


def story(letter: "Letter") -> Sequence[Event]:
    bounce, complaint, delivery = letter.bounce(), letter.complaint(), letter.delivery()
    return [
        letter.by_identity(bounce),
        letter.by_identity(letter.complaint(to=["ann@example.com"])),
        letter.by_identity(delivery),
        letter.delay(),
        bounce,
        letter.send(),
        complaint,
        delivery,
        letter.by_identity(bounce),
    ]


def test_a_rebuild_gives_identical_rows(new_desk: MakeDesk, new_letter: MakeLetter) -> None:
    desk = new_desk()
    letter = new_letter(to=["ann@example.com", "ben@example.com"])
    for event in story(letter):
        desk.write(event)
    content = desk.content()
    received = desk.rows("select event_key, received_at from events order by event_key")
    warehouse = desk.warehouse
    warehouse.close()
    rebuild(warehouse.path, warehouse.options)
    warehouse._open()

    assert content == desk.content()
    assert received == desk.rows("select event_key, received_at from events order by event_key")
    assert [] == desk.faults()


def contradict(letter: "Letter", choice: random.Random) -> Event:
    """An identity copy of one of two reports or a delivery, told otherwise each time."""
    to = choice.sample(letter.to, choice.choice([1, 2, 3]))
    kind = choice.choice(["Bounce", "Complaint", "Delivery"])
    if kind == "Bounce":
        event = letter.bounce(
            to=to,
            bounce_type=choice.choice(["Permanent", "Transient"]),
            sub_type=choice.choice(["General", "Suppressed"]),
            has_dsn=choice.random() < 0.5,
        )
    elif kind == "Complaint":
        event = letter.complaint(
            to=to, feedback_type=choice.choice(["abuse", "not-spam", "virus", None])
        )
    else:
        event = letter.delivery(to=to)
    copy = letter.by_identity(event, is_cut=choice.random() < 0.5)
    copy["mail"]["sendingAccountId"] = choice.choice(["111122223333", "444455556666"])
    owner = choice.choice(["shop.example.org", "example.org"])
    copy["mail"]["sourceArn"] = f"arn:aws:ses:eu-west-1:111122223333:identity/{owner}"
    return copy


@pytest.mark.parametrize(("seed", "has_published"), [(0, False), (1, True)])
def test_identity_copies_that_contradict_each_other_end_alike_in_any_order_and_batching(
    new_desk: MakeDesk, new_letter: MakeLetter, seed: int, *, has_published: bool
) -> None:
    choice = random.Random(seed)  # noqa: S311 - a seed, not a secret
    letter = new_letter(to=["ann@example.com", "ben@example.com", "cem@example.com"])
    events = [contradict(letter, choice) for _ in range(12)]
    events += [letter.send(), letter.open(), letter.delay()]
    if has_published:
        events.append(letter.bounce(to=letter.to[:2]))
    contents = []
    for size in (1, 5, len(events)):
        desk = new_desk()
        order = choice.sample(events, len(events))
        results = [desk.write(*order[start : start + size]) for start in range(0, len(order), size)]
        before = desk.content()
        assert [] == desk.faults()
        assert desk.value("select count(*) from events") == sum(one.rows for one in results)
        assert 0 == desk.write(*events).rows
        assert before == desk.content()
        contents.append(
            {**before, "identities": desk.rows("select * from identities order by all")}
        )
    assert [contents[0]] * 3 == contents


def test_of_two_identity_copies_the_lesser_replaces_the_greater_and_is_entered_as_that(
    desk: "Desk", letter: "Letter"
) -> None:
    lesser, greater = (letter.by_identity(letter.bounce()) for _ in range(2))
    greater["mail"]["sendingAccountId"] = "999988887777"

    assert (1, 0, 0, 1) == fates(desk.write(greater))
    assert (0, 1, 0, 0) == fates(desk.write(lesser))
    assert (0, 0, 1, 0) == fates(desk.write(greater))
    assert [{"account": "111122223333"}] == desk.rows("select account from events")
    assert [] == desk.faults()
    path, options = desk.warehouse.path, desk.warehouse.options
    content = desk.content()
    desk.warehouse.close()
    rebuild(path, options)
    with open_warehouse(path, options) as again:
        assert content == type(desk)(again).content()
