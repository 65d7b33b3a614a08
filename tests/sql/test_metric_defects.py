"""The defects that others ship: each row of the list of defects is a test of its name."""

from collections.abc import Callable
from datetime import date, datetime

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]
SetFact = Callable[[str, str], None]

BY_EVENT_HOUR = "from configuration_sets_hourly_by_event_time order by event_hour"
BY_EVENT_DAY = "from configuration_sets_daily_by_event_time order by event_day"
BY_COHORT_HOUR = "from configuration_sets_hourly_by_send_cohort order by cohort_hour"
BY_COHORT_DAY = "from configuration_sets_daily_by_send_cohort order by cohort_day, account, region"


def test_d1_an_open_click_or_delay_counts_in_its_own_hour_not_in_that_of_sending(
    log: Log, ask: Ask
) -> None:
    sent_at = "2026-03-01 10:00"
    log("Send", sent_at)
    log("DeliveryDelay", "2026-03-01 11:10", sent_at=sent_at, delay_type="MailboxFull")
    log("Open", "2026-03-01 12:10", sent_at=sent_at)
    log("Click", "2026-03-01 13:10", sent_at=sent_at, link="https://example.com/")

    found = ask(f"select hour(event_hour) as h, sends, delays, opens, clicks {BY_EVENT_HOUR}")
    assert [
        {"h": 10, "sends": 1, "delays": 0, "opens": 0, "clicks": 0},
        {"h": 11, "sends": 0, "delays": 1, "opens": 0, "clicks": 0},
        {"h": 12, "sends": 0, "delays": 0, "opens": 1, "clicks": 0},
        {"h": 13, "sends": 0, "delays": 0, "opens": 0, "clicks": 1},
    ] == found

    cohort = ask(f"select cohort_hour, sends, delays, opens, clicks {BY_COHORT_HOUR}")
    hour = datetime(2026, 3, 1, 10)  # noqa: DTZ001  columns hold UTC without a zone
    assert [{"cohort_hour": hour, "sends": 1, "delays": 1, "opens": 1, "clicks": 1}] == cohort


def test_d2_two_clicks_on_two_links_and_two_readings_are_two_and_their_recipient_one(
    log: Log, ask: Ask
) -> None:
    log("Send", "2026-03-01 10:00")
    log("Open", "2026-03-01 10:01", sent_at="2026-03-01 10:00")
    log("Open", "2026-03-01 10:31", sent_at="2026-03-01 10:00")
    log("Click", "2026-03-01 10:02", sent_at="2026-03-01 10:00", link="https://example.com/a")
    log("Click", "2026-03-01 10:02", sent_at="2026-03-01 10:00", link="https://example.com/b")

    found = ask(
        "select opens, unique_opens, clicks, unique_clicks, unique_engaged, click_to_open_rate "
        + BY_COHORT_DAY
    )
    assert [
        {
            "opens": 2,
            "unique_opens": 1,
            "clicks": 2,
            "unique_clicks": 1,
            "unique_engaged": 1,
            "click_to_open_rate": 1.0,
        }
    ] == found


def test_d6_an_event_counts_on_the_day_it_happened_not_on_the_day_it_arrived(
    log: Log, ask: Ask
) -> None:
    log("Send", "2026-03-01 10:00", received_at="2026-03-05 09:00")
    log("Delivery", "2026-03-01 10:01", sent_at="2026-03-01 10:00", received_at="2026-03-09 09:00")

    for source in (BY_EVENT_DAY.replace("event_day", "1"), BY_COHORT_DAY):
        axis = "event_day" if "event" in source else "cohort_day"
        found = ask(f"select {axis} as d, deliveries {source.split(' order')[0]}")
        assert [{"d": date(2026, 3, 1), "deliveries": 1}] == found


def test_d7_a_rate_has_one_denominator_which_stands_beside_it(log: Log, ask: Ask) -> None:
    for number in range(10):
        log("Send", "2026-03-01 10:00", message_id=f"message-{number}")
    for number in range(8):
        log(
            "Delivery",
            "2026-03-01 10:01",
            sent_at="2026-03-01 10:00",
            message_id=f"message-{number}",
        )
    log("Reject", "2026-03-01 10:00", message_id="message-8")
    log("Bounce", "2026-03-01 10:02", sent_at="2026-03-01 10:00", message_id="message-9")
    log("Open", "2026-03-01 10:09", sent_at="2026-03-01 10:00", message_id="message-1")

    rates = ask("from metric_catalogue where kind = 'rate'")
    assert 21 == len(rates)
    for view in (BY_EVENT_DAY, BY_COHORT_DAY):
        [line] = ask(view)
        for rate in rates:
            name = str(rate["metric"])
            if name not in line:
                assert "cohort" == rate["axis"]
                continue
            k, n = line[str(rate["numerator"])], line[str(rate["denominator"])]
            assert isinstance(n, int)
            assert (None if n == 0 else int(str(k)) / n) == line[name], name
    [cohort] = ask(BY_COHORT_DAY)
    assert (9, 1 / 9, 8 / 10) == (
        cohort["attempted_or_outcomes"],
        cohort["hard_bounce_rate"],
        cohort["delivery_rate"],
    )


