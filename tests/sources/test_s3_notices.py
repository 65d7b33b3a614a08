"""Notices of S3 objects, in the documented shapes, through a queue to the object's bytes.

Shapes: docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and
…/ev-events.html.
"""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from mypy_boto3_s3 import S3Client

from consumer.demo.loopback import LoopbackQueue
from consumer.envelope import Body, Envelope
from consumer.errors import ObjectGone
from consumer.sources.aws import AwsAccess
from consumer.sources.s3 import S3Body
from consumer.sources.s3_notice import AnnouncedObject, find_objects
from consumer.sources.sqs import SqsSource

MakeSource = Callable[..., SqsSource]

KEYS = [
    "plain.gz",
    "noog nork.gz",
    "noog+nork.gz",
    "noog%2Bnork.gz",
    "2026/11/22/événements ünïcödé 日本.gz",
    "a=b&c;d@e:f,g?h.gz",
]


def _record(
    bucket: str, key: str, *, event: str = "ObjectCreated:Put", version: str | None = None
) -> dict[str, Any]:
    found = {"key": quote_plus(key, safe="/"), "size": 3, "eTag": "e", "sequencer": "0055AED6DCD9"}
    if version is not None:
        found["versionId"] = version
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-22T10:00:00.000Z",
        "eventName": event,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": found},
    }


def _classic(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def _in_sns(message: str) -> str:
    envelope = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:objects",
        "Subject": "Amazon S3 Notification",
        "Message": message,
    }
    return json.dumps(envelope, indent=2, separators=(",", " : "))


def _eventbridge(bucket: str, key: str, *, detail_type: str = "Object Created") -> str:
    return json.dumps(
        {
            "version": "0",
            "source": "aws.s3",
            "detail-type": detail_type,
            "region": "us-east-1",
            "detail": {
                "bucket": {"name": bucket},
                "object": {"key": key, "etag": "e", "sequencer": "0055AED6DCD9"},
                "reason": "PutObject",
            },
        }
    )


@pytest.fixture
def bucket(moto_s3: S3Client) -> str:
    name = f"ses-events-{uuid.uuid4().hex}"
    moto_s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def open_source(make_source: MakeSource, loopback: LoopbackQueue, moto_endpoint: str) -> MakeSource:
    access = AwsAccess(endpoint_url=loopback.endpoint_url, s3_endpoint_url=moto_endpoint)
    return lambda **options: make_source(access=access, **options)


def _take(source: SqsSource, count: int) -> list[Envelope]:
    taken: list[Envelope] = []
    for _ in range(100):
        taken += source.receive(limit=count - len(taken), wait_secs=0.1)
        if len(taken) == count:
            return taken
    pytest.fail(f"{len(taken)} of {count} envelopes came")


def _read(envelope: Envelope) -> bytes:
    assert not isinstance(envelope.body, bytes)
    body: Body = envelope.body
    return b"".join(body.chunks())


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("wrapping", ["sqs", "sns", "eventbridge"])
def test_an_object_is_read_whatever_its_key_and_the_wrapping(
    loopback: LoopbackQueue,
    open_source: MakeSource,
    *,
    moto_s3: S3Client,
    bucket: str,
    key: str,
    wrapping: str,
) -> None:
    moto_s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    bodies = {
        "sqs": _classic(_record(bucket, key)),
        "sns": _in_sns(_classic(_record(bucket, key))),
        "eventbridge": _eventbridge(bucket, key),
    }
    loopback.send([bodies[wrapping]])
    [envelope] = _take(open_source(), 1)
    assert (key.encode(), f"s3://{bucket}/{key}") == (_read(envelope), envelope.origin)


@pytest.mark.parametrize(
    "body",
    [
        _classic(_record("b", "k", event="ObjectRemoved:Delete")),
        _classic(_record("b", "k", event="ObjectRestore:Post")),
        _eventbridge("b", "k", detail_type="Object Deleted"),
        '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b","note":"aws:s3"}',
        _in_sns('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"aws:s3"}'),
        '{"Records":[{"eventSource":"aws:s3"}]}',
        '{"Records":"aws:s3"',
        '{"eventType":"Send","mail":{"commonHeaders":{"subject":"about aws:s3 and aws.s3"}}}',
    ],
)
def test_what_announces_no_object_stays_the_message_it_is(body: str) -> None:
    assert not find_objects(body.encode())


