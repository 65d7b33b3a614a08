"""What a source offers that ends: units that any process can read by their names."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from consumer.envelope import Envelope


class Unit(NamedTuple):
    """A file or an object: its name, which says everything to a reader, and its bytes as stored."""

    name: str
    size: int


class UnitReader(Protocol):
    """Reads units in whichever process it was passed to; opens nothing before that."""

    def read(self, units: Iterable[Unit]) -> Iterator[Envelope]:
        """Give an envelope for each unit, in order, with the name as its receipt.

        May take units ahead of what it gives, where they are small: another process may be idle.
        Faults are raised by the envelope's body.
        """
        ...


class OneShotSource(Protocol):
    """Units listed once, read once, in any order and in many processes."""

    @property
    def name(self) -> str:
        """Its name in ledger and metrics."""
        ...

    @property
    def failed(self) -> Mapping[str, str]:
        """What could not be looked into while units were listed, with why."""
        ...

    @property
    def is_bound(self) -> bool:
        """Whether units can be read in this process alone: standard input is one."""
        ...

    def units(self) -> Iterator[Unit]:
        """List the units, lazily. Raises `SourceError` when listing fails."""
        ...

    def reader(self) -> UnitReader:
        """Return what reads the units; can be pickled unless the source `is_bound`."""
        ...
