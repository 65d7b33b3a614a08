"""Every source in one worker, killed and replaced again and again: the warehouse is the ledgers.

The run takes half a minute; EVERYTHING_SECS makes it longer, and told.json says what was sent.
Senders go on until their transport has said yes to all they ever began to send, and write that
down. In the meantime workers are killed while others stand by, consumers that are none of ours
join the group and leave it, the broker stops for a while, requests come twice under one id,
objects are written anew.
"""

import base64
import contextlib
import gzip
import http.client
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.recount import verify
from kafka_broker import Broker, wait_for

if TYPE_CHECKING:
    from tests.sources.conftest import SnsSigner

SECS = float(os.environ.get("EVERYTHING_SECS", "12"))
KILL_SECS = 5.0 if SECS < 60 else 25.0
BROKER_AWAY_SECS = (3.0,) if SECS < 120 else (5.0, 60.0, 20.0)
PARTITIONS = 4
KEY = "the-key-of-the-stream"
OPTIONS = WarehouseOptions(min_free_bytes=0, memory_limit="256MB", threads=1)

pytestmark = [
    pytest.mark.server,
    pytest.mark.crash,
    pytest.mark.timeout(SECS + 400),
    # The library leaves sockets of refused connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def make_send(message_id: str) -> bytes:
    """A Send in the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    mail = {
        "timestamp": "2026-11-22T11:59:00.000Z",
        "source": "news@example.com",
        "sendingAccountId": "111122223333",
        "messageId": message_id,
        "destination": ["reader@example.net"],
        "tags": {"ses:configuration-set": ["news"]},
    }
    return json.dumps({"eventType": "Send", "mail": mail, "send": {}}).encode()


class Sender(ABC):
    """A thread that sends as its transport does; `ledger` is what the transport said yes to."""

    def __init__(self, name: str, *, pause_secs: float) -> None:
        self.ledger: set[str] = set()
        self._name = name
        self._pause_secs = pause_secs
        self._numbers = itertools.count()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name} sender", daemon=True)
        self.fault: Exception | None = None

    def _run(self) -> None:
        try:
            while not self._is_over.wait(self._pause_secs):
                self._send_some()
        except Exception as fault:  # noqa: BLE001 - told by the test that waits for it
            self.fault = fault

    @abstractmethod
    def _send_some(self) -> None: ...

    def _next_ids(self, count: int) -> list[str]:
        return [f"{self._name}-{next(self._numbers)}" for _ in range(count)]

    def start(self) -> Self:
        self._thread.start()
        return self

    def ask_to_end(self) -> None:
        self._is_over.set()

    def join(self) -> None:
        self._thread.join(timeout=120)
        assert not self._thread.is_alive(), f"{self._name} never got its last answer"
        if self.fault is not None:
            raise self.fault


class QueueSender(Sender):
    def __init__(self, endpoint_url: str, url: str) -> None:
        super().__init__("sqs", pause_secs=0.4)
        self._client = boto3.client("sqs", endpoint_url=endpoint_url)
        self._url = url

    def _send_some(self) -> None:
        ids = self._next_ids(10)
        entries: Any = [
            {"Id": str(n), "MessageBody": make_send(one).decode()} for n, one in enumerate(ids)
        ]
        assert not self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get(
            "Failed"
        )
        self.ledger.update(ids)


class ObjectSender(Sender):
    """Puts gzip objects of a stream's size in small; every fourth is written anew with more."""

    def __init__(self, endpoint_url: str, bucket: str) -> None:
        super().__init__("s3", pause_secs=0.7)
        self._client = boto3.client("s3", endpoint_url=endpoint_url)
        self._bucket = bucket

    def _send_some(self) -> None:
        key = f"2026/11/22/{random.randrange(24):02}/ses+{uuid.uuid4()} é.gz"  # noqa: S311 - no secret
        ids = self._next_ids(40)
        self._put(key, ids)
        if next(self._numbers) % 4 == 0:
            self._is_over.wait(0.5)
            self._put(key, ids + self._next_ids(10))

    def _put(self, key: str, ids: Sequence[str]) -> None:
        body = gzip.compress(b"".join(make_send(one) + b"\n" for one in ids))
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
        # An object overwritten before it was read was never there: its events must be in the next.
        self.ledger.update(ids)


class RecordSender(Sender):
    def __init__(self, broker: Broker, topic: str) -> None:
        super().__init__("kafka", pause_secs=0.2)
        self._producer = KafkaProducer(bootstrap_servers=[broker.address], linger_ms=5)
        self._topic = topic

    def _send_some(self) -> None:
        """Send records until each is confirmed: one whose answer was lost goes twice."""
        waiting = dict.fromkeys(self._next_ids(15))
        while waiting:
            sent = {
                one: self._producer.send(
                    self._topic, make_send(one), partition=hash(one) % PARTITIONS
                )
                for one in waiting
            }
            for one, record in sent.items():
                with contextlib.suppress(KafkaError):
                    record.get(timeout=30)
                    del waiting[one]
                    self.ledger.add(one)

    def join(self) -> None:
        super().join()
        self._producer.close()


class PostSender(Sender):
    """Posts until it is told 200, as Firehose and SNS do; now and then once more after that."""

    def __init__(self, name: str, port: int, *, pause_secs: float) -> None:
        super().__init__(name, pause_secs=pause_secs)
        self._port = port
        self.attempts = 0

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        is_repeated = random.random() < 0.1  # noqa: S311 - no secret
        for _ in range(1 + is_repeated):
            while not self._is_taken(path, body, headers):
                time.sleep(0.1)

    def _is_taken(self, path: str, body: bytes, headers: dict[str, str]) -> bool:
        self.attempts += 1
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return False  # nobody there yet, or killed before the answer
        assert answer.status in {200, 503}, answer.status
        return answer.status == 200


class StreamSender(PostSender):
    def __init__(self, port: int) -> None:
        super().__init__("firehose", port, pause_secs=0.2)

    def _send_some(self) -> None:
        ids = self._next_ids(20)
        request_id = str(uuid.uuid4())
        records = [{"data": base64.b64encode(make_send(one)).decode()} for one in ids]
        request = {"requestId": request_id, "timestamp": 1_795_348_800_000, "records": records}
        headers = {
            "X-Amz-Firehose-Protocol-Version": "1.0",
            "X-Amz-Firehose-Request-Id": request_id,
            "X-Amz-Firehose-Access-Key": KEY,
            "Content-Encoding": "gzip",
            "Content-Type": "application/json",
        }
        self._post("/firehose", gzip.compress(json.dumps(request).encode()), headers)
        self.ledger.update(ids)


class TopicSender(PostSender):
    def __init__(self, port: int, signer: "SnsSigner") -> None:
        super().__init__("sns", port, pause_secs=0.2)
        self._signer = signer

    def _send_some(self) -> None:
        for version, one in zip("12", self._next_ids(2), strict=True):
            message = self._signer.notify(make_send(one).decode(), version=version)
            headers = {"Content-Type": "text/plain; charset=UTF-8"}
            self._post("/sns", json.dumps(message).encode(), headers)
            self.ledger.add(one)


class Workers:
    """One worker and one that stands by, each started anew when it is killed."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._folder = folder
        self._environ = {
            **{name: text for name, text in os.environ.items() if name[:9] != "DUCKPOST_"},
            "PYTHONPATH": os.pathsep.join(sys.path),
            **settings,
        }
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []
        self._count = 0
        self.kills = 0

    def start(self) -> None:
        self._count += 1
        log = self._folder / f"worker-{self._count}.log"
        with log.open("wb") as out:
            command = [sys.executable, "-m", "consumer", "run"]
            process = subprocess.Popen(command, env=self._environ, stdout=out, stderr=out)
        self._running.append((process, log))

    def is_one_working(self) -> bool:
        """Whether one of them has the warehouse: the one that stood by, or one just started."""
        for process, log in self._running:
            assert process.poll() is None, log.read_text()[-2_000:]
        self._running.sort(key=lambda one: '"worker started"' not in one[1].read_text())
        return '"worker started"' in self._running[0][1].read_text()

    def kill(self, number: int) -> None:
        """Kill the one that works (0) or the one that stands by (1), once one works."""
        process, _ = self._running.pop(number)
        process.kill()
        process.wait()
        self.kills += 1

    def stop(self) -> None:
        """End all of them as an operator does; the one that stands by first."""
        while self._running:
            process, log = self._running.pop()
            process.terminate()
            assert process.wait(timeout=60) == 0, log.read_text()[-2_000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            self.kill(0)


class Visitor:
    """Consumers of the group that are none of duckpost's, coming and going."""

    def __init__(self, broker: Broker, topic: str, group: str) -> None:
        self._broker, self._topic, self._group = broker, topic, group
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.visits = 0

    def _run(self) -> None:
        while not self._is_over.wait(4):
            with contextlib.suppress(KafkaError):
                consumer = KafkaConsumer(
                    self._topic,
                    bootstrap_servers=[self._broker.address],
                    group_id=self._group,
                    enable_auto_commit=False,
                    session_timeout_ms=1_000,
                    heartbeat_interval_ms=250,
                )
                consumer.poll(timeout_ms=1_000)
                self._is_over.wait(0.5)
                consumer.close(timeout_ms=1_000)
                self.visits += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def _find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _disturb(workers: Workers, broker: Broker) -> None:
    """Kill and pause until the time is over; both the one that works and the one that waits."""
    choice = random.Random(1)  # noqa: S311 - a seed, not a secret
    over_at = time.monotonic() + SECS
    pauses = iter(BROKER_AWAY_SECS)
    for number in itertools.count():
        wait_for(workers.is_one_working, secs=60)
        if number % 4 == 1 and (away_secs := next(pauses, None)):
            broker.pause()
            try:
                time.sleep(away_secs)
            finally:
                broker.go_on()
        time.sleep(choice.uniform(0.5, 1.0) * KILL_SECS)
        if time.monotonic() > over_at:
            return
        workers.kill(1 if number % 3 == 2 else 0)
        workers.start()


@pytest.fixture
def _goes_on(started_broker: Broker) -> Iterator[None]:
    """Let no broker stand still after a failure."""
    yield
    started_broker.go_on()


@pytest.mark.usefixtures("_goes_on")
def test_the_warehouse_is_what_the_senders_ledgers_say(
    started_broker: Broker,
    moto_endpoint: str,
    sns_signer: "SnsSigner",
    tmp_path: Path,
) -> None:
    topic, group = started_broker.new_topic(partitions=PARTITIONS), uuid.uuid4().hex
    bucket = queue = f"everything-{uuid.uuid4().hex[:8]}"
    url = boto3.client("sqs", endpoint_url=moto_endpoint).create_queue(QueueName=queue)["QueueUrl"]
    boto3.client("s3", endpoint_url=moto_endpoint).create_bucket(Bucket=bucket)
    certificates, files = tmp_path / "certificates", tmp_path / "files"
    certificates.mkdir()
    files.mkdir()
    (certificates / sns_signer.url.rpartition("/")[2]).write_bytes(sns_signer.certificate)
    from_files = {f"files-{n}" for n in range(500)}
    (files / "old.json").write_bytes(b"\n".join(map(make_send, sorted(from_files))))
    port = _find_free_port()
    kafka = {
        "type": "kafka",
        "bootstrap_servers": [started_broker.address],
        "topics": [topic],
        "group": group,
        "session_secs": 1,
    }
    sources: list[dict[str, object]] = [
        {"type": "sqs", "queue": url, "endpoint_url": moto_endpoint, "visibility_secs": 5,
         "long_poll_secs": 1, "nack_secs": 0},
        {"type": "s3", "bucket": bucket, "endpoint_url": moto_endpoint, "poll_secs": 1},
        {"type": "firehose", "path": "/firehose", "access_keys": [KEY]},
        {"type": "sns", "path": "/sns", "topics": [sns_signer.topic],
         "certificate_folder": str(certificates)},
        kafka,
        {**kafka, "member": 2},
        {"type": "files", "paths": [str(files)]},
    ]  # fmt: skip
    path = tmp_path / "ses.duckdb"
    settings = {
        "DUCKPOST_WAREHOUSE": str(path),
        "DUCKPOST_WAREHOUSE_STANDBY": "true",
        "DUCKPOST_WAREHOUSE_MIN_FREE_BYTES": "0",
        "DUCKPOST_BATCH_FLUSH_SECS": "0.3",
        "DUCKPOST_TELEMETRY_ENABLED": "false",
        "DUCKPOST_HTTP_PORT": str(port),
        "DUCKPOST_SOURCES": json.dumps(sources),
    }
    senders: list[Sender] = [
        QueueSender(moto_endpoint, url),
        ObjectSender(moto_endpoint, bucket),
        RecordSender(started_broker, topic),
        StreamSender(port),
        TopicSender(port, sns_signer),
    ]
    with Workers(tmp_path, settings) as workers, Visitor(started_broker, topic, group) as visitor:
        workers.start()
        wait_for(workers.is_one_working, secs=60)
        workers.start()
        for sender in senders:
            sender.start()
        try:
            _disturb(workers, started_broker)
        finally:
            for sender in senders:
                sender.ask_to_end()
        for sender in senders:
            sender.join()
        ledger = from_files.union(*(sender.ledger for sender in senders))
        with contextlib.suppress(AssertionError):  # what is missing then is told below, by name
            wait_for(lambda: len(ledger) <= _count(path), secs=90)
        workers.stop()
    told = {type(one).__name__: len(one.ledger) for one in senders}
    told |= {"kills": workers.kills, "visits": visitor.visits}
    (tmp_path / "told.json").write_text(json.dumps(told))
    _compare(path, ledger)
    assert all(told.values()), told


def _count(path: Path) -> int:
    command = [sys.executable, "-m", "consumer", "sql", "--warehouse", str(path)]
    asked = subprocess.run(
        [*command, "--format", "json", "select count(distinct message_id) as messages from events"],
        capture_output=True,
        check=False,  # the one that had it open may just have gone
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return int(json.loads(asked.stdout)[0]["messages"]) if asked.returncode == 0 else 0


def _compare(path: Path, ledger: set[str]) -> None:
    with open_warehouse(path, OPTIONS) as warehouse:
        with warehouse.read("select message_id from events") as reader:
            found: list[str] = reader.read_all()["message_id"].to_pylist()
        with warehouse.read("select count(*) as bad from quarantine") as reader:
            [quarantined] = reader.read_all().to_pylist()
        faults = [one.check for one in verify(warehouse) if not one.is_well]
    assert set() == ledger.difference(found)
    assert set() == set(found).difference(ledger)
    assert len(ledger) == len(found)
    assert [] == faults
    assert {"bad": 0} == quarantined
