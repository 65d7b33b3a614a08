"""A bucket, or a part of one: its objects in key order, their bytes, and whether we may."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from consumer.errors import SourceDenied, UsageError
from consumer.sources.aws import AwsAccess, open_session
from consumer.sources.aws_faults import translate
from consumer.sources.s3 import S3Body

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME = "s3://"

_CONNECT_TIMEOUT_SECS = 10
_READ_TIMEOUT_SECS = 30


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object as a listing names it; ``etag`` without its quotes, ``size`` in bytes."""

    key: str
    etag: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Up to a thousand objects in key order, and the token of the next page, if there is one."""

    objects: list[S3Object]
    next_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """Which objects of which bucket, and how to get there. May be passed between processes.

    Attributes:
        bucket: its name.
        prefix: what keys begin with; empty for all.
        access: credentials, region, endpoint.
        expected_owner: the account the bucket must belong to; asked of S3 with every request, so
            that a bucket that was deleted and taken by a stranger is refused.
        attempts: of one request, with botocore's own back-off between them.
        connections: kept open at the same time.
    """

    bucket: str
    prefix: str = ""
    access: AwsAccess = field(default_factory=AwsAccess)
    expected_owner: str | None = None
    attempts: int = 4
    connections: int = 10

    @property
    def url(self) -> str:
        """The place as a person writes it: ``s3://bucket/prefix``."""
        return f"{SCHEME}{self.bucket}/{self.prefix}"

    @property
    def name(self) -> str:
        """What a source of this place is called: ``s3:bucket/prefix``."""
        return f"s3:{self.bucket}/{self.prefix}"


def parse_url(url: str) -> tuple[str, str]:
    """Split ``s3://bucket/prefix`` into bucket and prefix, which is taken as it stands.

    Nothing is decoded: a "+" or "%2B" in it is a "+" or "%2B" of the key. Raises `UsageError`
    where no bucket is named.
    """
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise UsageError(f"{url}: no bucket is named; write s3://bucket/prefix")
    return bucket, prefix


class S3Bucket:
    """The few calls that reading a bucket needs. Threads may share it.

    Opens nothing until the first call. Path-style addresses are used where an endpoint is given,
    as S3-compatible servers expect. Methods raise `SourceUnavailable` when S3 is out of reach or
    asks to slow down, beyond botocore's retries, and `SourceDenied` with what to do.
    """

    def __init__(self, place: S3Place) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._client: S3Client | None = None

    def list_page(
        self,
        *,
        prefix: str | None = None,
        start_after: str = "",
        token: str | None = None,
        max_keys: int = 1_000,
    ) -> Page:
        """List the next objects after the key ``start_after``, or of the page before (``token``).

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        request: Any = {
            "Bucket": self.place.bucket,
            "Prefix": self.place.prefix if prefix is None else prefix,
            "MaxKeys": max_keys,
        }
        if token is not None:
            request["ContinuationToken"] = token
        elif start_after:
            request["StartAfter"] = start_after
        answer = self._call("list_objects_v2", f"listing {self.place.url}", request)
        objects = [
            S3Object(one["Key"], one["ETag"].strip('"'), one["Size"], one["LastModified"])
            for one in answer.get("Contents", ())
        ]
        return Page(objects, answer.get("NextContinuationToken"))

    def list_objects(self) -> Iterator[S3Object]:
        """List every object of the place, a page at a time."""
        token: str | None = None
        while True:
            page = self.list_page(token=token)
            yield from page.objects
            token = page.next_token
            if token is None:
                return

    def open_body(self, key: str) -> S3Body:
        """Make the body that streams an object; nothing is asked for until it is read."""
        return S3Body(
            open_client=self.open_client,
            bucket=self.place.bucket,
            key=key,
            expected_owner=self.place.expected_owner,
        )

    def probe(self) -> list[str]:
        """Ask for the bucket, its first key and that object's head: lines for a person.

        Nothing is read. Raises `SourceUnavailable` or `SourceDenied` with what to do about it.
        """
        place = self.place
        bucket: Any = {"Bucket": place.bucket}
        self._call("head_bucket", f"asking for the bucket {place.bucket}", bucket)
        region = self.open_client().meta.region_name
        lines = [f"bucket {place.bucket}, asked in {region}"]
        found = self.list_page(max_keys=1).objects
        if not found:
            return [*lines, f"nothing under {place.url} yet"]
        key = found[0].key
        self._call("head_object", f"asking for {SCHEME}{place.bucket}/{key}", bucket | {"Key": key})
        return [*lines, f"the first key under {place.url} is {key!r}, and may be read"]

    def open_client(self) -> "S3Client":
        """Give boto3's client, opened with the first call."""
        with self._lock:
            if self._client is None:
                place = self.place
                try:
                    session = boto3.Session(botocore_session=open_session(place.access))
                    self._client = session.client(
                        "s3",
                        endpoint_url=place.access.s3_endpoint_url,
                        config=Config(
                            connect_timeout=_CONNECT_TIMEOUT_SECS,
                            read_timeout=_READ_TIMEOUT_SECS,
                            max_pool_connections=place.connections,
                            retries={"mode": "standard", "total_max_attempts": place.attempts},
                        ),
                    )
                except BotoCoreError as error:
                    raise translate(error, "opening S3") from error
                except ValueError as error:  # botocore's word for an endpoint that is no URL
                    raise SourceDenied(f"opening S3: {error}; check the endpoint") from error
            return self._client

    def close(self) -> None:
        """Close idle connections; calls under way end as they may."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _call(self, method: str, attempted: str, request: dict[str, Any]) -> Any:  # noqa: ANN401 - boto3 answers with plain dicts
        if self.place.expected_owner is not None:
            request = request | {"ExpectedBucketOwner": self.place.expected_owner}
        try:
            return getattr(self.open_client(), method)(**request)
        except ClientError as error:
            fault = translate(error, attempted)
            code = error.response.get("Error", {}).get("Code")
            if code in ("403", "AccessDenied"):
                raise SourceDenied(
                    f"{fault}; s3:ListBucket on the bucket and s3:GetObject on its objects are "
                    "needed (and kms:Decrypt where they are encrypted with a KMS key), and the "
                    "bucket must belong to expected_owner where that is set"
                ) from error
            if code == "404":  # a HEAD has no body to say it in
                raise SourceDenied(f"{attempted}: there is none; check the name") from error
            raise fault from error
        except BotoCoreError as error:
            raise translate(error, attempted) from error
