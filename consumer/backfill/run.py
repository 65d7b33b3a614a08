"""One-shot ingestion of files and objects: processes read and decode, this process writes.

Decoding is Python and holds the interpreter's lock, so threads gain nothing; processes decode
units into finished batches, and the one writer commits them as they come.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from consumer.backfill.crew import decode_in_processes
from consumer.backfill.unit_batches import Recipe, Task, decode_units
from consumer.batch import Batch
from consumer.errors import SourceDenied
from consumer.garbage import collect_rarely
from consumer.sources.one_shot import OneShotSource
from consumer.warehouse import WriteResult

# Below this much, starting processes costs more than they save.
_WORTH_PROCESSES_BYTES: Final = 8 * 1024 * 1024
# Listed before the first is read, so that the estimate holds; what is more is listed on the way.
_UNITS_LISTED: Final = 200_000
# One object may be closed to us; so many in a row mean that credentials or a policy are.
_DENIED_IN_A_ROW: Final = 20


class Writer(Protocol):
    """What backfill needs of a warehouse, opened here or through a worker's door."""

    @property
    def secret(self) -> bytes:
        """The key that recipients are hashed with."""
        ...

    @property
    def store_subject(self) -> bool:
        """Whether batches keep subjects."""
        ...

    @property
    def archive(self) -> bool:
        """Whether batches keep raw payloads."""
        ...

    @property
    def is_hashed(self) -> bool:
        """Whether batches hold recipients as tokens alone."""
        ...

    @property
    def max_rows(self) -> int:
        """How many rows a batch should have, about."""
        ...

    def write(self, batch: Batch) -> WriteResult:
        """Commit a batch whole."""
        ...


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What one run took in: counts as in `WriteResult`, and what it could not read.

    Attributes:
        files: files and objects found.
        failed: of these, the ones that could not be read, with why.
        gone: objects that were deleted after they were listed.
    """

    files: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    gone: int = 0
    payloads: int = 0
    received: int = 0
    inserted: int = 0
    superseded: int = 0
    duplicates: int = 0
    quarantined: int = 0
    ignored: int = 0
    seconds: float = 0.0

    def plus(self, written: WriteResult) -> "IngestResult":
        """Add one batch's result."""
        return replace(
            self,
            payloads=self.payloads + written.payloads,
            received=self.received + written.received,
            inserted=self.inserted + written.inserted,
            superseded=self.superseded + written.superseded,
            duplicates=self.duplicates + written.duplicates,
            quarantined=self.quarantined + written.quarantined,
            ignored=self.ignored + written.ignored,
        )


def ingest(
    sources: Sequence[OneShotSource],
    writer: Writer,
    *,
    processes: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> IngestResult:
    """Take in every unit of ``sources`` and commit what is in them.

    A file or object that cannot be read to its end is named in the result; what was decoded of
    it before stays. Taking the same units in again changes no figure.

    Args:
        sources: files, buckets.
        writer: where batches go.
        processes: decoding processes; by default one a core, none for little input.
        on_progress: told bytes of units finished and bytes of all that are listed.

    Raises:
        SourceError: a bucket could not be listed, or refuses one object after the other.
        DuckpostError: the warehouse failed, or a decoding process died.
    """
    collect_rarely()
    began = time.monotonic()
    listed = _Listed(sources)
    recipe = Recipe(
        writer.secret,
        writer.store_subject,
        writer.archive,
        writer.is_hashed,
        writer.max_rows,
        tuple(source.name for source in sources),
        tuple(source.reader() for source in sources),
    )
    if processes is None:
        processes = (os.cpu_count() or 1) if listed.bytes_total > _WORTH_PROCESSES_BYTES else 0
    is_alone = processes < 1 or any(source.is_bound for source in sources)
    found = (
        decode_units(listed, recipe)
        if is_alone
        else decode_in_processes(listed, recipe, min(processes, listed.units_total))
    )
    result = IngestResult()
    failed: dict[str, str] = {}
    done_bytes = gone = denied_in_a_row = 0
    for item in found:
        if isinstance(item, Batch):
            result = result.plus(writer.write(item))
            continue
        done_bytes += item.unit.size
        gone += item.is_gone
        denied_in_a_row = denied_in_a_row + 1 if item.is_denied else 0
        if item.fault is not None:
            failed[item.unit.name] = item.fault
        if denied_in_a_row >= _DENIED_IN_A_ROW:
            raise SourceDenied(
                f"{item.fault}. The {denied_in_a_row} units before it were refused too; what was "
                "committed stays, and running the same command again takes in the rest."
            )
        if on_progress is not None:
            on_progress(done_bytes, listed.bytes_total)
    # Only now: the last units were listed while the first were read.
    not_listed = {name: why for source in sources for name, why in source.failed.items()}
    return replace(
        result,
        files=listed.units_total,
        failed=not_listed | failed,
        gone=gone,
        seconds=time.monotonic() - began,
    )


class _Listed:
    """The units of all sources: a great many are listed at once, the rest as they are asked for.

    Attributes:
        units_total, bytes_total: of what is listed so far.
    """

    def __init__(self, sources: Sequence[OneShotSource]) -> None:
        self.units_total = 0
        self.bytes_total = 0
        self._coming = self._list(sources)
        self._listed = list(itertools.islice(self._coming, _UNITS_LISTED))

    def __iter__(self) -> Iterator[Task]:
        return itertools.chain(self._listed, self._coming)

    def _list(self, sources: Sequence[OneShotSource]) -> Iterator[Task]:
        for place, source in enumerate(sources):
            for unit in source.units():
                self.units_total += 1
                self.bytes_total += unit.size
                yield Task(place, unit)
