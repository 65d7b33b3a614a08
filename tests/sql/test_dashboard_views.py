"""Views that dashboards read: small truths by hand, and the figures of the views beside them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]

NOW = datetime.fromisoformat("2026-12-01")  # the test warehouse's utc_now()
AT = "2026-03-01 10:00"


def ago(hours: float) -> str:
    return str(NOW - timedelta(hours=hours))


def test_mail_by_every_dimension_adds_up_to_that_of_a_configuration_set(log: Log, ask: Ask) -> None:
    for number, provider in enumerate(("yahoo.example", "gmail.example", "small.example")):
        who = {"recipient": f"a@{provider}", "message_id": f"m{number}", "sent_at": AT}
        log("Send", AT, **who)
        log("Delivery" if number else "Bounce", "2026-03-01 10:01", **who)
    (whole,) = ask("from configuration_sets_hourly_by_send_cohort")
    parts = ask("from mail_hourly_by_send_cohort")
    days = ask("from mail_daily_by_send_cohort")

    assert {"Yahoo", "Gmail", "(other)"} == {row["provider"] for row in parts}
    assert {"Yahoo", "Gmail", "small.example"} == {row["provider"] for row in days}
    for column in ("sends", "deliveries", "hard_bounces", "attempted_or_outcomes", "aws_mail"):
        assert whole[column] == sum(int(str(row[column])) for row in parts)
        assert whole[column] == sum(int(str(row[column])) for row in days)
    (event_hour,) = ask(
        "select event_hour, sum(sends)::int as sends from mail_hourly_by_event_time group by all"
    )
    assert {"event_hour": datetime.fromisoformat(AT), "sends": 3} == event_hour


def test_two_configuration_sets_of_one_name_have_labels_of_their_own(log: Log, ask: Ask) -> None:
    log("Send", AT, configuration_set="news")
    log("Send", AT, configuration_set="news", account="444455556666", message_id="other")
    log("Send", AT, configuration_set="alone", message_id="third")
    log("Send", AT, configuration_set=None, message_id="fourth")
    labels = ask(
        "select configuration_set_label from configuration_sets order by configuration_set_label"
    )
    assert [
        "(none)",
        "alone",
        "news · 111122223333 · us-east-1",
        "news · 444455556666 · us-east-1",
    ] == [row["configuration_set_label"] for row in labels]


def test_bounces_are_told_apart_by_what_they_are(log: Log, ask: Ask) -> None:
    log("Bounce", AT, bounce_class="invalid_recipient")
    log("Bounce", AT, bounce_type="Transient", bounce_class="mailbox_full")
    log("Bounce", AT, bounce_sub_type="OnAccountSuppressionList", bounce_class="suppressed")
    rows = ask(
        "select bounce_kind, bounce_class, bounces from bounces_hourly_by_event_time "
        "order by bounce_kind"
    )
    assert [
        ("hard", "invalid_recipient", 1),
        ("soft", "mailbox_full", 1),
        ("suppressed", "suppressed", 1),
    ] == [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(
    ("response", "shape"),
    [
        (
            "smtp; 550 5.1.1 <ann.lee@example.com>: user unknown",
            "smtp; 550 5.1.1 <address>: user unknown",
        ),
        (
            "421 4.7.0 [192.0.2.10] try later https://help.example/x?e=ann%40example.com gsmtp",
            "421 4.7.0 [<ip>] try later <link> gsmtp",
        ),
        ("550 5.7.1 blocked d9443c01a7336-2a1b3c4d5e6fsi123", "550 5.7.1 blocked <id>"),
        (None, None),
    ],
)
def test_a_response_is_what_all_who_got_it_share(
    ask: Ask, response: str | None, shape: str | None
) -> None:
    assert [{"shape": shape}] == ask("select response_shape(?::varchar) as shape", response)


def test_equal_responses_are_one_line(log: Log, ask: Ask) -> None:
    for who in ("a@yahoo.example", "b@yahoo.example"):
        code = f"smtp; 554 5.7.9 {who} not accepted"
        log("Bounce", AT, recipient=who, diagnostic_code=code, status="5.7.9")
    (row,) = ask("select provider, response, recipients from responses_hourly_by_event_time")
    assert ("Yahoo", "smtp; 554 5.7.9 <address> not accepted", 2) == tuple(row.values())


def test_what_ses_says_of_suppressed_mail_is_no_receiver_s_response(log: Log, ask: Ask) -> None:
    said = "Amazon SES did not send the message: it is on the suppression list for your account"
    log("Bounce", AT, bounce_sub_type="OnAccountSuppressionList", diagnostic_code=said)
    log("Bounce", AT, bounce_sub_type="General", diagnostic_code="smtp; 550 5.1.1 unknown")
    rows = ask("select response, recipients from responses_hourly_by_event_time")
    assert [("smtp; 550 5.1.1 unknown", 1)] == [tuple(row.values()) for row in rows]


def test_a_response_rises_when_it_doubles_and_is_new_when_it_never_was(log: Log, ask: Ask) -> None:
    def bounce(text: str, hours_ago: float, count: int) -> None:
        for _ in range(count):
            log("Bounce", ago(hours_ago), diagnostic_code=text)

    bounce("steady", 2, 1)
    bounce("steady", 100, 14)
    bounce("doubled", 2, 2)
    bounce("doubled", 100, 14)
    bounce("fresh", 2, 1)
    bounce("gone", 100, 5)
    rows = ask("select response, is_new from rising_responses order by response")
    assert [("doubled", False), ("fresh", True)] == [tuple(row.values()) for row in rows]


def test_deliveries_fall_into_bands_that_add_up(log: Log, ask: Ask) -> None:
    for number, secs in enumerate((1, 1.001, 30, 600.001, 30_000)):
        at = datetime.fromisoformat(AT) + timedelta(seconds=secs)
        log("Delivery", str(at), sent_at=AT, message_id=f"m{number}")
    (row,) = ask(
        "select sum(deliveries)::int, sum(up_to_1s)::int, sum(up_to_5s)::int, "
        "sum(up_to_30s)::int, sum(up_to_1h)::int, sum(over_6h)::int, sum(within_2m)::int "
        "from delivery_times_hourly_by_event_time"
    )
    assert (5, 1, 1, 1, 1, 1, 3) == tuple(row.values())


def test_the_backlog_is_whose_last_word_is_a_delay(log: Log, ask: Ask) -> None:
    for name, hours in (
        ("young", 0.5),
        ("old", 20),
        ("ancient", 73),
        ("done", 3),
        ("bounced", 3),
    ):
        who = {"recipient": f"{name}@yahoo.example", "message_id": name, "sent_at": ago(hours)}
        log("DeliveryDelay", ago(hours - 0.1), delay_type="MailboxFull", **who)
        if name == "done":
            log("Delivery", ago(1), **who)
        if name == "bounced":
            log("Bounce", ago(1), bounce_type="Transient", **who)
    rows = ask("select age_hours, recipients, delay_type from backlog order by age_hours")
    assert [(0, 1, "MailboxFull"), (14, 1, "MailboxFull")] == [tuple(r.values()) for r in rows]


def test_sends_to_known_addresses_come_after_what_made_them_known(log: Log, ask: Ask) -> None:
    bad = {"recipient": "bad@yahoo.example"}
    log("Send", "2026-03-01 10:00", message_id="first", **bad)
    log("Bounce", "2026-03-01 10:01", sent_at="2026-03-01 10:00", message_id="first", **bad)
    log("Send", "2026-03-02 10:00", message_id="second", **bad)
    log("Send", "2026-03-02 10:00", message_id="third", recipient="good@yahoo.example")
    log("Send", "2026-03-02 10:00", message_id="else", account="444455556666", **bad)
    rows = ask("select cohort_hour, account, reason, sends from sends_to_known_addresses_hourly")
    assert [(datetime.fromisoformat("2026-03-02 10:00"), "111122223333", "bounced", 1)] == [
        tuple(row.values()) for row in rows
    ]


def test_links_count_clicks_of_people_and_machines(log: Log, ask: Ask) -> None:
    log("Click", AT, link="https://shop.example/a")
    log("Click", AT, link="https://shop.example/a", machine_rule="scanner")
    (row,) = ask("select link, clicks, machine_clicks from links_hourly_by_event_time")
    assert ("https://shop.example/a", 2, 1) == tuple(row.values())


def test_opens_and_clicks_are_told_apart_by_who_made_them_and_who_says_so(
    log: Log, ask: Ask
) -> None:
    log("Open", AT, machine_rule="apple_privacy", is_bot_event="Unlikely")
    log("Open", AT, machine_rule="ses_is_bot_event", is_bot_event="Likely")
    log("Open", AT, is_bot_event="Unlikely")
    log("Open", AT, message_id="second")
    log("Click", AT)
    log("Click", AT, message_id="second")
    rows = ask(
        "select event_type, verdict, judged_by, events "
        "from engagement_verdicts_hourly_by_event_time order by event_type, verdict, judged_by"
    )
    assert [
        ("Click", "unknown", None, 2),
        ("Open", "human", "ses_is_bot_event", 1),
        ("Open", "machine", "apple_privacy", 1),
        ("Open", "machine", "ses_is_bot_event", 1),
        ("Open", "unknown", None, 1),
    ] == [tuple(row.values()) for row in rows]


def test_a_message_counts_once_under_each_of_its_tags(log: Log, ask: Ask) -> None:
    log("Send", AT, tags=[("campaign", ["spring"]), ("team", ["a", "b"])])
    log("Send", AT, message_id="second", tags=[("campaign", ["spring"])])
    for by in ("hourly", "daily"):
        rows = ask(
            f"select tag_key, tag_value, sends from tags_{by}_by_send_cohort order by tag_key"  # noqa: S608  constants
        )
        assert [("campaign", "spring", 2), ("team", "a, b", 1)] == [tuple(r.values()) for r in rows]


def test_deliveries_are_told_apart_by_where_ses_sent_from(log: Log, ask: Ask) -> None:
    log("Delivery", AT, outgoing_ip="192.0.2.1", outgoing_tls_version="TLSv1.3")
    log("Delivery", AT, outgoing_ip="192.0.2.2", message_id="second")
    rows = ask(
        "select outgoing_ip, outgoing_tls_version, deliveries from outgoing_hourly_by_event_time "
        "order by outgoing_ip"
    )
    each = ask(
        "select outgoing_ip, outgoing_tls_version, sum(deliveries)::int as deliveries "
        "from delivery_routes group by all order by outgoing_ip"
    )
    assert rows == each
    assert [("192.0.2.1", "TLSv1.3", 1), ("192.0.2.2", None, 1)] == [
        tuple(row.values()) for row in rows
    ]


def test_the_mailbox_simulator_is_in_none_of_them(log: Log, ask: Ask) -> None:
    who = {"recipient": "bounce@simulator.amazonses.com", "is_simulator": True}
    code = "smtp; 550 5.1.1"
    log("Send", ago(3), tags=[("campaign", ["spring"])], **who)
    log("Delivery", ago(3), **who)
    log("DeliveryDelay", ago(3), diagnostic_code=code, **who)
    log("Bounce", ago(3), diagnostic_code=code, **who)
    log("Send", ago(2), message_id="second", **who)
    log("Click", ago(2), link="https://shop.example/a", **who)
    log("Open", ago(2), **who)
    for view in (
        "mail_hourly_by_event_time",
        "mail_hourly_by_send_cohort",
        "mail_daily_by_send_cohort",
        "bounces_hourly_by_event_time",
        "responses_hourly_by_event_time",
        "rising_responses",
        "delivery_times_hourly_by_event_time",
        "backlog",
        "sends_to_known_addresses_hourly",
        "links_hourly_by_event_time",
        "engagement_verdicts_hourly_by_event_time",
        "tags_hourly_by_send_cohort",
        "tags_daily_by_send_cohort",
        "delivery_routes",
        "outgoing_hourly_by_event_time",
    ):
        assert [] == ask(f"from {view}")
