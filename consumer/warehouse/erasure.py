"""Erases one address: from every table, from quarantine and from the archive, at once.

No row and no figure goes. What stays behind are bytes that no query reaches, in blocks of the file
that are free or no longer valid: they leave when the file is rewritten.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from consumer.addresses import Address
from consumer.erasure import (
    Eraser,
    erase_from_frame,
    erase_from_quarantined,
    erase_from_rows,
)
from consumer.errors import UsageError
from consumer.warehouse.archive import Segment, Torn, list_files, read_file, sync_folder
from consumer.warehouse.hours import near

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

# Of these nothing is a stranger's text, or changing it would read a source anew.
_LEFT_ALONE: Final = ("migrations", "positions", "warehouse_facts")
_UNCHANGED: Final = ("reason", "payload_offset")
_AT_ONCE: Final = 2_000
_MOST_ROUNDS: Final = 20

# grain: one row per column that may hold a text
_COLUMNS: Final = """
select c.schema_name, c.table_name, c.column_name, c.data_type
from duckdb_columns() as c
join duckdb_tables() as t on
    t.database_oid = c.database_oid and t.schema_oid = c.schema_oid and t.table_oid = c.table_oid
where
    c.database_name = current_database() and not t.internal and not t.temporary
    and (contains(c.data_type, 'VARCHAR') or c.data_type = 'BLOB')
order by all
"""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What an erasure changed.

    Attributes:
        hidden: what stands in the address's place now.
        events: rows of ``events`` that changed.
        others: rows of other tables that changed.
        frames: frames of the archive that were written anew, in how many ``files``.
        unread: stretches of the archive that no program can read, and so nobody could look into.
    """

    hidden: str
    events: int
    others: int
    frames: int
    files: int
    unread: int


def erase(
    warehouse: "Warehouse", address: Address, *, on_progress: OnProgress | None = None
) -> ErasureResult:
    """Replace an address by its token wherever a query could look.

    1. Remember the token: whatever arrives from now on is stored under it.
    2. Rewrite the rows of ``events`` that hold the address, until none is found.
    3. Rewrite what any other table holds, users' own ones too.
    4. Rewrite the archive's files that hold it under new names, and swap them in the ledger.

    Cut off anywhere, it is to be asked for again: each step finds only what is left of it.
    ``on_progress`` gets bytes of the archive done and in all. Raises `UsageError` for what is no
    address.
    """
    if address.domain is None or address.text == address.hidden:
        raise UsageError(f"{address.text!r} is no address to erase; name one such as a@example.com")
    eraser = Eraser(address)
    tell = on_progress or _keep_quiet
    # another one at work would take this one's new files for leftovers
    with warehouse.alone(lambda: tell(0, 1)):
        with warehouse.held():  # 1
            warehouse.erased.add(address)
            warehouse.start_archive_file()
        events = _erase_events(warehouse, eraser)  # 2
        others = warehouse.change(  # 3
            "erasing from quarantine", lambda connection: _erase_quarantine(connection, eraser)
        )
        others += _erase_tables(warehouse, eraser)
        frames, files, unread = _erase_archive(warehouse, eraser, tell)  # 4
        warehouse.checkpoint()
    return ErasureResult(address.hidden, events, others, frames, files, unread)


def _erase_events(warehouse: "Warehouse", eraser: Eraser) -> int:
    columns = [name for _, table, name, _ in _list_columns(warehouse) if table == "events"]
    # readers look for it, so that the writer waits for the few rows alone
    condition = " or ".join(_to_condition(name, eraser) for name in columns)
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


def _erase_quarantine(connection: "duckdb.DuckDBPyConnection", eraser: Eraser) -> int:
    """Payloads are verbatim bytes: each is looked into, and gets a hash that fits."""
    names = ("sha256", "reason", "detail", "origin", "payload", "payload_bytes", "payload_offset")
    found = connection.execute(f"select rowid, {', '.join(names)} from quarantine")
    changed: list[tuple[int, dict[str, Any]]] = []
    while rows := found.fetchmany(_AT_ONCE):
        for rowid, *values in rows:
            row = dict(zip(names, values, strict=True))
            if eraser.may_touch(
                b"\n".join([row["payload"], row["detail"].encode(), row["origin"].encode()])
            ):
                erased = erase_from_quarantined(row, eraser)
                if erased != row:
                    changed.append((rowid, erased))
    for rowid, row in changed:
        connection.execute(
            """
            update quarantine
            set sha256 = $sha256, detail = $detail, origin = $origin, payload = $payload,
                payload_bytes = $payload_bytes
            where rowid = $rowid
            """,
            {**{name: row[name] for name in names if name not in _UNCHANGED}, "rowid": rowid},
        )
    return len(changed)


def _erase_tables(warehouse: "Warehouse", eraser: Eraser) -> int:
    total = 0
    for schema, table, column, data_type in _list_columns(warehouse):
        if table == "events" or (schema == "main" and table in _LEFT_ALONE):
            continue
        name = f"{_quote(schema)}.{_quote(table)}"
        total += warehouse.change(
            f"erasing from {table}",
            lambda connection: _erase_column(connection, name, column, data_type, eraser),  # noqa: B023 - called at once
        )
    return total


