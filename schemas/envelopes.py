"""What SES's events come wrapped in: SNS, EventBridge, S3 notices, Firehose.

Each class holds what routing needs and no more. Signatures are judged on the whole document,
elsewhere.
"""

from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict below 3.12

from schemas.events import PublishedEvent


class SnsNotification(TypedDict):
    """A published message in its envelope.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """

    Type: Literal["Notification"]
    Message: str
    TopicArn: NotRequired[str | None]
    MessageId: NotRequired[str | None]
    Subject: NotRequired[str | None]
    Timestamp: NotRequired[str | None]


class SnsConfirmation(TypedDict):
    """The request to confirm a subscription, or word of its end."""

    Type: Literal["SubscriptionConfirmation", "UnsubscribeConfirmation"]
    TopicArn: str
    Token: str
    SubscribeURL: str
    MessageId: NotRequired[str | None]
    Message: NotRequired[str | None]


EventBridgeEvent = TypedDict(
    "EventBridgeEvent",
    {
        "source": str,
        "detail-type": NotRequired[str | None],
        "region": NotRequired[str | None],
        "account": NotRequired[str | None],
        "detail": Annotated[PublishedEvent, Field(discriminator="eventType")],
    },
)
"""A sending event on the default bus.

https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
"""


class S3Bucket(TypedDict):
    """The bucket a notice is about."""

    name: str


class S3Object(TypedDict):
    """The object a notice is about; `key` is URL-encoded, with ``+`` for a space."""

    key: str
    size: NotRequired[int | None]
    eTag: NotRequired[str | None]
    versionId: NotRequired[str | None]
    sequencer: NotRequired[str | None]


class S3Entity(TypedDict):
    """Bucket and object of one record."""

    bucket: S3Bucket
    object: S3Object


class S3Record(TypedDict):
    """One change to one object. `eventName` is ``ObjectCreated:Put`` and the like."""

    eventName: str
    s3: S3Entity
    eventVersion: NotRequired[str | None]
    eventTime: NotRequired[str | None]
    awsRegion: NotRequired[str | None]


class S3Notice(TypedDict):
    """A notification as S3 sends it to SQS, SNS and Lambda.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """

    Records: list[S3Record]


# The keys have hyphens, so the class syntax won't do. Here `key` is not URL-encoded.
S3EventBridgeObject = TypedDict(
    "S3EventBridgeObject",
    {
        "key": str,
        "size": NotRequired[int | None],
        "etag": NotRequired[str | None],
        "version-id": NotRequired[str | None],
        "sequencer": NotRequired[str | None],
    },
)


class S3EventBridgeDetail(TypedDict):
    """What an EventBridge notice says of the change; `reason` is ``PutObject`` and the like."""

    bucket: S3Bucket
    object: S3EventBridgeObject
    reason: NotRequired[str | None]


S3EventBridgeNotice = TypedDict(
    "S3EventBridgeNotice",
    {
        "source": Literal["aws.s3"],
        "detail-type": str,
        "region": NotRequired[str | None],
        "detail": S3EventBridgeDetail,
    },
)
"""A notification as S3 sends it to EventBridge.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""


class S3TestEvent(TypedDict):
    """What S3 sends when notifications are set up."""

    Event: Literal["s3:TestEvent"]
    Bucket: NotRequired[str | None]


class FirehoseErrorRecord(TypedDict):
    """A record that Firehose could not deliver, as it lies under the error prefix.

    https://docs.aws.amazon.com/firehose/latest/dev/retry.html
    """

    rawData: str
    errorCode: NotRequired[str | None]
    errorMessage: NotRequired[str | None]


class FirehoseRecord(TypedDict):
    """One record of an HTTP delivery, base64."""

    data: str


class FirehoseRequest(TypedDict):
    """The body of an HTTP delivery.

    https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
    """

    requestId: str
    timestamp: int
    records: list[FirehoseRecord]


class FirehoseResponse(TypedDict):
    """The answer Firehose accepts; with `errorMessage` where the delivery failed."""

    requestId: str
    timestamp: int
    errorMessage: NotRequired[str]


SNS_NOTIFICATION: Final[TypeAdapter[SnsNotification]] = TypeAdapter(SnsNotification)
SNS_CONFIRMATION: Final[TypeAdapter[SnsConfirmation]] = TypeAdapter(SnsConfirmation)
EVENTBRIDGE_EVENT: Final[TypeAdapter[EventBridgeEvent]] = TypeAdapter(EventBridgeEvent)
S3_NOTICE: Final[TypeAdapter[S3Notice]] = TypeAdapter(S3Notice)
S3_EVENTBRIDGE_NOTICE: Final[TypeAdapter[S3EventBridgeNotice]] = TypeAdapter(S3EventBridgeNotice)
S3_TEST_EVENT: Final[TypeAdapter[S3TestEvent]] = TypeAdapter(S3TestEvent)
FIREHOSE_ERROR_RECORD: Final[TypeAdapter[FirehoseErrorRecord]] = TypeAdapter(FirehoseErrorRecord)
FIREHOSE_REQUEST: Final[TypeAdapter[FirehoseRequest]] = TypeAdapter(FirehoseRequest)
