"""One class per event type, with SES's own names, and the parser that tells them apart.

The classes hold what duckpost keeps and no more: an unknown field costs nothing and fails
nothing. Enumerations (`bounceType`, `delayType`, …) are open: SES adds values, and a value it
never wrote is stored as it came.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict below 3.12

from schemas.base import ForeignTimestamp, Millis, Tags, Text, Texts, Timestamp
from schemas.mail import Mail

# --- the object of each type ---------------------------------------------------------------


class Recipient(TypedDict):
    """A recipient of a bounce, a delay or a complaint; all but the address come from its DSN."""

    emailAddress: NotRequired[Text | None]
    action: NotRequired[Text | None]
    status: NotRequired[Text | None]
    diagnosticCode: NotRequired[Text | None]


class Bounce(TypedDict):
    """A bounce for good, or a soft one that SES has stopped retrying."""

    bounceType: str
    timestamp: Timestamp
    bounceSubType: NotRequired[Text | None]
    bouncedRecipients: NotRequired[list[Recipient] | None]
    feedbackId: NotRequired[Text | None]
    reportingMTA: NotRequired[Text | None]
    remoteMtaIp: NotRequired[Text | None]


class Complaint(TypedDict):
    """A feedback report. Its recipients are possible complainers, not certain ones."""

    timestamp: Timestamp
    complainedRecipients: NotRequired[list[Recipient] | None]
    feedbackId: NotRequired[Text | None]
    complaintSubType: NotRequired[Text | None]
    complaintFeedbackType: NotRequired[Text | None]
    userAgent: NotRequired[Text | None]
    arrivalDate: NotRequired[ForeignTimestamp]


class Delivery(TypedDict):
    """The receiving server's acceptance, for `recipients`: a subset of the destination."""

    timestamp: Timestamp
    recipients: NotRequired[Texts | None]
    processingTimeMillis: NotRequired[Millis | None]
    smtpResponse: NotRequired[Text | None]
    reportingMTA: NotRequired[Text | None]
    remoteMtaIp: NotRequired[Text | None]


class Reject(TypedDict):
    """SES's refusal to send; it has no time of its own."""

    reason: NotRequired[Text | None]


class Open(TypedDict):
    """A load of the tracking pixel. `isBotEvent` is ``Likely`` or ``Unlikely``, since 2026."""

    timestamp: Timestamp
    ipAddress: NotRequired[Text | None]
    userAgent: NotRequired[Text | None]
    isBotEvent: NotRequired[Text | None]


class Click(Open):
    """A visit to a tracked link. `linkTags` is null where the link has none."""

    link: NotRequired[Text | None]
    linkTags: NotRequired[Tags | None]


class Failure(TypedDict):
    """Why a template could not be rendered; it has no time of its own."""

    templateName: NotRequired[Text | None]
    errorMessage: NotRequired[Text | None]


class DeliveryDelay(TypedDict):
    """A temporary failure that SES goes on retrying."""

    timestamp: Timestamp
    delayType: NotRequired[Text | None]
    expirationTime: NotRequired[Timestamp | None]
    delayedRecipients: NotRequired[list[Recipient] | None]
    reportingMTA: NotRequired[Text | None]


class TopicStatus(TypedDict):
    """A contact's standing towards one topic: ``OptIn`` or ``OptOut``."""

    topicName: NotRequired[Text | None]
    subscriptionStatus: NotRequired[Text | None]


class TopicPreferences(TypedDict):
    """A contact's standing towards a list and its topics."""

    unsubscribeAll: NotRequired[bool | None]
    topicSubscriptionStatus: NotRequired[list[TopicStatus] | None]
    topicDefaultSubscriptionStatus: NotRequired[list[TopicStatus] | None]


class Subscription(TypedDict):
    """A change of preferences that SES list management made."""

    timestamp: Timestamp
    contactList: NotRequired[Text | None]
    source: NotRequired[Text | None]
    newTopicPreferences: NotRequired[TopicPreferences | None]
    oldTopicPreferences: NotRequired[TopicPreferences | None]


# --- event publishing ----------------------------------------------------------------------


class SendEvent(TypedDict):
    """SES accepted the message. Its own object is always empty, so nothing asks for it."""

    eventType: Literal["Send"]
    mail: Mail


class DeliveryEvent(TypedDict):
    """A receiving server accepted the message."""

    eventType: Literal["Delivery"]
    mail: Mail
    delivery: Delivery


