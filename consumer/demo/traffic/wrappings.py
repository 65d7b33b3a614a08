"""The wrappings an SES event travels in, and what else is found in such a queue.

SNS: docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
EventBridge: docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
"""

import json
import random
from typing import Any

from consumer.demo.traffic.cast import Stream
from consumer.demo.traffic.events import Event, to_timestamp

_DETAIL_TYPES = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Rendering Failure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
    "Subscription": "Email Subscribed",
}
EVENT_SUBJECT = "Amazon SES Email Event Notification"


def wrap_in_sns(
    text: str, *, stream: Stream, at_ms: int, id_bits: int, subject: str | None = None
) -> bytes:
    """Write the envelope that an SNS subscription without raw delivery puts into a queue."""
    digits = f"{id_bits:032x}"
    host = f"https://sns.{stream.region}.amazonaws.com"
    topic = f"arn:aws:sns:{stream.region}:{stream.account}:ses-events"
    envelope: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
        "TopicArn": topic,
        "Subject": subject,
        "Message": text,
        "Timestamp": to_timestamp(at_ms + 90),
        "SignatureVersion": "1",
        # As long as a real one; a queue's access policy is what vouches for its messages.
        "Signature": "RVhBTVBMRQ" * 34 + "RVhB",
        "SigningCertURL": f"{host}/SimpleNotificationService-0000000000000000000000.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={topic}:example",
    }
    if subject is None:
        del envelope["Subject"]
    # SNS writes a space on both sides of the colon.
    return json.dumps(envelope, indent=2, separators=(",", " : ")).encode()


def wrap_in_eventbridge(event: Event, text: str, *, id_bits: int) -> bytes:
    """Write the form in which a rule on the default bus puts an event into a queue."""
    digits = f"{id_bits:032x}"
    stream = event.stream
    head = {
        "version": "0",
        "id": f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
        "detail-type": _DETAIL_TYPES[event.event_type],
        "source": "aws.ses",
        "account": stream.account,
        "time": f"{to_timestamp(event.at_ms)[:19]}Z",
        "region": stream.region,
        "resources": [f"arn:aws:ses:{stream.region}:{stream.account}:configuration-set/set"],
    }
    return f'{json.dumps(head)[:-1]}, "detail": {text.rstrip()}}}'.encode()


class Wrapper:
    """Chooses how each copy of an event travels."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def wrap_published(self, event: Event, text: str) -> bytes:
        """Wrap an event-publishing event: SNS, raw delivery or EventBridge."""
        chance = self._rng.random()
        if chance < 0.6:
            return self._wrap_in_sns(event, text, EVENT_SUBJECT)
        if chance < 0.85:
            return text.encode()
        return wrap_in_eventbridge(event, text, id_bits=self._rng.getrandbits(128))

    def wrap_notified(self, event: Event, text: str) -> bytes:
        """Wrap an identity notification: SNS carries it, without a subject, or raw."""
        if self._rng.random() < 0.75:
            return self._wrap_in_sns(event, text, None)
        return text.encode()

    def _wrap_in_sns(self, event: Event, text: str, subject: str | None) -> bytes:
        return wrap_in_sns(
            text,
            stream=event.stream,
            at_ms=event.at_ms,
            id_bits=self._rng.getrandbits(128),
            subject=subject,
        )


def make_malformed(event: Event, text: str, rng: random.Random) -> bytes:
    """Spoil an event in one of the ways that are seen: nobody can tell what it was."""
    number = rng.getrandbits(64)
    ways = (
        text[: len(text) * 6 // 10],
        json.dumps({"service": "billing", "invoice": number, "paid": True}),
        text.replace(f'"{event.event_type}"', f'"Teleported {number}"', 1),
        json.dumps({"eventType": "Delivery", "delivery": {}, "trace": number}),
        f"backup {number} finished",
    )
    spoiled = rng.choice(ways)
    if rng.random() < 0.5:
        return spoiled.encode()
    return wrap_in_sns(
        spoiled,
        stream=event.stream,
        at_ms=event.at_ms,
        id_bits=rng.getrandbits(128),
        subject=EVENT_SUBJECT,
    )


def make_non_event(event: Event, rng: random.Random) -> bytes:
    """Write what belongs in such a queue and is no sending event."""
    stream = event.stream
    validation = "Successfully validated SNS topic for Amazon SES event publishing."
    choice = rng.randrange(3)
    if choice == 0:
        return wrap_in_sns(
            validation, stream=stream, at_ms=event.at_ms, id_bits=rng.getrandbits(128)
        )
    if choice == 1:
        test = {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": to_timestamp(event.at_ms),
            "Bucket": "example-ses-events",
            "RequestId": f"{rng.getrandbits(64):016X}",
            "HostId": "EXAMPLE",
        }
        return json.dumps(test).encode()
    status = {
        "version": "0",
        "id": f"{rng.getrandbits(64):016x}",
        "detail-type": "Sending Status Enabled",
        "source": "aws.ses",
        "account": stream.account,
        "time": f"{to_timestamp(event.at_ms)[:19]}Z",
        "region": stream.region,
        "resources": [],
        "detail": {"data": {"origin": "CUSTOMER_MANAGED", "record": {"status": "ENABLED"}}},
    }
    return json.dumps(status).encode()
