"""Whatever event the schemas accept becomes rows, and the same rows every time."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from consumer.rows import ROW_SCHEMA, RowBuilder
from schemas.events import EVENT_TYPES, NOTIFICATION_TYPES, parse_event

RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OBJECTS = {
    "Rendering Failure": "failure",
    "DeliveryDelay": "deliveryDelay",
}

texts = st.none() | st.text(max_size=8) | st.integers(0, 99)
addresses = st.sampled_from(["ann@example.com", "Ann <ANN@example.com>", "", "no address", "a@b"])
instants = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)).map(  # noqa: DTZ001 - made UTC by the text
    lambda at: at.isoformat(timespec="milliseconds") + "Z"
)
people = st.none() | st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "emailAddress": st.none() | addresses,
            "action": texts,
            "status": texts,
            "diagnosticCode": texts,
        },
    ),
    max_size=3,
)
tags = st.none() | st.dictionaries(
    st.sampled_from(["ses:configuration-set", "ses:outgoing-ip", "campaign", "", "\0"]),
    st.none() | st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=2),
    max_size=4,
)
topics = st.none() | st.lists(
    st.fixed_dictionaries({}, optional={"topicName": texts, "subscriptionStatus": texts}),
    max_size=2,
)
preferences = st.none() | st.fixed_dictionaries(
    {}, optional={"unsubscribeAll": st.none() | st.booleans(), "topicSubscriptionStatus": topics}
)
mails = st.fixed_dictionaries(
    {"timestamp": instants, "messageId": st.text(min_size=1, max_size=8)},
    optional={
        "source": texts,
        "sourceArn": texts | st.just("arn:aws:ses:eu-west-1:1:identity/example.com"),
        "sendingAccountId": texts,
        "destination": st.none() | addresses | st.lists(addresses, max_size=3),
        "tags": tags,
        "commonHeaders": st.fixed_dictionaries({"subject": texts}),
    },
)
things = st.fixed_dictionaries(
    {"timestamp": instants, "bounceType": st.sampled_from(["Permanent", "Transient", "Odd", ""])},
    optional={
        "bounceSubType": texts,
        "bouncedRecipients": people,
        "complainedRecipients": people,
        "delayedRecipients": people,
        "recipients": st.none() | st.lists(addresses, max_size=3),
        "feedbackId": texts,
        "reportingMTA": texts,
        "processingTimeMillis": st.none() | st.integers(-(2**63), 2**63 - 1),
        "expirationTime": st.none() | instants,
        "arrivalDate": instants | st.just("no time"),
        "ipAddress": texts,
        "userAgent": texts,
        "link": texts,
        "linkTags": tags,
        "contactList": texts,
        "newTopicPreferences": preferences,
        "oldTopicPreferences": preferences,
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    form = draw(st.sampled_from(["eventType", "notificationType"]))
    event_type = draw(st.sampled_from(EVENT_TYPES if form == "eventType" else NOTIFICATION_TYPES))
    return {
        form: event_type,
        "mail": draw(mails),
        OBJECTS.get(event_type, event_type.lower()): draw(things),
    }


def build(*given_documents: dict[str, Any]) -> tuple[list[int], Any]:
    builder = RowBuilder(secret=b"s" * 32)
    counts = []
    for document in given_documents:
        try:
            event = parse_event(json.dumps(document))
        except ValidationError:
            continue
        counts.append(builder.add(event, received_at=RECEIVED, region=None))
    return counts, builder.finish()


@settings(deadline=None)  # the machine may be busy
@given(st.lists(documents(), max_size=4))
def test_any_event_that_the_schemas_accept_becomes_rows(
    given_documents: list[dict[str, Any]],
) -> None:
    counts, batch = build(*given_documents)
    batch.validate(full=True)

    assert ROW_SCHEMA == batch.schema
    assert sum(counts) == batch.num_rows
    assert all(count > 0 for count in counts)
    assert list(range(batch.num_rows)) == sorted(batch["ordinal"].to_pylist())
    for name in ("event_key", "event_type", "event_at", "sent_at", "received_at", "message_id"):
        assert 0 == batch[name].null_count, name


@settings(deadline=None)  # the machine may be busy
@given(documents())
def test_the_same_event_always_has_the_same_rows(document: dict[str, Any]) -> None:
    _, once = build(document)
    _, again = build(json.loads(json.dumps(document)))

    assert once.to_pylist() == again.to_pylist()


@settings(deadline=None)  # the machine may be busy
@given(documents(), documents())
def test_events_that_share_a_key_share_message_type_and_recipient(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    _, batch = build(first, second)
    by_key: dict[object, tuple[object, ...]] = {}
    for row in batch.to_pylist():
        same = (row["event_type"], row["recipient"])
        assert same == by_key.setdefault(row["event_key"], same)
