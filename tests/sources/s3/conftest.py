"""An S3 that can be told to refuse: moto's, behind a door that answers for it now and then."""

import gzip
import http.client
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from mypy_boto3_s3 import S3Client

from consumer.sources.aws import AwsAccess
from consumer.sources.s3_bucket import S3Place
from consumer.sources.s3_source import S3Options, S3Source
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse


def make_send(number: int) -> bytes:
    """A Send in the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    return json.dumps(
        {
            "eventType": "Send",
            "mail": {
                "timestamp": "2026-03-01T11:59:00.000Z",
                "source": "news@example.com",
                "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
                "sendingAccountId": "123456789012",
                "messageId": f"message-{number}",
                "destination": [f"reader{number}@example.net"],
                "tags": {"ses:configuration-set": ["news"], "ses:from-domain": ["example.com"]},
            },
            "send": {},
        }
    ).encode()


@dataclass
class Store:
    """A bucket of moto's, seen through the door.

    Attributes:
        url: the door's.
        client: moto's own, past the door.
        refusals: what is to be refused: part of a request's path and query → the answers to come.
        requests: method, path and query of all that came.
        headers: of the same.
        before: called with the path before a request is passed on.
    """

    url: str
    client: S3Client
    bucket: str
    refusals: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None

    def put(self, key: str, *numbers: int) -> None:
        """Put an object of Sends, as Firehose would."""
        body = gzip.compress(b"".join(make_send(number) + b"\n" for number in numbers))
        self.put_bytes(key, body)

    def put_bytes(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def place(self, prefix: str = "", **settings: Any) -> S3Place:  # noqa: ANN401 - by keyword, as settings would
        access = AwsAccess(s3_endpoint_url=self.url)
        return S3Place(bucket=self.bucket, prefix=prefix, access=access, **settings)

    def reads(self) -> list[str]:
        """The keys that were asked for."""
        start = f"GET /{self.bucket}/"
        paths = [unquote(one) for one in self.requests if one.startswith(start)]
        return [path.removeprefix(start) for path in paths if path != start.rstrip("/")]


@pytest.fixture
def store(moto_endpoint: str, moto_s3: S3Client) -> Iterator[Store]:
    bucket = f"ses-events-{uuid.uuid4().hex}"
    moto_s3.create_bucket(Bucket=bucket)
    state = Store("", moto_s3, bucket)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, *_ = self.path.split("?", 1)
            state.requests.append(f"{self.command} {path}")
            state.headers.append(dict(self.headers.items()))
            state.before(unquote(path))
            for part, answers in state.refusals.items():
                if part in unquote(self.path) and answers:
                    return self._answer(*self._refuse(*answers.pop(0)))
            upstream = http.client.HTTPConnection(urlsplit(moto_endpoint).netloc, timeout=30)
            upstream.request(self.command, self.path, headers=dict(self.headers.items()))
            response = upstream.getresponse()
            body = response.read()
            upstream.close()
            return self._answer(response.status, dict(response.getheaders()), body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def _refuse(self, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            return status, {"Content-Length": str(len(body))}, body

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def open_source(store: Store) -> Iterator[Callable[..., S3Source]]:
    """Sources of the bucket, closed in the end; one attempt a request, options by keyword."""
    opened: list[S3Source] = []

    def make(prefix: str = "", **options: Any) -> S3Source:  # noqa: ANN401 - by keyword, as settings would
        clock = {"clock": options.pop("clock")} if "clock" in options else {}
        expected_owner = options.pop("expected_owner", None)
        place = store.place(prefix, attempts=1, expected_owner=expected_owner)
        source = S3Source(S3Options(place=place, **options), **clock)
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "ses.duckdb", WarehouseOptions(min_free_bytes=0)) as opened:
        yield opened
