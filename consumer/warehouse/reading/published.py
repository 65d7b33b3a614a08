"""What a role may read of the warehouse, by name."""

from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

import duckdb

Role = Literal["reader", "support"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """A column of a published relation, with the warehouse's type."""

    name: str
    data_type: str


Relations = dict[str, tuple[PublishedColumn, ...]]


@dataclass(frozen=True, slots=True)
class Published:
    """What a role may read.

    Attributes:
        columns: of each relation of ``public``, by its name.
        macros: functions of ``public`` and ``pg``.
        catalogue: names of the relations in ``pg`` and ``info``.
        own_columns: of each relation of ``my``, which users made.
        own_macros: functions of ``my``.
        refused: what is in ``my`` and not shown to the role, each with the reason.
    """

    columns: Relations
    macros: frozenset[str]
    catalogue: dict[str, frozenset[str]] = field(default_factory=dict)
    own_columns: Relations = field(default_factory=dict)
    own_macros: frozenset[str] = frozenset()
    refused: dict[str, str] = field(default_factory=dict)

    def with_own(
        self, columns: Relations, macros: set[str], refused: dict[str, str]
    ) -> "Published":
        """The same, and what users made."""
        return replace(self, own_columns=columns, own_macros=frozenset(macros), refused=refused)


def find_columns(
    cursor: duckdb.DuckDBPyConnection, database: str, schema: str, kind: Literal["table", "view"]
) -> Relations:
    """The columns of each relation of a kind in a schema."""
    rows = cursor.execute(
        f"""
        select c.table_name, c.column_name, c.data_type
        from duckdb_columns() as c
        inner join duckdb_{kind}s() as r
            on r.database_name = c.database_name and r.schema_name = c.schema_name
            and r.{kind}_name = c.table_name and not r.internal
        where c.database_name = ? and c.schema_name = ?
        order by c.table_name, c.column_index
        """,
        [database, schema],
    ).fetchall()
    found: Relations = {}
    for relation, name, data_type in rows:
        found[relation] = (*found.get(relation, ()), PublishedColumn(name, data_type))
    return found


def quote(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def to_catalog(role: Role, edition: int) -> str:
    """The name of a role's catalog: no file is called so, as it must not meet the warehouse's."""
    return f"duckpost_to_{role}_{edition}"
