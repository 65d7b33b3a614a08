"""What this process has received from a queue and not settled, and what may be done with it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from consumer.sources.sqs_client import SqsMessage

VISIBILITY_CEILING_SECS = 43_200  # SQS: 12 h from the receive, however often it is extended


@dataclass(slots=True, eq=False)
class Held:
    """One message in our hands.

    Attributes:
        handle: the newest receipt handle; only that one surely settles.
        received_at: seconds of the monotonic clock, when `handle` was given.
        hidden_at: the same, when its visibility was last set.
        open_parts: parts (objects of an S3 notice; else only 0) that are not acked yet.
        is_beating: whether the heartbeat keeps it hidden.
    """

    message_id: str
    handle: str
    size: int
    receive_count: int
    received_at: float
    hidden_at: float
    open_parts: set[int] = field(default_factory=lambda: {0})
    is_beating: bool = True


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an envelope's ack settles: parts of one message, or of several that name one object."""

    shares: tuple[tuple[Held, int], ...]


@dataclass(slots=True)
class Holdings:
    """Messages by id, with their number and bytes. Not locked: the source's condition guards it.

    Attributes:
        count: messages held.
        size: bytes of their bodies.
    """

    count: int = 0
    size: int = 0
    _held: dict[str, Held] = field(default_factory=dict)

    def take(self, message: SqsMessage, now: float) -> Held | None:
        """Hold a message just received; None if we hold it already.

        Then it was delivered twice, or its visibility lapsed before we settled it: the copy in
        hand goes on, and is settled with the handle that came now, as SQS asks for the newest.
        """
        held = self._held.get(message.message_id)
        if held is not None:
            held.handle = message.handle
            held.receive_count = message.receive_count
            held.received_at = held.hidden_at = now
            held.is_beating = True
            return None
        held = Held(
            message_id=message.message_id,
            handle=message.handle,
            size=len(message.body),
            receive_count=message.receive_count,
            received_at=now,
            hidden_at=now,
        )
        self._held[message.message_id] = held
        self.count += 1
        self.size += held.size
        return held

    def ack(self, receipts: Iterable[Receipt]) -> list[Held]:
        """Settle parts; return the messages of which no part is left open: delete these."""
        done = []
        for receipt in receipts:
            for held, part in receipt.shares:
                if part in held.open_parts:
                    held.open_parts.remove(part)
                    if not held.open_parts:
                        done.append(held)
        return done

    def nack(self, receipts: Iterable[Receipt]) -> list[Held]:
        """Give messages up, whichever part failed; return those that are to be shown again.

        Nothing of them is open any more, so acks of other parts that come later do nothing.
        """
        given_up = []
        for receipt in receipts:
            for held, part in receipt.shares:
                if part in held.open_parts:
                    held.open_parts.clear()
                    held.is_beating = False
                    given_up.append(held)
        self.forget(given_up)
        return given_up

    def forget(self, settled: Iterable[Held]) -> None:
        """Let go of messages, once deleted or given up."""
        for held in settled:
            if self._held.get(held.message_id) is held:
                del self._held[held.message_id]
                self.count -= 1
                self.size -= held.size
            held.is_beating = False

    def find_due(self, now: float, after_secs: float) -> list[Held]:
        """List those hidden ``after_secs`` ago or longer; they want to be hidden anew."""
        return [
            held
            for held in self._held.values()
            if held.is_beating and now - held.hidden_at >= after_secs
        ]
