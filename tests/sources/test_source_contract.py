"""What every source promises, whatever it reads from."""

import base64
import contextlib
import http.client
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from starlette.requests import Request
from starlette.responses import Response

from consumer.demo.loopback import LoopbackQueue
from consumer.envelope import Envelope
from consumer.sources.aws import AwsAccess
from consumer.sources.base import Source
from consumer.sources.files import FilesSource
from consumer.sources.http_firehose import FirehoseOptions, FirehoseSource
from consumer.sources.http_sns import SnsOptions, SnsSource
from consumer.sources.http_source import Bounds, HttpSource
from consumer.sources.s3_bucket import S3Place
from consumer.sources.s3_source import S3Options, S3Source
from consumer.sources.sqs import SqsOptions, SqsSource

if TYPE_CHECKING:
    from tests.sources.conftest import Serve, SnsSigner

BODIES = [f'{{"eventType":"Send","n":{n}}}'.encode() for n in range(25)]


@dataclass
class Transport:
    """Somewhere to put bodies, and sources that take them from there."""

    open_source: Callable[[], Source]
    is_one_shot: bool = False


def _open_sqs(url: str) -> SqsSource:
    endpoint_url = url.rsplit("/", 2)[0]
    return SqsSource(
        SqsOptions(
            queue=url,
            access=AwsAccess(endpoint_url=endpoint_url),
            receivers=2,
            long_poll_secs=1,
            nack_secs=0,
        )
    )


class _Relay(HttpSource):
    """The listener's one address, behind which sources come and go as workers do."""

    def __init__(self) -> None:
        super().__init__("relay", "/", Bounds())
        self.source: HttpSource | None = None

    async def answer(self, request: Request) -> Response:
        return await self.source.answer(request) if self.source else Response(status_code=503)

    _take = answer

    def _to_response(self, request: Request, refusal: Exception) -> Response:
        raise NotImplementedError


class _Senders:
    """A sender for each request, which sends again until it is told 200."""

    def __init__(
        self, port: int, bodies: Sequence[bytes], headers: Mapping[str, str] | None = None
    ) -> None:
        self._port = port
        self._headers = dict(headers or {})
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=[body], daemon=True) for body in bodies
        ]

    def _send(self, body: bytes) -> None:
        while not self._stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            with contextlib.closing(connection), contextlib.suppress(OSError):
                connection.request("POST", "/", body, self._headers)
                if connection.getresponse().status == 200:
                    return
            self._stop.wait(0.02)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def _open_http(
    serve: "Serve",
    make_source: Callable[[], HttpSource],
    bodies: Sequence[bytes],
    headers: Mapping[str, str],
) -> Iterator[Transport]:
    relay = _Relay()
    senders = _Senders(serve(relay).port, bodies, headers)

    def open_source() -> Source:
        relay.source = make_source()
        return relay.source

    senders.start()
    yield Transport(open_source)
    if relay.source is not None:
        relay.source.close()
    senders.stop()


def _open_firehose(serve: "Serve") -> contextlib.AbstractContextManager[Transport]:
    requests = [
        json.dumps(
            {
                "requestId": str(number),
                "timestamp": 1_795_348_800_000,
                "records": [{"data": base64.b64encode(body).decode()}],
            }
        ).encode()
        for number, body in enumerate(BODIES)
    ]
    headers = {
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Access-Key": "the-key",
    }
    options = FirehoseOptions(path="/firehose", access_keys=("the-key",))
    return _open_http(serve, lambda: FirehoseSource(options), requests, headers)


def _open_sns(serve: "Serve", signer: "SnsSigner") -> contextlib.AbstractContextManager[Transport]:
    options = SnsOptions(path="/sns", topics=frozenset({signer.topic}))
    return _open_http(
        serve,
        lambda: SnsSource(options, fetch_certificate=signer.fetch),
        [json.dumps(signer.notify(body.decode())).encode() for body in BODIES],
        {"Content-Type": "text/plain; charset=UTF-8"},
    )


class _CommittingS3(S3Source):
    """A bucket's source with what the worker does for it: positions kept as rows are committed."""

    def __init__(self, options: S3Options, committed: dict[str, str]) -> None:
        super().__init__(options)
        self._committed = committed
        self.restore(committed)

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        self._committed.update(self.positions(envelopes))
        super().ack(envelopes)


def _fill_bucket(endpoint_url: str) -> Transport:
    bucket = f"contract-{uuid.uuid4().hex}"
    client = boto3.client("s3", endpoint_url=endpoint_url)
    client.create_bucket(Bucket=bucket)
    for number, body in enumerate(BODIES):
        client.put_object(Bucket=bucket, Key=f"2026/11/22/{number:03}", Body=body)
    place = S3Place(bucket=bucket, access=AwsAccess(s3_endpoint_url=endpoint_url))
    committed: dict[str, str] = {}
    return Transport(lambda: _CommittingS3(S3Options(place=place, poll_secs=0.1), committed))


