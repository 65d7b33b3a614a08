"""What each count and rate takes in and leaves out: small truths, counted by hand."""

from collections.abc import Callable, Mapping
from datetime import date

import pytest

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]
SetFact = Callable[[str, str], None]

SENT_AT = "2026-03-01 10:00"
COHORT = "from configuration_sets_daily_by_send_cohort"


@pytest.mark.parametrize(
    ("bounce", "expected"),
    [
        ({"bounce_type": "Permanent", "bounce_sub_type": "General"}, "hard_bounces"),
        ({"bounce_type": "Permanent", "bounce_sub_type": "NoEmail"}, "hard_bounces"),
        ({"bounce_type": "Permanent", "bounce_sub_type": "Suppressed"}, "suppressed"),
        ({"bounce_type": "Permanent", "bounce_sub_type": "OnAccountSuppressionList"}, "suppressed"),
        ({"bounce_type": "Permanent", "bounce_sub_type": "OnTenantSuppressionList"}, "suppressed"),
        ({"bounce_type": "Permanent", "bounce_sub_type": "UnsubscribedRecipient"}, "suppressed"),
        (
            {"bounce_type": "Permanent", "bounce_sub_type": "EmailValidationSuppressed"},
            "suppressed",
        ),
        ({"bounce_type": "Transient", "bounce_sub_type": "MailboxFull"}, "soft_bounces"),
        ({"bounce_type": "Transient", "is_auto_reply": True}, "auto_replies"),
        ({"bounce_type": "Undetermined", "is_auto_reply": False}, "undetermined_bounces"),
        ({"bounce_type": "Undetermined", "is_auto_reply": True}, "auto_replies"),
    ],
)
def test_a_bounce_is_of_one_kind(log: Log, ask: Ask, bounce: Row, expected: str) -> None:
    log("Send", SENT_AT)
    log("Bounce", "2026-03-01 10:01", sent_at=SENT_AT, **bounce)

    kinds = ("hard_bounces", "soft_bounces", "undetermined_bounces", "auto_replies", "suppressed")
    assert [{kind: int(kind == expected) for kind in kinds}] == ask(
        f"select {', '.join(kinds)} {COHORT}"
    )


@pytest.mark.parametrize(
    ("sub_type", "bounces", "mail"),
    [("General", 1, 1), ("Suppressed", 1, 1), ("OnAccountSuppressionList", 0, 0)],
)
def test_aws_counts_its_own_suppression_list_and_not_the_users(
    log: Log, ask: Ask, sub_type: str, bounces: int, mail: int
) -> None:
    log("Send", SENT_AT)
    log("Bounce", "2026-03-01 10:01", sent_at=SENT_AT, bounce_sub_type=sub_type)

    assert [{"aws_bounces": bounces, "aws_mail": mail}] == ask(
        f"select aws_bounces, aws_mail {COHORT}"
    )


def test_aws_leaves_out_mail_to_own_domains(log: Log, ask: Ask, set_fact: SetFact) -> None:
    set_fact("own_domains", "own.example, Mine.example")
    for name in ("own.example", "mine.example", "other.example"):
        log("Send", SENT_AT, message_id=name, recipient=f"a@{name}")
        log("Bounce", "2026-03-01 10:01", sent_at=SENT_AT, message_id=name, recipient=f"a@{name}")

    found = ask(f"select hard_bounces, aws_bounces, aws_mail, aws_bounce_rate {COHORT}")
    assert [{"hard_bounces": 3, "aws_bounces": 1, "aws_mail": 1, "aws_bounce_rate": 1.0}] == found


def test_aws_mail_without_sends_is_outcomes_and_global_suppressions(log: Log, ask: Ask) -> None:
    log("Delivery", "2026-03-01 10:01", sent_at=SENT_AT, message_id="a")
    log("Delivery", "2026-03-01 10:01", sent_at=SENT_AT, message_id="b")
    for name, sub_type in (("c", "Suppressed"), ("d", "OnAccountSuppressionList")):
        log(
            "Bounce",
            "2026-03-01 10:01",
            sent_at=SENT_AT,
            message_id=name,
            bounce_sub_type=sub_type,
        )

    found = ask(f"select denominator_basis, outcomes, aws_bounces, aws_mail {COHORT}")
    assert [
        {"denominator_basis": "outcomes", "outcomes": 2, "aws_bounces": 1, "aws_mail": 3}
    ] == found