class BounceEvent(TypedDict):
    """The message bounced."""

    eventType: Literal["Bounce"]
    mail: Mail
    bounce: Bounce


class ComplaintEvent(TypedDict):
    """Somebody reported the message as spam, or as not spam."""

    eventType: Literal["Complaint"]
    mail: Mail
    complaint: Complaint


class RejectEvent(TypedDict):
    """SES found a virus and did not send."""

    eventType: Literal["Reject"]
    mail: Mail
    reject: Reject


class OpenEvent(TypedDict):
    """The message was opened."""

    eventType: Literal["Open"]
    mail: Mail
    open: Open


class ClickEvent(TypedDict):
    """A link in the message was clicked."""

    eventType: Literal["Click"]
    mail: Mail
    click: Click


class RenderingFailureEvent(TypedDict):
    """The template did not render. The type has a space, and its object is `failure`."""

    eventType: Literal["Rendering Failure"]
    mail: Mail
    failure: Failure


class DeliveryDelayEvent(TypedDict):
    """The message is delayed."""

    eventType: Literal["DeliveryDelay"]
    mail: Mail
    deliveryDelay: DeliveryDelay


class SubscriptionEvent(TypedDict):
    """The recipient changed their preferences."""

    eventType: Literal["Subscription"]
    mail: Mail
    subscription: Subscription


PublishedEvent = (
    SendEvent
    | DeliveryEvent
    | BounceEvent
    | ComplaintEvent
    | RejectEvent
    | OpenEvent
    | ClickEvent
    | RenderingFailureEvent
    | DeliveryDelayEvent
    | SubscriptionEvent
)

# --- identity notifications ----------------------------------------------------------------


class BounceNotification(TypedDict):
    """A bounce, by the identity's feedback topic."""

    notificationType: Literal["Bounce"]
    mail: Mail
    bounce: Bounce


class ComplaintNotification(TypedDict):
    """A complaint, by the identity's feedback topic."""

    notificationType: Literal["Complaint"]
    mail: Mail
    complaint: Complaint


class DeliveryNotification(TypedDict):
    """A delivery, by the identity's feedback topic."""

    notificationType: Literal["Delivery"]
    mail: Mail
    delivery: Delivery


IdentityNotification = BounceNotification | ComplaintNotification | DeliveryNotification

SesEvent = PublishedEvent | IdentityNotification

EVENT_TYPES: Final = (
    "Send",
    "Delivery",
    "Bounce",
    "Complaint",
    "Reject",
    "Open",
    "Click",
    "Rendering Failure",
    "DeliveryDelay",
    "Subscription",
)
NOTIFICATION_TYPES: Final = ("Bounce", "Complaint", "Delivery")

_PUBLISHED: Final[TypeAdapter[PublishedEvent]] = TypeAdapter(
    Annotated[PublishedEvent, Field(discriminator="eventType")]
)
_IDENTITY: Final[TypeAdapter[IdentityNotification]] = TypeAdapter(
    Annotated[IdentityNotification, Field(discriminator="notificationType")]
)
_validate_published = _PUBLISHED.validate_json
_validate_identity = _IDENTITY.validate_json


def parse_event(payload: bytes | str) -> SesEvent:
    """Validate one SES event straight from its JSON, in either form.

    Where both `eventType` and `notificationType` are there, `eventType` decides. Raises
    pydantic's ``ValidationError`` for anything else; `schemas.faults.describe_fault` puts that
    into words.
    """
    names_type = (
        b'"eventType"' in payload if isinstance(payload, bytes) else '"eventType"' in payload
    )
    # which form to try first is a guess from the bytes, so that neither form pays for the other
    if not names_type:
        try:
            return _validate_identity(payload)
        except ValidationError as error:
            if not is_untagged(error):
                raise
    try:
        return _validate_published(payload)
    except ValidationError as error:
        if not names_type or not is_untagged(error):
            raise
    return _validate_identity(payload)


def parse_event_object(value: object) -> SesEvent:
    """Validate one SES event that its wrapping's JSON parser has read already.

    The same verdicts as `parse_event`, for a detail of EventBridge or a message that an emulator
    publishes as an object.
    """
    if isinstance(value, dict) and "eventType" not in value:
        return _IDENTITY.validate_python(value)
    return _PUBLISHED.validate_python(value)


def is_untagged(error: ValidationError) -> bool:
    """Tell whether the payload named no event type at all, rather than a wrong one."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return first["type"] == "union_tag_not_found"
