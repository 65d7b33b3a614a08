"""Users' own SQL: views, tables and macros in the schema `my`, which start-up leaves alone.

Each statement is kept beside what it made: DuckDB's catalogue loses macros' default values, and a
view that an upgrade broke has to be there when the next one mends it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from consumer.errors import QueryError
from consumer.warehouse.faults import to_query_fault

_STATEMENT: Final = re.compile(
    r"""\s*(?P<verb>create(?:\s+or\s+replace)?|drop)
    \s+(?P<kind>view|table|macro(?:\s+table)?|function)
    \s+(?P<unless>if\s+(?:not\s+)?exists\s+)?
    (?:"my"|my)\s*\.\s*(?:"(?P<quoted>[^"]+)"|(?P<name>\w+))(?![\w"])(?!\s*\.)""",
    re.IGNORECASE | re.VERBOSE,
)
_USAGE: Final = (
    "only single statements that create or drop a view, table or macro in the schema my are "
    "allowed: create or replace view my.NAME as select …"
)
_MISSING: Final = """
select name, statement from own_objects
where name not in (
    select view_name from duckdb_views() where schema_name = 'my'
    union all select table_name from duckdb_tables() where schema_name = 'my'
    union all select function_name from duckdb_functions() where schema_name = 'my'
)
order by made_at
"""


@dataclass(frozen=True, slots=True)
class OwnStatement:
    """A statement that makes or drops something in `my`."""

    name: str
    kind: str
    text: str
    is_drop: bool


def parse_own(connection: duckdb.DuckDBPyConnection, sql: str) -> OwnStatement:
    """Read a user's statement. Raises `QueryError` for any but the kind that is allowed."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise to_query_fault(error) from error
    found = _STATEMENT.match(statements[0].query) if len(statements) == 1 else None
    if found is None:
        raise QueryError(_USAGE)
    kind = found["kind"].lower()
    return OwnStatement(
        name=(found["quoted"] or found["name"]),
        kind=kind if kind in {"view", "table"} else "macro",
        text=statements[0].query.strip(),
        is_drop=found["verb"].lower() == "drop",
    )


def apply_own(connection: duckdb.DuckDBPyConnection, own: OwnStatement) -> None:
    """Run a statement inside the caller's transaction and remember it, or forget what it drops."""
    connection.execute(own.text)
    connection.execute("delete from own_objects where lower(name) = lower(?)", [own.name])
    if not own.is_drop:
        connection.execute(
            "insert into own_objects values (?, ?, ?, now() at time zone 'UTC')",
            [own.name, own.kind, own.text],
        )


def remake_own(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    """Put what another statement makes in the place of a view or macro.

    In the caller's transaction. Raises `QueryError` where it would make something else.
    """
    found = _STATEMENT.match(sql)
    own = parse_own(connection, sql)
    if found is None or own.is_drop or own.name != name:
        raise QueryError(f"this makes something else than my.{name}")
    parts = found["verb"], found["unless"] or ""
    replacing = found[0].replace(parts[0], "create or replace", 1).replace(parts[1], "", 1)
    connection.execute(replacing + sql[found.end() :])
    connection.execute("update own_objects set statement = ? where name = ?", [sql, name])


def make_missing(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what is remembered and not there; what cannot be made yet is tried at every start."""
    missing = connection.execute(_MISSING).fetchall()
    while missing:
        left = []
        for name, statement in missing:
            try:
                connection.execute(statement)
            except duckdb.Error:
                left.append((name, statement))
        if len(left) == len(missing):
            return  # those that need another one of them had their turn
        missing = left


@dataclass(frozen=True, slots=True)
class KeptOwn:
    """What a rebuild takes over: the statements, and the tables' rows in a file of their own."""

    objects: Sequence[tuple[object, ...]]
    tables: Sequence[tuple[str, str]]
    file: Path


def keep_own(connection: duckdb.DuckDBPyConnection, file: Path) -> KeptOwn:
    """Copy what users made out of an open file; whatever cannot be read is left behind."""
    file.unlink(missing_ok=True)
    objects: list[tuple[object, ...]] = []
    tables: list[tuple[str, str]] = []
    with suppress(duckdb.Error):
        objects = connection.execute("from own_objects order by made_at").fetchall()
        made = connection.execute(
            "select table_name, sql from duckdb_tables() where schema_name = 'my'"
        ).fetchall()
        if made:
            connection.execute(f"attach '{_quoted(file)}' as kept")
            for name, statement in made:
                copied = f'create table kept."{name}" as from my."{name}"'
                connection.execute(copied)
                tables.append((name, statement))
            connection.execute("detach kept")
    return KeptOwn(objects, tables, file)


def restore_own(connection: duckdb.DuckDBPyConnection, kept: KeptOwn) -> None:
    """Put into a new file what `keep_own` copied."""
    if kept.objects:
        connection.executemany("insert into own_objects values (?, ?, ?, ?)", kept.objects)
    if kept.tables:
        connection.execute(f"attach '{_quoted(kept.file)}' as kept (read_only)")
        for name, statement in kept.tables:
            connection.execute(statement)
            connection.execute(f'insert into my."{name}" from kept."{name}"')
        connection.execute("detach kept")
    connection.execute("set enable_external_access = false")
    make_missing(connection)
    kept.file.unlink(missing_ok=True)


def _quoted(file: Path) -> str:
    return file.as_posix().replace("'", "''")
