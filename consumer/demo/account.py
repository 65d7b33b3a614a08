"""What README and deploy/cloudformation.yaml make in AWS, made in an emulator by API calls.

Everything here may be called again: what is there already stays as it is.
"""

import json
from typing import Any, Final
from urllib.parse import urlsplit

import boto3

from consumer.errors import UsageError

REGION: Final = "us-east-1"
_RETENTION_SECS: Final = 1_209_600
_MAX_RECEIVES: Final = 20


class Account:
    """An emulated AWS account, reached at one address for every service.

    Args:
        endpoint_url: the emulator's.

    Raises `UsageError` for an address of AWS itself: simulated mail has no business there.
    """

    def __init__(self, endpoint_url: str) -> None:
        host = urlsplit(endpoint_url).hostname or ""
        if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
            raise UsageError(f"{endpoint_url} is AWS itself; simulated events go to emulators only")
        self._endpoint_url = endpoint_url
        # Never the user's own: an emulator asks for none and logs what it gets.
        self._session = boto3.Session("demo", "demo", region_name=REGION)

    def open_client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
        """Return boto3's client of a service."""
        return self._session.client(service, endpoint_url=self._endpoint_url)  # type: ignore[call-overload]  # by a name not known here

    def make_queue(self, name: str) -> str:
        """Make a queue and its dead-letter queue; returns the queue's URL."""
        sqs = self.open_client("sqs")
        dead = _make_queue(sqs, f"{name}-dead", {})
        redrive = {"deadLetterTargetArn": read_arn(sqs, dead), "maxReceiveCount": _MAX_RECEIVES}
        return _make_queue(sqs, name, {"RedrivePolicy": json.dumps(redrive)})

    def make_topic(self, name: str, queue_url: str) -> str:
        """Make a topic that the queue is subscribed to; returns its ARN."""
        sns = self.open_client("sns")
        topic: str = sns.create_topic(Name=name)["TopicArn"]
        queue_arn = read_arn(self.open_client("sqs"), queue_url)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
        return topic

    def make_stream(self, name: str, bucket: str, queue_url: str) -> str:
        """Make a bucket that sends its notices to the queue, and a stream to it; returns its name.

        Raises botocore's `ClientError` when the bucket is somebody else's.
        """
        s3 = self.open_client("s3")
        s3.create_bucket(Bucket=bucket)
        notices = {
            "QueueConfigurations": [
                {
                    "QueueArn": read_arn(self.open_client("sqs"), queue_url),
                    "Events": ["s3:ObjectCreated:*"],
                }
            ]
        }
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notices)
        firehose = self.open_client("firehose")
        if name not in firehose.list_delivery_streams()["DeliveryStreamNames"]:
            firehose.create_delivery_stream(
                DeliveryStreamName=name,
                ExtendedS3DestinationConfiguration={
                    "RoleARN": "arn:aws:iam::123456789012:role/firehose",
                    "BucketARN": f"arn:aws:s3:::{bucket}",
                },
            )
        return name


def read_arn(sqs: Any, queue_url: str) -> str:  # noqa: ANN401 - a client of boto3, as above
    """Ask a queue for its ARN."""
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


def _make_queue(sqs: Any, name: str, attributes: dict[str, str]) -> str:  # noqa: ANN401 - the same
    attributes = {"MessageRetentionPeriod": str(_RETENTION_SECS), **attributes}
    url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url
