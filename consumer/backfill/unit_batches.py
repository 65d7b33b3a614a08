"""Units of a one-shot source decoded into full batches: the part of a backfill any process can do.

Imports neither the warehouse nor the command line: a decoding process starts with this alone.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.erasure import Hider
from consumer.errors import ObjectGone, SourceDenied, SourceError
from consumer.sources.one_shot import Unit, UnitReader

_MAX_BYTES: Final = 32 * 1024 * 1024


class Task(NamedTuple):
    """A unit, and which of the sources it is of."""

    source: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a process needs to read units and build batches; sources by their place."""

    secret: bytes
    store_subject: bool
    archive: bool
    is_hashed: bool
    max_rows: int
    names: tuple[str, ...]
    readers: tuple[UnitReader, ...]

    def builder(self, source: int) -> BatchBuilder:
        """Start batches of the source at that place."""
        return BatchBuilder(
            self.names[source],
            self.secret,
            store_subject=self.store_subject,
            archive=self.archive,
            hide=Hider(self.secret) if self.is_hashed else None,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """A process's word on one unit: read whole, or why not."""

    unit: Unit
    fault: str | None = None
    is_gone: bool = False
    is_denied: bool = False


def decode_units(tasks: Iterable[Task], recipe: Recipe) -> Iterator[Batch | Report]:
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
                    if builder.rows >= recipe.max_rows or builder.payload_bytes >= _MAX_BYTES:
                        yield builder.finish()
            except SourceError as error:
                fault = error
            yield _to_report(units.popleft(), fault)
    for builder in builders.values():
        if not builder.is_empty:
            yield builder.finish()


def _note_units(tasks: Iterable[Task], units: deque[Unit]) -> Iterator[Unit]:
    """Pass units to a reader, which may take them ahead, and keep them in their order."""
    for task in tasks:
        units.append(task.unit)
        yield task.unit


def _to_report(unit: Unit, fault: SourceError | None) -> Report:
    if fault is None:
        return Report(unit)
    if isinstance(fault, ObjectGone):
        structlog.get_logger().warning("object gone since it was listed", origin=unit.name)
        return Report(unit, is_gone=True)
    return Report(unit, str(fault), is_denied=isinstance(fault, SourceDenied))
