"""Which S3 objects a notification announces, in any of the three wrappings it arrives in."""

from dataclasses import dataclass
from urllib.parse import unquote_plus

from pydantic import ValidationError

from schemas.envelopes import (
    S3_EVENTBRIDGE_NOTICE,
    S3_NOTICE,
    SNS_NOTIFICATION,
    S3EventBridgeNotice,
    S3Notice,
)

_CLASSIC, _EVENTBRIDGE, _SNS = b"aws:s3", b"aws.s3", b"Message"


@dataclass(frozen=True, slots=True)
class AnnouncedObject:
    """An object by its place: with versioning a version of it, else what the key holds now."""

    bucket: str
    key: str
    version_id: str | None


def find_objects(body: bytes) -> list[AnnouncedObject]:
    """List the objects that a notification says were created; none if it is not one.

    Removals, restores and the test event name nothing to read: an empty list too. Keys come out
    as S3 knows them: URL-encoded with "+" for a space in the classic form, verbatim in
    EventBridge's.
    """
    # Nearly every message is an SES event: look for the words before parsing anything.
    is_eventbridge = _EVENTBRIDGE in body
    if not is_eventbridge and _CLASSIC not in body:
        return []
    try:
        notice: bytes | str = body
        if _SNS in body:
            notice = _unwrap(body)
        if is_eventbridge:
            return _list_eventbridge(S3_EVENTBRIDGE_NOTICE.validate_json(notice))
        return _list_classic(S3_NOTICE.validate_json(notice))
    except ValidationError:
        return []


def _unwrap(body: bytes) -> bytes | str:
    try:
        return SNS_NOTIFICATION.validate_json(body)["Message"]
    except ValidationError:
        return body  # "Message" was part of a key


def _list_classic(notice: S3Notice) -> list[AnnouncedObject]:
    return [
        AnnouncedObject(
            bucket=record["s3"]["bucket"]["name"],
            key=unquote_plus(record["s3"]["object"]["key"]),
            version_id=record["s3"]["object"].get("versionId") or None,
        )
        for record in notice["Records"]
        # "ObjectCreated:Put"; the configuration spells it "s3:ObjectCreated:Put"
        if record["eventName"].removeprefix("s3:").startswith("ObjectCreated:")
    ]


def _list_eventbridge(notice: S3EventBridgeNotice) -> list[AnnouncedObject]:
    if notice["detail-type"] != "Object Created":
        return []
    found = notice["detail"]
    return [
        AnnouncedObject(
            bucket=found["bucket"]["name"],
            key=found["object"]["key"],
            version_id=found["object"].get("version-id") or None,
        )
    ]
