"""What each event type adds to a row, and whom its rows are about.

A kind turns an event's own object into `Detail`: its instant, its addresses with the columns that
differ between them, the columns they share, and what makes the event itself (its key).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consumer.rows.keys import bounded, to_micros

_SECOND = 1_000_000

# One address with the values of `Kind.per_recipient`, in that order.
Entry = tuple[str | None, tuple[object, ...]]


@dataclass(slots=True)
class Detail:
    """What one event's own object says.

    Attributes:
        at: the event's own instant; None where the type has none (then it is the message's).
        key: what makes the event itself, beside its recipient.
        entries: the recipients as SES wrote them; None as address: nobody is named.
        shared: the values of `Kind.shared`, in that order.
        group: what makes the group that counts once, where it is not message × recipient.
    """

    at: datetime | None
    key: tuple[str, ...]
    entries: Sequence[Entry]
    shared: tuple[object, ...]
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One event type: where its object is, its columns, and how to read it."""

    name: str
    object_key: str
    per_recipient: tuple[str, ...]
    shared: tuple[str, ...]
    read: Callable[[Mapping[str, Any], Mapping[str, Any]], Detail]
    is_marked: bool = False


_NOBODY: Final[Sequence[Entry]] = ((None, ()),)


def _each(addresses: Sequence[str] | None) -> Sequence[Entry]:
    return [(address, ()) for address in addresses] if addresses else _NOBODY


def _only(mail: Mapping[str, Any]) -> Sequence[Entry]:
    """The destination where there is one: with several nobody knows whose act it was."""
    destination = mail.get("destination")
    return _each(destination) if destination and len(destination) == 1 else _NOBODY


