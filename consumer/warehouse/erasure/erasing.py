"""Erases one address: from every table, from quarantine and from the archive, at once.

No row and no figure goes. What stays behind are bytes that no query reaches, in blocks of the file
that are free or no longer valid: they leave when the file is rewritten.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
from consumer.warehouse.pace import Pace

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

# Whole rows are read, looked into and written anew: few take as long as many of other work.
_FIRST_ROWS: Final = 1_000
_LEAST_ROWS: Final = 500
_MOST_ROWS: Final = 4_000
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
    pace = Pace(_FIRST_ROWS, _LEAST_ROWS, _MOST_ROWS)
    for _ in range(_MOST_ROUNDS):
        with warehouse.read(sql) as reader:
            found = reader.read_all()
        # by time: a portion's rows lie near each other, and little is looked through for it
        found = found.sort_by("event_at")
        keys = [str(key) for key in found["event_key"].to_pylist()]
        fresh = found.filter(pa.array([key not in tried for key in keys], pa.bool_()))
        tried.update(keys)
        if not fresh.num_rows:
            break
        start = 0
        while start < fresh.num_rows:
            go_on()
            portion = fresh.slice(start, pace.rows)
            start += portion.num_rows
            swap = _Swap(portion, partial(erase_from_rows, eraser=eraser, secret=warehouse.secret))
            swap.look(warehouse)
            total += warehouse.change("erasing rows", partial(_timed, swap=swap, pace=pace))
            tried.update(swap.renamed)
    return total


def _timed(connection: "duckdb.DuckDBPyConnection", *, swap: "_Swap", pace: Pace) -> int:
    with pace.timed():
        return swap.apply(connection)


class _Swap:
    """Puts rows without the address in the place of some with it.

    Args:
        found: their event_key and event_at.
        erase: returns rows without it.

    Attributes:
        renamed: keys of the events by what they say now.
    """

    def __init__(self, found: pa.Table, erase: Callable[[pa.Table], pa.Table]) -> None:
        self.renamed: list[str] = []
        self._keys = [str(key) for key in found["event_key"].to_pylist()]
        self._by_event = near("event_at", found["event_at"].combine_chunks())
        self._condition = f"{self._by_event} and event_key in (select unnest($1::uuid []))"
        self._rows_of = (
            "select * replace (event_key::varchar as event_key) from events "
            f"where {self._condition} order by event_key"
        )
        self._erase = erase

    def look(self, warehouse: "Warehouse") -> None:
        """Find out by what to replace them; nobody waits for it."""
        with warehouse.read(self._rows_of, [self._keys]) as reader:
            self._take(reader.read_all())

    def apply(self, connection: "duckdb.DuckDBPyConnection") -> int:
        """Replace them as they are now; returns how many changed."""
        rows = connection.sql(self._rows_of, params=[self._keys]).to_arrow_table()
        if not rows.equals(self._rows):  # a batch completed or replaced one since
            self._take(rows)
        if not self._fresh.num_rows:
            return 0
        connection.execute(f"delete from events where {self._condition}", [self._gone])
        connection.register("erased", self._fresh)
        connection.execute("insert into events by name select * from erased")
        connection.unregister("erased")
        before, after = self._rows["event_key"].to_pylist(), self.renamed
        renamed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        if renamed:
            _rename(connection, *zip(*renamed, strict=True), by_event=self._by_event)
        return len(self._gone)

    def _take(self, rows: pa.Table) -> None:
        erased = self._erase(rows)
        pairs = zip(rows.to_pylist(), erased.to_pylist(), strict=True)
        differing = [number for number, (old, new) in enumerate(pairs) if old != new]
        self._rows = rows
        self._fresh = erased.take(pa.array(differing, pa.int64()))
        self._gone = rows["event_key"].take(pa.array(differing, pa.int64())).to_pylist()
        self.renamed = erased["event_key"].to_pylist()


def _rename(
    connection: "duckdb.DuckDBPyConnection",
    old: Sequence[str],
    new: Sequence[str],
    *,
    by_event: str,
) -> None:
    """Let what belongs to an event go on belonging to it; its key is made of what it says.

    ``by_event`` holds of the events' instants, so that no table is looked through whole.
    """
    connection.register("renamed", pa.table({"old": old, "new": new}))
    for table in ("marks", "waiting", "rare_events"):
        connection.execute(
            f"update {table} set event_key = r.new::uuid from renamed as r "
            f"where {by_event} and {table}.event_key = r.old::uuid"
        )
    connection.unregister("renamed")


def _keep_quiet(_done: int, _total: int) -> None:
    """Nobody wants to know how far it is."""
