"""What other programs may read: for each role a catalog in memory, with the views it may see.

A role's catalog has the schema ``public`` with its views, ``pg`` and ``info`` with what clients of
PostgreSQL look up (sql/postgres), and ``own``, which nobody is let into. Its readers search in no
other catalog, so an unqualified name never reaches a table of the file. Catalogs in memory are
made in milliseconds, and gone with the process.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import duckdb

from consumer.resources import sql_folder
from consumer.warehouse.faults import translated
from consumer.warehouse.reader import Reader
from consumer.warehouse.redaction import KEY, KEY_RELATION, MACROS, redact

Role = Literal["reader", "support"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

# Views are published without being named. Tables are not, until they are.
TABLES: Final = frozenset(
    {
        "bounce_classes",
        "bounce_rules",
        "events",
        "identities",
        "ledger",
        "machine_rules",
        "positions",
        "providers",
        "quarantine",
    }
)
# Macros that make sense outside the views, on plain values.
MACRO_NAMES: Final = frozenset(
    {
        "bounce_kind_of",
        "complaint_kind_of",
        "definitions_version",
        "delay_side_of",
        "is_block",
        "is_small_sample",
        "is_suppression",
        "rate",
        "report_day",
        "report_day_starts_at",
        "report_time_zone",
        "utc_now",
        "wilson_high",
        "wilson_low",
    }
)
_SEARCHED: Final = ("pg", "public")
_HIDDEN_SCHEMA: Final = "own"


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """A column of a published relation, with the warehouse's type."""

    name: str
    data_type: str


@dataclass(frozen=True, slots=True)
class Published:
    """What a role may read.

    Attributes:
        columns: of each relation of ``public``, by its name.
        catalogue: names of the relations in ``pg`` and ``info``.
        macros: functions of ``public`` and ``pg``.
    """

    columns: dict[str, tuple[PublishedColumn, ...]]
    catalogue: dict[str, frozenset[str]]
    macros: frozenset[str]


