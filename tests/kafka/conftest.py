"""A real Apache Kafka broker on loopback, and what tests do to it.

KAFKA_UNDER_TEST names one that runs already (``host:port``); it is no setting of duckpost, which
refuses unknown names of its own prefix. Otherwise one is started from Maven's artefact, where Java
and Maven are. Without either these tests skip, and fail where KAFKA_REQUIRED=1.
"""

import base64
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from consumer.batch import BatchBuilder
from consumer.decode import decode
from consumer.sources.kafka import KafkaOptions, KafkaSource
from consumer.sources.kafka_client import KafkaAccess
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "kafka-4.1.0"
JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
USER, PASSWORD = "duckpost", "quack"

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
log.dirs={folder}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=2000000
log.initial.task.delay.ms=500
"""


@dataclass
class Broker:
    """A broker, its process where we started it, and short ways to do things to it."""

    address: str
    sasl_address: str | None = None
    process: "subprocess.Popen[bytes] | None" = None
    admin: KafkaAdminClient = field(init=False)
    producer: KafkaProducer = field(init=False)

    def __post_init__(self) -> None:
        self.admin = KafkaAdminClient(bootstrap_servers=[self.address])
        self.producer = self._make_producer()

    def _make_producer(self) -> KafkaProducer:
        return KafkaProducer(bootstrap_servers=[self.address], linger_ms=5)

    def close(self) -> None:
        self.producer.close()
        self.admin.close()

    def create(self, topic: str, *, partitions: int = 1, **configs: str) -> None:
        """Make a topic; settings as Kafka names them, with underscores."""
        about: dict[str, Any] = {"num_partitions": partitions, "replication_factor": 1}
        about["configs"] = {key.replace("_", "."): value for key, value in configs.items()}
        wait_for(lambda: self._try_to_create(topic, about))
        self.admin.wait_for_topics([topic])

    def _try_to_create(self, topic: str, about: dict[str, Any]) -> bool:
        with suppress(Exception):  # one just deleted is still going
            self.admin.create_topics({topic: about})
            return True
        return False

    def delete(self, topic: str) -> None:
        """Delete a topic, and begin a producer that never heard of it.

        kafka-python's producer asks for the leader of every topic it ever wrote to, without a
        pause, on a thread that then eats a whole core until the producer is closed.
        """
        self.admin.delete_topics([topic])
        self.producer.close()
        self.producer = self._make_producer()

    def put(self, topic: str, bodies: Sequence[bytes | None], **settings: Any) -> None:  # noqa: ANN401 - the client's
        """Write records, on the first partition unless told otherwise, and wait for all."""
        settings = {"partition": 0, **settings}
        sent = [self.producer.send(topic, body, **settings) for body in bodies]
        self.producer.flush()
        for one in sent:
            one.get(timeout=10)

    def new_topic(self, **settings: Any) -> str:  # noqa: ANN401 - `create`'s
        topic = f"ses-{uuid.uuid4().hex[:8]}"
        self.create(topic, **settings)
        return topic

    def access(self) -> KafkaAccess:
        return KafkaAccess(bootstrap_servers=(self.address,))

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def wait_for(condition: Callable[[], object], *, secs: float = 20) -> None:
    """Wait until a condition holds; fails the test otherwise."""
    deadline = time.monotonic() + secs
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"the condition did not come to hold within {secs:g} seconds")
        pause.wait(0.05)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def skip(why: str) -> NoReturn:
    if os.environ.get("KAFKA_REQUIRED") == "1":
        pytest.fail(f"a Kafka broker is required here: {why}")
    pytest.skip(f"needs a Kafka broker: {why}")


def fetch_jars() -> Path:
    """Let Maven bring the broker into .cache/, once."""
    jars = CACHE / "jars"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None or shutil.which("java") is None:
        skip("Java and Maven are not installed; or name a broker in KAFKA_UNDER_TEST=host:port")
    partial = CACHE / f"jars.{os.getpid()}"
    pom = Path(__file__).with_name("pom.xml")
    target = ("dependency:copy-dependencies", f"-DoutputDirectory={partial}")
    fetched = subprocess.run(
        [maven, "-q", "-B", "-f", pom, *target], capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        skip(f"Maven could not fetch it: {fetched.stdout[-300:]}")
    partial.rename(jars)
    return jars


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if named := os.environ.get("KAFKA_UNDER_TEST"):
        broker = Broker(named)
        yield broker
        broker.close()
        return
    jars = fetch_jars()
    if shutil.which("java") is None:
        skip("java is not installed")
    folder = tmp_path_factory.mktemp("kafka")
    plain, sasl, controller = free_ports(3)
    settings = folder / "server.properties"
    settings.write_text(
        PROPERTIES.format(
            plain=plain,
            sasl=sasl,
            controller=controller,
            user=USER,
            password=PASSWORD,
            folder=folder / "logs",
        )
    )
    java = ["java", *JAVA, "-cp", f"{jars}/*"]
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatting = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
    subprocess.run([*java, *formatting], check=True, capture_output=True)
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [*java, "kafka.Kafka", str(settings)], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for(lambda: can_connect(plain) and can_connect(sasl), secs=60)
        broker = Broker(f"127.0.0.1:{plain}", f"127.0.0.1:{sasl}", process)
        yield broker
        broker.close()
    finally:
        process.kill()
        process.wait()


def can_connect(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    """Let no socket that the library forgot be found in another folder's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def started_broker(broker: Broker) -> Broker:
    """The broker, where its process is ours."""
    if broker.process is None:
        pytest.skip("the broker in KAFKA_UNDER_TEST is not ours to pause")
    return broker


