"""The `mail` object: the message that an event is about."""

from typing import Annotated, NotRequired

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict below 3.12

from schemas.base import Tags, Text, TextOrNothing, Texts, Timestamp


class CommonHeaders(TypedDict):
    """What duckpost keeps of the message's headers: the subject alone.

    The other keys come in several types (``from`` is a list, and in some producers a string).
    """

    subject: NotRequired[TextOrNothing]


def _drop(_value: object) -> None:
    """Stand in for common headers that are no object (once documented as a list)."""


class Mail(TypedDict):
    """The message, as SES describes it in each of its events.

    Lists and texts may be null or missing alike. `tags` is the exception: its absence says that
    the event is an identity notification, or comes from a producer that has none; ``{}`` says
    that the message has no tags. `timestamp` is when SES accepted the message, never the time
    of the event. https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
    """

    timestamp: Timestamp
    messageId: Annotated[str, Field(min_length=1)]
    source: NotRequired[Text | None]
    sourceArn: NotRequired[Text | None]
    sendingAccountId: NotRequired[Text | None]
    destination: NotRequired[Texts | None]
    sourceIp: NotRequired[Text | None]
    callerIdentity: NotRequired[Text | None]
    tags: NotRequired[Tags | None]
    commonHeaders: NotRequired[
        Annotated[
            CommonHeaders | Annotated[None, BeforeValidator(_drop)],
            Field(union_mode="left_to_right"),
        ]
    ]
