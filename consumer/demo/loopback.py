"""A small SQS on loopback: the demo's transport, and the queue the tests are run against.

It speaks the AWS JSON 1.0 protocol (docs.aws.amazon.com/AWSSimpleQueueService/latest/
SQSDeveloperGuide/sqs-making-api-requests-json.html) well enough for boto3, with signatures
unchecked. Its queues keep the promises of `consumer.demo.loopback_messages`.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from consumer.demo.loopback_http import LoopbackServer
from consumer.demo.loopback_messages import (
    DEFAULT_VISIBILITY_SECS,
    Depth,
    LoopbackMessages,
    Message,
    QueueFault,
)

ACCOUNT = "000000000000"
REGION = "us-east-1"
MAX_BATCH_ENTRIES = 10
MAX_MESSAGE_BYTES = 1_048_576
MAX_WAIT_SECS = 20

_Call = Callable[[dict[str, Any]], dict[str, Any]]

_SYSTEM_ATTRIBUTES: dict[str, Callable[[Message], str]] = {
    "ApproximateReceiveCount": lambda message: str(message.receive_count),
    "ApproximateFirstReceiveTimestamp": lambda message: str(message.first_received_ms),
    "SentTimestamp": lambda message: str(message.sent_ms),
    "SenderId": lambda _: "AIDAEXAMPLE",
}


@dataclass(slots=True)
class _Injection:
    """A fault a test asked for: of whole calls, or of entries of a batch by position."""

    fault: QueueFault
    remaining: int
    entries: frozenset[int] | None


class LoopbackQueue:
    """An SQS server on a free port of loopback with one queue to begin with.

    A context manager: serving starts on entry and ends on exit. `CreateQueue` adds queues.

    Args:
        name: of the first queue.
        visibility_secs: its default visibility timeout.
        clock: seconds; a test hands in its own to let visibility expire without waiting, and
            calls `queue.wake` after moving it.
        wall_ms: milliseconds since 1970; what messages are stamped with when sent.

    Attributes:
        queue: the first queue's messages, for a look inside without HTTP.
        requests: calls so far by action (``ReceiveMessage``), failed ones included.
    """

    def __init__(
        self,
        name: str = "ses-events",
        *,
        visibility_secs: float = DEFAULT_VISIBILITY_SECS,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.requests: Counter[str] = Counter()
        self._clock = clock
        self._wall_ms = wall_ms
        self._queues: dict[str, LoopbackMessages] = {}
        self._injections: dict[str, deque[_Injection]] = {}
        self._lock = threading.Lock()
        self._server = LoopbackServer(self.answer)
        self._calls: dict[str, _Call] = {
            "CreateQueue": self._create_queue,
            "GetQueueUrl": self._get_queue_url,
            "GetQueueAttributes": self._get_queue_attributes,
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_message_batch,
            "ReceiveMessage": self._receive_message,
            "DeleteMessage": self._delete_message,
            "DeleteMessageBatch": self._delete_message_batch,
            "ChangeMessageVisibility": self._change_visibility,
            "ChangeMessageVisibilityBatch": self._change_visibility_batch,
        }
        self.queue = self._add_queue(name, {"VisibilityTimeout": f"{visibility_secs:g}"})

    @property
    def endpoint_url(self) -> str:
        """What a client takes as ``endpoint_url``."""
        return self._server.endpoint_url

    @property
    def url(self) -> str:
        """The first queue's URL."""
        return self._url_of(self.queue.name)

    def send(self, bodies: Iterable[str]) -> None:
        """Put messages into the first queue directly, without HTTP."""
        self.queue.send(list(bodies))

    def depth(self) -> Depth:
        """Count the first queue's visible, in-flight and delayed messages."""
        return self.queue.depth()

    def fail(
        self,
        action: str,
        code: str = "ServiceUnavailable",
        *,
        status: int = HTTPStatus.SERVICE_UNAVAILABLE,
        times: int = 1,
        entries: Iterable[int] | None = None,
    ) -> None:
        """Make the next ``times`` calls of ``action`` fail, or entries of its batches.

        With ``entries`` (positions in the batch) the call answers 200 and names these in
        ``Failed``, as SQS does, with the others done.
        """
        chosen = None if entries is None else frozenset(entries)
        fault = QueueFault(code, f"{code}, as a test asked for.", status=status)
        with self._lock:
            self._injections.setdefault(action, deque()).append(_Injection(fault, times, chosen))

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and hang up on every client, long polls included."""
        self._server.stop()

    def answer(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        """Do one API call; raises `QueueFault` for what SQS would refuse."""
        call = self._calls.get(action)
        if call is None:
            raise QueueFault("InvalidAction", f"The action {action} is not served here.")
        injected = self._count_and_inject(action)
        if injected is None:
            return call(request)
        if injected.entries is None:
            raise injected.fault
        return _fail_entries(call, request, injected)

    def _count_and_inject(self, action: str) -> _Injection | None:
        with self._lock:
            self.requests[action] += 1
            waiting = self._injections.get(action)
            if not waiting:
                return None
            injection = waiting[0]
            injection.remaining -= 1
            if injection.remaining <= 0:
                waiting.popleft()
            return injection

    def _add_queue(self, name: str, attributes: dict[str, str]) -> LoopbackMessages:
        messages = LoopbackMessages(
            name=name,
            visibility_secs=float(attributes.get("VisibilityTimeout", DEFAULT_VISIBILITY_SECS)),
            clock=self._clock,
            wall_ms=self._wall_ms,
            attributes=attributes,
        )
        return self._queues.setdefault(name, messages)

    def _url_of(self, name: str) -> str:
        return f"{self.endpoint_url}/{ACCOUNT}/{name}"

    def _named(self, name: str) -> LoopbackMessages:
        queue = self._queues.get(name)
        if queue is None:
            raise QueueFault(
                "QueueDoesNotExist",
                "The specified queue does not exist.",
                query_code="AWS.SimpleQueueService.NonExistentQueue",
            )
        return queue

    def _queue_of(self, request: dict[str, Any]) -> LoopbackMessages:
        return self._named(str(request["QueueUrl"]).rpartition("/")[2])

    # One method an action, named after it.

    def _create_queue(self, request: dict[str, Any]) -> dict[str, Any]:
        queue = self._add_queue(request["QueueName"], dict(request.get("Attributes", {})))
        return {"QueueUrl": self._url_of(queue.name)}

    def _get_queue_url(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"QueueUrl": self._url_of(self._named(request["QueueName"]).name)}

    def _get_queue_attributes(self, request: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue_of(request)
        depth = queue.depth()
        known = {
            **queue.attributes,
            "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.name}",
            "VisibilityTimeout": f"{queue.visibility_secs:g}",
            "ApproximateNumberOfMessages": str(depth.visible),
            "ApproximateNumberOfMessagesNotVisible": str(depth.in_flight),
            "ApproximateNumberOfMessagesDelayed": str(depth.delayed),
        }
        wanted = request.get("AttributeNames", [])
        return {
            "Attributes": {
                name: value for name, value in known.items() if "All" in wanted or name in wanted
            }
        }

    def _send_message(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._send_one(self._queue_of(request), request)

    def _send_message_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue_of(request)
        return _each_entry(request, lambda entry: self._send_one(queue, entry))

    def _send_one(self, queue: LoopbackMessages, entry: dict[str, Any]) -> dict[str, Any]:
        body = entry["MessageBody"]
        if not 0 < len(body.encode()) <= MAX_MESSAGE_BYTES:
            raise QueueFault("InvalidParameterValue", "One byte to 1 MiB are allowed.")
        [message] = queue.send([body], delay_secs=float(entry.get("DelaySeconds", 0)))
        return {"MessageId": message.message_id, "MD5OfMessageBody": message.md5}

    def _receive_message(self, request: dict[str, Any]) -> dict[str, Any]:
        limit = int(request.get("MaxNumberOfMessages", 1))
        wait_secs = float(request.get("WaitTimeSeconds", 0))
        if not 1 <= limit <= MAX_BATCH_ENTRIES:
            raise QueueFault(
                "InvalidParameterValue", "MaxNumberOfMessages must be between 1 and 10."
            )
        if not 0 <= wait_secs <= MAX_WAIT_SECS:
            raise QueueFault("InvalidParameterValue", "WaitTimeSeconds must be between 0 and 20.")
        wanted = request.get("MessageSystemAttributeNames") or request.get("AttributeNames") or []
        attributes = {
            name: read
            for name, read in _SYSTEM_ATTRIBUTES.items()
            if "All" in wanted or name in wanted
        }
        messages = self._queue_of(request).receive(
            limit=limit, wait_secs=wait_secs, visibility_secs=request.get("VisibilityTimeout")
        )
        if not messages:
            return {}  # an empty response has no Messages key
        return {"Messages": [_to_received(message, attributes) for message in messages]}

    def _delete_message(self, request: dict[str, Any]) -> dict[str, Any]:
        self._queue_of(request).delete(request["ReceiptHandle"])
        return {}

    def _delete_message_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue_of(request)
        return _each_entry(request, lambda entry: queue.delete(entry["ReceiptHandle"]))

    def _change_visibility(self, request: dict[str, Any]) -> dict[str, Any]:
        self._change_one(self._queue_of(request), request)
        return {}

    def _change_visibility_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue_of(request)
        return _each_entry(request, lambda entry: self._change_one(queue, entry))

    def _change_one(self, queue: LoopbackMessages, entry: dict[str, Any]) -> None:
        queue.change_visibility(entry["ReceiptHandle"], float(entry["VisibilityTimeout"]))


def _to_received(
    message: Message, attributes: dict[str, Callable[[Message], str]]
) -> dict[str, Any]:
    received: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": message.md5,
        "Body": message.body,
    }
    if attributes:
        received["Attributes"] = {name: read(message) for name, read in attributes.items()}
    return received


def _each_entry(
    request: dict[str, Any], act: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> dict[str, Any]:
    """Do a batch entry by entry: 200 for the whole, each refusal in ``Failed``."""
    entries = request["Entries"]
    if not entries:
        raise QueueFault("EmptyBatchRequest", "There should be at least one entry.")
    if len(entries) > MAX_BATCH_ENTRIES:
        raise QueueFault("TooManyEntriesInBatchRequest", "At most 10 entries are allowed.")
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise QueueFault("BatchEntryIdsNotDistinct", "Two entries have the same Id.")
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **(act(entry) or {})})
        except QueueFault as fault:
            failed.append(_to_failed(entry, fault))
    return {"Successful": successful, **({"Failed": failed} if failed else {})}


def _fail_entries(call: _Call, request: dict[str, Any], injected: _Injection) -> dict[str, Any]:
    """Do a batch without the entries that were to fail, and name those as failed."""
    spared: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for position, entry in enumerate(request["Entries"]):
        if position in (injected.entries or ()):
            failed.append(_to_failed(entry, injected.fault))
        else:
            spared.append(entry)
    answer = call({**request, "Entries": spared}) if spared else {"Successful": []}
    return {**answer, "Failed": [*answer.get("Failed", []), *failed]}


def _to_failed(entry: dict[str, Any], fault: QueueFault) -> dict[str, Any]:
    return {
        "Id": entry["Id"],
        "Code": fault.code,
        "Message": fault.message,
        "SenderFault": fault.is_sender_fault,
    }
