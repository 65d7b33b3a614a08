"""An object's bytes from an S3 whose streams break, against a server that really breaks them."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config

from consumer.errors import ObjectGone, SourceDenied, SourceUnavailable
from consumer.sources.s3 import CHUNK_BYTES, S3Body

CONTENT = bytes(range(256)) * 20_000  # five chunks


@dataclass
class BrokenS3:
    """One object; each request is served up to its own break.

    Attributes:
        breaks: after how many bytes the connection of each further request is cut; None: not.
        refusals: status and code of requests to come that are refused.
        ranges: the Range header of every request, "" where it had none.
    """

    url: str = ""
    etag: str = '"one"'
    breaks: list[int | None] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)

    def open_body(self) -> S3Body:
        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        return S3Body(open_client=lambda: client, bucket="b", key="k")


@pytest.fixture
def broken_s3() -> Iterator[BrokenS3]:
    state = BrokenS3()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.ranges.append(wanted)
            if state.refusals:
                self._refuse(*state.refusals.pop(0))
                return
            if self.headers.get("If-Match", state.etag) != state.etag:
                self._refuse(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
                return
            start = int(re.sub(r"\D", "", wanted) or 0)
            rest = CONTENT[start:]
            self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
            self.send_header("ETag", state.etag)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: state.breaks.pop(0) if state.breaks else None])
            self.close_connection = True

        def _refuse(self, status: int, code: str) -> None:
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_object_streams_in_bounded_pieces(broken_s3: BrokenS3) -> None:
    chunks = list(broken_s3.open_body().chunks())
    assert CONTENT == b"".join(chunks)
    assert max(map(len, chunks)) <= CHUNK_BYTES
    assert [""] == broken_s3.ranges


@pytest.mark.parametrize("first_break", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(CONTENT) - 1])
def test_a_broken_stream_goes_on_after_the_last_byte_handed_out(
    broken_s3: BrokenS3, first_break: int
) -> None:
    broken_s3.breaks = [first_break, 300_000]
    assert CONTENT == b"".join(broken_s3.open_body().chunks())
    assert all(re.fullmatch(r"bytes=\d+-", wanted) for wanted in broken_s3.ranges[1:])


def test_an_object_replaced_half_way_is_never_spliced(broken_s3: BrokenS3) -> None:
    broken_s3.breaks = [2 * CHUNK_BYTES]
    chunks = broken_s3.open_body().chunks()
    next(chunks)
    broken_s3.etag = '"two"'
    with pytest.raises(SourceUnavailable, match=r"s3://b/k: it was replaced meanwhile"):
        list(chunks)


def test_a_stream_that_keeps_breaking_is_given_up(broken_s3: BrokenS3) -> None:
    broken_s3.breaks = [10] * 100
    with pytest.raises(SourceUnavailable, match="reading s3://b/k"):
        list(broken_s3.open_body().chunks())
    assert 6 == len(broken_s3.ranges)


def test_reading_again_starts_anew(broken_s3: BrokenS3) -> None:
    body = broken_s3.open_body()
    next(body.chunks())
    assert CONTENT == b"".join(body.chunks())


# RELIABILITY 23
@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NoSuchKey", ObjectGone),
        (404, "NoSuchVersion", ObjectGone),
        (404, "NoSuchBucket", SourceDenied),
        (403, "AccessDenied", SourceDenied),
        (403, "InvalidAccessKeyId", SourceDenied),
        (503, "SlowDown", SourceUnavailable),
        (500, "InternalError", SourceUnavailable),
        (400, "RequestTimeout", SourceUnavailable),
        (400, "ExpiredToken", SourceDenied),
    ],
)
def test_a_refusal_is_one_of_ours(
    broken_s3: BrokenS3, status: int, code: str, expected: type[Exception]
) -> None:
    broken_s3.refusals = [(status, code)]
    with pytest.raises(expected, match=f"reading s3://b/k.*{code}") as caught:
        list(broken_s3.open_body().chunks())
    assert expected is type(caught.value)


def test_an_object_deleted_half_way_is_gone(broken_s3: BrokenS3) -> None:
    broken_s3.breaks = [100]
    chunks = broken_s3.open_body().chunks()
    assert 100 == len(next(chunks))
    broken_s3.refusals = [(404, "NoSuchKey")]
    with pytest.raises(ObjectGone):
        list(chunks)
