"""A source of Kafka topics, against a real broker."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from kafka import TopicPartition

from consumer.errors import (
    EnvelopesLost,
    PositionMoved,
    SourceDenied,
    SourceError,
    SourceUnavailable,
)
from consumer.sources import kafka_client, kafka_placement
from consumer.sources.kafka_client import KafkaAccess, probe_topics
from kafka_broker import Broker

if TYPE_CHECKING:
    from tests.sources.kafka.conftest import Reader

pytestmark = [
    pytest.mark.server,
    # The library leaves sockets of refused connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

Send = Callable[[int], bytes]
Read = Callable[..., "Reader"]
Eventually = Callable[..., None]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_placement, "LOOK_SECS", 0.5)
    for name in ("REQUEST_MS", "CONNECT_MS", "CALL_MS"):
        monkeypatch.setattr(kafka_client, name, 3_000)
    monkeypatch.setattr(kafka_placement, "CALL_MS", 3_000)


def test_records_come_byte_for_byte_and_say_where_they_are_from(broker: Broker, read: Read) -> None:
    topic = broker.new_topic()
    broker.put(topic, [b"one", b"two"])
    first, second = read(topic).receive(2)
    assert (b"one", b"two") == (first.body, second.body)
    assert f"kafka:{topic}/0@0" == first.origin
    assert first.received_at.tzinfo is not None


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read(broker: Broker, read: Read, codec: str) -> None:
    topic = broker.new_topic(compression_type=codec)
    bodies = [b"x" * 1_000 + str(n).encode() for n in range(50)]
    broker.put(topic, bodies)
    assert bodies == [envelope.body for envelope in read(topic).receive(50)]


def test_what_is_committed_is_not_read_again_and_the_rest_is(
    broker: Broker, read: Read, send: Send
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(n) for n in range(10)])
    reader = read(topic)
    envelopes = reader.receive(10)
    assert 6 == reader.commit(envelopes[:6]).inserted
    assert {f"{topic}/0": 6} == reader.offsets()
    reader.source.close()
    again = read(topic).receive(4)
    assert [send(n) for n in range(6, 10)] == [envelope.body for envelope in again]


def test_what_is_nacked_comes_again(broker: Broker, read: Read, send: Send) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(n) for n in range(4)])
    reader = read(topic)
    reader.source.nack(reader.receive(4))
    result = reader.commit(reader.receive(4))
    assert (4, 0) == (result.inserted, result.duplicates)
    assert {f"{topic}/0": 4} == reader.offsets()


def test_an_envelope_settled_after_its_successors_is_never_skipped(
    broker: Broker, read: Read, send: Send
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(n) for n in range(3)])
    reader = read(topic)
    first, second, third = reader.receive(3)
    reader.commit([second, third])
    assert {f"{topic}/0": 0} == reader.offsets()
    reader.commit([first])
    assert {f"{topic}/0": 3} == reader.offsets()


def test_a_tombstone_is_ignored_and_read_past(broker: Broker, read: Read, send: Send) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(1), None, send(2)], key=b"key")
    reader = read(topic)
    result = reader.commit(reader.receive(3))
    assert (2, 1) == (result.inserted, result.ignored)
    assert {f"{topic}/0": 3} == reader.offsets()


def test_the_broker_gets_the_offsets_for_lag_tools_after_the_commit(
    broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    topic, group = broker.new_topic(), uuid.uuid4().hex
    broker.put(topic, [send(n) for n in range(5)])
    reader = read(topic, group=group)
    envelopes = reader.receive(5)
    assert 0 == reader.source.condition.lag
    assert {} == broker.admin.list_group_offsets([group])[group]
    reader.commit(envelopes)

    def kept() -> list[int]:
        found = broker.admin.list_group_offsets([group])[group]
        return [one.offset for one in found.values()]

    eventually(lambda: [5] == kept())


def test_lag_is_what_waits_behind_the_last_record_handed_out(
    broker: Broker, read: Read, send: Send
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(n) for n in range(5)])
    reader = read(topic)
    reader.receive(2)
    assert 3 == reader.source.condition.lag


def test_a_reader_that_starts_at_the_end_keeps_where_that_was(
    broker: Broker, read: Read, send: Send
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(1)])
    reader = read(topic, start="latest")
    reader.receive_nothing()
    reader.commit([])
    assert {f"{topic}/0": 1} == reader.offsets()
    reader.source.close()
    broker.put(topic, [send(2)])
    assert [send(2)] == [envelope.body for envelope in read(topic, start="latest").receive(1)]


def test_a_zombie_that_did_not_notice_is_refused_and_nothing_is_doubled(
    broker: Broker, read: Read, send: Send
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(n) for n in range(4)])
    zombie = read(topic, group="zombies")
    held = zombie.receive(4)
    zombie.source._assignment.take = list  # type: ignore[method-assign, union-attr]  # deaf to the group
    other = read(topic, group="zombies", member=2)
    other.source._placement._watch.close()
    zombie.source._consumer.unsubscribe()  # type: ignore[union-attr]  # gives its partition away
    assert 4 == other.commit(other.receive(4)).inserted
    with pytest.raises(PositionMoved):
        zombie.commit(held)
    assert {f"{topic}/0": 4} == other.offsets()


def test_partitions_move_between_two_consumers_of_one_worker_and_each_record_counts_once(
    broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    topic = broker.new_topic(partitions=4)
    numbers = iter(range(10_000))

    def put() -> None:
        for partition in range(4):
            broker.put(topic, [send(next(numbers)) for _ in range(25)], partition=partition)

    def work(reader: "Reader", is_over: threading.Event) -> None:
        while not is_over.is_set():
            envelopes: list[Any] = []
            try:
                envelopes = list(reader.source.receive(limit=40, wait_secs=0.5))
                result = reader.commit(envelopes)
                with lock:
                    totals["inserted"] += result.inserted
                    totals["duplicates"] += result.duplicates
            except (EnvelopesLost, PositionMoved):
                reader.source.nack(envelopes)
        reader.source.close()

    totals, lock = {"inserted": 0, "duplicates": 0}, threading.Lock()
    first, second = read(topic), read(topic, member=2)
    ends = threading.Event(), threading.Event()
    threads = [
        threading.Thread(target=work, args=pair) for pair in zip((first, second), ends, strict=True)
    ]
    try:
        put()
        threads[0].start()
        eventually(lambda: totals["inserted"] == 100)
        threads[1].start()
        put()
        eventually(second.source._parts.placed)
        put()
        eventually(lambda: totals["inserted"] == 300)
        ends[1].set()
        threads[1].join()
        put()
        eventually(lambda: totals["inserted"] == 400)
    finally:
        for end in ends:
            end.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    assert 0 == totals["duplicates"]
    assert {f"{topic}/{n}": 100 for n in range(4)} == first.offsets()


def test_foreign_consumers_of_the_group_take_nothing_away(
    broker: Broker, read: Read, send: Send, foreign: Callable[..., Any]
) -> None:
    topic, group = broker.new_topic(partitions=2), uuid.uuid4().hex
    for partition in range(2):
        broker.put(topic, [send(partition * 10 + n) for n in range(5)], partition=partition)
    stranger = foreign(topic, group)
    taken = 0
    while taken < 10:
        taken += sum(map(len, stranger.poll(timeout_ms=500).values()))
    stranger.commit()
    reader = read(topic, group=group)
    stranger.close()
    assert 10 == reader.commit(reader.receive(10)).inserted


def test_what_retention_took_is_counted_and_reading_goes_on(
    broker: Broker, read: Read, send: Send
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(n) for n in range(4)])
    reader = read(topic)
    reader.commit(reader.receive(4))
    reader.source.close()
    broker.put(topic, [send(n) for n in range(4, 10)])
    broker.admin.delete_records({TopicPartition(topic, 0): 8})
    late = read(topic)
    envelopes = late.receive(2)
    assert [send(8), send(9)] == [envelope.body for envelope in envelopes]
    assert 4 == late.source.condition.skipped
    late.commit(envelopes)
    assert {f"{topic}/0": 10} == late.offsets()


def test_retention_that_overtakes_a_reader_is_a_gap_too(
    broker: Broker, read: Read, send: Send
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(0)])
    reader = read(topic)
    reader.commit(reader.receive(1))
    partition = TopicPartition(topic, 0)
    reader.source._consumer.pause(partition)  # type: ignore[union-attr]  # as if it were slow
    broker.put(topic, [send(n) for n in range(1, 6)])
    broker.admin.delete_records({partition: 4})
    reader.source._consumer.resume(partition)  # type: ignore[union-attr]  # the same
    assert [send(4), send(5)] == [envelope.body for envelope in reader.receive(2)]
    assert 3 == reader.source.condition.skipped


def test_offsets_that_compaction_left_out_are_no_gap(
    broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    topic = broker.new_topic(
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms="100",
    )
    broker.put(topic, [send(n) for n in range(5)], key=b"same")
    broker.put(topic, [send(9)], key=b"other")
    reader = read(topic)
    first = reader.receive(1)
    reader.commit(first)
    reader.source.close()

    def is_compacted() -> bool:
        broker.put(topic, [send(9)], key=b"other")
        origins = [one.origin for one in read(topic, group=uuid.uuid4().hex).receive(1)]
        return origins != [f"kafka:{topic}/0@0"]

    eventually(is_compacted)
    late = read(topic)
    envelopes = late.receive(1)
    assert not envelopes[0].origin.endswith("@1")
    late.commit(envelopes)
    assert 0 == late.source.condition.skipped


def test_a_topic_made_anew_stands_still_and_others_go_on(
    broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    topic, other = broker.new_topic(), broker.new_topic()
    broker.put(topic, [send(n) for n in range(3)])
    reader = read(topic, other)
    reader.commit(reader.receive(3))
    reader.source.close()
    broker.delete(topic)
    broker.create(topic)
    broker.put(topic, [send(n) for n in range(10, 20)])
    broker.put(other, [send(99)])
    late = read(topic, other)
    assert [send(99)] == [envelope.body for envelope in late.receive(1)]
    assert f"{topic}/0: this is not the topic that was read before" in (
        late.source.condition.ailment
    )
    late.receive_nothing()
    anew = read(topic, group=uuid.uuid4().hex)
    assert send(10) == anew.receive(1)[0].body


def test_a_topic_made_anew_while_it_is_read_stands_still(
    broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(n) for n in range(3)])
    reader = read(topic)
    reader.commit(reader.receive(3))
    broker.delete(topic)
    broker.create(topic)
    broker.put(topic, [send(n) for n in range(10, 13)])

    def is_ill() -> bool:
        assert not reader.source.receive(limit=10, wait_secs=0.2)
        return "not the topic that was read before" in reader.source.condition.ailment

    eventually(is_ill)


def test_a_topic_that_disappears_is_named_and_others_go_on(
    broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    topic, other = broker.new_topic(), broker.new_topic()
    broker.put(topic, [send(1)])
    reader = read(topic, other)
    reader.commit(reader.receive(1))
    broker.delete(topic)

    def is_ill() -> bool:
        reader.source.receive(limit=10, wait_secs=0.2)
        return f"topic {topic} does not exist" == reader.source.condition.ailment

    eventually(is_ill)
    broker.put(other, [send(2)])
    assert [send(2)] == [envelope.body for envelope in reader.receive(1)]


def test_a_topic_that_is_gone_is_waited_for_at_rest(
    broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    """The library's producer asks for such a topic's leader without a pause, on a whole core."""
    topic = broker.new_topic()
    broker.put(topic, [send(1)])
    reader = read(topic)
    reader.commit(reader.receive(1))
    broker.delete(topic)

    def is_ill() -> bool:
        reader.source.receive(limit=10, wait_secs=0.2)
        return f"topic {topic} does not exist" == reader.source.condition.ailment

    def is_at_rest() -> bool:
        began, cpu_secs = time.monotonic(), time.process_time()
        reader.receive_nothing(polls=5)
        return time.process_time() - cpu_secs < 0.5 * (time.monotonic() - began)

    eventually(is_ill)
    eventually(is_at_rest)  # another thread of this process may be busy for a moment


def test_a_broker_that_stops_for_a_while_is_unavailable_and_then_read_on(
    started_broker: Broker, read: Read, send: Send, eventually: Eventually
) -> None:
    topic = started_broker.new_topic()
    started_broker.put(topic, [send(1)])
    reader = read(topic)
    reader.commit(reader.receive(1))
    started_broker.pause()
    faults: list[SourceError] = []

    def is_noticed() -> bool:
        try:
            reader.source.receive(limit=10, wait_secs=0.2)
        except SourceUnavailable as fault:
            faults.append(fault)
        return bool(faults)

    try:
        eventually(is_noticed)
    finally:
        started_broker.go_on()
    started_broker.put(topic, [send(2)])
    taken: list[Any] = []

    def is_back() -> bool:
        try:
            taken.extend(reader.source.receive(limit=10, wait_secs=0.2))
        except SourceUnavailable:
            return False
        return bool(taken)

    eventually(is_back)
    assert [send(2)] == [envelope.body for envelope in taken]
    assert 1 == reader.commit(taken).inserted


def test_sasl_lets_in_who_knows_the_password(
    started_broker: Broker, read: Read, send: Send
) -> None:
    assert started_broker.sasl_address is not None
    topic = started_broker.new_topic()
    started_broker.put(topic, [send(1)])
    known = {
        "bootstrap_servers": (started_broker.sasl_address,),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "duckpost",
    }
    access = KafkaAccess(**known, sasl_password="quack")  # type: ignore[arg-type]  # by keyword
    assert 1 == len(read(topic, access=access).receive(1))
    stranger = KafkaAccess(**known, sasl_password="canary-text")  # type: ignore[arg-type]  # same
    with pytest.raises(SourceError, match="PLAIN") as refused:
        probe_topics(stranger, [topic])
    assert "canary-text" not in f"{refused.value!r} {stranger!r}"


def test_a_probe_asks_for_topics_and_joins_no_group(broker: Broker) -> None:
    topic = broker.new_topic(partitions=3)
    [line] = probe_topics(broker.access(), [topic])
    assert f"topic {topic}: 3 partitions" in line
    with pytest.raises(SourceDenied, match="topic not-there does not exist"):
        probe_topics(broker.access(), [topic, "not-there"])


def test_no_broker_is_unavailable_and_leaves_no_thread_behind(
    monkeypatch: pytest.MonkeyPatch, read: Read
) -> None:
    monkeypatch.setattr(kafka_client, "CONNECT_MS", 500)
    nowhere = KafkaAccess(bootstrap_servers=("127.0.0.1:1",))
    before = threading.active_count()
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:1"):
        read("ses", access=nowhere).source.receive(limit=1, wait_secs=0)
    with pytest.raises(SourceUnavailable):
        probe_topics(nowhere, ["ses"])
    assert before == threading.active_count()


def test_positions_name_cluster_and_topic(broker: Broker, read: Read, send: Send) -> None:
    topic = broker.new_topic()
    broker.put(topic, [send(1)])
    reader = read(topic, group="named")
    reader.commit(reader.receive(1))
    about = json.loads(reader.warehouse.positions("kafka:named")[f"{topic}/0"])
    assert {"next_offset", "topic_id", "cluster_id"} == set(about)
    assert about["topic_id"] == str(broker.admin.describe_topics([topic])[0]["topic_id"])
