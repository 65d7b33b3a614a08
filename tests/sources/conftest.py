"""A queue on loopback, a moto server, a clock moved by hand, and credentials that open nothing.

For sources over HTTP: their listener on a free port, a worker that acks, and a signer of SNS's.
"""

import base64
import contextlib
import gc
import http.client
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from consumer import listener
from consumer.demo.loopback import LoopbackQueue
from consumer.envelope import Envelope
from consumer.listener import Listener
from consumer.sources.aws import AwsAccess
from consumer.sources.http_app import to_app
from consumer.sources.http_protocol import MOST_HEADER_BYTES, ConnectionLimits, make_protocol
from consumer.sources.http_source import HttpSource
from consumer.sources.sqs import SqsOptions, SqsSource
from kafka_broker import Broker, BrokerMissingError, open_broker
from moto_server import open_moto

MakeSource = Callable[..., SqsSource]
Eventually = Callable[[Callable[[], object]], None]


@dataclass
class HandClock:
    """Seconds that pass only when told to; whoever waits on them is woken."""

    now: float = 1_000.0
    sleepers: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def advance(self, secs: float) -> None:
        self.now += secs
        for wake in self.sleepers:
            wake()


@pytest.fixture(autouse=True)
def aws_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = tmp_path_factory.mktemp("aws")
    absent = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    for name in absent + proxies:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "credentials"))


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def loopback(hand_clock: HandClock) -> Iterator[LoopbackQueue]:
    """A queue whose visibility timeouts end when `hand_clock` says so."""
    with LoopbackQueue(clock=hand_clock) as server:
        hand_clock.sleepers.append(server.queue.wake)
        yield server


@pytest.fixture
def make_source(loopback: LoopbackQueue, hand_clock: HandClock) -> Iterator[MakeSource]:
    """Sources of the loopback queue, closed in the end; options by keyword."""
    made: list[SqsSource] = []

    def make(**options: object) -> SqsSource:
        chosen: dict[str, object] = {
            "queue": loopback.url,
            "access": AwsAccess(endpoint_url=loopback.endpoint_url),
            "receivers": 2,
            "long_poll_secs": 1,
            "visibility_secs": 30,
            **options,
        }
        source = SqsSource(SqsOptions(**chosen), clock=hand_clock)  # type: ignore[arg-type]  # by keyword, as settings would
        made.append(source)
        return source

    yield make
    for source in made:
        source.close()


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds, at most ten seconds; fails the test otherwise."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        pause = threading.Event()
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail("the condition did not come to hold within ten seconds")
            pause.wait(0.005)

    return wait


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    with open_moto() as url:
        yield url


@pytest.fixture
def moto_sqs(moto_endpoint: str) -> SQSClient:
    return boto3.client("sqs", endpoint_url=moto_endpoint)


@pytest.fixture
def moto_s3(moto_endpoint: str) -> S3Client:
    return boto3.client("s3", endpoint_url=moto_endpoint)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka broker; without one tests skip, and fail where KAFKA_REQUIRED=1."""
    try:
        with open_broker(tmp_path_factory.mktemp("kafka")) as opened:
            yield opened
    except BrokerMissingError as why:
        if os.environ.get("KAFKA_REQUIRED") == "1":
            pytest.fail(f"a Kafka broker is required here: {why}")
        pytest.skip(f"needs a Kafka broker: {why}")


@pytest.fixture
def forgotten_sockets(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Collect sockets that a client library forgot, before another test's filters find them.

    Records of Kafka's log keep them alive, and pytest keeps those.
    """
    yield
    caplog.get_records("call").clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@dataclass
class HttpAnswer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        value: dict[str, object] = json.loads(self.body)
        return value


@dataclass
class HttpSender:
    """Posts to a port of this machine, a connection for each request."""

    port: int

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("POST", path, body, dict(headers or {}))
            return read_answer(connection)


def read_answer(connection: http.client.HTTPConnection) -> HttpAnswer:
    response = connection.getresponse()
    headers = {key.lower(): value for key, value in response.getheaders()}
    return HttpAnswer(response.status, headers, response.read())


