"""What senders, receivers and clocks get wrong: it is kept, and no figure of others suffers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.streams.conftest import Desk

MakeLetter = Callable[..., "Letter"]
MakeDesk = Callable[[], "Desk"]
Fake = Any  # a class of conftest.py, which tests cannot import: they are no package

BY_SET = "from configuration_sets_daily_by_send_cohort order by configuration_set nulls last"
TWO = ["ann@example.com", "ben@example.com"]


def test_an_identity_notification_for_a_message_sent_by_another_account_joins_no_other_set(
    desk: "Desk", new_letter: MakeLetter
) -> None:
    theirs = new_letter(account="444455556666", configuration_set="theirs")
    ours = new_letter(account="111122223333")
    desk.write(theirs.send())
    desk.write(ours.by_identity(ours.bounce()))
    assert [
        {"account": "444455556666", "name": "theirs", "sends": 1, "hard_bounces": 0},
        {"account": "111122223333", "name": "(none)", "sends": 0, "hard_bounces": 1},
    ] == desk.ask(f"select account, configuration_set_name as name, sends, hard_bounces {BY_SET}")


@pytest.mark.parametrize(
    ("to", "bounced", "accepted"),
    [(["ann@example.com"], "ann@example.com", 0), (TWO, "forwarded@elsewhere.net", 2)],
)
def test_a_bounce_for_an_address_that_the_message_was_not_sent_to_is_the_only_destinations(
    desk: "Desk", new_letter: MakeLetter, to: list[str], bounced: str, accepted: int
) -> None:
    letter = new_letter(to=to)
    desk.write(letter.send(), letter.delivery(), letter.bounce(to=["forwarded@elsewhere.net"]))
    assert [{"recipient": bounced}] == desk.ask(
        "select recipient from events where event_type = 'Bounce'"
    )
    assert [{"attempted": len(to), "accepted": accepted, "hard_bounces": 1}] == desk.ask(
        f"select attempted, accepted, hard_bounces {BY_SET}"
    )


@pytest.mark.parametrize("feedback_id", ["fb-1", None])
@pytest.mark.parametrize("is_published_first", [True, False])
def test_one_report_with_two_lists_counts_the_published_one(
    desk: "Desk", new_letter: MakeLetter, feedback_id: str | None, *, is_published_first: bool
) -> None:
    letter = new_letter(to=TWO)
    published = letter.bounce(to=TWO[:1], feedback_id=feedback_id)
    other = letter.by_identity(letter.bounce(to=TWO, feedback_id=feedback_id))
    for event in (published, other) if is_published_first else (other, published):
        desk.write(event)
    assert [{"hard_bounces": 1}] == desk.ask(f"select hard_bounces {BY_SET}")


def test_a_complaint_with_an_empty_list_is_a_report_and_accuses_nobody(
    desk: "Desk", letter: "Letter"
) -> None:
    desk.write(letter.send(), letter.delivery(), letter.complaint(to=[]))
    assert [{"complaints": 1, "complaint_rate": 1.0}] == desk.ask(
        f"select complaints, complaint_rate {BY_SET}"
    )
    assert [{"state": "delivered"}] == desk.ask("select state from message_recipients")


def test_a_delivery_that_names_more_recipients_than_destinations_loses_no_mail(
    desk: "Desk", letter: "Letter"
) -> None:
    desk.write(letter.send(), letter.delivery(to=[*letter.to, "x@example.com", "y@example.com"]))
    assert [
        {"sends": 1, "deliveries": 3, "outcomes": 3, "lost": 0, "low": None, "basis": "outcomes"}
    ] == desk.ask(
        "select sends, deliveries, outcomes, coalesce(lost, 0) as lost, "
        f"delivery_rate_low as low, denominator_basis as basis {BY_SET}"
    )


def test_one_open_of_a_message_to_fifty_is_nobodys(desk: "Desk", new_letter: MakeLetter) -> None:
    letter = new_letter(to=[f"reader{number}@example.com" for number in range(50)])
    desk.write(letter.send(), letter.delivery(), letter.open())
    assert [{"deliveries": 50, "opens": 1, "unique": 0, "tracked": 0, "rate": None}] == desk.ask(
        "select deliveries, opens, unique_human_opens as unique, "
        f"open_tracked_deliveries as tracked, unique_open_rate as rate {BY_SET}"
    )


def test_a_tag_called_like_a_column_is_a_tag(desk: "Desk", new_letter: MakeLetter) -> None:
    names = ("recipient", "configuration_set", "event_type", "account", "tags", "select")
    letter = new_letter(tags={name: ["x"] for name in names})
    desk.write(letter.send(), letter.by_identity(letter.bounce()))
    assert [
        {"configuration_set": "newsletter", "recipient": "ann@example.com", "tagged": ["x"] * 6}
    ] == desk.ask(
        "select distinct configuration_set, recipient, "  # noqa: S608 - our own names
        f"[tags[name][1] for name in {list(names)}] as tagged from event_tallies"
    )


@pytest.mark.parametrize(
    ("value", "kept"), [("spring", ["spring"]), (7, ["7"]), (None, []), ([], []), ([None], [])]
)
def test_a_tag_value_that_is_no_list_is_a_list_of_one(
    desk: "Desk", letter: "Letter", value: object, kept: list[str]
) -> None:
    send = letter.send()
    send["mail"]["tags"]["campaign"] = value
    desk.write(send)
    assert [{"kept": kept, "sends": 1}] == desk.ask(
        "select tags['campaign'] as kept, sends from event_tallies"
    )


# --- clocks -----------------------------------------------------------------------------------


def test_an_event_stamped_1970_or_2099_pulls_no_window_with_it(
    new_desk: MakeDesk, new_letter: MakeLetter
) -> None:
    sane, odd = new_desk(), new_desk()
    letter = new_letter()
    for desk in (sane, odd):
        desk.write(letter.send(), letter.delivery(), letter.open(), letter.click())
    for year in (1970, 2099):
        stray = new_letter(message_id=f"0102-stray-{year}", sent=datetime(year, 1, 2, tzinfo=UTC))
        result = odd.write(stray.send(), stray.delivery(), stray.open(), stray.click())
        assert 4 == result.inserted
        assert (
            4 == odd.write(stray.send(), stray.delivery(), stray.open(), stray.click()).duplicates
        )

    newest = "select newest_event_at, arrival_lag_secs from pipeline_health"
    assert sane.ask(newest) == odd.ask(newest)
    assert [{"implausible_event_times": 8}] == odd.ask(
        "select implausible_event_times from pipeline_health"
    )
    for view in ("event_publication", "event_coverage"):
        columns = [
            str(row["column_name"])
            for row in sane.ask(
                f"select column_name from (describe {view}) "  # noqa: S608 - our own names
                "where regexp_matches(column_name, '_(from|until|at|day|delay)$')"
            )
        ]
        question = f"select {', '.join(columns)} from {view} order by all"  # noqa: S608 - the same
        assert sane.ask(question) == odd.ask(question), view
    # and what happened in its own hour is as it was
    ours = "from configuration_sets_hourly_by_event_time where year(event_hour) = 2026 order by all"
    assert sane.ask(ours) == odd.ask(ours)


# --- a transport added later --------------------------------------------------------------------


def wrap(event: dict[str, Any], number: int) -> bytes:
    """As a subscription to an SNS topic gives it: an id of its own a subscription and message."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": f"00000000-0000-4000-8000-{number:012}",
            "TopicArn": "arn:aws:sns:eu-west-1:111122223333:ses",
            "Subject": "Amazon SES Email Event Notification",
            "Message": json.dumps(event) + "\n",
            "Timestamp": "2026-03-02T09:30:20.000Z",
            "SignatureVersion": "1",
        }
    ).encode()


