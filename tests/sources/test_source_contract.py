"""What every source promises, whatever it reads from.

Every type of the settings' list runs through all of it, over each server that `TRANSPORTS` has for
it: a fake with the transport's true semantics, or the real one. A type without any fails here.
"""

import base64
import contextlib
import http.client
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import boto3
import pytest
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from consumer.demo.loopback import LoopbackQueue
from consumer.envelope import Bundle, Envelope
from consumer.settings import Section, SourceSettings, SqsSettings
from consumer.sources.aws import AwsAccess
from consumer.sources.base import Source
from consumer.sources.files import FilesSource
from consumer.sources.http_firehose import FirehoseOptions, FirehoseSource
from consumer.sources.http_sns import SnsOptions, SnsSource
from consumer.sources.http_source import Bounds, HttpSource
from consumer.sources.kafka import KafkaOptions, KafkaSource
from consumer.sources.s3_bucket import S3Place
from consumer.sources.s3_source import S3Options, S3Source
from consumer.sources.sqs import SqsOptions, SqsSource
from kafka_broker import Broker

if TYPE_CHECKING:
    from tests.sources.conftest import Serve, SnsSigner

# Of requests that a test breaks off, client libraries leave the socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

BODIES = [f'{{"eventType":"Send","n":{n}}}'.encode() for n in range(25)]


_SERVERS_THREADS = ("asyncio_", "Thread-")


@dataclass
class Transport:
    """Somewhere to put bodies, and sources that take them from there."""

    open_source: Callable[..., Source]
    is_one_shot: bool = False
    is_bounded_by_bytes: bool = False  # by what it reads ahead, not by what is out


def _open_sqs(url: str) -> Transport:
    endpoint_url = url.rsplit("/", 2)[0]

    def open_source(max_in_flight: int = 1_000) -> SqsSource:
        return SqsSource(
            SqsOptions(
                queue=url,
                access=AwsAccess(endpoint_url=endpoint_url),
                receivers=2,
                long_poll_secs=1,
                visibility_secs=3,
                nack_secs=0,
                max_in_flight=max_in_flight,
            )
        )

    return Transport(open_source)


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
    request: pytest.FixtureRequest,
    make_source: Callable[[Bounds], HttpSource],
    bodies: Sequence[bytes],
    headers: Mapping[str, str],
) -> Iterator[Transport]:
    relay = _Relay()
    serve: Serve = request.getfixturevalue("serve")
    senders = _Senders(serve(relay).port, bodies, headers)

    def open_source(max_in_flight: int = 1_000) -> Source:
        relay.source = make_source(Bounds(max_in_flight=max_in_flight))
        return relay.source

    senders.start()
    yield Transport(open_source)
    if relay.source is not None:
        relay.source.close()
    senders.stop()


def _over_firehose(request: pytest.FixtureRequest) -> contextlib.AbstractContextManager[Transport]:
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

    def make_source(bounds: Bounds) -> HttpSource:
        return FirehoseSource(
            FirehoseOptions(path="/firehose", access_keys=("the-key",), bounds=bounds)
        )

    return _open_http(request, make_source, requests, headers)


