"""From messages to envelopes: a message is one, or one for each S3 object that it announces."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import structlog
from botocore.exceptions import BotoCoreError

from consumer.envelope import Envelope
from consumer.sources.aws import AwsAccess, open_session
from consumer.sources.aws_faults import translate
from consumer.sources.s3 import S3Body
from consumer.sources.s3_notice import AnnouncedObject, find_objects
from consumer.sources.sqs_client import SqsMessage
from consumer.sources.sqs_holdings import Held, Receipt

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class EnvelopeMaker:
    """Makes the envelopes of one queue.

    Attributes:
        origin: of envelopes that are a message: ``sqs:ses-events``.
        region: the queue's.
        access: for the S3 client, which opens with the first object read.
        buckets: those whose notices are followed; empty for all.
        gone_after: how long after its notice a missing object is waited for.
        clock: the time now, aware.
    """

    origin: str
    region: str
    access: AwsAccess
    buckets: frozenset[str]
    gone_after: timedelta
    clock: Callable[[], datetime]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _client: "S3Client | None" = None

    def make(self, taken: Sequence[tuple[Held, SqsMessage]]) -> list[Envelope]:
        """Make the envelopes of messages received together.

        An object that several of them announce is one envelope, whose ack counts for each.
        """
        received_at = self.clock()
        envelopes: list[Envelope] = []
        shares: dict[AnnouncedObject, list[tuple[Held, int]]] = {}
        bodies: dict[AnnouncedObject, S3Body] = {}
        for held, message in taken:
            objects = [found for found in find_objects(message.body) if self._may_read(found)]
            if not objects:
                receipt = Receipt(((held, 0),))
                envelopes.append(
                    Envelope(message.body, receipt, self.origin, received_at, self.region)
                )
                continue
            held.open_parts = set(range(len(objects)))
            for part, found in enumerate(objects):
                shares.setdefault(found, []).append((held, part))
                bodies[found] = self._make_body(found, message)
        envelopes.extend(
            Envelope(body, Receipt(tuple(shares[found])), body.origin, received_at, self.region)
            for found, body in bodies.items()
        )
        return envelopes

    def _may_read(self, found: AnnouncedObject) -> bool:
        is_ours = not self.buckets or found.bucket in self.buckets
        if not is_ours:
            _log.warning("s3_notice_of_a_foreign_bucket", origin=self.origin, bucket=found.bucket)
        return is_ours

    def _make_body(self, found: AnnouncedObject, message: SqsMessage) -> S3Body:
        sent_at = datetime.fromtimestamp(message.sent_at_ms / 1000, UTC)
        return S3Body(
            open_client=self._open_client,
            bucket=found.bucket,
            key=found.key,
            version_id=found.version_id,
            notice=message.body,
            give_up_at=sent_at + self.gone_after,
            clock=self.clock,
        )

    def _open_client(self) -> "S3Client":
        with self._lock:
            if self._client is None:
                try:
                    session = boto3.Session(
                        botocore_session=open_session(self.access, region=self.region)
                    )
                    self._client = session.client("s3", endpoint_url=self.access.s3_endpoint_url)
                except BotoCoreError as error:
                    raise translate(error, "opening S3") from error
            return self._client