@pytest.fixture(params=["files", "loopback", "moto", "s3", "firehose", "sns"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transport]:
    if request.param == "firehose":
        with _open_firehose(request.getfixturevalue("serve")) as opened:
            yield opened
    elif request.param == "sns":
        signer = request.getfixturevalue("sns_signer")
        with _open_sns(request.getfixturevalue("serve"), signer) as opened:
            yield opened
    elif request.param == "files":
        for number, body in enumerate(BODIES):
            (tmp_path / f"{number:03}.json").write_bytes(body)
        yield Transport(lambda: FilesSource([tmp_path]), is_one_shot=True)
    elif request.param == "loopback":
        with LoopbackQueue() as server:
            server.send(body.decode() for body in BODIES)
            yield Transport(lambda: _open_sqs(server.url))
    elif request.param == "s3":
        yield _fill_bucket(request.getfixturevalue("moto_endpoint"))
    else:
        endpoint_url: str = request.getfixturevalue("moto_endpoint")
        client = boto3.client("sqs", endpoint_url=endpoint_url)
        url = client.create_queue(QueueName=f"contract-{uuid.uuid4().hex}")["QueueUrl"]
        for ten in (BODIES[start : start + 10] for start in range(0, len(BODIES), 10)):
            client.send_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(n), "MessageBody": body.decode()} for n, body in enumerate(ten)
                ],
            )
        yield Transport(lambda: _open_sqs(url))


def _read(envelope: Envelope) -> bytes:
    """The body as it was put into the transport, out of what the transport puts around it."""
    body = envelope.body
    whole = body if isinstance(body, bytes) else b"".join(body.chunks())
    value = json.loads(whole)
    if "records" in value:
        return base64.b64decode(value["records"][0]["data"])
    return str(value["Message"]).encode() if "Message" in value else whole


def _receive(source: Source, count: int) -> list[Envelope]:
    """Take ``count`` envelopes, or as many as come."""
    taken: list[Envelope] = []
    for _ in range(100):
        taken += source.receive(limit=count - len(taken), wait_secs=0.2)
        if len(taken) >= count:
            break
    return taken


def _drain(transport: Transport) -> list[bytes]:
    source = transport.open_source()
    envelopes = _receive(source, len(BODIES))
    source.close()
    return sorted(map(_read, envelopes))


def test_everything_is_handed_out_byte_for_byte(transport: Transport) -> None:
    source = transport.open_source()
    envelopes = _receive(source, len(BODIES))
    assert sorted(BODIES) == sorted(map(_read, envelopes))
    source.close()


def test_no_more_is_handed_out_than_was_asked_for(transport: Transport) -> None:
    source = transport.open_source()
    _receive(source, 1)
    assert len(source.receive(limit=3, wait_secs=5)) <= 3
    source.close()


def test_nothing_acked_comes_again(transport: Transport) -> None:
    source = transport.open_source()
    source.ack(_receive(source, len(BODIES)))
    assert not source.receive(limit=10, wait_secs=0.1)
    source.close()
    if not transport.is_one_shot:
        other = transport.open_source()
        assert not other.receive(limit=10, wait_secs=0.3)
        other.close()


def test_what_is_nacked_is_handed_out_again(transport: Transport) -> None:
    source = transport.open_source()
    first, *rest = _receive(source, len(BODIES))
    source.ack(rest)
    source.nack([first])
    assert [_read(first)] == [_read(envelope) for envelope in _receive(source, 1)]
    source.close()


def test_what_was_buffered_and_never_handed_out_is_there_for_the_next(
    transport: Transport,
) -> None:
    source = transport.open_source()
    handed_out = _receive(source, 1)
    source.nack(handed_out)
    source.close()
    assert sorted(BODIES) == _drain(transport)


def test_settling_twice_is_settling_once(transport: Transport) -> None:
    source = transport.open_source()
    envelopes = _receive(source, len(BODIES))
    source.ack(envelopes)
    source.ack(envelopes)
    source.nack(envelopes)
    assert not source.receive(limit=10, wait_secs=0.1)
    source.close()


def test_closing_twice_is_closing_once(transport: Transport) -> None:
    source = transport.open_source()
    _receive(source, 1)
    source.close()
    source.close()
    assert not source.receive(limit=10, wait_secs=0)


def test_a_source_closes_that_never_received(transport: Transport) -> None:
    transport.open_source().close()


def test_only_a_one_shot_source_is_ever_exhausted(transport: Transport) -> None:
    source = transport.open_source()
    source.ack(_receive(source, len(BODIES)))
    assert transport.is_one_shot == source.exhausted
    source.close()


def test_origin_says_where_an_envelope_came_from(transport: Transport) -> None:
    source = transport.open_source()
    [envelope] = _receive(source, 1)
    assert envelope.origin.startswith(("file:", "sqs:", "firehose:", "sns:", "s3:"))
    assert envelope.received_at.tzinfo is not None
    source.close()