class Acker:
    """A worker that commits whatever comes, at once; `taken` is what came."""

    def __init__(self, source: HttpSource) -> None:
        self._source = source
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.taken: list[Envelope] = []

    def _run(self) -> None:
        while not self._stop.is_set():
            envelopes = self._source.receive(limit=100, wait_secs=0.05)
            self.taken += envelopes
            self._source.ack(envelopes)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def bodies(self) -> list[bytes]:
        return [
            envelope.body if isinstance(envelope.body, bytes) else b"".join(envelope.body.chunks())
            for envelope in self.taken
        ]


Serve = Callable[..., HttpSender]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve sources on a free port of loopback; sources and listeners are closed in the end."""
    with contextlib.ExitStack() as stack:

        def start(*sources: HttpSource, **limits: float) -> HttpSender:
            bound = listener.bind("127.0.0.1", 0, what="a test", advice="")
            port = bound.getsockname()[1]
            protocol = make_protocol(ConnectionLimits(**limits))  # type: ignore[arg-type]  # by keyword
            stack.enter_context(
                Listener(
                    to_app(sources), bound, protocol=protocol, most_header_bytes=MOST_HEADER_BYTES
                )
            )
            for source in sources:
                stack.callback(source.close)
            return HttpSender(port)

        yield start


@pytest.fixture
def send_to() -> Callable[[int], HttpSender]:
    """Make senders to a port that somebody else serves."""
    return HttpSender


@pytest.fixture
def acking() -> Iterator[Callable[[HttpSource], Acker]]:
    """Start workers that ack at once; stopped in the end."""
    with contextlib.ExitStack() as stack:
        yield lambda source: stack.enter_context(Acker(source))


@dataclass(frozen=True)
class SnsSigner:
    """A topic that signs as SNS's guide says, with a key of its own.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    """

    key: rsa.RSAPrivateKey
    certificate: bytes
    topic: str = "arn:aws:sns:eu-west-1:111122223333:ses-events"
    url: str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"

    def fetch(self, url: str) -> tuple[int, bytes]:
        return 200, self.certificate

    def notify(
        self, message: str, *, version: str = "2", subject: str | None = None
    ) -> dict[str, str]:
        fields = {
            "Type": "Notification",
            "MessageId": "8a4a58e3-9d6a-5a5b-8a3e-1b2c3d4e5f60",
            "TopicArn": self.topic,
            "Message": message,
            "Timestamp": "2026-11-22T12:00:00.000Z",
        }
        if subject is not None:
            fields["Subject"] = subject
        return self.sign(fields, version=version)

    def ask(self, kind: str, *, version: str = "2", **changes: str) -> dict[str, str]:
        token = "2336412f37fb687f5d51e6e2425"
        fields = {
            "Type": kind,
            "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
            "Token": token,
            "TopicArn": self.topic,
            "Message": "You have chosen to subscribe.\nVisit the SubscribeURL.",
            "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
            f"&TopicArn={self.topic}&Token={token}",
            "Timestamp": "2026-11-22T12:00:00.000Z",
        }
        return self.sign({**fields, **changes}, version=version)

    def sign(self, fields: Mapping[str, str], *, version: str = "2") -> dict[str, str]:
        text = "".join(f"{key}\n{fields[key]}\n" for key in sorted(fields))
        digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - version 1 is
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), digest)
        return {
            **fields,
            "SignatureVersion": version,
            "Signature": base64.b64encode(signature).decode(),
            "SigningCertURL": self.url,
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        }


def make_certificate(
    key: rsa.RSAPrivateKey,
    *,
    name: str = "sns.amazonaws.com",
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
) -> bytes:
    """A certificate of that name for a year from ``start``, signed by itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture(scope="session")
def sns_signer(rsa_key: rsa.RSAPrivateKey) -> SnsSigner:
    return SnsSigner(rsa_key, make_certificate(rsa_key))


@pytest.fixture(scope="session")
def certify(rsa_key: rsa.RSAPrivateKey) -> Callable[..., bytes]:
    """Make certificates of the signer's key that differ in something."""
    return lambda **changes: make_certificate(rsa_key, **changes)
