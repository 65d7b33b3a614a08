"""Simulated SES events into a topic of Kafka: what the profile `kafka` of compose is fed by.

    python -m consumer.demo.publish_kafka --bootstrap-servers 127.0.0.1:9092 --topic ses

SES has no way into Kafka of its own; the values are events as a bridge from SNS with raw delivery
would put them there.
"""

import json
from datetime import UTC, datetime
from typing import Any

import click
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumer.demo.publish import add_up, publish
from consumer.demo.traffic.events import Event

_FLUSH_SECS = 30.0
_UNCHECKED_RECORDS = 1_000


class RecordWay:
    """Records of one topic, spread over its partitions."""

    def __init__(self, producer: KafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._sent: list[Any] = []  # futures, of a class that kafka-python does not type

    def put(self, event: Event, text: str, *, is_notification: bool) -> None:  # noqa: ARG002 - a Way's signature
        """Hand the record to the producer, which sends it from a thread of its own."""
        self._sent.append(self._producer.send(self._topic, text.encode()))
        if len(self._sent) >= _UNCHECKED_RECORDS:
            self.flush()

    def flush(self) -> None:
        """Wait for the brokers to have what was put. Raises `KafkaError` when they don't."""
        self._producer.flush(timeout=_FLUSH_SECS)
        sent, self._sent = self._sent, []
        for record in sent:
            record.get(timeout=_FLUSH_SECS)


@click.command()
@click.option("--bootstrap-servers", required=True, help="Brokers, as host:port,host:port.")
@click.option("--topic", required=True, help="A topic that is there.")
@click.option("--messages", default=10_000, type=click.IntRange(min=0), show_default=True,
              help="E-mails to simulate.")  # fmt: skip
@click.option("--per-sec", default=0.0, type=click.FloatRange(min=0), show_default=True,
              help="E-mails a second; 0 is as fast as they are taken.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="The same seed, the same traffic.")
def main(bootstrap_servers: str, topic: str, messages: int, per_sec: float, seed: int) -> None:
    """Send simulated SES events to Kafka, and say what was sent."""
    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap_servers.split(","), acks="all", compression_type="gzip"
        )
        try:
            truth = publish(
                [RecordWay(producer, topic)],
                messages=messages,
                per_sec=per_sec,
                seed=seed,
                now=datetime.now(UTC),
            )
        finally:
            producer.close(timeout=_FLUSH_SECS)
    except KafkaError as error:
        raise click.ClickException(f"publishing to {bootstrap_servers}: {error}") from error
    click.echo(json.dumps({"event": "published", "topic": topic, **add_up(truth)}))


if __name__ == "__main__":
    main()
