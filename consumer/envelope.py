"""The unit a transport delivers and settles: what comes in, byte for byte."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Body(Protocol):
    """A body too large to hold: an S3 object or a file of a hundred thousand events."""

    def chunks(self) -> Iterator[bytes]:
        """Stream the bytes as stored (still compressed), from the start, in bounded pieces.

        May be called again after a failure and then starts anew. Raises `SourceError` when the
        transport fails half-way: what was decoded before stays good, the envelope is nacked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Bundle:
    """A `Body` of payloads that are settled together and decoded apart: one Firehose request's.

    A bad one spoils no other, and the archive keeps each without what it was wrapped in.
    """

    payloads: Sequence[bytes]

    def chunks(self) -> Iterator[bytes]:
        """Give the payloads, a line each."""
        return (payload + b"\n" for payload in self.payloads)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One acknowledgeable unit: an SQS message, a Kafka record, an S3 object, one HTTP request.

    Attributes:
        body: the bytes as delivered, or a `Body` that streams them.
        receipt: opaque; only the source that made it looks inside.
        origin: where it came from, as a person would write it: ``sqs:ses-events``,
            ``s3://bucket/key``, ``file:/data/2026/11/22/part-1.gz``.
        received_at: when duckpost got it, aware, UTC.
        region: AWS region of the transport, where its source knows it (a queue's ARN).
        account: AWS account that the operator says its events are of (a Firehose stream's common
            attribute), for those that name none. Never the owner of a queue, topic or stream:
            that may be another than the sender.
    """

    body: bytes | Body
    receipt: object
    origin: str
    received_at: datetime
    region: str | None = None
    account: str | None = None
