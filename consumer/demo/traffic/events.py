"""Simulated SES events as JSON text, in the shapes Amazon documents.

Event publishing: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
Identity notifications: docs.aws.amazon.com/ses/latest/dg/notification-contents.html
What an event leaves out of ``mail`` differs by type, as in the examples beside those pages.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from consumer.demo.traffic.cast import Stream

# The key of each type's own object; "Rendering Failure" has a space and its object is `failure`.
OBJECT_KEYS = {
    "Bounce": "bounce",
    "Click": "click",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "DeliveryDelay": "deliveryDelay",
    "Open": "open",
    "Reject": "reject",
    "Rendering Failure": "failure",
    "Send": "send",
    "Subscription": "subscription",
}

_SOURCE_IP, _OUTGOING_IPS = "203.0.113.10", ("54.240.8.16", "54.240.8.61", "54.240.9.3")


@dataclass(frozen=True, slots=True)
class Event:
    """One event in the forms it comes in.

    Attributes:
        rows: recipients it speaks of, 1 where it names none: its weight in the conservation law.
        published: event-publishing JSON; None where only an identity notification tells of it.
        notified: identity-notification JSON, if that comes too.
    """

    event_type: str
    at_ms: int
    rows: int
    stream: Stream
    published: str | None
    notified: str | None


@dataclass(frozen=True)
class Message:
    """A message SES was asked to send; renders each event's ``mail`` object once.

    Attributes:
        sent_ms: ``mail.timestamp``, in ms since 1970.
        destination: addresses as the sender wrote them.
        is_templated: whether it was SendTemplatedEmail, whose Send lacks ``sourceArn``.
    """

    message_id: str
    stream: Stream
    sent_ms: int
    destination: Sequence[str]
    subject: str
    tags: Mapping[str, str]
    is_templated: bool = False

    def publish(self, event_type: str, body: Mapping[str, Any]) -> str:
        """Render an event as event publishing would, with the newline SES puts at its end."""
        mail = {
            "Open": self._mail_without_arn,
            "Click": self._mail_without_arn,
            "Rendering Failure": self._mail_without_headers,
            "DeliveryDelay": self._mail_without_headers,
            "Delivery": self._mail_delivered,
        }.get(event_type, self._mail_full)
        if event_type == "Send" and self.is_templated:
            mail = self._mail_templated_send
        # Key order is not stable between SES's events: Bounce and Complaint put their own first.
        parts = [f'"mail":{mail}', f'"{OBJECT_KEYS[event_type]}":{_to_json(body)}']
        if event_type in ("Bounce", "Complaint"):
            parts.reverse()
        return f'{{"eventType":"{event_type}",{",".join(parts)}}}\n'

    def notify(self, event_type: str, body: Mapping[str, Any]) -> str:
        """Render an event as an identity notification would: no tags, times cut to the second."""
        seconds = dict(body)
        if event_type != "Delivery":
            seconds["timestamp"] = f"{body['timestamp'][:19]}.000Z"
        own = f'"{OBJECT_KEYS[event_type]}":{_to_json(seconds)}'
        return f'{{"notificationType":"{event_type}",{own},"mail":{self._mail_notified}}}'

    @cached_property
    def _basics(self) -> dict[str, Any]:
        return {
            "timestamp": to_timestamp(self.sent_ms),
            "source": self.stream.sender,
            "sendingAccountId": self.stream.account,
            "messageId": self.message_id,
            "destination": list(self.destination),
            "headersTruncated": False,
        }

    @cached_property
    def _arn(self) -> dict[str, str]:
        stream = self.stream
        arn = f"arn:aws:ses:{stream.region}:{stream.account}:identity/{stream.domain}"
        return {"sourceArn": arn}

    @cached_property
    def _headers(self) -> dict[str, Any]:
        sender, to = self.stream.sender, ", ".join(self.destination)
        headers = {
            "From": sender,
            "To": to,
            "Subject": self.subject,
            "Date": _to_header_date(self.sent_ms),
            "MIME-Version": "1.0",
            "Content-Type": 'multipart/alternative; boundary="----=_Part_7298998_679725522"',
            "X-Campaign": self.tags.get("campaign", "none"),
            "List-Unsubscribe": f"<https://{self.stream.domain}/u/{self.message_id[16:32]}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Feedback-ID": f"{self.message_id[16:24]}:{self.stream.domain}:AmazonSES",
        }
        return {
            "headers": [{"name": name, "value": value} for name, value in headers.items()],
            "commonHeaders": {
                "from": [sender],
                "to": [to],
                "date": headers["Date"],
                "messageId": self.message_id,
                "subject": self.subject,
            },
        }

    @cached_property
    def _tags(self) -> dict[str, list[str]]:
        return {
            "ses:operation": ["SendTemplatedEmail" if self.is_templated else "SendEmail"],
            **self._set_tag,
            "ses:source-ip": [_SOURCE_IP],
            "ses:from-domain": [self.stream.domain],
            "ses:caller-identity": ["mailer"],
            "ses:source-tls-version": ["TLSv1.3"],
            **{name: [value] for name, value in self.tags.items()},
        }

    @cached_property
    def _set_tag(self) -> dict[str, list[str]]:
        return {"ses:configuration-set": [self.stream.configuration_set or ""]}

    @cached_property
    def _mail_full(self) -> str:
        return _to_json({**self._basics, **self._arn, **self._headers, "tags": self._tags})

    @cached_property
    def _mail_delivered(self) -> str:
        outgoing = _OUTGOING_IPS[self.sent_ms % len(_OUTGOING_IPS)]
        tags = self._tags | {
            "ses:outgoing-ip": [outgoing],
            "ses:outgoing-tls-version": ["TLSv1.3"],
        }
        return _to_json({**self._basics, **self._arn, **self._headers, "tags": tags})

    @cached_property
    def _mail_without_arn(self) -> str:
        return _to_json({**self._basics, **self._headers, "tags": self._tags})

    @cached_property
    def _mail_templated_send(self) -> str:
        headers = dict(self._headers)
        headers["commonHeaders"] = dict(headers["commonHeaders"])
        del headers["commonHeaders"]["subject"]
        return _to_json({**self._basics, **headers, "tags": self._tags})

    @cached_property
    def _mail_without_headers(self) -> str:
        return _to_json({**self._basics, **self._arn, "tags": self._set_tag})

    @cached_property
    def _mail_notified(self) -> str:
        headers = dict(self._headers)
        # Here the message's own Message-ID header, not SES's id.
        own_id = f"<{self.message_id[16:32]}@{self.stream.domain}>"
        headers["commonHeaders"] = headers["commonHeaders"] | {"messageId": own_id}
        caller = {"sourceIp": _SOURCE_IP, "callerIdentity": "mailer"}
        return _to_json({**self._basics, **self._arn, **caller, **headers})


def to_timestamp(at_ms: int) -> str:
    """Write an instant as SES does: ``2026-11-22T10:00:00.123Z``."""
    seconds, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def _to_header_date(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%a, %d %b %Y %H:%M:%S} +0000"


def _to_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
