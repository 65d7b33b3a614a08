"""Erases one address: from every table, from quarantine and from the archive, at once.

No row and no figure goes. What stays behind are bytes that no query reaches, in blocks of the file
that are free or no longer valid: they leave when the file is rewritten.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from consumer.addresses import Address
from consumer.erasure import Eraser, erase_from_rows
from consumer.errors import UsageError
from consumer.warehouse.archive import list_files
from consumer.warehouse.copies import sum_sizes
from consumer.warehouse.erasure.archive_files import erase_archive
from consumer.warehouse.erasure.own_sql import erase_own
from consumer.warehouse.erasure.tables import (
    erase_quarantine,
    erase_tables,
    list_columns,
    to_condition,
)
from consumer.warehouse.hours import near

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

_AT_ONCE: Final = 2_000
_MOST_ROUNDS: Final = 20

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What an erasure changed.

    Attributes:
        hidden: what stands in the address's place now.
        events: rows of ``events`` that changed.
        others: rows of other tables that changed, and statements in `my`.
        frames: frames of the archive that were written anew, in how many ``files``.
        unread: stretches of the archive that no program can read, and so nobody could look into.
        left: what in the schema `my` still names the address.
    """

    hidden: str
    events: int
    others: int
    frames: int
    files: int
    unread: int
    left: Sequence[str] = ()


def erase(
    warehouse: "Warehouse", address: Address, *, on_progress: OnProgress | None = None
) -> ErasureResult:
    """Replace an address by its token wherever a query could look.

    1. Remember the token: whatever arrives from now on is stored under it.
    2. Rewrite the rows of ``events`` that hold the address, until none is found.
    3. Make users' own views and macros anew, where their texts name it.
    4. Rewrite what any other table holds, users' own ones too.
    5. Rewrite the archive's files that hold it under new names, and swap them in the ledger.

    Cut off anywhere, it is to be asked for again: each step finds only what is left of it. Readers
    look for the address, and the writer is held for slices of what they find.
    ``on_progress`` gets bytes of the archive done and in all. Raises `UsageError` for what is no
    address.
    """
    if address.domain is None or address.text == address.hidden:
        raise UsageError(f"{address.text!r} is no address to erase; name one such as a@example.com")
    eraser = Eraser(address)
    tell = on_progress or _keep_quiet
    total = max(1, sum_sizes(list_files(warehouse.place.archive)))

    def go_on() -> None:
        tell(0, total)

    # another one at work would take this one's new files for leftovers
    with warehouse.alone(go_on):
        with warehouse.held():  # 1
            warehouse.erased.add(address)
            warehouse.start_archive_file()
        events = _erase_events(warehouse, eraser, go_on)  # 2
        others, left = erase_own(warehouse, eraser)  # 3
        others += erase_quarantine(warehouse, eraser, go_on)  # 4
        others += erase_tables(warehouse, eraser, go_on)
        frames, files, unread = erase_archive(warehouse, eraser, tell)  # 5
        warehouse.checkpoint()
    return ErasureResult(address.hidden, events, others, frames, files, unread, left)


def _erase_events(warehouse: "Warehouse", eraser: Eraser, go_on: Callable[[], None]) -> int:
    columns = [
        name
        for schema, table, name, _ in list_columns(warehouse)
        if (schema, table) == ("main", "events")
    ]
    # readers look for it, so that the writer waits for the few rows alone
    condition = " or ".join(to_condition(name, eraser) for name in columns)
    sql = f"select event_key, event_at from events where {condition}"
    total = 0
    tried: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        with warehouse.read(sql) as reader:
            found = reader.read_all()
        keys = [str(key) for key in found["event_key"].to_pylist()]
        fresh = [number for number, key in enumerate(keys) if key not in tried]
        if not fresh:
            break
        tried.update(keys)
        for start in range(0, len(fresh), _AT_ONCE):
            go_on()
            slice_ = found.take(fresh[start : start + _AT_ONCE])
            changed, renamed = warehouse.change(
                "erasing rows",
                lambda connection: _swap_rows(connection, slice_, eraser, warehouse.secret),  # noqa: B023 - called at once
            )
            total += changed
            tried.update(renamed)
    return total


def _swap_rows(
    connection: "duckdb.DuckDBPyConnection", found: pa.Table, eraser: Eraser, secret: bytes
) -> tuple[int, list[str]]:
    """Put the rows without the address in the place of those with it; returns also their keys."""
    keys = [str(key) for key in found["event_key"].to_pylist()]
    by_event = near("event_at", found["event_at"].combine_chunks())
    condition = f"{by_event} and event_key in (select unnest(?::uuid []))"
    rows = connection.sql(
        f"select * replace (event_key::varchar as event_key) from events where {condition}",
        params=[keys],
    ).to_arrow_table()
    erased = erase_from_rows(rows, eraser, secret)
    before, after = rows["event_key"].to_pylist(), erased["event_key"].to_pylist()
    numbers = [
        number
        for number, (old, new) in enumerate(zip(rows.to_pylist(), erased.to_pylist(), strict=True))
        if old != new
    ]
    if not numbers:
        return 0, []
    gone = [before[number] for number in numbers]
    connection.execute(f"delete from events where {condition}", [gone])
    connection.register("erased", erased.take(numbers))
    connection.execute("insert into events by name select * from erased")
    connection.unregister("erased")
    for old, new in zip(before, after, strict=True):
        if old != new:
            for table in ("marks", "waiting", "rare_events"):
                connection.execute(
                    f"update {table} set event_key = ?::uuid where event_key = ?::uuid", [new, old]
                )
    return len(numbers), after


def _keep_quiet(_done: int, _total: int) -> None:
    """Nobody wants to know how far it is."""
