"""Workers that read Kafka, killed, replaced and stood by for: each record counts once."""

import random
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaConsumer

from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.recount import verify
from consumer.warehouse.recovery.rebuild import rebuild
from kafka_broker import Broker

if TYPE_CHECKING:
    from tests.sources.kafka.conftest import Process

pytestmark = [
    pytest.mark.server,
    # The library leaves sockets of refused connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

Send = Callable[[int], bytes]
Employ = Callable[..., "Process"]
Eventually = Callable[..., None]

PARTITIONS = 3
KILLS = 4
OPTIONS = WarehouseOptions(min_free_bytes=0, memory_limit="256MB", threads=1)


def describe(broker: Broker, topic: str, **more: object) -> dict[str, Any]:
    return {
        "type": "kafka",
        "bootstrap_servers": [broker.address],
        "topics": [topic],
        "session_secs": 1,
        **more,
    }


def look(path: Path, group: str) -> dict[str, Any]:
    """What a warehouse holds that nobody has open: rows, ledger, positions, and any fault."""
    with open_warehouse(path, OPTIONS) as warehouse:
        sql = """
            select
                (select count(*) from events) as events,
                (select count(distinct message_id) from events) as messages,
                (select sum(received) from ledger)::bigint as received,
                (select sum(duplicates) from ledger)::bigint as duplicates
        """
        with warehouse.read(sql) as reader:
            [found] = reader.read_all().to_pylist()
        found["positions"] = warehouse.positions(f"kafka:{group}")
        found["faults"] = [one.check for one in verify(warehouse) if not one.is_well]
    return dict(found)


def test_kills_and_rebalances_at_random_lose_and_double_nothing(  # noqa: PLR0917 - fixtures
    broker: Broker,
    employ: Employ,
    send: Send,
    foreign: Callable[..., KafkaConsumer],
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    topic, group = broker.new_topic(partitions=PARTITIONS), uuid.uuid4().hex
    source = describe(broker, topic, group=group)
    choice = random.Random(1)  # noqa: S311 - a seed, not a secret
    is_over = threading.Event()
    written = [0]

    def produce() -> None:
        while not is_over.wait(0.01):
            for _ in range(20):
                body = send(written[0])
                broker.producer.send(topic, body, partition=written[0] % PARTITIONS)
                written[0] += 1
        broker.producer.flush()

    producing = threading.Thread(target=produce)
    producing.start()
    try:
        for number in range(KILLS):
            worker = employ(source, {**source, "member": 2})
            eventually(lambda worker=worker: worker.lines("batch committed"), secs=30)
            if number % 2:
                stranger = foreign(topic, group)
                stranger.poll(timeout_ms=500)
                stranger.close()
            is_over.wait(choice.uniform(0, 1.0))
            worker.kill()
    finally:
        is_over.set()
        producing.join()
    last = employ(source)
    path = tmp_path / "worker" / "ses.duckdb"

    def is_idle() -> bool:
        lines = last.lines("batch committed")
        is_quiet.append(len(lines))
        return len(is_quiet) > 60 and is_quiet[-60] == is_quiet[-1] > 0

    is_quiet: list[int] = []
    eventually(is_idle, secs=120)
    assert 0 == last.stop()
    found = look(path, group)
    assert [] == found["faults"]
    assert (written[0], written[0]) == (found["events"], found["messages"])
    assert (written[0], 0) == (found["received"], found["duplicates"])

    rebuild(path, OPTIONS)
    # A kill between a frame's sync and its commit leaves it in the archive: read, and known again.
    again = look(path, group)
    assert [] == again["faults"]
    assert (found["events"], found["positions"]) == (again["events"], again["positions"])


def test_a_standby_takes_over_where_the_first_worker_was_killed(
    broker: Broker, employ: Employ, send: Send, eventually: Eventually, tmp_path: Path
) -> None:
    topic, group = broker.new_topic(), uuid.uuid4().hex
    source = describe(broker, topic, group=group)
    first = employ(source)
    broker.put(topic, [send(n) for n in range(10)])
    eventually(lambda: first.lines("batch committed"), secs=30)
    standby = employ(source, standby=True)
    eventually(lambda: standby.lines("standing by"))
    [line] = standby.lines("standing by")
    assert first.process.pid == line["holder_pid"]
    assert standby.process.poll() is None

    first.kill()
    broker.put(topic, [send(n) for n in range(10, 20)])
    eventually(lambda: sum(one["inserted"] for one in standby.lines("batch committed")) == 10)
    assert 0 == standby.stop()
    found = look(tmp_path / "worker" / "ses.duckdb", group)
    assert (20, 20, 0) == (found["events"], found["received"], found["duplicates"])


def test_a_standby_that_is_asked_to_end_ends(
    broker: Broker, employ: Employ, eventually: Eventually
) -> None:
    source = describe(broker, broker.new_topic())
    first = employ(source)
    eventually(lambda: first.lines("worker started"))
    standby = employ(source, standby=True)
    eventually(lambda: standby.lines("standing by"))
    assert 0 == standby.stop()
    assert first.process.poll() is None


def test_without_standby_a_second_worker_ends_at_once_and_names_the_first(
    broker: Broker, employ: Employ, eventually: Eventually
) -> None:
    source = describe(broker, broker.new_topic())
    first = employ(source)
    eventually(lambda: first.lines("worker started"))
    second = employ(source)
    assert 4 == second.process.wait(timeout=30)
    assert str(first.process.pid) in second.log.read_text()
