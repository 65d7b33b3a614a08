"""What other programs may read: for each role a catalog in memory, with the views it may see.

A role's catalog has the schemas ``public`` with its views, ``my`` with what users made, ``pg`` and
``info`` with what clients of PostgreSQL look up (sql/postgres), and ``own``, which nobody is let
into. Its readers search in no other catalog, so an unqualified name never reaches a table of the
file. Catalogs in memory are gone with the process. When users change what is theirs, a new edition
of all catalogs takes the place of the one before, which stays until the next: what runs in it ends
in it.
"""

import hashlib
import itertools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import duckdb
import structlog

from consumer.resources import sql_folder
from consumer.warehouse.faults import translated
from consumer.warehouse.reading.noting import note_published
from consumer.warehouse.reading.own_publication import SCHEMA, Admit, publish_own
from consumer.warehouse.reading.published import (
    ROLES,
    Published,
    Relations,
    Role,
    find_columns,
    quote,
    to_catalog,
)
from consumer.warehouse.reading.reader import Reader
from consumer.warehouse.reading.redaction import KEY_RELATION, MACROS, to_query

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
_DOING: Final = "publishing views to the SQL endpoint"
# Catalogs of one process have names of their own, whichever warehouse they are of.
_EDITIONS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Edition:
    """What was published at one time: its number, and by role what each may read."""

    number: int
    published: Mapping[Role, Published]


class Publication:
    """The roles' catalogs of one open warehouse.

    Args:
        connection: the warehouse's; only cursors of it are used.
        secret: the warehouse's key, that hashes shown to readers are derived from.
        admit: decides which of the statements in `my` are served.
        on_lost: called when the instance fails for good under a reader.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        secret: bytes,
        *,
        admit: Admit,
        on_lost: Callable[[duckdb.Error], None],
    ) -> None:
        self._connection = connection
        self._key = hashlib.blake2b(
            b"tokens shown to readers", key=secret, digest_size=32
        ).hexdigest()
        self._admit = admit
        self._on_lost = on_lost
        self._renewing = threading.Lock()
        with translated(_DOING):
            ((self._database,),) = connection.execute("select current_database()").fetchall()
        self._edition = self._publish_all()
        self._last: _Edition | None = None

    @property
    def published(self) -> Mapping[Role, Published]:
        """What each role may read now."""
        return self._edition.published

    def renew(self) -> None:
        """Publish what users changed in `my`; from any thread."""
        with self._renewing:
            oldest, self._last = self._last, self._edition
            self._edition = self._publish_all()
            if oldest is not None:
                with translated(_DOING), self._connection.cursor() as cursor:
                    for role in ROLES:
                        cursor.execute(f"detach {to_catalog(role, oldest.number)}")

    def open_reader(self, role: Role) -> Reader:
        """Open a cursor that searches in the role's catalog alone."""
        cursor = self._connection.cursor()
        edition = self._edition
        catalog = to_catalog(role, edition.number)
        path = ",".join(f"{catalog}.{schema}" for schema in _SEARCHED)
        cursor.execute(f"set search_path = '{path}'")
        return Reader(cursor, self._on_lost, edition.published[role])

    def _publish_all(self) -> _Edition:
        number = next(_EDITIONS)
        with translated(_DOING):
            published = {role: self._publish(role, to_catalog(role, number)) for role in ROLES}
        for role, found in published.items():
            for name, reason in found.refused.items():
                structlog.get_logger().warning(
                    "not served from the schema my", name=name, role=role, reason=reason
                )
        return _Edition(number, published)

    def _publish(self, role: Role, catalog: str) -> Published:
        cursor = self._connection.cursor()
        cursor.execute(f"attach ':memory:' as {catalog}")
        for schema in (_HIDDEN_SCHEMA, "public", SCHEMA, "pg", "info"):
            cursor.execute(f"create schema {catalog}.{schema}")
        cursor.execute(f"use {catalog}.{_HIDDEN_SCHEMA}")
        cursor.execute(f"create table {KEY_RELATION} (secret varchar)")
        cursor.execute(f"insert into {KEY_RELATION} values (?)", [self._key])
        cursor.execute(MACROS)
        columns = self._publish_relations(cursor, role)
        cursor.execute(f"set search_path = '{catalog}.pg,{catalog}.public'")
        self._publish_macros(cursor, catalog)
        macros = _find_macros(cursor, catalog, "public")
        published = publish_own(
            cursor,
            role,
            self._database,
            Published(columns, macros),
            admit=self._admit,
        )
        note_published(cursor, self._database, catalog)
        for file in sorted((sql_folder() / "postgres").glob("*.sql")):
            cursor.execute(file.read_text(encoding="utf-8"))
        catalogue = {
            schema: frozenset(
                name
                for kind in ("table", "view")
                for name in find_columns(cursor, catalog, schema, kind)
            )
            for schema in ("pg", "info")
        }
        return replace(
            published,
            catalogue=catalogue,
            macros=macros.union(*(_find_macros(cursor, catalog, schema) for schema in catalogue)),
        )

    def _publish_relations(self, cursor: duckdb.DuckDBPyConnection, role: Role) -> Relations:
        """Make views over the warehouse's own, redacted where the role asks for it."""
        tables = find_columns(cursor, self._database, "main", "table")
        columns = find_columns(cursor, self._database, "main", "view") | {
            name: found for name, found in tables.items() if name in TABLES
        }
        for name, found in columns.items():
            query = to_query(
                f"{quote(self._database)}.main.{quote(name)}",
                found,
                is_redacted=role != "support",
            )
            cursor.execute(f"create view public.{quote(name)} as {query}")
        return columns

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


def _find_macros(cursor: duckdb.DuckDBPyConnection, catalog: str, schema: str) -> frozenset[str]:
    rows = cursor.execute(
        """
        select distinct function_name from duckdb_functions()
        where database_name = ? and schema_name = ?
        """,
        [catalog, schema],
    ).fetchall()
    return frozenset(name for (name,) in rows)
