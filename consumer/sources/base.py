"""The contract every source keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from consumer.envelope import Envelope


class Source(Protocol):
    """A transport that delivers at least once. The worker calls it from one thread.

    A source never drops an envelope: what it handed out and nobody acked comes again, from it or
    from the next source of the same settings. Nothing is settled with the transport before `ack`.

    - *A partial failure* (one object refused, one of ten deletes failed, one partition gone) is
      that part's alone: the others are handed out and settled, and the part is tried again.
    - *A lost connection* is `SourceUnavailable` out of `receive`; the next call connects anew.
    - *A slow warehouse* is a worker that does not call: what is held meanwhile is bounded, and a
      sender that must wait for it too long is told to send again.
    - *A shutdown* is `close`, at any time: what is buffered and was never handed out goes back to
      the transport at once, what is handed out and not acked comes again, and no thread is left.

    `tests/sources/test_source_contract.py` holds every source to it.
    """

    @property
    def name(self) -> str:
        """Its name in settings, logs and metrics, unique in a worker: ``sqs:ses-events``."""
        ...

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:
        """Return up to ``limit`` envelopes, waiting at most ``wait_secs`` for the first.

        An empty sequence means "nothing now", never "the end" (see `exhausted`). Raises
        `SourceUnavailable` when trying again may help (the worker backs off), `SourceDenied`
        when somebody has to act. Must not hold more envelopes back than its in-flight bound.
        """
        ...

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Settle for good. Called only after every row of the envelopes is committed.

        Failing is harmless: what stays unsettled is redelivered and recognised as duplicate.
        So it retries what is worth retrying, logs the rest, and never raises.
        """
        ...

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        """Ask for redelivery, soon. Never raises; forgetting to call it only delays."""
        ...

    def close(self) -> None:
        """Release connections and threads. Envelopes still out are left for redelivery."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether nothing will ever come again (a one-shot source of files); queues say False."""
        ...


@runtime_checkable
class ResumingSource(Source, Protocol):
    """A source whose transport keeps no account of what was read: the warehouse does.

    A position is committed in the transaction of the rows that it stands behind, so the two
    never differ.
    """

    def restore(self, positions: Mapping[str, str]) -> None:
        """Take in what is committed, by part; called once, before the first `receive`."""
        ...

    def positions(self, envelopes: Sequence[Envelope]) -> Mapping[str, str]:
        """Return part → position, to be committed with a batch that ``envelopes`` end in."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """How far a batch takes a `FencedSource`.

    Attributes:
        positions: part → where to read on once the batch is committed.
        expects: part → what must be stored when it is, None for nothing yet.
        positions_of: the name they are kept under.
    """

    positions: Mapping[str, str]
    expects: Mapping[str, str | None]
    positions_of: str


@dataclass(frozen=True, slots=True)
class Condition:
    """How a `FencedSource` is doing.

    Attributes:
        lag: units that wait in the parts it holds; None while it does not know.
        skipped: units that were gone before they could be read, since the start.
        ailment: what is wrong with some parts while the others go on; empty when nothing is.
    """

    lag: int | None = None
    skipped: int = 0
    ailment: str = ""


@runtime_checkable
class FencedSource(Source, Protocol):
    """A source whose parts move between readers while they read: Kafka's partitions.

    Like a `ResumingSource`, but a batch names the positions that it reads on from too, and is
    refused whole when they are not the stored ones. So a reader that lost a part without having
    noticed writes nothing. `receive` raises `EnvelopesLost` when what it handed out must be
    dropped, and returns nothing when it should be committed before the source can go on.
    """

    def follow(self, read_positions: Callable[[str], Mapping[str, str]]) -> None:
        """Take in how to read what is committed under a name; called once, before `receive`."""
        ...

    def step(self, envelopes: Sequence[Envelope]) -> Step:
        """Return what is to be committed with a batch that ``envelopes`` end in.

        Called before each commit and each `ack`; no positions when there is nothing to keep.
        Raises `EnvelopesLost`.
        """
        ...

    @property
    def condition(self) -> Condition:
        """How it is doing, asked after each `receive`; must not block."""
        ...
