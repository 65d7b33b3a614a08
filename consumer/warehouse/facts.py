"""Facts of a warehouse that retention and rebuilding depend on, by name and value."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

_VALUE: Final = "select value from warehouse_facts where name = "

# The instant (UTC) before which sent messages have been pruned; what comes of them is ignored.
HORIZON: Final = f"{_VALUE}'horizon'"
# The same for rollups: before it no event is left to recount them from.
FROZEN: Final = f"{_VALUE}'rollups_frozen_until'"
# How the name of the oldest file begins that the archive still ought to have.
ARCHIVE_FROM: Final = f"{_VALUE}'archive_from'"


def put_fact(
    connection: "duckdb.DuckDBPyConnection", name: str, value: str, *, catalog: str | None = None
) -> None:
    """Note a fact inside the caller's transaction, in the place of what it was.

    ``catalog`` names another file than the connection's own, attached to it.
    """
    table = f"{catalog}.main.warehouse_facts" if catalog else "warehouse_facts"
    connection.execute(f"delete from {table} where name = ?", [name])
    connection.execute(f"insert into {table} values (?, ?)", [name, value])


def read_instant(values: Iterable[str]) -> datetime | None:
    """Return the instant that a question above found, None where it found nothing."""
    return next((datetime.fromisoformat(value) for value in values), None)
