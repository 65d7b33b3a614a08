"""One-shot ingestion of files and objects: processes read and decode, this process writes.

Decoding is Python and holds the interpreter's lock, so threads gain nothing; processes decode
units into finished batches, and the one writer commits them as they come.
"""

import itertools
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple, Protocol

import structlog

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.errors import DuckpostError, ObjectGone, SourceDenied, SourceError
from consumer.garbage import collect_rarely
from consumer.sources.one_shot import OneShotSource, Unit, UnitReader
from consumer.warehouse import WriteResult

# Statements cost the same for few rows as for many: this many make them a small part.
_MAX_ROWS: Final = 20_000
_MAX_BYTES: Final = 32 * 1024 * 1024
# Below this much, starting processes costs more than they save.
_WORTH_PROCESSES_BYTES: Final = 8 * 1024 * 1024
# Listed before the first is read, so that the estimate holds; what is more is listed on the way.
_UNITS_LISTED: Final = 200_000
_UNITS_AHEAD: Final = 1_000
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


class _Task(NamedTuple):
    """A unit, and which of the sources it is of."""

    source: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a process needs to read units and build batches; sources by their place."""

    secret: bytes
    store_subject: bool
    archive: bool
    names: tuple[str, ...]
    readers: tuple[UnitReader, ...]

    def builder(self, source: int) -> BatchBuilder:
        return BatchBuilder(
            self.names[source],
            self.secret,
            store_subject=self.store_subject,
            archive=self.archive,
        )


@dataclass(frozen=True, slots=True)
class _Report:
    """A process's word on one unit: read whole, or why not."""

    unit: Unit
    fault: str | None = None
    is_gone: bool = False
    is_denied: bool = False


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
    recipe = _Recipe(
        writer.secret,
        writer.store_subject,
        writer.archive,
        tuple(source.name for source in sources),
        tuple(source.reader() for source in sources),
    )
    if processes is None:
        processes = (os.cpu_count() or 1) if listed.bytes_total > _WORTH_PROCESSES_BYTES else 0
    is_alone = processes < 1 or any(source.is_bound for source in sources)
    found = (
        _decode_units(listed, recipe)
        if is_alone
        else _decode_in_processes(listed, recipe, min(processes, listed.units_total))
    )
    result = IngestResult()
    failed = {name: why for source in sources for name, why in source.failed.items()}
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
    return replace(
        result,
        files=listed.units_total,
        failed=failed,
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

    def __iter__(self) -> Iterator[_Task]:
        return itertools.chain(self._listed, self._coming)

    def _list(self, sources: Sequence[OneShotSource]) -> Iterator[_Task]:
        for place, source in enumerate(sources):
            for unit in source.units():
                self.units_total += 1
                self.bytes_total += unit.size
                yield _Task(place, unit)


def _decode_units(tasks: Iterable[_Task], recipe: _Recipe) -> Iterator[Batch | _Report]:
    """Decode units one after another into full batches; batches reach across small units."""
    builders: dict[int, BatchBuilder] = {}
    for place, group in itertools.groupby(tasks, key=lambda task: task.source):
        builder = builders.setdefault(place, recipe.builder(place))
        units: deque[Unit] = deque()
        for envelope in recipe.readers[place].read(_note_units(group, units)):
            fault: SourceError | None = None
            try:
                for decoded in decode(envelope):
                    builder.add(decoded)
                    if builder.rows >= _MAX_ROWS or builder.payload_bytes >= _MAX_BYTES:
                        yield builder.finish()
            except SourceError as error:
                fault = error
            yield _to_report(units.popleft(), fault)
    for builder in builders.values():
        if not builder.is_empty:
            yield builder.finish()


def _note_units(tasks: Iterable[_Task], units: deque[Unit]) -> Iterator[Unit]:
    """Pass units to a reader, which may take them ahead, and keep them in their order."""
    for task in tasks:
        units.append(task.unit)
        yield task.unit


def _to_report(unit: Unit, fault: SourceError | None) -> _Report:
    if fault is None:
        return _Report(unit)
    if isinstance(fault, ObjectGone):
        structlog.get_logger().warning("object gone since it was listed", origin=unit.name)
        return _Report(unit, is_gone=True)
    return _Report(unit, str(fault), is_denied=isinstance(fault, SourceDenied))


def _decode_in_processes(
    listed: Iterable[_Task], recipe: _Recipe, processes: int
) -> Iterator[Batch | _Report]:
    """Spread units over processes; raises `DuckpostError` when one dies."""
    context = multiprocessing.get_context("spawn")
    tasks: Any = context.Queue()
    crew: dict[Connection, BaseProcess] = {}
    try:
        for _ in range(processes):
            # A pipe each, its writing end in that process alone: with one for all, a process that
            # is killed half-way through a batch leaves the rest of it awaited for ever.
            results, ours = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(tasks, ours, recipe), daemon=True)
            process.start()
            ours.close()
            crew[results] = process
        yield from _feed_and_collect(iter(listed), tasks, crew)
    finally:
        for receiver, member in crew.items():
            member.terminate()
            member.join()
            receiver.close()


def _feed_and_collect(
    listed: Iterator[_Task],
    tasks: Any,  # noqa: ANN401 - multiprocessing's queues have no public type
    crew: Mapping[Connection, BaseProcess],
) -> Iterator[Batch | _Report]:
    """Keep some units waiting for the processes, and pass on what comes back."""
    at_work = set(crew)
    waiting = 0
    is_fed = False
    while at_work:
        if not is_fed and waiting < _UNITS_AHEAD // 2:
            helping = list(itertools.islice(listed, _UNITS_AHEAD - waiting))
            for task in helping:
                tasks.put(task)
            waiting += len(helping)
            if waiting < _UNITS_AHEAD:
                is_fed = True
                for _ in crew:
                    tasks.put(None)
        for results in wait(at_work):
            item = _receive(results, crew)
            if item is None:
                at_work.discard(results)
                continue
            waiting -= isinstance(item, _Report)
            yield item


def _receive(
    results: Any,  # noqa: ANN401 - what wait() gives has no narrower type
    crew: Mapping[Connection, BaseProcess],
) -> Batch | _Report | None:
    """Take the next from a process; None at its end. A pipe that just ends is a process's death."""
    try:
        item = results.recv()
    except (EOFError, OSError):
        crew[results].join()
        raise DuckpostError(
            f"a decoding process died (exit {crew[results].exitcode}). What was committed stays; "
            "run the same command again with --processes 0 to see which file it was."
        ) from None
    return Batch.from_bytes(item) if isinstance(item, bytes) else item


def _work(tasks: Any, results: Connection, recipe: _Recipe) -> None:  # noqa: ANN401 - the same
    """Decode the units that come through ``tasks`` until there are none: a process's whole life."""
    collect_rarely()
    for item in _decode_units(iter(tasks.get, None), recipe):
        results.send(item.to_bytes() if isinstance(item, Batch) else item)
    results.send(None)