def test_d8_a_complaint_leaves_the_mail_delivered(log: Log, ask: Ask) -> None:
    sent_at = "2026-03-01 10:00"
    log("Send", sent_at)
    log("Delivery", "2026-03-01 10:01", sent_at=sent_at)
    log("Complaint", "2026-03-02 08:00", sent_at=sent_at, complaint_feedback_type="abuse")

    found = ask(
        f"select deliveries, accepted, accepted_rate, complaints, complaint_rate {BY_COHORT_DAY}"
    )
    assert [
        {
            "deliveries": 1,
            "accepted": 1,
            "accepted_rate": 1.0,
            "complaints": 1,
            "complaint_rate": 1.0,
        }
    ] == found


def test_d9_every_recipient_counts_and_tags_stay(log: Log, ask: Ask) -> None:
    tags = {"campaign": ["spring"]}
    for name in ("a", "b", "c"):
        log(
            "Send",
            "2026-03-01 10:00",
            recipient=f"{name}@example.net",
            destination_count=3,
            tags=tags,
        )
    log(
        "Bounce",
        "2026-03-01 10:01",
        sent_at="2026-03-01 10:00",
        recipient="c@example.net",
        destination_count=3,
        tags=tags,
    )

    found = ask(
        """
        with counted as (
            select t.*, struct_pack(campaign := t.tags['campaign'][1]) as dimensions
            from event_tallies as t
        ),
        sums as (select s.* from sums_by_dimensions('counted') as s)
        select r.dimensions.campaign, r.sends, r.hard_bounces, r.hard_bounce_rate
        from rates_by_event_time('sums') as r
        """
    )
    assert [
        {"campaign": "spring", "sends": 3, "hard_bounces": 1, "hard_bounce_rate": 1 / 3}
    ] == found


def test_d13_a_days_rate_is_a_ratio_of_sums_and_no_mean_of_hours(log: Log, ask: Ask) -> None:
    for number in range(99):
        log("Send", "2026-03-01 10:00", message_id=f"message-{number}")
    log("Send", "2026-03-01 11:00", message_id="last")
    log("Bounce", "2026-03-01 11:01", sent_at="2026-03-01 11:00", message_id="last")

    assert [0.0, 1.0] == [
        row["hard_bounce_rate"] for row in ask(f"select hard_bounce_rate {BY_COHORT_HOUR}")
    ]
    assert [{"hard_bounce_rate": 0.01}] == ask(f"select hard_bounce_rate {BY_COHORT_DAY}")


def test_d14_a_report_with_several_possible_complainers_is_one_and_accuses_nobody(
    log: Log, ask: Ask
) -> None:
    for name in ("a", "b"):
        log(
            "Complaint",
            "2026-03-02 10:00",
            sent_at="2026-03-01 10:00",
            recipient=f"{name}@example.net",
            feedback_id="feedback-1",
            is_ambiguous=True,
        )
        log(
            "Delivery",
            "2026-03-01 10:01",
            sent_at="2026-03-01 10:00",
            recipient=f"{name}@example.net",
        )

    assert [{"complaints": 1, "deliveries": 2}] == ask(
        f"select complaints, deliveries {BY_COHORT_DAY}"
    )
    assert [{"state": "delivered"}] * 2 == ask("select state from message_recipients")


def test_d16_without_sends_outcomes_are_the_denominator(log: Log, ask: Ask) -> None:
    for number in range(9):
        log(
            "Delivery",
            "2026-03-01 10:01",
            sent_at="2026-03-01 10:00",
            message_id=f"message-{number}",
        )
    log("Bounce", "2026-03-01 10:02", sent_at="2026-03-01 10:00", message_id="message-9")

    [line] = ask(BY_COHORT_DAY)
    assert ("outcomes", 10, 0.1, 0.1) == (
        line["denominator_basis"],
        line["attempted_or_outcomes"],
        line["hard_bounce_rate"],
        line["aws_bounce_rate"],
    )
    assert (None, None) == (line["delivery_rate"], line["lost_rate"])
    assert "Send" in str(line["missing_event_types"]).split(", ")


def test_d16_without_deliveries_nothing_is_lost_and_not_everything_bounced(
    log: Log, ask: Ask
) -> None:
    for number in range(10):
        log("Send", "2026-03-01 10:00", message_id=f"message-{number}")
    log("Bounce", "2026-03-01 10:02", sent_at="2026-03-01 10:00", message_id="message-9")

    [line] = ask(BY_COHORT_DAY)
    assert ("sends", 0.1) == (line["denominator_basis"], line["hard_bounce_rate"])
    assert [None] * 4 == [
        line[name] for name in ("delivery_rate", "accepted_rate", "lost_rate", "complaint_rate")
    ]