def test_a_delivery_and_its_bounce_are_one_outcome_at_the_earlier(log: Log, ask: Ask) -> None:
    log("Send", SENT_AT)
    log("Bounce", "2026-03-01 12:30", sent_at=SENT_AT)
    log("Delivery", "2026-03-01 11:30", sent_at=SENT_AT)

    found = ask(
        "select hour(event_hour) as h, outcomes, deliveries, hard_bounces "
        "from configuration_sets_hourly_by_event_time order by event_hour"
    )
    assert [
        {"h": 10, "outcomes": 0, "deliveries": 0, "hard_bounces": 0},
        {"h": 11, "outcomes": 1, "deliveries": 1, "hard_bounces": 0},
        {"h": 12, "outcomes": 0, "deliveries": 0, "hard_bounces": 1},
    ] == found
    assert [{"accepted": 0, "outcomes": 1}] == ask(f"select accepted, outcomes {COHORT}")


def test_two_deliveries_of_one_recipient_are_one_outcome_at_the_first(log: Log, ask: Ask) -> None:
    log("Send", SENT_AT)
    log("Delivery", "2026-03-01 11:00", sent_at=SENT_AT)
    log("Delivery", "2026-03-01 10:30", sent_at=SENT_AT)

    found = ask(
        "select hour(event_hour) as h, outcomes, deliveries "
        "from configuration_sets_hourly_by_event_time order by h"
    )
    assert [
        {"h": 10, "outcomes": 1, "deliveries": 1},
        {"h": 11, "outcomes": 0, "deliveries": 1},
    ] == found
    assert [{"outcomes": 1, "denominator_basis": "sends"}] == ask(
        f"select outcomes, denominator_basis {COHORT}"
    )


def test_a_bounce_stamped_before_the_send_still_belongs_to_it(log: Log, ask: Ask) -> None:
    log("Send", "2026-03-01 10:00:00.422")
    log("Delivery", "2026-03-01 10:00:02", sent_at="2026-03-01 10:00:00.422")
    log("Bounce", "2026-03-01 10:00:00", sent_at="2026-03-01 10:00:00")

    assert [{"outcomes": 1, "accepted": 0, "lost": 0}] == ask(
        f"select outcomes, accepted, lost {COHORT}"
    )


@pytest.mark.parametrize(
    ("delivered_at", "accepted", "outcomes"),
    [
        ("2026-03-01 09:00", 0, 1),
        ("2026-03-01 08:59", 1, 2),
        ("2026-03-02 10:00", 0, 1),
        ("2026-03-02 10:01", 1, 2),
    ],
)
def test_a_delivery_far_from_its_sending_pairs_with_no_bounce(
    log: Log, ask: Ask, delivered_at: str, accepted: int, outcomes: int
) -> None:
    log("Delivery", delivered_at, sent_at=SENT_AT)
    log("Bounce", "2026-03-01 12:00", sent_at=SENT_AT)

    assert [{"accepted": accepted, "outcomes": outcomes}] == ask(
        f"select accepted, outcomes {COHORT}"
    )


@pytest.mark.parametrize(
    ("complaint", "expected"),
    [
        ({}, "complaints"),
        ({"complaint_feedback_type": "abuse"}, "complaints"),
        ({"complaint_feedback_type": "auth-failure"}, "auth_failure_complaints"),
        ({"complaint_feedback_type": "virus"}, "virus_complaints"),
        ({"complaint_feedback_type": "not-spam"}, "nothing"),
        ({"complaint_sub_type": "OnAccountSuppressionList"}, "suppressed"),
    ],
)
def test_a_report_is_a_complaint_unless_it_says_otherwise(
    log: Log, ask: Ask, complaint: Mapping[str, object], expected: str
) -> None:
    log("Send", SENT_AT)
    log("Complaint", "2026-03-02 10:00", sent_at=SENT_AT, **complaint)

    names = ("complaints", "auth_failure_complaints", "virus_complaints", "suppressed")
    assert [{name: int(name == expected) for name in names}] == ask(
        f"select {', '.join(names)} {COHORT}"
    )


