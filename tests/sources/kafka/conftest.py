"""Readers of a real broker's topics, workers, and consumers that are none of ours."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer

from consumer.batch import BatchBuilder
from consumer.decode import decode
from consumer.sources.kafka import KafkaOptions, KafkaSource
from consumer.sources.kafka_client import KafkaAccess
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from kafka_broker import Broker, wait_for


@pytest.fixture(autouse=True)
def _forgotten(forgotten_sockets: None) -> None:
    """All tests here have to do with the library."""


@pytest.fixture
def started_broker(broker: Broker) -> Broker:
    """The broker, where its process is ours."""
    if broker.process is None:
        pytest.skip("the broker in DUCKPOST_TEST_KAFKA is not ours to pause")
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

    def receive(self, count: int, *, secs: float = 60) -> list[Any]:
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
