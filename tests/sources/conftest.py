"""A queue on loopback, a moto server, a clock moved by hand, and credentials that open nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import boto3
import pytest
from moto.server import ThreadedMotoServer
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from consumer.demo.loopback import LoopbackQueue
from consumer.sources.aws import AwsAccess
from consumer.sources.sqs import SqsOptions, SqsSource

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
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto_sqs(moto_endpoint: str) -> SQSClient:
    return boto3.client("sqs", endpoint_url=moto_endpoint)


@pytest.fixture
def moto_s3(moto_endpoint: str) -> S3Client:
    return boto3.client("s3", endpoint_url=moto_endpoint)
