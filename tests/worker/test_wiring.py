"""A test mail through SES, and what is said of how far its events came."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from consumer.checks.wiring import SIMULATOR, Wiring, follow_mail, send_mail
from consumer.decode import decode
from consumer.door.access import OpenedWarehouse
from consumer.envelope import Envelope
from consumer.errors import SourceError
from consumer.sources.aws import AwsAccess
from consumer.warehouse import Warehouse

AWS = AwsAccess(region="eu-west-1")


@pytest.fixture(autouse=True)
def _lean(lean_sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("sesv2", region_name="eu-west-1")
        client.create_email_identity(EmailIdentity="example.com")
        yield


def make_event(kind: str, message_id: str) -> bytes:
    """In the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    mail = {
        "timestamp": "2026-03-02T10:00:00.000Z",
        "messageId": message_id,
        "destination": [SIMULATOR],
        "tags": {"ses:configuration-set": ["news"]},
    }
    delivery = {"timestamp": "2026-03-02T10:00:01.000Z", "recipients": [SIMULATOR]}
    own: dict[str, object] = {"send": {}} if kind == "Send" else {"delivery": delivery}
    return json.dumps({"eventType": kind, "mail": mail, **own}).encode()


@pytest.fixture
def follow(warehouse: Warehouse) -> Callable[..., Wiring]:
    """Follows a mail whose events come one a poll, from a source of the worker's."""

    def run(message_id: str, *payloads: bytes) -> Wiring:
        now = [0.0]
        coming = list(payloads)

        def wait(secs: float) -> None:
            now[0] += secs
            if coming:
                builder = warehouse.new_builder("sqs:ses-events")
                envelope = Envelope(coming.pop(0), None, "sqs:ses-events", datetime.now(UTC))
                for decoded in decode(envelope):
                    builder.add(decoded)
                warehouse.write(builder.finish())

        return follow_mail(
            OpenedWarehouse(warehouse),
            message_id,
            timeout_secs=10,
            wait=wait,
            clock=lambda: now[0],
        )

    return run


def test_a_mail_that_ses_takes_has_an_id(ses: None) -> None:
    assert send_mail(AWS, sender="news@example.com", configuration_set="news")


def test_a_sender_that_ses_does_not_know_is_named(ses: None) -> None:
    with pytest.raises(SourceError, match=r"sending a mail from news@elsewhere\.example"):
        send_mail(AWS, sender="news@elsewhere.example", configuration_set="news")


def test_a_mail_whose_events_are_rows_has_come_through(follow: Callable[..., Wiring]) -> None:
    wiring = follow("m-1", make_event("Send", "m-1"), make_event("Delivery", "m-1"))

    assert wiring.is_whole
    assert ["SES accepted it as message m-1", "Delivery and Send are rows, after 2 s"] == (
        wiring.lines
    )


def test_an_event_type_that_is_not_published_is_named(follow: Callable[..., Wiring]) -> None:
    wiring = follow("m-1", make_event("Send", "m-1"))

    assert not wiring.is_whole
    assert "Send came, Delivery did not within 10 s" in wiring.lines[-1]


def test_what_went_to_quarantine_is_found_there(follow: Callable[..., Wiring]) -> None:
    wiring = follow("m-1", make_event("Teleport", "m-1"))

    assert not wiring.is_whole
    assert "sqs:ses-events brought it, and it went to quarantine" in wiring.lines[-1]


def test_events_of_other_mail_narrow_it_down(follow: Callable[..., Wiring]) -> None:
    wiring = follow("m-1", make_event("Send", "m-2"))

    assert "none of its events came within 10 s" in wiring.lines
    assert "events of other mail came: sqs:ses-events 1" in wiring.lines[-1]


def test_silence_says_what_to_look_at(follow: Callable[..., Wiring]) -> None:
    assert "no source brought anything" in follow("m-1").lines[-1]
