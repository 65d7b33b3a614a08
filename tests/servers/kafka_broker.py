"""A real Apache Kafka broker on loopback, for tests and benchmarks, and short ways to act on it.

DUCKPOST_TEST_KAFKA names one that runs already (``host:port``) to the tests, which pass it on as
KAFKA_UNDER_TEST: duckpost refuses names of its prefix that are no settings. Otherwise one is
started from Maven's artefact, where Java and Maven are.
"""

import base64
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from certificates import Authority
from consumer.sources.kafka_client import KafkaAccess

CACHE = Path(__file__).parents[2] / ".cache" / "kafka-4.1.0"
JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
USER, PASSWORD = "duckpost", "quack"

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,SECURE:SASL_SSL,\
MUTUAL:SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.mutual.ssl.client.auth=required
log.dirs={folder}/logs
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


class BrokerMissingError(Exception):
    """No broker can be had on this machine; its text says what is missing."""


@dataclass
class Broker:
    """A broker, its process where we started it, and short ways to do things to it.

    ``sasl_address`` takes PLAIN without TLS, ``secure_address`` SCRAM over TLS, ``mutual_address``
    clients that show a certificate of the ``authority``.
    """

    address: str
    sasl_address: str = ""
    secure_address: str = ""
    mutual_address: str = ""
    authority: Authority | None = None
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


def wait_for(condition: Callable[[], object], *, secs: float = 60.0) -> None:
    """Wait until a condition holds; raises ``AssertionError`` otherwise."""
    deadline = time.monotonic() + secs
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"the condition did not come to hold within {secs:g} seconds")
        pause.wait(0.05)


@contextmanager
def open_broker(folder: Path) -> Iterator[Broker]:
    """Give a broker, started in ``folder`` unless one runs; raises `BrokerMissingError`."""
    if named := os.environ.get("KAFKA_UNDER_TEST"):
        broker = Broker(named)
        yield broker
        broker.close()
        return
    jars = _fetch_jars()
    authority = Authority.found("duckpost's tests")
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    (folder / "broker.pem").write_bytes(authority.issue("127.0.0.1").pem())
    ports = dict(
        zip(("plain", "sasl", "secure", "mutual", "controller"), _free_ports(5), strict=True)
    )
    process = _start(jars, folder, ports)
    try:
        served = [port for name, port in ports.items() if name != "controller"]
        wait_for(lambda: all(map(_can_connect, served)), secs=60)
        plain, sasl, secure, mutual = (f"127.0.0.1:{port}" for port in served)
        broker = Broker(plain, sasl, secure, mutual, authority, process)
        yield broker
        broker.close()
    finally:
        process.kill()
        process.wait()


def _start(jars: Path, folder: Path, ports: dict[str, int]) -> "subprocess.Popen[bytes]":
    names = {"plain": "PLAINTEXT", "sasl": "SASL", "secure": "SECURE", "mutual": "MUTUAL"}
    listeners = ",".join(f"{name}://127.0.0.1:{ports[key]}" for key, name in names.items())
    settings = folder / "server.properties"
    settings.write_text(
        PROPERTIES.format(
            listeners=listeners,
            controller=ports["controller"],
            user=USER,
            password=PASSWORD,
            folder=folder,
        )
    )
    java = ["java", *JAVA, "-cp", f"{jars}/*"]
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatting = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        formatting += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
    subprocess.run([*java, *formatting], check=True, capture_output=True)
    with (folder / "out").open("wb") as out:
        return subprocess.Popen(
            [*java, "kafka.Kafka", str(settings)], stdout=out, stderr=subprocess.STDOUT
        )


def _fetch_jars() -> Path:
    """Let Maven bring the broker into .cache/, once."""
    if shutil.which("java") is None:
        raise BrokerMissingError("Java is not installed; or name a broker in DUCKPOST_TEST_KAFKA")
    jars = CACHE / "jars"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerMissingError("Maven is not installed; or name a broker in DUCKPOST_TEST_KAFKA")
    partial = CACHE / f"jars.{os.getpid()}"
    pom = Path(__file__).with_name("pom.xml")
    target = ("dependency:copy-dependencies", f"-DoutputDirectory={partial}")
    fetched = subprocess.run(
        [maven, "-q", "-B", "-f", pom, *target], capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        raise BrokerMissingError(f"Maven could not fetch it: {fetched.stdout[-300:]}")
    partial.rename(jars)
    return jars


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _can_connect(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
