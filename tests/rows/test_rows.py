"""What an event becomes: one row per recipient, with everything it says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from consumer.rows import ROW_SCHEMA, RowBuilder

if TYPE_CHECKING:
    from tests.conftest import Event, Letter

Rows = list[dict[str, Any]]
RowsOf = Callable[..., Rows]
MakeLetter = Callable[..., "Letter"]

TWO = ["ann@example.com", "ben@example.com"]


def every_type(letter: "Letter") -> dict[str, tuple["Event", float | None]]:
    """An event of each type, and its own instant in seconds from sending."""
    return {
        "Send": (letter.send(), 0),
        "Reject": (letter.reject(), 0),
        "Rendering Failure": (letter.rendering_failure(), 0),
        "Delivery": (letter.delivery(after=2.5), 2.5),
        "Bounce": (letter.bounce(after=3.25), 3.25),
        "Complaint": (letter.complaint(after=3_600.75), 3_600.75),
        "DeliveryDelay": (letter.delay(after=600), 600),
        "Open": (letter.open(after=900), 900),
        "Click": (letter.click(after=960.125), 960.125),
        "Subscription": (letter.subscription(after=7_200), 7_200),
    }


def naive(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


# --- instants and types ----------------------------------------------------------------------


def test_d1_an_event_happened_when_its_own_object_says(letter: "Letter", rows_of: RowsOf) -> None:
    for event_type, (event, after) in every_type(letter).items():
        (row,) = rows_of(event)
        assert after is not None
        assert naive(letter.sent) + timedelta(seconds=after) == row["event_at"], event_type
        assert naive(letter.sent) == row["sent_at"], event_type
        assert event_type == row["event_type"]


def test_d3_a_rendering_failures_type_has_a_space_and_its_object_is_failure(
    letter: "Letter", rows_of: RowsOf
) -> None:
    (row,) = rows_of(letter.rendering_failure())

    assert "Rendering Failure" == row["event_type"]
    assert "welcome" == row["template"]
    assert row["error_message"].startswith("Attribute 'name'")


def test_an_instant_before_the_sending_is_kept(letter: "Letter", rows_of: RowsOf) -> None:
    (row,) = rows_of(letter.bounce(after=-0.422))

    assert row["event_at"] < row["sent_at"]


def test_each_type_fills_its_own_columns(letter: "Letter", rows_of: RowsOf) -> None:
    bounce, delivery, complaint, click, delay, subscription = rows_of(
        letter.bounce(),
        letter.delivery(),
        letter.complaint(),
        letter.click(),
        letter.delay(),
        letter.subscription(),
    )

    assert ("Permanent", "General", "failed", "5.1.1", "smtp; 550 5.1.1 unknown") == (
        bounce["bounce_type"],
        bounce["bounce_sub_type"],
        bounce["action"],
        bounce["status"],
        bounce["diagnostic_code"],
    )
    assert (512, "250 2.6.0 Message received", "198.51.100.7") == (
        delivery["processing_ms"],
        delivery["smtp_response"],
        delivery["remote_mta_ip"],
    )
    assert ("abuse", None, "Yahoo!-Mail-Feedback/2.0", False) == (
        complaint["complaint_feedback_type"],
        complaint["complaint_sub_type"],
        complaint["user_agent"],
        complaint["is_ambiguous"],
    )
    assert naive(letter.sent) + timedelta(seconds=3_540.75) == complaint["arrived_at"]
    assert ("https://shop.example.org/spring", "192.0.2.1", None) == (
        click["link"],
        click["ip"],
        click["link_tags"],
    )
    assert ("TransientCommunicationFailure", "4.4.1") == (delay["delay_type"], delay["status"])
    assert naive(letter.sent) + timedelta(seconds=50_400) == delay["expires_at"]
    assert ("customers", "UnsubscribeHeader") == (
        subscription["contact_list"],
        subscription["subscription_source"],
    )
    assert {None} == {row["link"] for row in (bounce, delivery, complaint, delay, subscription)}


# --- recipients ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", ["send", "reject", "rendering_failure", "delivery", "bounce", "complaint", "delay"]
)
def test_d9_every_recipient_has_a_row(new_letter: MakeLetter, rows_of: RowsOf, make: str) -> None:
    rows = rows_of(getattr(new_letter(to=TWO), make)())

    assert TWO == [row["recipient"] for row in rows]
    assert [2, 2] == [row["destination_count"] for row in rows]
    assert 2 == len({row["event_key"] for row in rows})
    assert [True, True] == [row["is_attributable"] for row in rows]


def test_d9_every_tag_and_every_value_is_kept(new_letter: MakeLetter, rows_of: RowsOf) -> None:
    tags = {"campaign": ["spring", "sale"], "empty": [], "": ["x"], "ses:unheard-of": ["y"]}
    (row,) = rows_of(new_letter(tags=tags).send())

    assert tags == dict(row["tags"])


@pytest.mark.parametrize("make", ["open", "click", "subscription"])
def test_the_reader_of_a_mail_to_several_is_unknown(
    new_letter: MakeLetter, rows_of: RowsOf, make: str
) -> None:
    (row,) = rows_of(getattr(new_letter(to=TWO), make)())

    assert (None, None, 2) == (row["recipient"], row["recipient_domain"], row["destination_count"])
    assert (make == "subscription") == row["is_attributable"]
    assert row["mark_key"] is None


@pytest.mark.parametrize("make", ["open", "click", "subscription"])
def test_the_reader_of_a_mail_to_one_is_that_one(
    letter: "Letter", rows_of: RowsOf, make: str
) -> None:
    (row,) = rows_of(getattr(letter, make)())

    assert ("ann@example.com", True) == (row["recipient"], row["is_attributable"])


def test_d18_two_spellings_are_one_recipient(new_letter: MakeLetter, rows_of: RowsOf) -> None:
    letter = new_letter(to=["User@Example.com"])
    send, bounce = rows_of(letter.send(), letter.bounce(to=['"User" <user@example.com>']))

    assert "user@example.com" == send["recipient"] == bounce["recipient"]
    assert "example.com" == send["recipient_domain"] == bounce["recipient_domain"]
    assert ("User@Example.com", '"User" <user@example.com>') == (
        send["recipient_as_written"],
        bounce["recipient_as_written"],
    )


def test_a_forwarders_bounce_belongs_to_the_messages_only_destination(
    letter: "Letter", rows_of: RowsOf
) -> None:
    (row,) = rows_of(letter.bounce(to=["Elsewhere@forward.example.net"]))

    assert ("ann@example.com", "example.com") == (row["recipient"], row["recipient_domain"])
    assert "Elsewhere@forward.example.net" == row["recipient_as_written"]


def test_a_forwarders_bounce_of_a_mail_to_several_stays_its_own(
    new_letter: MakeLetter, rows_of: RowsOf
) -> None:
    (row,) = rows_of(new_letter(to=TWO).bounce(to=["elsewhere@forward.example.net"]))

    assert "elsewhere@forward.example.net" == row["recipient"]


@pytest.mark.parametrize("make", ["bounce", "complaint", "delivery", "delay"])
def test_an_empty_list_is_one_row_without_recipient(
    letter: "Letter", rows_of: RowsOf, make: str
) -> None:
    (row,) = rows_of(getattr(letter, make)(to=[]))

    assert (None, True) == (row["recipient"], row["is_attributable"])


def test_d14_a_report_of_several_possible_complainers_is_ambiguous(
    new_letter: MakeLetter, rows_of: RowsOf
) -> None:
    letter = new_letter(to=TWO)
    both, one = rows_of(letter.complaint()), rows_of(letter.complaint(to=TWO[:1]))

    assert [True, True] == [row["is_ambiguous"] for row in both]
    assert 1 == len({row["mark_key"] for row in both})
    assert [False] == [row["is_ambiguous"] for row in one]


def test_the_simulators_mail_is_marked(new_letter: MakeLetter, rows_of: RowsOf) -> None:
    simulator = new_letter(to=["complaint+x@simulator.amazonses.com"])
    mixed = new_letter(to=["ann@example.com", "success@simulator.amazonses.com"])
    everyone = new_letter(to=["a@simulator.amazonses.com", "b@simulator.amazonses.com"])

    assert [True] == [row["is_simulator"] for row in rows_of(simulator.open())]
    assert [False, True] == [row["is_simulator"] for row in rows_of(mixed.send())]
    assert [False] == [row["is_simulator"] for row in rows_of(mixed.open())]
    assert [True] == [row["is_simulator"] for row in rows_of(everyone.open())]


# --- keys ------------------------------------------------------------------------------------


def keys(rows: Rows) -> set[bytes]:
    return {row["event_key"] for row in rows}


def test_the_same_event_has_the_same_key_however_it_came(letter: "Letter", rows_of: RowsOf) -> None:
    for event_type, (event, _) in every_type(letter).items():
        first = rows_of(event, region="eu-west-1")
        assert keys(first) == keys(rows_of(event, store_subject=False)), event_type


def test_types_of_one_instant_have_keys_of_their_own(letter: "Letter", rows_of: RowsOf) -> None:
    events = [event for event, _ in every_type(letter).values()]

    assert len(events) == len(keys(rows_of(*events)))


def test_d2_two_clicks_on_two_links_are_two(letter: "Letter", rows_of: RowsOf) -> None:
    clicks = [
        letter.click(link="https://a.example.org"),
        letter.click(link="https://b.example.org"),
    ]

    assert 2 == len(keys(rows_of(*clicks)))


def test_d2_two_readers_of_one_mail_are_two(letter: "Letter", rows_of: RowsOf) -> None:
    opens = [letter.open(), letter.open(ip="192.0.2.9"), letter.open(user_agent="Thunderbird")]

    assert 3 == len(keys(rows_of(*opens)))


def test_texts_of_a_key_cannot_be_cut_elsewhere(letter: "Letter", rows_of: RowsOf) -> None:
    separated = [letter.open(ip="a\x1fb", user_agent="c"), letter.open(ip="a", user_agent="b\x1fc")]
    missing, empty, dash = letter.open(), letter.open(ip=""), letter.open(ip="-")
    del missing["open"]["ipAddress"]

    assert 2 == len(keys(rows_of(*separated)))
    assert 3 == len(keys(rows_of(missing, empty, dash)))


def test_a_delivery_is_known_to_the_second(letter: "Letter", rows_of: RowsOf) -> None:
    cut = letter.by_identity(letter.delivery(after=2.5))

    assert keys(rows_of(letter.delivery(after=2.5))) == keys(rows_of(cut))
    assert 2 == len(keys(rows_of(letter.delivery(after=2.5), letter.delivery(after=3.6))))


@pytest.mark.parametrize("make", ["bounce", "complaint"])
def test_a_report_is_known_by_its_feedback_id_across_forms(
    letter: "Letter", rows_of: RowsOf, make: str
) -> None:
    event = getattr(letter, make)()
    later = getattr(letter, make)(after=99)
    other = getattr(letter, make)(feedback_id="another")

    assert keys(rows_of(event)) == keys(rows_of(letter.by_identity(event)))
    assert keys(rows_of(event)) == keys(rows_of(later))
    assert 2 == len(keys(rows_of(event, other)))


@pytest.mark.parametrize("make", ["bounce", "complaint"])
@pytest.mark.parametrize("feedback_id", [None, ""])
def test_a_report_without_feedback_id_is_known_by_message_and_second(
    new_letter: MakeLetter, rows_of: RowsOf, make: str, feedback_id: str | None
) -> None:
    one, other = new_letter(message_id="one"), new_letter(message_id="other")
    event = getattr(one, make)(feedback_id=feedback_id)
    (row,) = rows_of(event)

    assert row["feedback_id"] is None
    assert keys([row]) == keys(rows_of(one.by_identity(event)))
    assert 3 == len(
        keys(
            rows_of(
                event,
                getattr(other, make)(feedback_id=feedback_id),
                getattr(one, make)(feedback_id=feedback_id, after=99),
            )
        )
    )


def test_delays_of_two_instants_are_two(letter: "Letter", rows_of: RowsOf) -> None:
    assert 2 == len(keys(rows_of(letter.delay(after=600), letter.delay(after=600.001))))


def test_a_subscription_is_known_by_its_list_and_new_preferences(
    letter: "Letter", rows_of: RowsOf
) -> None:
    other_list = letter.subscription()
    other_list["subscription"]["contactList"] = "partners"

    assert 3 == len(
        keys(
            rows_of(
                letter.subscription(),
                letter.subscription(new={"unsubscribeAll": False}),
                other_list,
            )
        )
    )


# --- what is told from shape -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounce_type", "sub_type", "has_dsn", "is_auto_reply"),
    [
        ("Transient", "General", False, True),
        ("Undetermined", "Undetermined", False, True),
        ("Transient", "General", True, False),
        ("Undetermined", "Undetermined", True, False),
        ("Transient", "MailboxFull", False, False),
        ("Permanent", "General", False, False),
    ],
)
def test_an_automatic_reply_is_told_by_shape_alone(
    letter: "Letter",
    rows_of: RowsOf,
    bounce_type: str,
    sub_type: str,
    *,
    has_dsn: bool,
    is_auto_reply: bool,
) -> None:
    (row,) = rows_of(letter.bounce(bounce_type=bounce_type, sub_type=sub_type, has_dsn=has_dsn))

    assert is_auto_reply == row["is_auto_reply"]


@pytest.mark.parametrize("trace", ["reportingMTA", "remoteMtaIp"])
def test_a_server_that_is_named_makes_it_no_automatic_reply(
    letter: "Letter", rows_of: RowsOf, trace: str
) -> None:
    event = letter.bounce(bounce_type="Transient", has_dsn=False)
    event["bounce"][trace] = "192.0.2.99"

    assert [False] == [row["is_auto_reply"] for row in rows_of(event)]


def topics(**statuses: str) -> list[dict[str, str]]:
    return [{"topicName": name, "subscriptionStatus": one} for name, one in statuses.items()]


@pytest.mark.parametrize(
    ("old", "new", "is_unsubscribe"),
    [
        ({"unsubscribeAll": False}, {"unsubscribeAll": True}, True),
        ({"unsubscribeAll": True}, {"unsubscribeAll": True}, False),
        ({"unsubscribeAll": True}, {"unsubscribeAll": False}, False),
        ({}, {"unsubscribeAll": True}, True),
        ({}, {}, False),
        (
            {"topicSubscriptionStatus": topics(news="OptIn")},
            {"topicSubscriptionStatus": topics(news="OptOut")},
            True,
        ),
        (
            {"topicSubscriptionStatus": topics(news="OptOut")},
            {"topicSubscriptionStatus": topics(news="OptOut")},
            False,
        ),
        (
            {"topicSubscriptionStatus": topics(news="OptOut", sport="OptIn")},
            {"topicSubscriptionStatus": topics(news="OptIn", sport="OptOut")},
            True,
        ),
        (
            {"topicDefaultSubscriptionStatus": topics(news="OptOut")},
            {"topicSubscriptionStatus": topics(news="OptOut")},
            False,
        ),
        (
            {"topicDefaultSubscriptionStatus": topics(news="OptIn")},
            {"topicSubscriptionStatus": topics(news="OptOut")},
            True,
        ),
        (
            {"unsubscribeAll": True, "topicSubscriptionStatus": topics(news="OptIn")},
            {"unsubscribeAll": False, "topicSubscriptionStatus": topics(news="OptOut")},
            False,
        ),
    ],
)
def test_an_unsubscribe_opts_out_of_something_not_opted_out_of_before(
    letter: "Letter", rows_of: RowsOf, old: "Event", new: "Event", *, is_unsubscribe: bool
) -> None:
    (row,) = rows_of(letter.subscription(old=old, new=new))

    assert is_unsubscribe == row["is_unsubscribe"]


# --- what belongs to the message -------------------------------------------------------------


def test_the_messages_facts_come_from_its_tags(new_letter: MakeLetter, rows_of: RowsOf) -> None:
    tags = {
        "campaign": ["spring"],
        "ses:tenant-name": ["blue"],
        "ses:source-tls-version": ["TLSv1.3"],
        "ses:outgoing-ip": ["203.0.113.5"],
        "ses:outgoing-tls-version": ["TLSv1.2"],
    }
    (row,) = rows_of(new_letter(tags=tags).delivery())

    assert {
        "account": "111122223333",
        "region": "eu-west-1",
        "configuration_set": "newsletter",
        "tenant": "blue",
        "identity": "shop.example.org",
        "identity_account": "111122223333",
        "source": "news@shop.example.org",
        "from_domain": "shop.example.org",
        "caller_identity": "app",
        "operation": "SendEmail",
        "source_ip": "192.0.2.10",
        "source_tls_version": "TLSv1.3",
        "outgoing_ip": "203.0.113.5",
        "outgoing_tls_version": "TLSv1.2",
        "tags": [("campaign", ["spring"])],
        "subject": "Spring",
        "is_poor": False,
    } == {
        name: row[name]
        for name in (
            *("account", "region", "configuration_set", "tenant", "identity"),
            *("identity_account", "source", "from_domain", "caller_identity", "operation"),
            *("source_ip", "source_tls_version", "outgoing_ip", "outgoing_tls_version"),
            *("tags", "subject", "is_poor"),
        )
    }


def test_an_identity_notification_says_what_it_can(letter: "Letter", rows_of: RowsOf) -> None:
    (row,) = rows_of(letter.by_identity(letter.bounce()))

    assert (True, True, None, None) == (
        row["is_identity_notification"],
        row["is_poor"],
        row["configuration_set"],
        row["tags"],
    )
    assert ("app", "192.0.2.10", "shop.example.org", "shop.example.org") == (
        row["caller_identity"],
        row["source_ip"],
        row["from_domain"],
        row["identity"],
    )


def test_only_events_without_the_messages_tags_are_poor(letter: "Letter", rows_of: RowsOf) -> None:
    poor = {name: rows_of(event)[0]["is_poor"] for name, (event, _) in every_type(letter).items()}

    assert {"DeliveryDelay", "Rendering Failure"} == {
        name for name, is_poor in poor.items() if is_poor
    }


def test_no_tags_are_not_the_same_as_none_given(new_letter: MakeLetter, rows_of: RowsOf) -> None:
    untagged = new_letter(tags={}).send()
    missing = new_letter().send()
    del missing["mail"]["tags"]
    empty, absent = rows_of(untagged, missing)

    assert ([], False) == (empty["tags"], empty["is_poor"])
    assert (None, True) == (absent["tags"], absent["is_poor"])


@pytest.mark.parametrize(
    ("arn", "message_id", "hint", "region"),
    [
        ("arn:aws:ses:ap-south-1:1:identity/x.org", "0102-1", "us-east-1", "ap-south-1"),
        (None, "0100-1", "eu-west-1", "us-east-1"),
        (None, "0101-1", None, "us-west-2"),
        (None, "0102-1", None, "eu-west-1"),
        (None, "0106-1", None, "ap-northeast-1"),
        (None, "0107-1", None, "eu-central-1"),
        (None, "9999-1", "sa-east-1", "sa-east-1"),
        (None, "9999-1", None, None),
        ("no arn", "9999-1", "sa-east-1", "sa-east-1"),
        ("", "0100-1", None, "us-east-1"),
    ],
)
def test_the_region_is_the_arns_else_the_message_ids_else_the_wrappings(
    new_letter: MakeLetter,
    rows_of: RowsOf,
    arn: str | None,
    message_id: str,
    *,
    hint: str | None,
    region: str | None,
) -> None:
    event = new_letter(message_id=message_id).send()
    event["mail"]["sourceArn"] = arn

    assert [region] == [row["region"] for row in rows_of(event, region=hint)]


def test_a_delegate_sender_and_the_identitys_owner_are_two_accounts(
    letter: "Letter", rows_of: RowsOf
) -> None:
    event = letter.send()
    event["mail"]["sourceArn"] = "arn:aws:ses:eu-west-1:999988887777:identity/Owner.Example.org"
    (row,) = rows_of(event)

    assert ("111122223333", "999988887777", "owner.example.org") == (
        row["account"],
        row["identity_account"],
        row["identity"],
    )


def test_a_subject_that_is_not_wanted_is_not_kept(letter: "Letter", rows_of: RowsOf) -> None:
    assert [None] == [row["subject"] for row in rows_of(letter.send(), store_subject=False)]


@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "a\0b",
        "\N{SNOWMAN}\N{ZERO WIDTH JOINER}",
        "\u202egnirts",
        "\ufeff",
        "'); drop",
        "\x1f",
        " ",
    ],
)
def test_odd_text_is_kept_as_it_is(new_letter: MakeLetter, rows_of: RowsOf, text: str) -> None:
    event = new_letter(tags={text or "x": [text]}).click(link=text, user_agent=text)
    event["mail"]["commonHeaders"]["subject"] = text
    (row,) = rows_of(event)

    assert (text, text, text, [text]) == (
        row["link"],
        row["user_agent"],
        row["subject"],
        dict(row["tags"])[text],
    )


def test_link_tags_keep_every_value(letter: "Letter", rows_of: RowsOf) -> None:
    event = letter.click()
    event["click"]["linkTags"] = {"place": ["top", "bottom"], "colour": []}
    without, empty = letter.click(), letter.click()
    without["click"]["linkTags"] = None
    empty["click"]["linkTags"] = {}
    rows = rows_of(event, without, empty, letter.open())

    assert [{"place": ["top", "bottom"], "colour": []}, None, {}, None] == [
        None if row["link_tags"] is None else dict(row["link_tags"]) for row in rows
    ]


# --- the batch -------------------------------------------------------------------------------


def test_no_events_are_an_empty_batch_of_the_same_columns() -> None:
    batch = RowBuilder(secret=b"s" * 32).finish()

    assert 0 == batch.num_rows
    assert ROW_SCHEMA == batch.schema


def test_rows_of_mixed_types_remember_in_which_order_they_came(
    new_letter: MakeLetter, rows_of: RowsOf
) -> None:
    letter = new_letter(to=TWO)
    rows = rows_of(letter.open(), letter.send(), letter.open(after=1), letter.bounce())
    in_order = sorted(rows, key=lambda row: int(row["ordinal"]))

    assert list(range(6)) == [row["ordinal"] for row in in_order]
    assert ["Open", "Send", "Send", "Open", "Bounce", "Bounce"] == [
        row["event_type"] for row in in_order
    ]
