"""One-shot ingestion of files: worker processes decode, this process writes.

Decoding is Python and holds the interpreter's lock, so threads gain nothing; processes decode
files into finished batches, and the one writer commits them as they come.
"""

import multiprocessing
import os
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from typing import Any, Final, Protocol

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.errors import DuckpostError, SourceError, UsageError
from consumer.garbage import collect_rarely
from consumer.sources.files import STDIN, FilesSource
from consumer.warehouse import WriteResult

# Statements cost the same for few rows as for many: this many make them a small part.
_MAX_ROWS: Final = 20_000
_MAX_BYTES: Final = 32 * 1024 * 1024
# Below this much, starting processes costs more than they save.
_WORTH_PROCESSES_BYTES: Final = 8 * 1024 * 1024
_QUEUED_BATCHES: Final = 2
_POLL_SECS: Final = 1.0


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

    def write(self, batch: Batch) -> WriteResult:
        """Commit a batch whole."""
        ...


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What one run took in: counts as in `WriteResult`, and the files it could not read."""

    files: int = 0
    failed: dict[str, str] = field(default_factory=dict)
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


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a process needs to build batches."""

    secret: bytes
    store_subject: bool
    archive: bool

    def builder(self) -> BatchBuilder:
        return BatchBuilder(
            "files", self.secret, store_subject=self.store_subject, archive=self.archive
        )


@dataclass(frozen=True, slots=True)
class _Report:
    """A process's word on one file: read whole, or why not."""

    path: str
    fault: str | None


def ingest(
    source: FilesSource,
    writer: Writer,
    *,
    processes: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> IngestResult:
    """Take in every file of ``source`` and commit what is in them.

    A file that cannot be read to its end is named in the result; what was decoded of it before
    stays. Taking the same files in again changes no figure.

    Args:
        source: the files.
        writer: where batches go.
        processes: decoding processes; by default one a core, none for little input.
        on_progress: told bytes of files finished and bytes in all.

    Raises:
        DuckpostError: the warehouse failed, or a decoding process died.
    """
    collect_rarely()
    began = time.monotonic()
    recipe = _Recipe(writer.secret, writer.store_subject, writer.archive)
    if processes is None:
        processes = (os.cpu_count() or 1) if source.bytes_total > _WORTH_PROCESSES_BYTES else 0
    envelopes = list(source.receive(limit=source.files_total, wait_secs=0))
    is_alone = processes < 1 or any(envelope.receipt == STDIN for envelope in envelopes)
    found = (
        _decode_here(envelopes, recipe)
        if is_alone
        else _decode_in_processes(envelopes, recipe, min(processes, len(envelopes)))
    )
    result = IngestResult(files=source.files_total)
    failed = dict(source.failed)
    sizes = {str(one.receipt): _size_of(str(one.receipt)) for one in envelopes}
    done = 0
    for item in found:
        if isinstance(item, Batch):
            result = result.plus(writer.write(item))
            continue
        done += sizes[item.path]
        if item.fault is not None:
            failed[item.path] = item.fault
        if on_progress is not None:
            on_progress(done, source.bytes_total)
    return replace(result, failed=failed, seconds=time.monotonic() - began)


def _decode_files(envelopes: Iterator[Envelope], recipe: _Recipe) -> Iterator[Batch | _Report]:
    """Decode files one after another into full batches; batches reach across small files."""
    builder = recipe.builder()
    for envelope in envelopes:
        fault = None
        try:
            for decoded in decode(envelope):
                builder.add(decoded)
                if builder.rows >= _MAX_ROWS or builder.payload_bytes >= _MAX_BYTES:
                    yield builder.finish()
        except SourceError as error:
            fault = str(error)
        yield _Report(str(envelope.receipt), fault)
    if not builder.is_empty:
        yield builder.finish()


def _decode_here(envelopes: Sequence[Envelope], recipe: _Recipe) -> Iterator[Batch | _Report]:
    return _decode_files(iter(envelopes), recipe)


def _decode_in_processes(
    envelopes: Sequence[Envelope], recipe: _Recipe, processes: int
) -> Iterator[Batch | _Report]:
    """Spread files over processes; raises `DuckpostError` when one dies."""
    context = multiprocessing.get_context("spawn")
    tasks: Any = context.Queue()
    for envelope in envelopes:
        tasks.put(str(envelope.receipt))
    for _ in range(processes):
        tasks.put(None)
    results: Any = context.Queue(maxsize=_QUEUED_BATCHES)
    crew = [
        context.Process(target=_work, args=(tasks, results, recipe), daemon=True)
        for _ in range(processes)
    ]
    for process in crew:
        process.start()
    try:
        yield from _collect(results, crew)
    finally:
        for process in crew:
            process.terminate()
            process.join()


def _collect(
    results: Any,  # noqa: ANN401 - multiprocessing's queues have no public type
    crew: Sequence[BaseProcess],
) -> Iterator[Batch | _Report]:
    at_work = len(crew)
    while at_work:
        try:
            item = results.get(timeout=_POLL_SECS)
        except queue.Empty:
            dead = [process for process in crew if process.exitcode not in (None, 0)]
            if dead:
                raise DuckpostError(
                    f"a decoding process died (exit {dead[0].exitcode}). What was committed stays; "
                    "run the same command again with --processes 0 to see which file it was."
                ) from None
            continue
        if item is None:
            at_work -= 1
        elif isinstance(item, bytes):
            yield Batch.from_bytes(item)
        else:
            yield item


def _work(tasks: Any, results: Any, recipe: _Recipe) -> None:  # noqa: ANN401 - the same
    """Decode the files that come through ``tasks`` until there are none: a process's whole life."""
    collect_rarely()

    def envelopes() -> Iterator[Envelope]:
        while (path := tasks.get()) is not None:
            try:
                found = FilesSource([path])
            except UsageError as error:  # gone since it was listed
                results.put(_Report(path, str(error)))
            else:
                yield from found.receive(limit=1, wait_secs=0)

    for item in _decode_files(envelopes(), recipe):
        results.put(item.to_bytes() if isinstance(item, Batch) else item)
    results.put(None)


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - standard input's "-" is no path
    except OSError:
        return 0