def test_opens_of_several_recipients_count_for_the_message_alone(log: Log, ask: Ask) -> None:
    several = {"recipient": None, "destination_count": 2, "is_attributable": False}
    log("Open", "2026-03-01 11:00", sent_at=SENT_AT, **several)

    assert [{"opens": 1, "unique_opens": 0, "unique_engaged": 0}] == ask(
        f"select opens, unique_opens, unique_engaged {COHORT}"
    )


def test_machines_open_and_people_open_and_each_is_told_apart(log: Log, ask: Ask) -> None:
    log("Delivery", "2026-03-01 10:01", sent_at=SENT_AT)
    log("Open", "2026-03-01 10:02", sent_at=SENT_AT, machine_rule="apple_privacy")
    log("Open", "2026-03-03 11:00", sent_at=SENT_AT)

    found = ask(
        "select opens, machine_opens, unique_opens, unique_human_opens, "
        f"unique_human_opens_24h, unique_human_opens_72h, unique_open_rate {COHORT}"
    )
    assert [
        {
            "opens": 2,
            "machine_opens": 1,
            "unique_opens": 1,
            "unique_human_opens": 1,
            "unique_human_opens_24h": 0,
            "unique_human_opens_72h": 1,
            "unique_open_rate": 1.0,
        }
    ] == found


def test_deliveries_count_under_opens_only_on_days_while_tracking_was_on(
    log: Log, ask: Ask
) -> None:
    for day in (1, 3, 5, 7):
        log(
            "Delivery",
            f"2026-03-0{day} 23:00",
            sent_at=f"2026-03-0{day} 22:00",
            message_id=f"message-{day}",
        )
    log("Open", "2026-03-03 01:00", sent_at="2026-03-01 22:00", message_id="message-1")
    log("Open", "2026-03-05 08:00", sent_at="2026-03-01 22:00", message_id="message-1")

    found = ask(f"select cohort_day, open_tracked_deliveries as n {COHORT} order by cohort_day")
    assert [
        {"cohort_day": date(2026, 3, 1), "n": 0},
        {"cohort_day": date(2026, 3, 3), "n": 1},
        {"cohort_day": date(2026, 3, 5), "n": 1},
        {"cohort_day": date(2026, 3, 7), "n": 0},
    ] == found


def test_the_simulator_is_in_no_figure_and_in_the_timeline(log: Log, ask: Ask) -> None:
    log("Send", SENT_AT, recipient="bounce@simulator.amazonses.com", is_simulator=True)

    assert [] == ask(COHORT)
    assert [{"event_type": "Send"}] == ask("select event_type from message_timeline")


def test_a_send_without_an_outcome_is_lost_once_its_day_is_over(log: Log, ask: Ask) -> None:
    for day, name in (("2026-03-01", "old"), ("2026-11-29", "new")):
        log("Send", f"{day} 23:00", message_id=f"{name}-1")
        log("Send", f"{day} 23:00", message_id=f"{name}-2")
        log("Delivery", f"{day} 23:01", sent_at=f"{day} 23:00", message_id=f"{name}-1")

    found = ask(f"select lost, lost_rate, bounce_maturity {COHORT} order by cohort_day")
    assert [
        {"lost": 1, "lost_rate": 0.5, "bounce_maturity": "mature"},
        {"lost": 1, "lost_rate": 0.5, "bounce_maturity": "forming"},
    ] == found


def test_what_needs_an_age_is_null_until_the_cohort_has_it(log: Log, ask: Ask) -> None:
    log("Send", "2026-11-30 01:00")
    log("Delivery", "2026-11-30 01:01", sent_at="2026-11-30 01:00")
    log("Open", "2026-11-30 01:02", sent_at="2026-11-30 01:00")

    found = ask(f"select lost, lost_rate, unique_open_rate, unique_open_rate_24h {COHORT}")
    assert [
        {
            "lost": None,
            "lost_rate": None,
            "unique_open_rate": 1.0,
            "unique_open_rate_24h": None,
        }
    ] == found


