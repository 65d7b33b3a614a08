"""What `duckpost check` asks of a queue: everything but a message."""

import json
from dataclasses import dataclass

from consumer.errors import SourceDenied
from consumer.sources.aws import AwsAccess
from consumer.sources.sqs_client import SqsClient

# An hour of outage at the source's own back-off: 5 s doubling to 15 minutes.
_RECEIVES_AN_HOUR = 11


@dataclass(frozen=True, slots=True)
class QueueReport:
    """What a queue says of itself.

    Attributes:
        url: the queue's.
        region: the one it was asked in.
        waiting: messages to be received, about.
        in_flight: messages received by somebody and not deleted, about.
        visibility_secs: the queue's default; a source sets its own with each receive.
        retention_secs: how long a message waits before SQS throws it away.
        dead_letter_arn: of the queue for messages received too often, if there is one.
        max_receives: after how many receives they go there.
    """

    url: str
    region: str
    waiting: int
    in_flight: int
    visibility_secs: int
    retention_secs: int
    dead_letter_arn: str | None
    max_receives: int | None

    def describe(self) -> list[str]:
        """Say it in lines for a person, the warnings last."""
        lines = [
            f"queue {self.url} in {self.region}",
            f"about {self.waiting} messages waiting, {self.in_flight} in flight",
            # Even at visibility 0 a receive would count towards the dead-letter limit.
            "permission to receive, delete and hide: not tried, it would consume messages",
        ]
        if self.dead_letter_arn is None:
            lines.append(
                "no dead-letter queue: fine for duckpost, which quarantines what it cannot read"
            )
        elif self.max_receives is not None and self.max_receives < _RECEIVES_AN_HOUR:
            lines.append(
                f"messages go to {self.dead_letter_arn} after {self.max_receives} receives: a "
                "warehouse that is down for an hour costs about eleven, so allow more"
            )
        return lines


def probe_queue(access: AwsAccess, queue: str) -> QueueReport:
    """Ask the queue about itself (GetQueueAttributes), consuming nothing.

    Raises `SourceUnavailable` or `SourceDenied` with what to do about it.
    """
    client = SqsClient(access, queue)
    try:
        attributes = client.read_attributes()
        redrive = _read_redrive(attributes.get("RedrivePolicy", ""))
        return QueueReport(
            url=client.queue_url,
            region=client.region,
            waiting=int(attributes.get("ApproximateNumberOfMessages", 0)),
            in_flight=int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
            visibility_secs=int(attributes.get("VisibilityTimeout", 30)),
            retention_secs=int(attributes.get("MessageRetentionPeriod", 345_600)),
            dead_letter_arn=redrive.get("deadLetterTargetArn"),
            max_receives=int(redrive["maxReceiveCount"]) if "maxReceiveCount" in redrive else None,
        )
    finally:
        client.close()


def _read_redrive(policy: str) -> dict[str, str]:
    try:
        redrive = json.loads(policy or "{}")
    except ValueError as error:
        raise SourceDenied(f"the queue's RedrivePolicy is not JSON: {error}") from error
    return {str(name): str(value) for name, value in redrive.items()}
