"""Brings a warehouse to this version's schema: migrations, rules and views.

Migrations are append-only files, each applied in one transaction with its own record. Rules and
views are made anew, in one transaction, whenever the files differ from the last time.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from consumer.errors import WarehouseError, WarehouseNewer
from consumer.warehouse.facts import put_fact
from consumer.warehouse.rollups.folding import recompute
from consumer.warehouse.rollups.remaking import forget_pending, is_noted
from consumer.warehouse.rules.files import RuleFiles, Rules, digest_rules, read_rules
from consumer.warehouse.rules.in_force import (
    IN_FORCE,
    JUDGED_BY,
    load_rules,
    read_lines,
    read_looped,
)

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


# A domain without a provider is its own: a provider of that name has mail already.
_HAS_NEW_LINES: Final = """
with new as (
    select provider from rollup_providers where provider not in (select unnest($1::varchar []))
)
select exists (select 1 from events where provider in (select provider from new))
    or exists (select 1 from rollup_remains where provider in (select provider from new))
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


def refuse_newer(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Raise `WarehouseNewer` for a file with migrations that this version does not know."""
    ours = {migration.name for migration in load_migrations(folder)}
    unknown = sorted(set(_find_applied(connection)) - ours)
    if unknown:
        raise WarehouseNewer(
            f"this warehouse was written by a newer duckpost (it has {', '.join(unknown)}). "
            "Install that version or a later one; this one must not write into it."
        )


def find_pending(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[Migration]:
    """Return the migrations that this file lacks; nothing is written.

    Raises `WarehouseNewer` for a file with migrations this version does not know, and
    `WarehouseError` for one whose migration reads differently from ours.
    """
    refuse_newer(connection, folder)
    applied = _find_applied(connection)
    ours = load_migrations(folder)
    for migration in ours:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise WarehouseError(
                f"migration {migration.name} differs from the one this warehouse was made "
                "with. Install the duckpost that made it, or a released later one."
            )
    return [migration for migration in ours if migration.name not in applied]


def _find_applied(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    there = "select 1 from duckdb_tables() where table_name = 'migrations' and not internal"
    if not connection.execute(there).fetchall():
        return {}
    return dict(connection.execute("select name, sha256 from migrations order by name").fetchall())


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


def refresh(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    time_zone: str,
    rule_files: RuleFiles | None = None,
    finishes_rollups: bool = True,
) -> None:
    """Make macros and views anew, and load the rules that classify, where they changed.

    One transaction: readers see the old ones until it commits. Nothing happens when the digest of
    the files is the one noted at the last time, which makes an ordinary start quick.

    New rules judge what comes in from now on; verdicts that events have already stay theirs until
    `duckpost reclassify`. Rollups are made again only for what they do not hold per row: days,
    which providers have a feedback loop, and which mail has a line of its own by the hour.

    Args:
        connection: the writer's.
        folder: with ``views`` and ``seeds``.
        time_zone: whose days the daily figures are. It is both a fact of the warehouse and, as a
            constant macro, a part of every view: a look-up in its place costs each query 40 ms of
            planning.
        rule_files: a user's own rules; None leaves rules and time zone as they are, except in a new
            file: who only asks changes no figure.
        finishes_rollups: whether rollups that are half made again are made now.

    Raises `SettingsError` for rules that cannot be used; nothing is changed then.
    """
    if rule_files is None:
        time_zone = _find_time_zone(connection) or time_zone
    views = sorted((folder / "views").glob("*.sql"))
    digest = hashlib.sha256(time_zone.encode())
    for file in views:
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    is_code_old = not _is_fact(connection, "code_sha256", digest.hexdigest())
    rules = _find_new_rules(connection, folder, rule_files)
    is_half_done = finishes_rollups and is_noted(connection)
    if not is_code_old and rules is None and not is_half_done:
        return
    connection.execute("begin transaction")
    has_new_loops = rules is not None and enforce(connection, rules)
    if is_code_old:
        for view in views:
            connection.execute(view.read_text(encoding="utf-8"))
        connection.execute(f"create or replace macro report_time_zone() as '{time_zone}'")
        put_fact(connection, "report_time_zone", time_zone)
        ((version,),) = connection.execute("select definitions_version()").fetchall()
        put_fact(connection, "definitions_version", version)
        connection.execute(_SINCE, {"name": f"definitions_{version}_since"})
        put_fact(connection, "code_sha256", digest.hexdigest())
    if is_code_old or has_new_loops or is_half_done:
        if _has_events(connection):
            recompute(connection)
        forget_pending(connection)
    connection.execute("commit")


def enforce(connection: duckdb.DuckDBPyConnection, rules: Rules) -> bool:
    """Put rules into force inside the caller's transaction.

    Returns whether rollups are to be made again: other providers than before have a feedback loop,
    or a line of their own for mail that is there. Without events there is no history that other
    rules have judged.
    """
    before, lines = read_looped(connection), read_lines(connection)
    load_rules(connection, rules)
    if not _has_events(connection):
        put_fact(connection, JUDGED_BY, rules.digest)
    ((has_new_lines,),) = connection.execute(_HAS_NEW_LINES, [lines]).fetchall()
    return before != rules.looped or bool(has_new_lines)


def _find_new_rules(
    connection: duckdb.DuckDBPyConnection, folder: Path, files: RuleFiles | None
) -> Rules | None:
    """Read the files where they differ from the rules in force."""
    is_new = not connection.execute(
        "select 1 from warehouse_facts where name = ?", [IN_FORCE]
    ).fetchall()
    if files is None and not is_new:
        return None
    files = files or RuleFiles()
    seeds = folder / "seeds"
    if _is_fact(connection, IN_FORCE, digest_rules(seeds, files)):
        return None
    return read_rules(seeds, files)


def _find_time_zone(connection: duckdb.DuckDBPyConnection) -> str | None:
    found = connection.execute(
        "select value from warehouse_facts where name = 'report_time_zone'"
    ).fetchall()
    return str(found[0][0]) if found else None


def _is_fact(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> bool:
    known = "select 1 from warehouse_facts where name = ? and value = ?"
    return bool(connection.execute(known, [name, value]).fetchall())


def _has_events(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(connection.execute("select 1 from events limit 1").fetchall())