def test_the_basis_is_decided_at_99_in_100(log: Log, ask: Ask) -> None:
    for number in range(100):
        log("Delivery", "2026-03-01 10:01", sent_at=SENT_AT, message_id=f"message-{number}")
        if number < 98:
            log("Send", SENT_AT, message_id=f"message-{number}")

    question = f"select denominator_basis, attempted_or_outcomes as n {COHORT}"
    assert [{"denominator_basis": "outcomes", "n": 100}] == ask(question)
    log("Send", SENT_AT, message_id="message-98")
    assert [{"denominator_basis": "sends", "n": 99}] == ask(question)


def test_unsubscribes_have_a_rate_only_where_ses_manages_the_list(log: Log, ask: Ask) -> None:
    log("Delivery", "2026-03-01 10:01", sent_at=SENT_AT)
    assert [{"unsubscribe_rate": None}] == ask(f"select unsubscribe_rate {COHORT}")
    log("Subscription", "2026-03-01 12:00", sent_at=SENT_AT, is_unsubscribe=True)
    log("Subscription", "2026-03-01 13:00", sent_at=SENT_AT, is_unsubscribe=False)
    assert [{"unsubscribes": 1, "unsubscribe_rate": 1.0}] == ask(
        f"select unsubscribes, unsubscribe_rate {COHORT}"
    )


def test_days_are_those_of_the_report_time_zone_across_a_clock_change(
    log: Log, ask: Ask, set_fact: SetFact
) -> None:
    set_fact("report_time_zone", "America/New_York")
    # the clock goes forward on 2026-03-08: that day ends at 04:00 UTC, the one before at 05:00
    for number, at in enumerate(
        ("2026-03-08 04:59", "2026-03-08 05:00", "2026-03-09 03:59", "2026-03-09 04:00")
    ):
        log("Send", at, message_id=f"message-{number}")

    found = ask(f"select cohort_day, sends, cohort_ends_at::varchar as e {COHORT} order by 1")
    assert [
        {"cohort_day": date(2026, 3, 7), "sends": 1, "e": "2026-03-08 05:00:00"},
        {"cohort_day": date(2026, 3, 8), "sends": 2, "e": "2026-03-09 04:00:00"},
        {"cohort_day": date(2026, 3, 9), "sends": 1, "e": "2026-03-10 04:00:00"},
    ] == found


def test_the_most_severe_outcome_is_the_state(log: Log, ask: Ask) -> None:
    log("Bounce", "2026-03-01 10:05", sent_at=SENT_AT)
    log("Send", SENT_AT)
    log("Delivery", "2026-03-01 10:09", sent_at=SENT_AT)
    log("Send", SENT_AT, recipient="second@example.net")
    log("DeliveryDelay", "2026-03-01 10:09", sent_at=SENT_AT, recipient="second@example.net")

    found = ask("select recipient, state from message_recipients order by recipient")
    assert [
        {"recipient": "reader@example.net", "state": "bounced hard"},
        {"recipient": "second@example.net", "state": "delayed"},
    ] == found


def test_coverage_names_types_that_never_came_and_days_without(log: Log, ask: Ask) -> None:
    for day in (1, 2, 3):
        log("Send", f"2026-03-0{day} 10:00", message_id=f"message-{day}")
    log("Delivery", "2026-03-02 10:01", sent_at="2026-03-02 10:00", message_id="message-2")

    found = ask(
        "select event_type, events, days_seen, days_without from event_coverage "
        "where event_type in ('Send', 'Delivery', 'Open') order by event_type"
    )
    assert [
        {"event_type": "Delivery", "events": 1, "days_seen": 1, "days_without": 2},
        {"event_type": "Open", "events": 0, "days_seen": 0, "days_without": 3},
        {"event_type": "Send", "events": 3, "days_seen": 3, "days_without": 0},
    ] == found


def test_a_type_seen_on_a_day_without_mail_makes_up_for_no_day_with_mail(
    log: Log, ask: Ask
) -> None:
    log("Send", "2026-03-01 10:00")
    log("Complaint", "2026-03-03 10:00", sent_at="2026-02-20 10:00", message_id="unsent")

    found = ask(
        "select days_with_mail, days_seen, days_without from event_coverage "
        "where event_type = 'Complaint'"
    )
    assert [{"days_with_mail": 1, "days_seen": 1, "days_without": 1}] == found
