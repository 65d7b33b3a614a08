"""Starting on a backup: Kafka is read on from the offsets in the copy, whatever the broker kept."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.sources.kafka import KafkaOptions, KafkaSource
from consumer.warehouse import Warehouse, open_warehouse
from consumer.warehouse.backup import back_up
from consumer.warehouse.recount import verify

if TYPE_CHECKING:
    from kafka_broker import Broker
    from tests.sources.kafka.conftest import Reader


def test_what_was_committed_after_the_copy_is_read_again_and_nothing_else(
    broker: "Broker",
    read: Callable[..., "Reader"],
    warehouse: Warehouse,
    send: Callable[[int], bytes],
    tmp_path: Path,
) -> None:
    topic, group = broker.new_topic(), f"restore-{uuid.uuid4().hex[:8]}"
    reader = read(topic, group=group)
    broker.put(topic, [send(number) for number in range(10)])
    reader.commit(reader.receive(10))
    back_up(warehouse, tmp_path / "copy")
    broker.put(topic, [send(number) for number in range(10, 20)])
    reader.commit(reader.receive(10))  # the broker's own offset is past these too
    reader.source.close()
    broker.put(topic, [send(number) for number in range(20, 30)])

    with open_warehouse(tmp_path / "copy" / warehouse.path.name, warehouse.options) as copy:
        options = KafkaOptions(
            access=broker.access(), topics=(topic,), group=group, session_secs=1.0
        )
        source = KafkaSource(options)
        source.follow(copy.positions)
        again = type(reader)(source, copy, copy.new_builder(source.name))
        try:
            envelopes = again.receive(20)
            result = again.commit(envelopes)
            again.receive_nothing()
        finally:
            source.close()

        assert [send(number) for number in range(10, 30)] == [one.body for one in envelopes]
        assert (20, 0) == (result.inserted, result.duplicates)
        assert {f"{topic}/0": 30} == again.offsets()
        assert [] == [one.check for one in verify(copy) if not one.is_well]