class Publication:
    """The roles' catalogs of one open warehouse.

    Args:
        connection: the warehouse's; only cursors of it are used.
        secret: the warehouse's key, that hashes shown to readers are derived from.
        on_lost: called when the instance fails for good under a reader.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        secret: bytes,
        *,
        on_lost: Callable[[duckdb.Error], None],
    ) -> None:
        self._connection = connection
        self._on_lost = on_lost
        self.published: dict[Role, Published] = {}
        with translated("publishing views to the SQL endpoint"):
            cursor = connection.cursor()
            ((self._database,),) = cursor.execute("select current_database()").fetchall()
            for role in ROLES:
                self.published[role] = self._publish(connection.cursor(), role, secret)

    def open_reader(self, role: Role) -> Reader:
        """Open a cursor that searches in the role's catalog alone."""
        cursor = self._connection.cursor()
        path = ",".join(f"{_to_catalog(role)}.{schema}" for schema in _SEARCHED)
        cursor.execute(f"set search_path = '{path}'")
        return Reader(cursor, self._on_lost)

    def _publish(self, cursor: duckdb.DuckDBPyConnection, role: Role, secret: bytes) -> Published:
        catalog = _to_catalog(role)
        cursor.execute(f"attach if not exists ':memory:' as {catalog}")
        for schema in (_HIDDEN_SCHEMA, "public", "pg", "info"):
            cursor.execute(f"drop schema if exists {catalog}.{schema} cascade")
            cursor.execute(f"create schema {catalog}.{schema}")
        cursor.execute(f"use {catalog}.{_HIDDEN_SCHEMA}")
        cursor.execute(f"create table {KEY_RELATION} (secret varchar)")
        key = hashlib.blake2b(b"tokens shown to readers", key=secret, digest_size=32).hexdigest()
        cursor.execute(f"insert into {KEY_RELATION} values (?)", [key])
        cursor.execute(MACROS)
        columns = {
            name: tuple(self._publish_view(cursor, role, name, found))
            for name, found in self._find_relations(cursor)
        }
        self._note_relations(cursor, catalog)
        cursor.execute(f"set search_path = '{catalog}.pg,{catalog}.public'")
        self._publish_macros(cursor, catalog)
        self._note_functions(cursor, catalog)
        for file in sorted((sql_folder() / "postgres").glob("*.sql")):
            cursor.execute(file.read_text(encoding="utf-8"))
        catalogue = {
            schema: frozenset(_names(cursor, "duckdb_tables", "table", catalog, schema))
            | frozenset(_names(cursor, "duckdb_views", "view", catalog, schema))
            for schema in ("pg", "info")
        }
        macros = {
            name
            for schema in _SEARCHED
            for name in _names(cursor, "duckdb_functions", "function", catalog, schema)
        }
        return Published(columns, catalogue, frozenset(macros))

    def _find_relations(
        self, cursor: duckdb.DuckDBPyConnection
    ) -> Iterator[tuple[str, list[PublishedColumn]]]:
        rows = cursor.execute(
            """
            select c.table_name, c.column_name, c.data_type
            from duckdb_columns() as c
            where c.database_name = ? and c.schema_name = 'main' and not c.internal
                and (
                    c.table_name in (select unnest(?::varchar[]))
                    or c.table_name in (
                        select v.view_name from duckdb_views() as v
                        where v.database_name = ? and v.schema_name = 'main' and not v.internal
                    )
                )
            order by c.table_name, c.column_index
            """,
            [self._database, sorted(TABLES), self._database],
        ).fetchall()
        found: dict[str, list[PublishedColumn]] = {}
        for relation, name, data_type in rows:
            found.setdefault(relation, []).append(PublishedColumn(name, data_type))
        yield from found.items()

    def _publish_view(
        self,
        cursor: duckdb.DuckDBPyConnection,
        role: Role,
        name: str,
        columns: Iterable[PublishedColumn],
    ) -> Iterator[PublishedColumn]:
        """Make a view over the warehouse's own, redacted where the role asks for it."""
        selected = []
        for column in columns:
            quoted = _quote(column.name)
            shown = quoted if role == "support" else redact(column.name, column.data_type)
            data_type = column.data_type
            if shown is None:
                # raw bytes are withheld too; what remains to be seen is that there is a column
                shown = f"null::{data_type}"
            selected.append(shown if shown == quoted else f"{shown} as {quoted}")
            yield PublishedColumn(column.name, data_type)
        query = f"select {', '.join(selected)} from {_quote(self._database)}.main.{_quote(name)}"
        if KEY in query:
            query += f" cross join {KEY_RELATION}"
        cursor.execute(f"create view public.{_quote(name)} as {query}")

    def _publish_macros(self, cursor: duckdb.DuckDBPyConnection, catalog: str) -> None:
        """Make them anew there: a macro's own macros are looked up where it is called from."""
        rows = cursor.execute(
            """
            select f.function_name, f.parameters, f.macro_definition from duckdb_functions() as f
            where f.database_name = ? and f.function_type = 'macro'
            """,
            [self._database],
        ).fetchall()
        waiting = {name: rest for name, *rest in rows if name in MACRO_NAMES}
        while waiting:
            for name, (parameters, definition) in list(waiting.items()):
                if not any(re.search(rf"\b{other}\(", definition) for other in waiting):
                    cursor.execute(
                        f"create macro {catalog}.public.{name}({', '.join(parameters)}) as "
                        f"({definition})"
                    )
                    del waiting[name]

    def _note_functions(self, cursor: duckdb.DuckDBPyConnection, catalog: str) -> None:
        cursor.execute(
            """
            create table own.functions as
            select f.function_name as name, f.parameters from duckdb_functions() as f
            where f.database_name = ? and f.schema_name = 'public'
            """,
            [catalog],
        )

    def _note_relations(self, cursor: duckdb.DuckDBPyConnection, catalog: str) -> None:
        """Note what is published and what its comments say, for the catalogue to be made of."""
        cursor.execute(
            """
            create table own.relations as
            select v.view_name as name, w.comment
            from duckdb_views() as v
            left join (
                select view_name as name, comment from duckdb_views()
                where database_name = $file and schema_name = 'main'
                union all
                select table_name, comment from duckdb_tables()
                where database_name = $file and schema_name = 'main'
            ) as w on w.name = v.view_name
            where v.database_name = $catalog and v.schema_name = 'public'
            """,
            {"file": self._database, "catalog": catalog},
        )
        cursor.execute(
            """
            create table own.columns as
            select c.table_name as relation, c.column_name as name, c.column_index as position,
                c.data_type, w.comment
            from duckdb_columns() as c
            left join duckdb_columns() as w
                on w.database_name = $file and w.schema_name = 'main'
                and w.table_name = c.table_name and w.column_name = c.column_name
            where c.database_name = $catalog and c.schema_name = 'public'
            """,
            {"file": self._database, "catalog": catalog},
        )


def _names(
    cursor: duckdb.DuckDBPyConnection, source: str, kind: str, catalog: str, schema: str
) -> list[str]:
    rows = cursor.execute(
        f"select distinct {kind}_name from {source}() where database_name = ? and schema_name = ?",
        [catalog, schema],
    ).fetchall()
    return [name for (name,) in rows]


def _to_catalog(role: Role) -> str:
    """No file is called so: the roles' catalogs must not meet the warehouse's own name."""
    return f"duckpost_to_{role}"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
