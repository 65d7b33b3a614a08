"""SQS over botocore's credentials, signer and HTTP session, without its serialisers and parsers.

boto3 spends about 550 µs of CPU a message on receive and batch delete, most of it in walking the
service model. SQS's JSON 1.0 protocol needs none of that: a request is one JSON object, so is the
answer (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
sqs-making-api-requests-json.html). What people rely on stays botocore's own: where credentials,
region and endpoint come from, how credentials refresh, SigV4, proxies, CA bundles, connection
pools, exceptions. Retries follow its standard mode (boto3's guide, "Retries").
"""

import hashlib
import itertools
import json
import os
import random
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from consumer.errors import SourceUnavailable
from consumer.sources.aws import AwsAccess, open_session
from consumer.sources.aws_faults import translate

MAX_BATCH_ENTRIES = 10
MAX_WAIT_SECS = 20

_ATTEMPTS = 3
_BACK_OFF_CEILING_SECS = 20.0
_CONNECT_TIMEOUT_SECS = 10
_READ_TIMEOUT_SECS = 60  # botocore's default, and well past a long poll of 20 s
_QUEUE_URL_REGION = re.compile(
    r"^https?://(?:sqs(?:-fips)?\.([a-z0-9-]+)\.|([a-z0-9-]+)\.queue\.)", re.ASCII
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SqsMessage:
    """One message as ReceiveMessage gave it; ``sent_at_ms`` is milliseconds since 1970."""

    message_id: str
    handle: str
    body: bytes
    receive_count: int
    sent_at_ms: int


@dataclass(frozen=True, slots=True)
class FailedEntry:
    """What a batch call says of one of its entries: its position, and why it was not done."""

    position: int
    code: str
    message: str
    is_sender_fault: bool


def find_region(queue_url: str) -> str | None:
    """Read the region out of a queue URL of AWS's own form, old or new; None of any other."""
    found = _QUEUE_URL_REGION.match(queue_url)
    return (found[1] or found[2]) if found else None


class SqsClient:
    """The few calls that a source needs, each a signed POST. Threads may share it.

    Opens no connection until the first call. Every method raises `SourceUnavailable` after its
    retries, or `SourceDenied` at once, and nothing else.

    Args:
        access: account, region, endpoint.
        queue: URL or name; a URL of AWS's form also tells the region.
        pause: called with seconds between retries; a source hands in one that ends early when
            it is closed.
        connections: kept open at the same time, at least one for each thread.

    Raises:
        SourceDenied: there are no credentials, no region, no such profile.
    """

    def __init__(
        self,
        access: AwsAccess,
        queue: str,
        *,
        pause: Callable[[float], object] = time.sleep,
        connections: int = 10,
    ) -> None:
        self._pause = pause
        is_url = queue.startswith(("https://", "http://"))
        try:
            session = open_session(access, region=find_region(queue) if is_url else None)
            # botocore's own client only to resolve the endpoint: its rules (FIPS, dual stack,
            # AWS_ENDPOINT_URL_SQS, partitions) are nothing to write a second time.
            model = session.create_client("sqs", endpoint_url=access.endpoint_url)
            credentials = session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            bundle = session.get_config_variable("ca_bundle") or os.environ.get(
                "REQUESTS_CA_BUNDLE"
            )
            self.endpoint_url: str = model.meta.endpoint_url.rstrip("/") + "/"
            self.region: str = model.meta.region_name
            # The stubs know neither a bundle's path, nor the pair of timeouts, nor options.
            options: dict[str, Any] = {
                "verify": bundle or True,
                "timeout": (_CONNECT_TIMEOUT_SECS, _READ_TIMEOUT_SECS),
                # Headers and body leave in two writes: without this each call waits 40 ms for
                # the other side's delayed ACK.
                "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            }
            self._http = URLLib3Session(
                proxies=get_environ_proxies(self.endpoint_url),
                max_pool_connections=connections,
                **options,
            )
        except BotoCoreError as error:
            raise translate(error, f"opening the queue {queue}") from error
        self._credentials = credentials
        self.queue_name = queue.rstrip("/").rpartition("/")[2]
        self._queue_url = queue if is_url else None

    @property
    def queue_url(self) -> str:
        """The queue's URL; of a queue known by its name, asked for once (GetQueueUrl)."""
        if self._queue_url is None:
            answer = self.call("GetQueueUrl", {"QueueName": self.queue_name})
            self._queue_url = str(answer["QueueUrl"])
        return self._queue_url

    def receive(
        self, *, limit: int = MAX_BATCH_ENTRIES, wait_secs: float = 0, visibility_secs: int
    ) -> list[SqsMessage]:
        """Take up to ``limit`` messages, waiting up to ``wait_secs`` for the first.

        A message whose body does not match its MD5 is left for redelivery.
        """
        answer = self._call_queue(
            "ReceiveMessage",
            {
                "MaxNumberOfMessages": min(limit, MAX_BATCH_ENTRIES),
                "WaitTimeSeconds": int(min(wait_secs, MAX_WAIT_SECS)),
                "VisibilityTimeout": visibility_secs,
                "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
            },
        )
        try:
            read = [_read_message(received) for received in answer.get("Messages") or ()]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SourceUnavailable(
                f"ReceiveMessage on {self.queue_name}: {self.endpoint_url} does not answer as SQS "
                f"does ({error!r}); check the endpoint"
            ) from error
        return [message for message in read if message is not None]

    def delete(self, handles: Sequence[str]) -> list[FailedEntry]:
        """Delete up to ten messages; return those that SQS says it could not, by position."""
        # Ids by position: a receive may hold one message twice, and ids must differ.
        entries = [
            {"Id": str(position), "ReceiptHandle": handle}
            for position, handle in enumerate(handles)
        ]
        answer = self._call_queue("DeleteMessageBatch", {"Entries": entries})
        return _read_failed(answer)

    def change_visibility(self, changes: Sequence[tuple[str, int]]) -> list[FailedEntry]:
        """Hide up to ten messages, each for its seconds from now; return what failed."""
        entries = [
            {"Id": str(position), "ReceiptHandle": handle, "VisibilityTimeout": visibility_secs}
            for position, (handle, visibility_secs) in enumerate(changes)
        ]
        answer = self._call_queue("ChangeMessageVisibilityBatch", {"Entries": entries})
        return _read_failed(answer)

    def read_attributes(self) -> dict[str, str]:
        """Ask for everything the queue says about itself (GetQueueAttributes)."""
        answer = self._call_queue("GetQueueAttributes", {"AttributeNames": ["All"]})
        return dict(answer.get("Attributes", {}))

    def close(self) -> None:
        """Close idle connections; calls under way end as they may."""
        self._http.close()

    def _call_queue(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self.call(action, {"QueueUrl": self.queue_url, **parameters})

    def call(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Do one action of the API, retried as botocore's standard mode does; return its answer."""
        body = json.dumps(parameters).encode()
        for attempt in itertools.count(1):
            try:
                return self._send(action, body)
            except (BotoCoreError, ClientError) as error:
                fault = translate(error, f"{action} on {self.queue_name}")
                if attempt == _ATTEMPTS or not fault.retryable:
                    raise fault from error
            jittered_secs = random.random() * 2 ** (attempt - 1)  # noqa: S311 - spreads clients
            self._pause(min(jittered_secs, _BACK_OFF_CEILING_SECS))
        raise AssertionError("unreachable")  # pragma: no cover - the loop returns or raises

    def _send(self, action: str, body: bytes) -> dict[str, Any]:
        request = AWSRequest(
            method="POST",
            url=self.endpoint_url,
            data=body,
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": f"AmazonSQS.{action}",
                "User-Agent": "duckpost",
            },
        )
        # Frozen for each request: key and secret must be of one refresh.
        credentials = self._credentials.get_frozen_credentials()
        SigV4Auth(credentials, "sqs", self.region).add_auth(request)
        response = self._http.send(request.prepare())
        try:
            answer = json.loads(response.content or b"{}")
        except ValueError:
            answer = None
        if response.status_code != HTTPStatus.OK:
            raise _read_refusal(action, response.status_code, answer)
        if not isinstance(answer, dict):
            # A captive portal, or an address that is no SQS at all.
            raise HTTPClientError(error="the answer is not JSON")
        return answer


def _read_refusal(action: str, status: int, answer: object) -> ClientError:
    said: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    error: Any = {  # the stub wants every key that boto3 would fill in
        "Error": {
            # "com.amazonaws.sqs#QueueDoesNotExist"
            "Code": str(said.get("__type") or status),
            "Message": str(said.get("message") or said.get("Message") or ""),
        },
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(error, action)


def _read_message(received: Mapping[str, Any]) -> SqsMessage | None:
    # A lone surrogate has no place in UTF-8, but is not ours to refuse: decode judges.
    body = received["Body"].encode(errors="surrogatepass")
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != received["MD5OfBody"]:
        _log.warning("sqs_body_differs_from_its_md5", message_id=received["MessageId"])
        return None
    attributes = received.get("Attributes") or {}
    return SqsMessage(
        message_id=received["MessageId"],
        handle=received["ReceiptHandle"],
        body=body,
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        sent_at_ms=int(attributes.get("SentTimestamp", 0)),
    )


def _read_failed(answer: Mapping[str, Any]) -> list[FailedEntry]:
    return [
        FailedEntry(
            position=int(failed["Id"]),
            code=str(failed.get("Code", "Unknown")),
            message=str(failed.get("Message", "")),
            is_sender_fault=bool(failed.get("SenderFault", False)),
        )
        for failed in answer.get("Failed") or ()
    ]
