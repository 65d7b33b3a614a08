"""The contract every source keeps."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from consumer.envelope import Envelope


class Source(Protocol):
    """A transport that delivers at least once. The worker calls it from one thread.

    A source never drops an envelope: what it handed out and nobody acked comes again.
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
