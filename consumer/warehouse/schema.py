"""Brings a warehouse to this version's schema: migrations, seeds and views.

Migrations are append-only files, each applied in one transaction with its own record. Seeds and
views are code: made anew, in one transaction, whenever the files differ from the last time.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.csv

from consumer.errors import WarehouseError, WarehouseNewer
from consumer.warehouse.rollups import recompute

_SEEDS: Final = ("providers", "machine_rules")
_RECORD: Final = """
create table if not exists migrations (
    name varchar not null,
    sha256 varchar not null,
    applied_at timestamp not null
)
"""


_SINCE: Final = """
insert into warehouse_facts
select $name, (now() at time zone 'UTC')::varchar
where $name not in (select name from warehouse_facts)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of ``sql/migrations``."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Of the text: a migration that changed after it was applied stops start-up."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def purpose(self) -> str:
        """What it does: the first sentence of the comment it begins with."""
        lines = itertools.takewhile(lambda line: line.startswith("--"), self.text.splitlines())
        comment = " ".join(line.removeprefix("--").strip() for line in lines)
        return comment.partition(". ")[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Migrations that were applied to a warehouse that had others before.

    Attributes:
        applied: names, each with what it does.
        seconds: how long they took, the copy included.
        kept: the file as it was.
    """

    applied: Mapping[str, str]
    seconds: float
    kept: Path


def load_migrations(folder: Path) -> list[Migration]:
    """Read the migrations in the order in which they apply."""
    files = sorted((folder / "migrations").glob("*.sql"))
    return [Migration(file.stem, file.read_text(encoding="utf-8")) for file in files]


def find_pending(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[Migration]:
    """Return the migrations that this file lacks; nothing is written.

    Raises `WarehouseNewer` for a file with migrations this version does not know, and
    `WarehouseError` for one whose migration reads differently from ours.
    """
    there = "select 1 from duckdb_tables() where table_name = 'migrations' and not internal"
    rows: list[tuple[str, str]] = []
    if connection.execute(there).fetchall():
        rows = connection.execute("select name, sha256 from migrations order by name").fetchall()
    applied = dict(rows)
    ours = load_migrations(folder)
    unknown = sorted(set(applied) - {migration.name for migration in ours})
    if unknown:
        raise WarehouseNewer(
            f"this warehouse was written by a newer duckpost (it has {', '.join(unknown)}). "
            "Install that version or a later one; this one must not write into it."
        )
    for migration in ours:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise WarehouseError(
                f"migration {migration.name} differs from the one this warehouse was made "
                "with. Install the duckpost that made it, or a released later one."
            )
    return [migration for migration in ours if migration.name not in applied]


def migrate(connection: duckdb.DuckDBPyConnection, pending: Sequence[Migration]) -> None:
    """Apply migrations, each in one transaction with its record."""
    connection.execute(_RECORD)
    for migration in pending:
        connection.execute("begin transaction")
        connection.execute(migration.text)
        connection.execute(
            "insert into migrations values (?, ?, ?)",
            [migration.name, migration.sha256, datetime.now(UTC).replace(tzinfo=None)],
        )
        connection.execute("commit")


def refresh(connection: duckdb.DuckDBPyConnection, folder: Path, *, time_zone: str) -> None:
    """Make seeds, macros and views anew where this version's differ from the file's.

    One transaction: readers see the old ones until it commits. Nothing happens when the digest of
    the files is the one noted at the last time, which makes an ordinary start quick.

    ``time_zone`` is whose days the daily figures are. It is both a fact of the warehouse and, as a
    constant macro, a part of every view: a look-up in its place costs each query 40 ms of planning.
    """
    views = sorted((folder / "views").glob("*.sql"))
    seeds = [folder / "seeds" / f"{table}.csv" for table in _SEEDS]
    digest = hashlib.sha256(time_zone.encode())
    for file in (*views, *seeds):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    known = "select 1 from warehouse_facts where name = 'code_sha256' and value = ?"
    if connection.execute(known, [digest.hexdigest()]).fetchall():
        return
    connection.execute("begin transaction")
    for table, seed in zip(_SEEDS, seeds, strict=True):
        _load_seed(connection, table, seed)
    for view in views:
        connection.execute(view.read_text(encoding="utf-8"))
    connection.execute(f"create or replace macro report_time_zone() as '{time_zone}'")
    _set_fact(connection, "report_time_zone", time_zone)
    ((version,),) = connection.execute("select definitions_version()").fetchall()
    _set_fact(connection, "definitions_version", version)
    connection.execute(_SINCE, {"name": f"definitions_{version}_since"})
    _set_fact(connection, "code_sha256", digest.hexdigest())
    # days, classes and providers may mean something else now
    if connection.execute("select 1 from events limit 1").fetchall():
        recompute(connection)
    connection.execute("commit")


def _set_fact(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    connection.execute("delete from warehouse_facts where name = ?", [name])
    connection.execute("insert into warehouse_facts values (?, ?)", [name, value])


def _load_seed(connection: duckdb.DuckDBPyConnection, table: str, file: Path) -> None:
    """Replace a seed table by the file's rows; empty fields are NULL."""
    rows = pyarrow.csv.read_csv(
        file, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    )
    connection.register("seed", rows)
    connection.execute(f"delete from {table}")
    connection.execute(f"insert into {table} by name select * from seed")
    connection.unregister("seed")