def test_a_second_subscription_changes_no_figure(desk: "Desk", new_storyteller: Fake) -> None:
    events = new_storyteller(21).tell(15)
    desk.write(*(wrap(event, number) for number, event in enumerate(events)))
    before = desk.figures()
    again = desk.write(*(wrap(event, number + 900) for number, event in enumerate(events)))
    assert again.received == again.duplicates
    assert before == desk.figures()


def test_firehose_beside_the_queue_adds_only_what_was_not_seen(
    new_desk: MakeDesk, new_storyteller: Fake
) -> None:
    events = new_storyteller(22).tell(15)
    by_queue, by_both = new_desk(), new_desk()
    by_queue.write(*events)
    by_both.write(*(wrap(event, number) for number, event in enumerate(events[: len(events) // 2])))
    # Firehose carries event publishing alone
    published = [event for event in events if "eventType" in event]
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in published)
    by_both.write(lines, source="s3:bucket")
    by_both.write(*(wrap(event, number) for number, event in enumerate(events)))
    assert by_queue.figures() == by_both.figures()


def test_a_backfill_beside_the_live_stream_changes_neither_figures_nor_lag(
    new_desk: MakeDesk, new_storyteller: Fake
) -> None:
    events = sorted(new_storyteller(23).tell(20), key=lambda event: str(event["mail"]["timestamp"]))
    alone, beside = new_desk(), new_desk()
    alone.write(*events)
    old, live = events[: 2 * len(events) // 3], events[len(events) // 3 :]
    for number in range(4):
        beside.write(*live[number::4])
        late = datetime(2026, 9, 1 + number, tzinfo=UTC)
        beside.write(*old[number::4], source="files", received_at=late)
    assert alone.figures() == beside.figures()
    lag = "select newest_event_at, arrival_lag_secs from pipeline_health"
    assert alone.ask(lag) == beside.ask(lag)


def test_events_older_than_the_horizon_are_ignored_by_a_later_transport(
    desk: "Desk", new_storyteller: Fake
) -> None:
    events = new_storyteller(24).tell(15)
    desk.write(*events)
    before = desk.figures()
    desk.warehouse._connection.execute(
        "insert into warehouse_facts values ('horizon', '2026-03-20T00:00:00')"
    )
    again = desk.write(*events, source="s3:bucket")
    assert again.received == again.ignored
    assert before == desk.figures()