def _over_sns(request: pytest.FixtureRequest) -> contextlib.AbstractContextManager[Transport]:
    signer: SnsSigner = request.getfixturevalue("sns_signer")

    def make_source(bounds: Bounds) -> HttpSource:
        options = SnsOptions(path="/sns", topics=frozenset({signer.topic}), bounds=bounds)
        return SnsSource(options, fetch_certificate=signer.fetch)

    return _open_http(
        request,
        make_source,
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


class _CommittingKafka(KafkaSource):
    """The same for topics, whose positions are compared with those a batch expects."""

    def __init__(self, options: KafkaOptions, committed: dict[str, str]) -> None:
        super().__init__(options)
        self._committed = committed
        self.follow(lambda _owner: committed)

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        step = self.step(envelopes)
        assert step.expects == {part: self._committed.get(part) for part in step.expects}
        self._committed.update(step.positions)
        super().ack(envelopes)


@contextlib.contextmanager
def _over_a_bucket(request: pytest.FixtureRequest) -> Iterator[Transport]:
    endpoint_url: str = request.getfixturevalue("moto_endpoint")
    bucket = f"contract-{uuid.uuid4().hex}"
    client = boto3.client("s3", endpoint_url=endpoint_url)
    client.create_bucket(Bucket=bucket)
    for number, body in enumerate(BODIES):
        client.put_object(Bucket=bucket, Key=f"2026/11/22/{number:03}", Body=body)
    place = S3Place(bucket=bucket, access=AwsAccess(s3_endpoint_url=endpoint_url))
    options = S3Options(place=place, poll_secs=0.1)
    committed: dict[str, str] = {}
    yield Transport(lambda: _CommittingS3(options, committed), is_bounded_by_bytes=True)


@contextlib.contextmanager
def _over_files(request: pytest.FixtureRequest) -> Iterator[Transport]:
    folder: Path = request.getfixturevalue("tmp_path")
    for number, body in enumerate(BODIES):
        (folder / f"{number:03}.json").write_bytes(body)
    yield Transport(lambda: FilesSource([folder]), is_one_shot=True, is_bounded_by_bytes=True)


@contextlib.contextmanager
def _over_loopback(request: pytest.FixtureRequest) -> Iterator[Transport]:
    with LoopbackQueue() as server:
        server.send(body.decode() for body in BODIES)
        yield _open_sqs(server.url)


@contextlib.contextmanager
def _over_moto(request: pytest.FixtureRequest) -> Iterator[Transport]:
    client = boto3.client("sqs", endpoint_url=request.getfixturevalue("moto_endpoint"))
    url = client.create_queue(QueueName=f"contract-{uuid.uuid4().hex}")["QueueUrl"]
    for ten in (BODIES[start : start + 10] for start in range(0, len(BODIES), 10)):
        client.send_message_batch(
            QueueUrl=url,
            Entries=[{"Id": str(n), "MessageBody": body.decode()} for n, body in enumerate(ten)],
        )
    yield _open_sqs(url)


@contextlib.contextmanager
def _over_a_broker(request: pytest.FixtureRequest) -> Iterator[Transport]:
    broker: Broker = request.getfixturevalue("broker")
    topic = broker.new_topic()
    broker.put(topic, list(BODIES))
    options = KafkaOptions(
        access=broker.access(), topics=(topic,), group=uuid.uuid4().hex, session_secs=1.0
    )
    committed: dict[str, str] = {}
    yield Transport(lambda: _CommittingKafka(options, committed), is_bounded_by_bytes=True)


Open = Callable[[pytest.FixtureRequest], contextlib.AbstractContextManager[Transport]]

TRANSPORTS: Mapping[str, Mapping[str, Open]] = {
    "files": {"a folder": _over_files},
    "firehose": {"a sender that tries again": _over_firehose},
    "kafka": {"a broker": _over_a_broker},
    "s3": {"moto": _over_a_bucket},
    "sns": {"a signer that tries again": _over_sns},
    "sqs": {"loopback": _over_loopback, "moto": _over_moto},
}


def find_source_types(union: object) -> list[str]:
    """The types that settings may name, from the union of their models."""
    models, _ = get_args(union)
    return [get_args(model.model_fields["type"].annotation)[0] for model in get_args(models)]


def pair(types: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each type with each server it runs over; one that has none is there all the same."""
    for one in types:
        yield from ((one, server) for server in TRANSPORTS.get(one, ["nowhere"]))


@pytest.fixture(params=pair(find_source_types(SourceSettings)), ids=" over ".join)
def transport(request: pytest.FixtureRequest, forgotten_sockets: None) -> Iterator[Transport]:
    source_type, server = request.param
    if source_type not in TRANSPORTS:
        pytest.fail(f"sources of type {source_type!r} have no server here to keep the contract on")
    with TRANSPORTS[source_type][server](request) as opened:
        yield opened


def _read(envelope: Envelope) -> bytes:
    """The body as it was put into the transport, out of what the transport puts around it."""
    body = envelope.body
    if isinstance(body, Bundle):
        return body.payloads[0]
    whole = body if isinstance(body, bytes) else b"".join(body.chunks())
    value = json.loads(whole)
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
    """Everything that another source gets."""
    source = transport.open_source()
    envelopes = _receive(source, len(BODIES))
    source.close()
    return sorted(map(_read, envelopes))


def test_a_type_of_source_that_nobody_thought_of_is_asked_for_its_server() -> None:
    class Pigeons(Section):
        type: Literal["pigeons"]

    more = Annotated[SqsSettings | Pigeons, Field(discriminator="type")]
    assert ("pigeons", "nowhere") in list(pair(find_source_types(more)))
    assert not set(TRANSPORTS).difference(find_source_types(SourceSettings))


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


def test_what_was_handed_out_and_never_acked_comes_to_the_next(transport: Transport) -> None:
    source = transport.open_source()
    _receive(source, len(BODIES))
    source.close()
    assert sorted(BODIES) == _drain(transport)


def test_no_more_is_out_than_the_bound(transport: Transport) -> None:
    if transport.is_bounded_by_bytes:
        pytest.skip("holds what it reads ahead, whose bound has a test of its own")
    source = transport.open_source(max_in_flight=10)
    envelopes = _receive(source, 10)
    assert not source.receive(limit=10, wait_secs=0.5)
    source.ack(envelopes)
    assert 10 == len(_receive(source, 10))
    source.close()


def test_no_thread_outlives_its_source(
    transport: Transport, eventually: Callable[[Callable[[], object]], None]
) -> None:
    before = set(threading.enumerate())

    def has_ended() -> bool:
        left = set(threading.enumerate()) - before
        # the listener's own, and connections of servers in this process that time out
        return not [one for one in left if not one.name.startswith(_SERVERS_THREADS)]

    source = transport.open_source()
    source.nack(_receive(source, 3))
    source.close()
    eventually(has_ended)


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
    assert envelope.origin.startswith(("file:", "sqs:", "firehose:", "sns:", "s3:", "kafka:"))
    assert envelope.received_at.tzinfo is not None
    source.close()