@pytest.fixture
def eventually() -> Callable[..., None]:
    return wait_for


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
                "sendingAccountId": "123456789012",
                "messageId": f"message-{number}",
                "destination": [f"reader{number}@example.net"],
                "tags": {"ses:configuration-set": ["news"]},
            },
            "send": {},
        }
    ).encode()


@pytest.fixture
def send() -> Callable[[int], bytes]:
    return make_send


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    options = WarehouseOptions(min_free_bytes=0, memory_limit="256MB", threads=1)
    with open_warehouse(tmp_path / "ses.duckdb", options) as opened:
        yield opened


@dataclass
class Reader:
    """A source with as much of the worker's loop as a test wants to step through."""

    source: KafkaSource
    warehouse: Warehouse
    builder: BatchBuilder

    def receive(self, count: int, *, secs: float = 20) -> list[Any]:
        """Take ``count`` envelopes, or fail."""
        taken: list[Any] = []

        def has_all() -> bool:
            taken.extend(self.source.receive(limit=count - len(taken), wait_secs=0.2))
            return len(taken) >= count

        wait_for(has_all, secs=secs)
        return taken

    def receive_nothing(self, *, polls: int = 5) -> None:
        for _ in range(polls):
            assert not self.source.receive(limit=10, wait_secs=0.2)

    def commit(self, envelopes: Sequence[Any]) -> Any:  # noqa: ANN401 - a WriteResult
        """Write envelopes as one batch and ack them, as the worker does."""
        for envelope in envelopes:
            for decoded in decode(envelope):
                self.builder.add(decoded)
        step = self.source.step(envelopes)
        batch = self.builder.finish(
            positions=step.positions, expects=step.expects, positions_of=step.positions_of
        )
        result = self.warehouse.write(batch)
        self.source.ack(envelopes)
        return result

    def offsets(self) -> dict[str, int]:
        """The next offsets that the warehouse has, by partition."""
        kept = self.warehouse.positions(self.source.step([]).positions_of)
        return {part: json.loads(text)["next_offset"] for part, text in kept.items()}


@pytest.fixture
def read(broker: Broker, warehouse: Warehouse) -> Iterator[Callable[..., Reader]]:
    """Opens sources of topics: ``read(topic, group=…)``; a group of its own for each test."""
    group = f"test-{uuid.uuid4().hex[:8]}"
    opened: list[KafkaSource] = []

    def make(*topics: str, access: KafkaAccess | None = None, **options: Any) -> Reader:  # noqa: ANN401 - KafkaOptions'
        chosen: dict[str, Any] = {"group": group, "session_secs": 1.0, **options}
        source = KafkaSource(
            KafkaOptions(access=access or broker.access(), topics=topics, **chosen)
        )
        source.follow(warehouse.positions)
        opened.append(source)
        return Reader(source, warehouse, warehouse.new_builder(source.name))

    yield make
    for source in opened:
        source.close()


@pytest.fixture
def foreign(broker: Broker) -> Iterator[Callable[..., KafkaConsumer]]:
    """Consumers of a group that are none of duckpost's."""
    opened: list[KafkaConsumer] = []

    def make(topic: str, group: str) -> KafkaConsumer:
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=[broker.address],
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=1_000,
            heartbeat_interval_ms=250,
        )
        opened.append(consumer)
        return consumer

    yield make
    for consumer in opened:
        consumer.close()


@dataclass
class Process:
    """A `duckpost run` of its own."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What it logged under a name so far."""
        text = self.log.read_text()
        whole = text[: text.rfind("\n") + 1].splitlines()
        found = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in found if line["event"] == event]


@pytest.fixture
def employ(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts workers: ``employ({"type": "kafka", …}, standby=True)``."""
    started: list[Process] = []

    def make(*sources: dict[str, Any], standby: bool = False) -> Process:
        log = tmp_path / f"worker-{len(started)}.log"
        environ = {name: text for name, text in os.environ.items() if name[:9] != "DUCKPOST_"}
        environ |= {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DUCKPOST_WAREHOUSE": str(tmp_path / "worker" / "ses.duckdb"),
            "DUCKPOST_WAREHOUSE_STANDBY": json.dumps(standby),
            "DUCKPOST_WAREHOUSE_MIN_FREE_BYTES": "0",
            "DUCKPOST_BATCH_FLUSH_SECS": "0.2",
            "DUCKPOST_BATCH_MAX_ROWS": "300",
            "DUCKPOST_TELEMETRY_ENABLED": "false",
            "DUCKPOST_SOURCES": json.dumps(sources),
        }
        (tmp_path / "worker").mkdir(exist_ok=True)
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "consumer", "run"], env=environ, stdout=out, stderr=out
            )
        started.append(Process(process, log))
        return started[-1]

    yield make
    for one in started:
        if one.process.poll() is None:
            one.kill()
