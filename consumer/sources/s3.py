"""An S3 object's bytes as a `Body`: streamed, and picked up again where a stream broke."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from consumer.errors import ObjectGone, SourceDenied, SourceError, SourceUnavailable
from consumer.sources.aws_faults import translate

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1_048_576

_RESUMES = 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Body:
    """The object that ``bucket`` holds under ``key``, as stored.

    A stream that breaks half-way is resumed with a Range request for the rest, on the condition
    that the ETag is still the same, so that nothing is decoded twice and two versions are never
    spliced. The ETag and sequencer of a notice are not asked for: without versioning the read
    gets what the key holds now, which is at least as new as every notice of it, and what was
    read before is a duplicate by content.

    Attributes:
        open_client: gives the S3 client; called when reading starts, so that an envelope costs
            nothing until then.
        bucket: its name.
        key: as S3 knows it, not URL-encoded.
        version_id: of a versioned bucket's object.
        expected_owner: the account that the bucket must belong to; None for any.
        notice: the notification that named the object, verbatim.
        give_up_at: from when on a missing object is missing for good.
        clock: the time now, aware.
    """

    open_client: "Callable[[], S3Client]"
    bucket: str
    key: str
    version_id: str | None = None
    expected_owner: str | None = None
    notice: bytes = b""
    give_up_at: datetime | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def origin(self) -> str:
        """The object as a person writes it: ``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"

    def chunks(self) -> Iterator[bytes]:
        """Stream the object from its start, in pieces of at most a mebibyte.

        Raises `ObjectGone` for a missing object, `SourceDenied` for a refusal, and
        `SourceUnavailable` when S3 is out of reach, or the object was replaced half-way.
        """
        read_bytes = 0
        etag: str | None = None
        resumes = 0
        while True:
            # 1. ask for the object, or for what is left of it
            stream, etag, total_bytes = self._open_stream(read_bytes, etag)
            # 2. hand on what comes
            try:
                for chunk in stream.iter_chunks(CHUNK_BYTES):
                    read_bytes += len(chunk)
                    yield chunk
            except (HTTPClientError, IncompleteReadError) as error:
                broken: BotoCoreError = error
            except HTTPError as error:  # of TLS: the one kind that botocore lets through
                broken = HTTPClientError(error=error)
            except BotoCoreError as error:  # a checksum that does not fit
                raise translate(error, f"reading {self.origin}") from error
            else:
                # botocore checks the length of the stream itself: here it is complete
                return
            finally:
                stream.close()
            # 3. where the stream broke, go on after the last byte
            if read_bytes >= total_bytes:
                return
            resumes += 1
            if resumes > _RESUMES:
                raise translate(broken, f"reading {self.origin}") from broken
            _log.info("s3_stream_resumed", read_bytes=read_bytes, reason=type(broken).__name__)

    def _open_stream(self, start: int, etag: str | None) -> tuple[Any, str, int]:
        request: Any = {"Bucket": self.bucket, "Key": self.key}
        if self.version_id is not None:
            request["VersionId"] = self.version_id
        if self.expected_owner is not None:
            request["ExpectedBucketOwner"] = self.expected_owner
        if etag is not None:
            request |= {"Range": f"bytes={start}-", "IfMatch": etag}
        try:
            answer = self.open_client().get_object(**request)
        except ClientError as error:
            raise self._translate(error) from error
        except BotoCoreError as error:
            raise translate(error, f"reading {self.origin}") from error
        return answer["Body"], answer["ETag"], start + answer["ContentLength"]

    def _translate(self, error: ClientError) -> SourceError:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = error.response.get("Error", {}).get("Code")
        if code == "NoSuchBucket":
            return translate(error, f"reading {self.origin}")
        if status == HTTPStatus.NOT_FOUND or code == "MethodNotAllowed":
            # MethodNotAllowed: the version asked for is a delete marker.
            is_final = self.give_up_at is not None and self.clock() >= self.give_up_at
            return ObjectGone(
                f"reading {self.origin}: there is no such object ({code})",
                is_final=is_final,
                notice=self.notice,
            )
        if status == HTTPStatus.PRECONDITION_FAILED:
            return SourceUnavailable(
                f"reading {self.origin}: it was replaced meanwhile; will be read anew"
            )
        if code == "InvalidObjectState":
            # Its storage class is an archive's: of this object alone, and it may be restored.
            return SourceUnavailable(
                f"reading {self.origin}: it is archived; restore it, or move it out of the prefix"
            )
        fault = translate(error, f"reading {self.origin}")
        if isinstance(fault, SourceDenied) and status == HTTPStatus.FORBIDDEN:
            # Without s3:ListBucket S3 answers 403 for an object that is not there.
            return SourceDenied(
                f"{fault}; s3:GetObject on the object and s3:ListBucket on the bucket are needed "
                "(and kms:Decrypt where it is encrypted with a KMS key)"
            )
        return fault