def _erase_column(
    connection: "duckdb.DuckDBPyConnection", table: str, column: str, data_type: str, eraser: Eraser
) -> int:
    quoted = _quote(column)
    where = "true" if data_type == "BLOB" else _to_condition(column, eraser)
    found = connection.execute(f"select rowid, {quoted} from {table} where {where}")
    changed: list[tuple[int, Any]] = []
    while rows := found.fetchmany(_AT_ONCE):
        for rowid, value in rows:
            erased = _erase_cell(value, eraser)
            if erased != value:
                changed.append((rowid, erased))
    for rowid, erased in changed:
        connection.execute(f"update {table} set {quoted} = ? where rowid = ?", [erased, rowid])
    return len(changed)


def _erase_cell(value: Any, eraser: Eraser) -> Any:  # noqa: ANN401 - whatever a column holds
    if isinstance(value, bytes):
        return eraser.erase_content(value) if eraser.may_touch(value) else value
    if isinstance(value, str):
        return eraser.erase_mailboxes(value)
    if isinstance(value, list | tuple):
        return type(value)(_erase_cell(one, eraser) for one in value)
    if isinstance(value, dict):
        return {_erase_cell(name, eraser): _erase_cell(one, eraser) for name, one in value.items()}
    return value


def _erase_archive(
    warehouse: "Warehouse", eraser: Eraser, tell: OnProgress
) -> tuple[int, int, int]:
    folder = warehouse.place.archive
    for file in list_files(folder):
        _clear_leftover(warehouse, file)
    files = list_files(folder)
    total = sum(file.stat().st_size for file in files)
    done = frames = changed_files = unread = 0
    renamed: dict[str, str] = {}
    for file in files:
        size = file.stat().st_size
        if not warehouse.is_writing(file):
            changed, torn = _erase_file(warehouse, file, eraser, renamed)
            frames += changed
            changed_files += bool(changed)
            unread += torn
        done += size
        tell(done, total)
    return frames, changed_files, unread


def _erase_file(
    warehouse: "Warehouse", file: Path, eraser: Eraser, renamed: dict[str, str]
) -> tuple[int, int]:
    """Write a file anew under another name and swap it in the ledger.

    1. Look into every frame; where none holds the address, leave the file.
    2. Write all frames into a file whose name no reader knows yet, and sync it.
    3. Give it its name.
    4. Let the ledger's rows name it.
    5. Delete the old one. After a kill between 3 and 5 the next erasure deletes one of the two.
    """
    # 1
    torn = 0
    parts: list[tuple[Segment, bytes | None]] = []
    for found in read_file(file):
        if isinstance(found, Torn):
            torn += 1
        else:
            parts.append((found[0], erase_from_frame(found[1], eraser, renamed)))
    changed = sum(frame is not None for _, frame in parts)
    if not changed:
        return 0, torn
    # 2
    target = _next_name(file)
    while target.exists():
        target = _next_name(target)
    temporary = target.with_name(f".{target.name}.new")
    moves: list[tuple[int, int, int]] = []
    with file.open("rb") as reading, open(temporary, "wb", opener=_open_private) as writing:
        for segment, frame in parts:
            if frame is None:
                reading.seek(segment.offset)
                frame = reading.read(segment.length)  # noqa: PLW2901 - what was not touched
            moves.append((segment.offset, writing.tell(), len(frame)))
            writing.write(frame)
        writing.flush()
        os.fsync(writing.fileno())
    # 3
    temporary.replace(target)
    sync_folder(file.parent)
    # 4
    warehouse.change(
        "swapping an archive file",
        lambda connection: _swap_in_ledger(connection, file.name, target.name, moves),
    )
    # 5
    file.unlink()
    sync_folder(file.parent)
    return changed, torn


def _swap_in_ledger(
    connection: "duckdb.DuckDBPyConnection", old: str, new: str, moves: list[tuple[int, int, int]]
) -> None:
    for before, after, length in moves:
        connection.execute(
            """
            update ledger set archive_file = ?, archive_offset = ?, archive_bytes = ?
            where archive_file = ? and archive_offset = ?
            """,
            [new, after, length, old, before],
        )


def _clear_leftover(warehouse: "Warehouse", file: Path) -> None:
    """Delete one of two files of the same frames, which a kill left: the one not in the ledger.

    Where the ledger names both they are no such two, and where it names neither, all their frames
    are of commits that failed: both stay.
    """
    target = _next_name(file)
    if not target.exists():
        return
    sql = "select distinct archive_file from ledger where archive_file in ($1, $2)"
    with warehouse.read(sql, [file.name, target.name]) as reader:
        named = reader.read_all()["archive_file"].to_pylist()
    if len(named) == 1:
        (target if named == [file.name] else file).unlink()


def _next_name(file: Path) -> Path:
    """``…-000.zst`` becomes ``…-000.e1.zst``, then ``…-000.e2.zst``: the order of names holds."""
    stem, _, count = file.stem.partition(".e")
    return file.with_name(f"{stem}.e{int(count or 0) + 1}{file.suffix}")


def _list_columns(warehouse: "Warehouse") -> Iterator[tuple[str, str, str, str]]:
    with warehouse.read(_COLUMNS) as reader:
        for row in reader.read_all().to_pylist():
            yield row["schema_name"], row["table_name"], row["column_name"], row["data_type"]


def _to_condition(column: str, eraser: Eraser) -> str:
    """SQL that holds wherever the address may be; hints are letters and digits alone."""
    text = f"{_quote(column)}::varchar"
    plain = " and ".join(f"contains(lower({text}), '{hint}')" for hint in eraser.hints) or "true"
    packed = " or ".join(f"contains({text}, '{core}')" for core in eraser.cores)
    return f"(({plain}) or {packed})"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _keep_quiet(_done: int, _total: int) -> None:
    """Nobody wants to know how far it is."""


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
