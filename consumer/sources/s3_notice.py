"""Which S3 objects a notification announces, in any of the three wrappings it arrives in.

Shapes: docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
…/ev-events.html (EventBridge); the SNS envelope around the first.
"""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

_MARKS = (b"aws:s3", b"aws.s3")


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object by its place: with versioning a version of it, else what the key holds now."""

    bucket: str
    key: str
    version_id: str | None
    region: str | None


class _Bucket(BaseModel):
    name: str


class _Object(BaseModel):
    key: str
    version_id: Annotated[str | None, Field(alias="versionId")] = None


class _EventBridgeObject(BaseModel):
    key: str
    version_id: Annotated[str | None, Field(alias="version-id")] = None


class _Place(BaseModel):
    bucket: _Bucket
    object: _Object


class _Record(BaseModel):
    event_source: Annotated[str, Field(alias="eventSource", pattern=r"^aws:s3$")]
    event_name: Annotated[str, Field(alias="eventName")]
    region: Annotated[str | None, Field(alias="awsRegion")] = None
    s3: _Place


class _Notification(BaseModel):
    records: Annotated[list[_Record], Field(alias="Records")]


class _Detail(BaseModel):
    bucket: _Bucket
    object: _EventBridgeObject


class _EventBridge(BaseModel):
    source: Annotated[str, Field(pattern=r"^aws\.s3$")]
    detail_type: Annotated[str, Field(alias="detail-type")]
    region: str | None = None
    detail: _Detail


class _SnsEnvelope(BaseModel):
    message: Annotated[str, Field(alias="Message")]


_SHAPES: TypeAdapter[Any] = TypeAdapter(_Notification | _EventBridge | _SnsEnvelope)


def find_objects(body: bytes) -> list[S3Object]:
    """List the objects that a notification says were created; none if it is not one.

    Removals, restores and the test event name nothing to read: an empty list too. Keys come out
    as S3 knows them: URL-encoded with "+" for a space in the classic form, verbatim in
    EventBridge's.
    """
    # Nearly every message is an SES event: look for the words before parsing anything.
    if not any(mark in body for mark in _MARKS):
        return []
    try:
        shape = _SHAPES.validate_json(body)
        if isinstance(shape, _SnsEnvelope):
            shape = _SHAPES.validate_json(shape.message)
    except ValidationError:
        return []
    if isinstance(shape, _EventBridge):
        if shape.detail_type != "Object Created":
            return []
        place = shape.detail
        return [
            S3Object(place.bucket.name, place.object.key, place.object.version_id, shape.region)
        ]
    if not isinstance(shape, _Notification):
        return []
    return [
        S3Object(
            record.s3.bucket.name,
            unquote_plus(record.s3.object.key),
            record.s3.object.version_id or None,
            record.region,
        )
        for record in shape.records
        # "ObjectCreated:Put"; older documents write "s3:ObjectCreated:Put"
        if record.event_name.removeprefix("s3:").startswith("ObjectCreated:")
    ]