def test_d16_with_bounces_alone_there_is_no_rate(log: Log, ask: Ask) -> None:
    log("Bounce", "2026-03-01 10:02", sent_at="2026-03-01 10:00")

    for view in (BY_COHORT_DAY, BY_EVENT_DAY):
        [line] = ask(view)
        assert (1, "outcomes", None, None) == (
            line["hard_bounces"],
            line["denominator_basis"],
            line["hard_bounce_rate"],
            line["aws_bounce_rate"],
        )


def test_d16_sends_of_another_stream_are_no_denominator(log: Log, ask: Ask) -> None:
    log("Send", "2026-03-01 10:00", configuration_set=None, identity="a.example")
    for number in range(4):
        log(
            "Delivery",
            "2026-03-01 10:01",
            sent_at="2026-03-01 10:00",
            configuration_set=None,
            identity="b.example",
            message_id=f"other-{number}",
        )

    [line] = ask(f"select configuration_set_name, {BY_COHORT_DAY.replace('from', '* from', 1)}")
    assert ("(none)", "mixed", 5) == (
        line["configuration_set_name"],
        line["denominator_basis"],
        line["attempted_or_outcomes"],
    )


def test_d17_a_rendering_failure_without_a_send_takes_nothing_off_what_was_attempted(
    log: Log, ask: Ask
) -> None:
    log("Send", "2026-03-01 10:00", message_id="sent")
    log("Rendering Failure", "2026-03-01 10:00", message_id="never-sent")
    log("Send", "2026-03-01 10:00", message_id="sent-and-refused")
    log("Reject", "2026-03-01 10:00", message_id="sent-and-refused")

    found = ask(f"select sends, rendering_failures, rejects, attempted {BY_COHORT_DAY}")
    assert [{"sends": 2, "rendering_failures": 1, "rejects": 1, "attempted": 1}] == found


def test_d18_a_bounce_finds_its_send_whatever_the_letters(log: Log, ask: Ask) -> None:
    log("Send", "2026-03-01 10:00", recipient="user@example.com")
    log(
        "Bounce",
        "2026-03-01 10:01",
        sent_at="2026-03-01 10:00",
        recipient="user@example.com",
        recipient_as_written="User@Example.com",
        bounce_sub_type="OnAccountSuppressionList",
    )

    found = ask(f"select sends, suppressed, attempted, hard_bounces {BY_COHORT_DAY}")
    assert [{"sends": 1, "suppressed": 1, "attempted": 0, "hard_bounces": 0}] == found


def test_d19_a_name_in_two_accounts_or_regions_is_two_configuration_sets(
    log: Log, ask: Ask
) -> None:
    log("Send", "2026-03-01 10:00", message_id="a")
    log("Send", "2026-03-01 10:00", message_id="b", account="444455556666")
    log("Send", "2026-03-01 10:00", message_id="c", region="eu-west-1")

    found = ask(f"select account, region, sends {BY_COHORT_DAY}")
    assert [
        {"account": "111122223333", "region": "eu-west-1", "sends": 1},
        {"account": "111122223333", "region": "us-east-1", "sends": 1},
        {"account": "444455556666", "region": "us-east-1", "sends": 1},
    ] == found


def test_d20_opens_without_an_identity_find_the_one_of_their_source_address(
    log: Log, ask: Ask, set_fact: SetFact, warehouse: "object"
) -> None:
    execute = getattr(warehouse, "execute")  # noqa: B009  keeps the engine out of the tests' types
    execute(
        "insert into identities values "
        "('111122223333', 'us-east-1', 'news@mail.example.com', 'example.com', null, "
        "timestamp '2026-01-01', uuid())"
    )
    sent_at = "2026-03-01 10:00"
    log("Open", "2026-03-01 11:00", sent_at=sent_at, identity=None, source="news@mail.example.com")
    log("Click", "2026-03-01 11:00", sent_at=sent_at, identity=None, source="shop@other.example")

    found = ask(
        "select identity, sum(opens)::int as opens, sum(clicks)::int as clicks "
        "from event_tallies group by identity order by identity"
    )
    assert [
        {"identity": "example.com", "opens": 1, "clicks": 0},
        {"identity": "other.example", "opens": 0, "clicks": 1},
    ] == found


def test_d21_the_complaint_threshold_meets_mail_to_providers_that_report(
    log: Log, ask: Ask
) -> None:
    for number in range(10):
        provider = "gmail" if number < 6 else "yahoo"
        log(
            "Delivery",
            "2026-03-01 10:01",
            sent_at="2026-03-01 10:00",
            message_id=f"message-{number}",
            recipient=f"{number}@{provider}.example",
        )
    log(
        "Complaint",
        "2026-03-02 10:00",
        sent_at="2026-03-01 10:00",
        message_id="message-9",
        recipient="9@yahoo.example",
    )

    found = ask(
        "select fbl_complaints, fbl_deliveries, complaint_rate_fbl, complaint_rate " + BY_COHORT_DAY
    )
    assert [
        {
            "fbl_complaints": 1,
            "fbl_deliveries": 4,
            "complaint_rate_fbl": 0.25,
            "complaint_rate": 0.1,
        }
    ] == found
