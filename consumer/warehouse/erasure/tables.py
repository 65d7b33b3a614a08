"""Erases an address from all tables but `events`.

Readers look for it, so that nobody waits for a search; what they found is changed in slices.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from consumer.erasure import Eraser, erase_from_quarantined

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

# Of these nothing is a stranger's text, or changing it would read a source anew.
_LEFT_ALONE: Final = ("migrations", "positions", "warehouse_facts")
# These have an eraser of their own; `own_objects` is what users' statements made.
_ELSEWHERE: Final = ("events", "quarantine", "own_objects")
_AT_ONCE: Final = 2_000
_BYTES_AT_ONCE: Final = 4 * 1024 * 1024

# grain: one row per column that may hold a text
_COLUMNS: Final = """
select c.schema_name, c.table_name, c.column_name, c.data_type
from duckdb_columns() as c
join duckdb_tables() as t on
    t.database_oid = c.database_oid and t.schema_oid = c.schema_oid and t.table_oid = c.table_oid
where
    c.database_name = current_database() and not t.internal and not t.temporary
    and (contains(c.data_type, 'VARCHAR') or c.data_type in ('BLOB', 'JSON'))
order by all
"""
_PAYLOADS: Final = """
select sha256, reason, detail, origin, payload, payload_bytes, payload_offset
from quarantine where sha256 in (select unnest($1::varchar []))
"""
_SWAP_PAYLOADS: Final = """
update quarantine
set sha256 = erased.sha256, detail = erased.detail, origin = erased.origin,
    payload = erased.payload, payload_bytes = erased.payload_bytes
from erased
where quarantine.sha256 = erased.found
"""


def erase_quarantine(warehouse: "Warehouse", eraser: Eraser, go_on: Callable[[], None]) -> int:
    """Payloads are verbatim bytes: each is looked into, and gets a hash that fits.

    What comes in meanwhile is erased before it is stored. ``go_on`` is called at each step.
    """
    total = 0
    for hashes in _slice_quarantine(warehouse):
        go_on()
        with warehouse.read(_PAYLOADS, [hashes]) as reader:
            rows = reader.read_all().to_pylist()
        changed = [
            {**erased, "found": row["sha256"]}
            for row in rows
            if (erased := _erase_quarantined(row, eraser)) != row
        ]
        if changed:
            swap = partial(_apply, erased=pa.Table.from_pylist(changed), sql=_SWAP_PAYLOADS)
            warehouse.change("erasing from quarantine", swap)
        total += len(changed)
    return total


def _slice_quarantine(warehouse: "Warehouse") -> Iterator[list[str]]:
    """Yield the hashes of all payloads, so many at a time as are soon looked into."""
    with warehouse.read("select sha256, octet_length(payload) as size from quarantine") as reader:
        found = reader.read_all()
    hashes: list[str] = []
    size = 0
    for sha256, length in zip(*(column.to_pylist() for column in found.columns), strict=True):
        hashes.append(sha256)
        size += length
        if size >= _BYTES_AT_ONCE or len(hashes) >= _AT_ONCE:
            yield hashes
            hashes, size = [], 0
    if hashes:
        yield hashes


def _erase_quarantined(row: dict[str, Any], eraser: Eraser) -> dict[str, Any]:
    texts = [row["payload"], row["detail"].encode(), row["origin"].encode()]
    return erase_from_quarantined(row, eraser) if eraser.may_touch(b"\n".join(texts)) else row


def erase_tables(warehouse: "Warehouse", eraser: Eraser, go_on: Callable[[], None]) -> int:
    """Erase from every column of every other table; returns how many rows changed.

    Users' own tables are nobody else's to write: they are changed beside the writer.
    """
    total = 0
    for schema, table, column, data_type in list_columns(warehouse):
        if schema == "main" and table in _LEFT_ALONE + _ELSEWHERE:
            continue
        name = f"{_quote(schema)}.{_quote(table)}"
        change = warehouse.change_beside if schema == "my" else warehouse.change
        for found in _find_cells(warehouse, name, column, data_type, eraser):
            go_on()
            sql = (
                f"update {name} set {_quote(column)} = erased.fresh::{data_type} from erased "
                f"where {name}.{_quote(column)} is not distinct from erased.found::{data_type}"
            )
            total += change(f"erasing from {table}", partial(_apply, erased=found, sql=sql))
    return total


def _find_cells(
    warehouse: "Warehouse", table: str, column: str, data_type: str, eraser: Eraser
) -> Iterator[pa.Table]:
    """Yield values with the address, ``found``, beside what they are without it, ``fresh``."""
    where = "true" if data_type == "BLOB" else to_condition(column, eraser)
    sql = f"select distinct {_quote(column)} as found from {table} where {where}"
    with warehouse.read(sql) as reader:
        for batch in reader:
            cells = [(value, _erase_cell(value, eraser)) for value in batch["found"].to_pylist()]
            changed = [number for number, (old, new) in enumerate(cells) if old != new]
            for start in range(0, len(changed), _AT_ONCE):
                numbers = changed[start : start + _AT_ONCE]
                fresh = pa.array([cells[number][1] for number in numbers], batch["found"].type)
                yield pa.table({"found": batch["found"].take(numbers), "fresh": fresh})


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


def _apply(connection: "duckdb.DuckDBPyConnection", *, erased: pa.Table, sql: str) -> int:
    """Run a statement that reads ``erased``; returns how many rows it changed."""
    connection.register("erased", erased)
    try:
        ((changed,),) = connection.execute(sql).fetchall()
    finally:
        connection.unregister("erased")
    return int(changed)


def list_columns(warehouse: "Warehouse") -> Sequence[tuple[str, str, str, str]]:
    """Return schema, table, name and type of every column that may hold a text."""
    with warehouse.read(_COLUMNS) as reader:
        return [tuple(row.values()) for row in reader.read_all().to_pylist()]


def to_condition(column: str, eraser: Eraser) -> str:
    """SQL that holds wherever the address may be; hints are letters and digits alone."""
    text = f"{_quote(column)}::varchar"
    plain = " and ".join(f"contains(lower({text}), '{hint}')" for hint in eraser.hints) or "true"
    packed = " or ".join(f"contains({text}, '{core}')" for core in eraser.cores)
    return f"(({plain}) or {packed})"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
