"""Brings a warehouse to this version's schema: migrations, seeds and views.

Migrations are append-only files, each applied in one transaction with its own record. Seeds and
views are code: made anew at every start, in one transaction, so that readers never see half.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.csv

from consumer.errors import WarehouseError, WarehouseNewer

_SEEDS: Final = ("providers", "machine_rules")
_RECORD: Final = """
create table if not exists migrations (
    name varchar not null,
    sha256 varchar not null,
    applied_at timestamp not null
)
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


def load_migrations(folder: Path) -> list[Migration]:
    """Read the migrations in the order in which they apply."""
    files = sorted((folder / "migrations").glob("*.sql"))
    return [Migration(file.stem, file.read_text(encoding="utf-8")) for file in files]


def migrate(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[str]:
    """Apply what is missing; returns the names applied.

    Raises `WarehouseNewer` for a file with migrations this version does not know, and
    `WarehouseError` for one whose migration reads differently from ours.
    """
    connection.execute(_RECORD)
    rows = connection.execute("select name, sha256 from migrations order by name").fetchall()
    applied = dict(rows)
    ours = load_migrations(folder)
    unknown = sorted(set(applied) - {migration.name for migration in ours})
    if unknown:
        raise WarehouseNewer(
            f"this warehouse was written by a newer duckpost (it has {', '.join(unknown)}). "
            "Install that version or a later one; this one must not write into it."
        )
    new: list[str] = []
    for migration in ours:
        if migration.name in applied:
            if applied[migration.name] != migration.sha256:
                raise WarehouseError(
                    f"migration {migration.name} differs from the one this warehouse was made "
                    "with. Install the duckpost that made it, or a released later one."
                )
            continue
        connection.execute("begin transaction")
        connection.execute(migration.text)
        connection.execute(
            "insert into migrations values (?, ?, ?)",
            [migration.name, migration.sha256, datetime.now(UTC).replace(tzinfo=None)],
        )
        connection.execute("commit")
        new.append(migration.name)
    return new


def load_seeds(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Replace the seed tables by the files' rows; empty fields are NULL."""
    for table in _SEEDS:
        rows = pyarrow.csv.read_csv(
            folder / "seeds" / f"{table}.csv",
            convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
        )
        connection.register("seed", rows)
        connection.execute(f"delete from {table}")
        connection.execute(f"insert into {table} by name select * from seed")
        connection.unregister("seed")


def create_views(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make macros, views and their comments, in the order of the files' names."""
    for file in sorted((folder / "views").glob("*.sql")):
        connection.execute(file.read_text(encoding="utf-8"))
