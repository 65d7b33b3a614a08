"""The feeder of compose's profile `kafka`: nothing counts as sent that a broker refused.

Against a real broker it is `docker compose --profile kafka up` that tries it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from kafka.errors import MessageSizeTooLargeError

from consumer.demo.publish import publish
from consumer.demo.publish_kafka import RecordWay

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


@dataclass
class Record:
    """A producer's future, settled by `Producer.flush` alone."""

    value: bytes
    is_refused: bool
    is_settled: bool = False

    def get(self, timeout: float) -> None:
        assert self.is_settled
        if self.is_refused:
            raise MessageSizeTooLargeError("too large")


@dataclass
class Producer:
    """Sends nothing before `flush`, and refuses the record of the given number."""

    refused: int = -1
    records: list[Record] = field(default_factory=list)

    def send(self, topic: str, value: bytes) -> Record:
        assert topic == "ses"
        self.records.append(Record(value, is_refused=len(self.records) == self.refused))
        return self.records[-1]

    def flush(self, timeout: float) -> None:
        for record in self.records:
            record.is_settled = True


def test_every_event_is_a_record_and_settled_in_the_end() -> None:
    producer = Producer()
    truth = publish([RecordWay(producer, "ses")], messages=900, per_sec=0, seed=1, now=NOW)
    assert truth.pipeline.payloads == len(producer.records)
    assert len(producer.records) > 1_000
    assert all(record.is_settled for record in producer.records)


def test_a_record_that_is_refused_is_a_fault() -> None:
    way = RecordWay(Producer(refused=7), "ses")
    with pytest.raises(MessageSizeTooLargeError):
        publish([way], messages=20, per_sec=0, seed=1, now=NOW)
