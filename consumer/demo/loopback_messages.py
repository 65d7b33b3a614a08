"""SQS's promises in memory: visibility, receipt handles, redelivery. No network in here.

The rules are those of the SQS developer guide and API reference (docs.aws.amazon.com/
AWSSimpleQueueService/latest), taken at their harshest: where AWS says that a stale receipt handle
"might not" delete, it does not.
"""

import hashlib
import heapq
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

VISIBILITY_CEILING_SECS = 43_200
MAX_IN_FLIGHT = 120_000
DEFAULT_VISIBILITY_SECS = 30


class QueueFault(Exception):  # noqa: N818 - a refusal of the API, sent to the caller as such
    """A refusal as SQS words it: `code` is the shape's name, `query_code` the older spelling."""

    def __init__(
        self, code: str, message: str, *, status: int = 400, query_code: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.query_code = query_code or code

    @property
    def is_sender_fault(self) -> bool:
        """Whether trying the same again is useless."""
        return self.status < 500


@dataclass(slots=True)
class Message:
    """One message and what the queue knows of its deliveries; times in seconds of the clock."""

    message_id: str
    body: str
    md5: str
    sent_ms: int
    visible_at: float
    receive_count: int = 0
    first_received_ms: int = 0
    received_at: float = 0.0
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Depth:
    """What a queue holds right now, as GetQueueAttributes counts it, exactly."""

    visible: int
    in_flight: int
    delayed: int


@dataclass(slots=True)
class LoopbackMessages:
    """The messages of one queue, safe to share between threads.

    Args:
        clock: seconds, monotonic; a test hands in its own and calls `wake` after moving it.
        wall_ms: milliseconds since 1970, for SentTimestamp.
    """

    name: str
    visibility_secs: float = DEFAULT_VISIBILITY_SECS
    clock: Callable[[], float] = time.monotonic
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    attributes: dict[str, str] = field(default_factory=dict)
    deleted: int = 0
    _ready: OrderedDict[str, Message] = field(default_factory=OrderedDict)
    _hidden: dict[str, Message] = field(default_factory=dict)
    _expiries: list[tuple[float, int, Message]] = field(default_factory=list)
    _by_handle: dict[str, Message] = field(default_factory=dict)
    _serial: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def send(self, bodies: Sequence[str], *, delay_secs: float = 0) -> list[Message]:
        """Append messages, in order; return them with the ids and digests SendMessage answers."""
        sent_ms = self.wall_ms()
        now = self.clock()
        messages = [
            Message(
                message_id=str(uuid.uuid4()),
                body=body,
                md5=hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                sent_ms=sent_ms,
                visible_at=now + delay_secs,
            )
            for body in bodies
        ]
        with self._changed:
            for message in messages:
                if delay_secs > 0:
                    self._hide(message)
                else:
                    self._ready[message.message_id] = message
            self._changed.notify_all()
        return messages

    def receive(
        self, *, limit: int = 1, wait_secs: float = 0, visibility_secs: float | None = None
    ) -> list[Message]:
        """Hand out up to ``limit`` visible messages, each under a new handle.

        Waits up to ``wait_secs`` of real time for the first, as a long poll does.
        """
        hide_secs = self.visibility_secs if visibility_secs is None else visibility_secs
        deadline = time.monotonic() + wait_secs
        with self._changed:
            while True:
                self._reveal()
                if self._ready and len(self._hidden) < MAX_IN_FLIGHT:
                    return [self._hand_out(hide_secs) for _ in range(min(limit, len(self._ready)))]
                if self._ready and wait_secs <= 0:
                    # Only a short poll gets the error; a long poll just finds nothing.
                    raise QueueFault("OverLimit", "Too many messages in flight.", status=403)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return []
                self._changed.wait(min(remaining, self._next_expiry_secs()))

    def delete(self, handle: str) -> None:
        """Delete what this handle was given for, unless a later receive made it stale."""
        with self._changed:
            message = self._find(handle)
            if message is None or message.handle != handle:
                return  # SQS answers success to both, and deletes nothing
            self._ready.pop(message.message_id, None)
            self._hidden.pop(message.message_id, None)
            del self._by_handle[handle]
            self.deleted += 1

    def change_visibility(self, handle: str, visibility_secs: float) -> None:
        """Hide a message for ``visibility_secs`` from now; 0 gives it back at once."""
        if not 0 <= visibility_secs <= VISIBILITY_CEILING_SECS:
            raise QueueFault(
                "InvalidParameterValue", "VisibilityTimeout must be between 0 and 43200."
            )
        with self._changed:
            self._reveal()
            message = self._find(handle)
            if message is None or message.handle != handle:
                raise QueueFault(
                    "MessageNotInflight",
                    "The message referred to isn't in flight.",
                    query_code="AWS.SimpleQueueService.MessageNotInflight",
                )
            if message.message_id not in self._hidden:
                raise QueueFault(
                    "MessageNotInflight",
                    "The message's visibility timeout has expired.",
                    query_code="AWS.SimpleQueueService.MessageNotInflight",
                )
            now = self.clock()
            if now + visibility_secs - message.received_at > VISIBILITY_CEILING_SECS:
                raise QueueFault(
                    "InvalidParameterValue",
                    "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
                )
            message.visible_at = now + visibility_secs
            self._hide(message)
            self._reveal()
            self._changed.notify_all()

    def depth(self) -> Depth:
        """Count what is visible, in flight, and delayed since it was sent."""
        with self._changed:
            self._reveal()
            delayed = sum(not message.receive_count for message in self._hidden.values())
            return Depth(len(self._ready), len(self._hidden) - delayed, delayed)

    def wake(self) -> None:
        """Let waiting receivers look again: the clock was moved by hand."""
        with self._changed:
            self._changed.notify_all()

    def _hand_out(self, hide_secs: float) -> Message:
        _, message = self._ready.popitem(last=False)
        self._by_handle.pop(message.handle, None)
        now = self.clock()
        message.receive_count += 1
        message.first_received_ms = message.first_received_ms or self.wall_ms()
        message.received_at = now
        message.visible_at = now + hide_secs
        message.handle = f"{message.message_id}#{message.receive_count}"
        self._by_handle[message.handle] = message
        self._hide(message)
        # A copy: what was handed out must not change under the one who serialises it.
        return Message(
            message_id=message.message_id,
            body=message.body,
            md5=message.md5,
            sent_ms=message.sent_ms,
            visible_at=message.visible_at,
            receive_count=message.receive_count,
            first_received_ms=message.first_received_ms,
            received_at=now,
            handle=message.handle,
        )

    def _find(self, handle: str) -> Message | None:
        if "#" not in handle:
            raise QueueFault(
                "ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle."
            )
        return self._by_handle.get(handle)

    def _hide(self, message: Message) -> None:
        self._hidden[message.message_id] = message
        self._serial += 1  # settles ties: messages have no order of their own
        heapq.heappush(self._expiries, (message.visible_at, self._serial, message))

    def _reveal(self) -> None:
        now = self.clock()
        while self._expiries and self._expiries[0][0] <= now:
            visible_at, _, message = heapq.heappop(self._expiries)
            # A changed visibility or a delete leaves its older entry in the heap: skip it.
            if message.visible_at == visible_at and message.message_id in self._hidden:
                del self._hidden[message.message_id]
                self._ready[message.message_id] = message

    def _next_expiry_secs(self) -> float:
        if not self._expiries:
            return threading.TIMEOUT_MAX
        return max(0.001, self._expiries[0][0] - self.clock())
