"""Users' own SQL among what is published: the schema `my` in each role's catalog.

A view or macro is made there anew, by the statement that made it in the warehouse: what it names
is then what its role may see, and an address that it reads is a token already. One that names
anything else is not served to the role, and said to be so. Tables come as views over them,
redacted by the names of their columns.
"""

from collections.abc import Callable

import duckdb

from consumer.warehouse.reading.published import Published, Relations, Role, find_columns, quote
from consumer.warehouse.reading.redaction import to_query

SCHEMA = "my"

# Says why a statement may not be served to a role, or None: from the statement, what is published
# so far, and DuckDB's parser.
Admit = Callable[[str, Published, Callable[[str], str]], str | None]


def publish_own(
    cursor: duckdb.DuckDBPyConnection,
    role: Role,
    database: str,
    published: Published,
    *,
    admit: Admit,
) -> Published:
    """Make `my` in a role's catalog, which is the cursor's own.

    Args:
        cursor: whose statements make things in the role's catalog.
        role: who is to see it.
        database: the warehouse's name.
        published: everything that the role may see besides.
        admit: decides on each statement.

    Returns:
        ``published`` with what was made, and what was not.
    """
    ((catalog,),) = cursor.execute("select current_database()").fetchall()
    columns: Relations = {}
    macros: set[str] = set()
    refused: dict[str, str] = {}
    for name, found in find_columns(cursor, database, SCHEMA, "table").items():
        query = to_query(
            f"{quote(database)}.{SCHEMA}.{quote(name)}", found, is_redacted=role != "support"
        )
        cursor.execute(f"create view {catalog}.{SCHEMA}.{quote(name)} as {query}")
        columns[name] = found
    waiting = _find_statements(cursor, database)
    has_progress = True
    while waiting and has_progress:
        has_progress = False  # those that need another one of them get their turn again
        for name, statement in list(waiting.items()):
            so_far = published.with_own(columns, macros, refused)
            reason = _make(cursor, statement, so_far, admit)
            if reason is not None:
                refused[name] = reason
                continue
            del waiting[name]
            refused.pop(name, None)
            has_progress = True
            made = find_columns(cursor, catalog, SCHEMA, "view").get(name)
            if made is None:
                macros.add(name.lower())
            else:
                columns[name] = made
    return published.with_own(columns, macros, refused)


def _find_statements(cursor: duckdb.DuckDBPyConnection, database: str) -> dict[str, str]:
    rows = cursor.execute(
        f"""
        select name, statement from {quote(database)}.main.own_objects
        where kind <> 'table' order by made_at
        """
    ).fetchall()
    return dict(rows)


def _make(
    cursor: duckdb.DuckDBPyConnection, statement: str, published: Published, admit: Admit
) -> str | None:
    """Run a statement; None when it was, else why not."""

    def parse(sql: str) -> str:
        ((parsed,),) = cursor.execute("select json_serialize_sql(?)", [sql]).fetchall()
        return str(parsed)

    reason = admit(statement, published, parse)
    if reason is not None:
        return reason
    try:
        cursor.execute(statement)
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None