# RELIABILITY 24
def test_versions_of_one_key_are_read_each(
    loopback: LoopbackQueue, open_source: MakeSource, moto_s3: S3Client, bucket: str
) -> None:
    moto_s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [
        moto_s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in ("1", "2")
    ]
    loopback.send(_classic(_record(bucket, "k", version=version)) for version in versions)
    assert [b"1", b"2"] == sorted(map(_read, _take(open_source(), 2)))


# RELIABILITY 24
def test_notices_of_one_key_in_one_receive_are_one_read_of_what_it_holds_now(
    loopback: LoopbackQueue, open_source: MakeSource, moto_s3: S3Client, bucket: str
) -> None:
    moto_s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    moto_s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    loopback.send(_classic(_record(bucket, "k")) for _ in range(3))
    source = open_source(receivers=1)
    [envelope] = _take(source, 1)
    assert b"new" == _read(envelope)
    assert not source.receive(limit=1, wait_secs=0.05)
    source.ack([envelope])
    source.close()
    assert 3 == loopback.queue.deleted


def test_a_message_of_several_objects_is_deleted_with_the_last_ack(
    loopback: LoopbackQueue, open_source: MakeSource, bucket: str
) -> None:
    loopback.send([_classic(*(_record(bucket, key) for key in "abc"))])
    source = open_source()
    envelopes = _take(source, 3)
    source.ack(envelopes[:2])
    assert 1 == source.in_flight
    source.ack(envelopes[2:])
    source.close()
    assert 1 == loopback.queue.deleted


# otel-collector-contrib#45153: one object failed, and the message with all of them was deleted
def test_one_nack_of_several_objects_shows_the_whole_message_again(
    loopback: LoopbackQueue, open_source: MakeSource, bucket: str
) -> None:
    loopback.send([_classic(*(_record(bucket, key) for key in "abc"))])
    source = open_source(nack_secs=0)
    first, second, third = _take(source, 3)
    source.ack([first])
    source.nack([second])
    source.ack([third])
    assert 3 == len(_take(source, 3))
    assert 0 == loopback.queue.deleted


# RELIABILITY 23; redpanda#3221, fluent-plugin-s3#428: a deleted object was looked for for ever
def test_a_missing_object_is_waited_for_a_day_and_then_given_up(
    moto_endpoint: str, moto_s3: S3Client, bucket: str
) -> None:
    sent_at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    now = [sent_at]
    body = S3Body(
        open_client=lambda: moto_s3,
        bucket=bucket,
        key="gone",
        notice=b"the notice",
        give_up_at=sent_at + timedelta(days=1),
        clock=lambda: now[0],
    )
    verdicts = []
    for hours in (0, 23, 24):
        now[0] = sent_at + timedelta(hours=hours)
        with pytest.raises(ObjectGone, match=rf"s3://{bucket}/gone") as caught:
            list(body.chunks())
        verdicts.append((caught.value.is_final, caught.value.notice))
    assert [(False, b"the notice"), (False, b"the notice"), (True, b"the notice")] == verdicts


@pytest.mark.parametrize(("age_hours", "is_final"), [(1, False), (25, True)])
def test_the_age_of_the_message_decides_whether_a_missing_object_is_final(
    loopback: LoopbackQueue, open_source: MakeSource, bucket: str, age_hours: int, is_final: bool
) -> None:
    sent_at = datetime.now(UTC) - timedelta(hours=age_hours)
    loopback.queue.wall_ms = lambda: int(sent_at.timestamp() * 1000)
    loopback.send([_classic(_record(bucket, "gone"))])
    [envelope] = _take(open_source(), 1)
    with pytest.raises(ObjectGone) as caught:
        _read(envelope)
    assert is_final == caught.value.is_final


# RELIABILITY S20
def test_a_notice_of_a_foreign_bucket_is_not_followed(
    loopback: LoopbackQueue, open_source: MakeSource
) -> None:
    notice = _classic(_record("somebody-elses", "k"))
    loopback.send([notice])
    [envelope] = _take(open_source(buckets=frozenset({"ours"})), 1)
    assert notice.encode() == envelope.body


def test_keys_are_decoded_in_the_classic_form_and_verbatim_from_eventbridge() -> None:
    assert [AnnouncedObject("b", "a b+c", None)] == find_objects(
        b'{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Copy",'
        b'"s3":{"bucket":{"name":"b"},"object":{"key":"a+b%2bc"}}}]}'
    )
    assert [AnnouncedObject("b", "a+b%2bc", None)] == find_objects(
        _eventbridge("b", "a+b%2bc").encode()
    )