def _read_send(_thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    return Detail(None, ("Send", mail["messageId"]), _each(mail.get("destination")), ())


def _read_reject(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    key = ("Reject", mail["messageId"])
    return Detail(None, key, _each(mail.get("destination")), (thing.get("reason"),))


def _read_failure(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    key = ("Rendering Failure", mail["messageId"])
    shared = (thing.get("templateName"), thing.get("errorMessage"))
    return Detail(None, key, _each(mail.get("destination")), shared)


def _read_delivery(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    at = thing["timestamp"]
    # the identity notification of the same delivery may have its instant cut to the second
    key = ("Delivery", mail["messageId"], str(to_micros(at) // _SECOND))
    shared = (
        thing.get("processingTimeMillis"),
        thing.get("smtpResponse"),
        thing.get("reportingMTA"),
        thing.get("remoteMtaIp"),
    )
    return Detail(at, key, _each(thing.get("recipients")), shared)


def _read_bounce(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    at, feedback_id = thing["timestamp"], thing.get("feedbackId") or None
    bounce_type, sub_type = thing["bounceType"], thing.get("bounceSubType")
    recipients = thing.get("bouncedRecipients") or ()
    has_dsn = any(
        one.get("action") or one.get("status") or one.get("diagnosticCode") for one in recipients
    )
    # An out-of-office reply comes as a bounce without any trace of a delivery status
    # notification. https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
    is_auto_reply = (
        (bounce_type == "Undetermined" or (bounce_type == "Transient" and sub_type == "General"))
        and not has_dsn
        and not thing.get("reportingMTA")
        and not thing.get("remoteMtaIp")
    )
    shared = (
        feedback_id,
        bounce_type,
        sub_type,
        is_auto_reply,
        thing.get("reportingMTA"),
        thing.get("remoteMtaIp"),
    )
    entries: Sequence[Entry] = [
        (
            one.get("emailAddress"),
            (one.get("action"), one.get("status"), one.get("diagnosticCode")),
        )
        for one in recipients
    ]
    key = ("Bounce", feedback_id or _stand_in(mail, at))
    return Detail(at, key, entries or ((None, (None, None, None)),), shared)


def _stand_in(mail: Mapping[str, Any], at: datetime) -> str:
    """Name a report without feedback id, alike in both forms: to the second, as Deliveries are."""
    return f"{mail['messageId']} {to_micros(at) // _SECOND}"


def _read_complaint(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    at, feedback_id = thing["timestamp"], thing.get("feedbackId") or None
    recipients = thing.get("complainedRecipients") or ()
    group = feedback_id or _stand_in(mail, at)
    shared = (
        feedback_id,
        thing.get("complaintSubType"),
        thing.get("complaintFeedbackType"),
        thing.get("userAgent"),
        thing.get("arrivalDate"),
        # a redacted report lists everyone at the provider who had the message
        len(recipients) > 1,
    )
    entries = _each([one.get("emailAddress") for one in recipients])
    return Detail(at, ("Complaint", group), entries, shared, group=group)


def _read_delay(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    at = thing["timestamp"]
    shared = (thing.get("delayType"), thing.get("expirationTime"), thing.get("reportingMTA"))
    entries: Sequence[Entry] = [
        (one.get("emailAddress"), (one.get("status"), one.get("diagnosticCode")))
        for one in thing.get("delayedRecipients") or ()
    ]
    key = ("DeliveryDelay", mail["messageId"], str(to_micros(at)))
    return Detail(at, key, entries or ((None, (None, None)),), shared)


def _read_open(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    at, ip, user_agent = thing["timestamp"], thing.get("ipAddress"), thing.get("userAgent")
    key = ("Open", mail["messageId"], str(to_micros(at)), bounded(ip), bounded(user_agent))
    return Detail(at, key, _only(mail), (ip, user_agent, thing.get("isBotEvent")))


def _read_click(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    at, ip, user_agent = thing["timestamp"], thing.get("ipAddress"), thing.get("userAgent")
    link = thing.get("link")
    key = (
        "Click",
        mail["messageId"],
        str(to_micros(at)),
        bounded(ip),
        bounded(user_agent),
        bounded(link),
    )
    shared = (ip, user_agent, thing.get("isBotEvent"), link, thing.get("linkTags"))
    return Detail(at, key, _only(mail), shared)


def _read_subscription(thing: Mapping[str, Any], mail: Mapping[str, Any]) -> Detail:
    at = thing["timestamp"]
    new, old = thing.get("newTopicPreferences") or {}, thing.get("oldTopicPreferences") or {}
    new_text = json.dumps(new, sort_keys=True, separators=(",", ":"))
    shared = (
        thing.get("contactList"),
        thing.get("source"),
        is_unsubscribe(new, old),
        new_text,
        json.dumps(old, sort_keys=True, separators=(",", ":")),
    )
    key = (
        "Subscription",
        mail["messageId"],
        str(to_micros(at)),
        bounded(thing.get("contactList")),
        new_text,
    )
    return Detail(at, key, _only(mail), shared)


def is_unsubscribe(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Tell whether preferences opt out of anything not opted out of before.

    Shapes: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
    """
    if old.get("unsubscribeAll"):
        return False
    if new.get("unsubscribeAll"):
        return True
    return bool(_opted_out(new) - _opted_out(old))


def _opted_out(preferences: Mapping[str, Any]) -> set[str]:
    """Names of the topics opted out of; a topic's default stands where it has no own status."""
    statuses: dict[str, str] = {}
    for listed in ("topicDefaultSubscriptionStatus", "topicSubscriptionStatus"):
        for topic in preferences.get(listed) or ():
            statuses[topic.get("topicName") or ""] = topic.get("subscriptionStatus") or ""
    return {name for name, status in statuses.items() if status == "OptOut"}


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("Send", "send", (), (), _read_send),
        Kind("Reject", "reject", (), ("reject_reason",), _read_reject),
        Kind("Rendering Failure", "failure", (), ("template", "error_message"), _read_failure),
        Kind(
            "Delivery",
            "delivery",
            (),
            ("processing_ms", "smtp_response", "reporting_mta", "remote_mta_ip"),
            _read_delivery,
        ),
        Kind(
            "Bounce",
            "bounce",
            ("action", "status", "diagnostic_code"),
            (
                "feedback_id",
                "bounce_type",
                "bounce_sub_type",
                "is_auto_reply",
                "reporting_mta",
                "remote_mta_ip",
            ),
            _read_bounce,
        ),
        Kind(
            "Complaint",
            "complaint",
            (),
            (
                "feedback_id",
                "complaint_sub_type",
                "complaint_feedback_type",
                "user_agent",
                "arrived_at",
                "is_ambiguous",
            ),
            _read_complaint,
            is_marked=True,
        ),
        Kind(
            "DeliveryDelay",
            "deliveryDelay",
            ("status", "diagnostic_code"),
            ("delay_type", "expires_at", "reporting_mta"),
            _read_delay,
            is_marked=True,
        ),
        Kind(
            "Open",
            "open",
            (),
            ("ip", "user_agent", "is_bot_event"),
            _read_open,
            is_marked=True,
        ),
        Kind(
            "Click",
            "click",
            (),
            ("ip", "user_agent", "is_bot_event", "link", "link_tags"),
            _read_click,
            is_marked=True,
        ),
        Kind(
            "Subscription",
            "subscription",
            (),
            (
                "contact_list",
                "subscription_source",
                "is_unsubscribe",
                "new_preferences",
                "old_preferences",
            ),
            _read_subscription,
        ),
    )
}
