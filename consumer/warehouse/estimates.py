"""How long what pauses a worker will take: its bytes, at the rate of the last one of this file."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consumer.warehouse.archive import list_files
from consumer.warehouse.copies import sum_sizes
from consumer.warehouse.facts import put_fact

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

BACKUP: Final = "backup_bytes_per_sec"
REWRITE: Final = "rewrite_bytes_per_sec"
# A local disk's, and what two cores rewrite, where none was measured yet.
_USUAL: Final = {BACKUP: 100e6, REWRITE: 8e6}
# Processes have to start; and of a small file that is the most of it, so that its rate means
# nothing for a large one.
_START_SECS: Final = 1.0
_LEAST_BYTES: Final = 32 * 1024 * 1024
_RATE: Final = "select value from warehouse_facts where name = ?"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one of them will come to.

    Attributes:
        bytes: to be copied or rewritten.
        seconds: until it is done.
        paused_seconds: how long of these nothing can be committed.
        is_measured: whether the rate is this warehouse's own, or a usual machine's.
    """

    bytes: int
    seconds: float
    paused_seconds: float
    is_measured: bool

    def __str__(self) -> str:
        """What to tell whoever waits."""
        text = f"{self.bytes / 1e6:,.1f} MB: about {self.seconds:,.0f} s"
        if self.paused_seconds < self.seconds:
            text += f", of which commits wait about {self.paused_seconds:,.0f} s"
        else:
            text += ", in which nothing is taken in"
        return text if self.is_measured else f"{text} (a usual machine's rate)"


@dataclass(frozen=True, slots=True)
class Estimates:
    """What either of them would come to now."""

    backup: Estimate
    rewrite: Estimate


def estimate_backup(warehouse: "Warehouse") -> Estimate:
    """Say how long a backup will take; commits wait while the file itself is copied."""
    place = warehouse.place
    file = sum_sizes([place.file, *place.logs])
    size = file + sum_sizes([place.key, *list_files(place.archive)])
    rate, is_measured = _read_rate(warehouse, BACKUP)
    return Estimate(size, _START_SECS + size / rate, file / rate, is_measured)


def estimate_rewrite(warehouse: "Warehouse") -> Estimate:
    """Say how long a rewrite will take, all of which the worker pauses."""
    place = warehouse.place
    size = sum_sizes([place.file, *place.logs])
    rate, is_measured = _read_rate(warehouse, REWRITE)
    seconds = _START_SECS + size / rate
    return Estimate(size, seconds, seconds, is_measured)


def note_rate(
    connection: "duckdb.DuckDBPyConnection",
    name: str,
    size: int,
    seconds: float,
    *,
    catalog: str | None = None,
) -> None:
    """Remember what was measured, for the next time; little says nothing of much."""
    if size >= _LEAST_BYTES:
        put_fact(connection, name, f"{size / max(seconds, 0.001):.0f}", catalog=catalog)


def _read_rate(warehouse: "Warehouse", name: str) -> tuple[float, bool]:
    with warehouse.read(_RATE, [name]) as reader:
        values: Iterable[str] = reader.read_all()["value"].to_pylist()
    measured = next((float(value) for value in values), 0.0)
    return (measured, True) if measured > 0 else (_USUAL[name], False)
