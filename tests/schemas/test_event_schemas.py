"""What an event must have, may have and may not be."""

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from schemas.events import EVENT_TYPES, NOTIFICATION_TYPES, SesEvent, parse_event
from schemas.faults import describe_fault

Make = Callable[..., dict[str, Any]]


def parse(event: dict[str, Any]) -> Any:  # noqa: ANN401 - a union of typed dicts, read freely here
    return parse_event(json.dumps(event).encode())


def fault(event: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        parse(event)
    return describe_fault(caught.value)


def test_the_lists_of_types_are_those_of_the_union() -> None:
    tags: dict[str, list[str]] = {"eventType": [], "notificationType": []}
    for kind in get_args(SesEvent):
        key = next(key for key in tags if key in kind.__annotations__)
        tags[key] += get_args(kind.__annotations__[key])
    assert (list(EVENT_TYPES), list(NOTIFICATION_TYPES)) == tuple(tags.values())


REQUIRED = [
    ("published-send.json", "mail"),
    ("published-send.json", "mail__messageId"),
    ("published-send.json", "mail__timestamp"),
    ("published-bounce.json", "bounce"),
    ("published-bounce.json", "bounce__timestamp"),
    ("published-bounce.json", "bounce__bounceType"),
    ("published-complaint.json", "complaint__timestamp"),
    ("published-delivery.json", "delivery__timestamp"),
    ("published-delivery-delay.json", "deliveryDelay__timestamp"),
    ("published-open.json", "open__timestamp"),
    ("published-click.json", "click__timestamp"),
    ("published-subscription.json", "subscription__timestamp"),
    ("published-reject.json", "reject"),
    ("published-rendering-failure.json", "failure"),
    ("identity-bounce.json", "bounce__timestamp"),
]


@pytest.mark.parametrize(("name", "path"), REQUIRED)
def test_a_required_field_that_is_missing_is_named(make_event: Make, name: str, path: str) -> None:
    assert f"{path.replace('__', '.')}: missing" == fault(make_event(name, **{path: ...}))


NULLABLE = [
    ("published-bounce.json", "mail__sendingAccountId"),
    ("published-bounce.json", "mail__destination"),
    ("published-bounce.json", "mail__tags"),
    ("published-bounce.json", "mail__source"),
    ("published-bounce.json", "mail__commonHeaders"),
    ("published-bounce.json", "mail__headersTruncated"),
    ("published-bounce.json", "bounce__bounceSubType"),
    ("published-bounce.json", "bounce__bouncedRecipients"),
    ("published-bounce.json", "bounce__feedbackId"),
    ("published-complaint.json", "complaint__complaintSubType"),
    ("published-complaint.json", "complaint__complainedRecipients"),
    ("published-complaint.json", "complaint__arrivalDate"),
    ("published-delivery.json", "delivery__recipients"),
    ("published-delivery.json", "delivery__remoteMtaIp"),
    ("published-delivery.json", "delivery__processingTimeMillis"),
    ("published-click.json", "click__linkTags"),
    ("published-click.json", "click__isBotEvent"),
    ("published-delivery-delay.json", "deliveryDelay__expirationTime"),
    ("published-delivery-delay.json", "deliveryDelay__delayedRecipients"),
    ("published-subscription.json", "subscription__oldTopicPreferences"),
    ("published-rendering-failure.json", "failure__templateName"),
    ("published-reject.json", "reject__reason"),
]


@pytest.mark.parametrize(("name", "path"), NULLABLE)
@pytest.mark.parametrize("value", [None, ...], ids=["null", "missing"])
def test_what_facts_leave_open_may_be_null_or_missing(
    make_event: Make, name: str, path: str, value: object
) -> None:
    assert parse(make_event(name, **{path: value}))


def test_no_tags_and_no_tags_object_can_be_told_apart(make_event: Make) -> None:
    assert {} == parse(make_event("published-send.json", mail__tags={}))["mail"]["tags"]
    assert "tags" not in parse(make_event("published-send.json", mail__tags=...))["mail"]


def test_a_tag_of_plain_text_or_null_becomes_a_list(make_event: Make) -> None:
    tags = {"a": "one", "b": None, "c": ["x", 7, None], "d": 4}
    event = parse(make_event("published-send.json", mail__tags=tags))
    assert {"a": ["one"], "b": [], "c": ["x", "7"], "d": ["4"]} == event["mail"]["tags"]


def test_unknown_values_of_enumerations_are_kept(make_event: Make) -> None:
    event = parse(make_event("published-bounce.json", bounce__bounceType="SoftButFirm"))
    assert "SoftButFirm" == event["bounce"]["bounceType"]


def test_unknown_fields_and_other_types_objects_are_nobodys_business(make_event: Make) -> None:
    event = make_event("published-delivery.json", bounce=None, eventId=7, mail__future={"x": [1]})
    assert {"eventType", "mail", "delivery"} == set(parse(event))


def test_lookalikes_write_numbers_and_single_strings(make_event: Make) -> None:
    event = parse(
        make_event(
            "published-delivery.json",
            mail__sendingAccountId=111122223333,
            mail__destination="ada@example.com",
            delivery__processingTimeMillis="1777",
            mail__headersTruncated="false",
        )
    )
    assert "111122223333" == event["mail"]["sendingAccountId"]
    assert ["ada@example.com"] == event["mail"]["destination"]
    assert 1777 == event["delivery"]["processingTimeMillis"]


@pytest.mark.parametrize("headers", [{"subject": ["x"]}, {"subject": 3}, [], "text", 7])
def test_common_headers_of_odd_types_lose_the_subject_and_nothing_else(
    make_event: Make, headers: object
) -> None:
    event = parse(make_event("published-send.json", mail__commonHeaders=headers))
    assert not (event["mail"]["commonHeaders"] or {}).get("subject")


def test_a_complaint_is_not_lost_over_a_strangers_clock(make_event: Make) -> None:
    event = parse(make_event("published-complaint.json", complaint__arrivalDate="last Tuesday"))
    assert event["complaint"]["arrivalDate"] is None


@pytest.mark.parametrize("millis", [2**63, -(2**63) - 1, 10**30, 1.5, "soon", [1]])
def test_milliseconds_fit_a_column(make_event: Make, millis: object) -> None:
    event = make_event("published-delivery.json", delivery__processingTimeMillis=millis)
    assert fault(event).startswith("delivery.processingTimeMillis: found ")


FAULTS = [
    ({"mail__messageId": ""}, 'mail.messageId: found "", expected text that is not empty'),
    ({"mail__messageId": 7}, "mail.messageId: found 7, expected text"),
    ({"mail": []}, "mail: found a list, expected an object"),
    ({"bounce": None}, "bounce: found null, expected an object"),
    (
        {"bounce__bouncedRecipients": ["ada@example.com"]},
        'bounce.bouncedRecipients[0]: found "ada@example.com", expected an object',
    ),
    (
        {"bounce__timestamp": "yesterday"},
        (
            'bounce.timestamp: found "yesterday", '
            "expected a time such as 2016-10-19T23:21:04.133Z, from 1970 to 2199"
        ),
    ),
    ({"mail__tags": [1]}, "mail.tags: found a list, expected an object"),
    ({"mail__destination": {"a": 1}}, "mail.destination: found an object, expected a list"),
]


@pytest.mark.parametrize(("fields", "line"), FAULTS)
def test_a_fault_names_the_path_what_was_found_and_what_was_expected(
    make_event: Make, fields: dict[str, object], line: str
) -> None:
    assert line == fault(make_event("published-bounce.json", **fields))


def test_a_fault_quotes_no_more_than_eighty_characters_of_one_scalar(make_event: Make) -> None:
    line = fault(make_event("published-bounce.json", bounce__timestamp="x\x1b" * 5000))
    assert len(line) < 250
    assert "\x1b" not in line
    assert "ada@example.com" not in line
