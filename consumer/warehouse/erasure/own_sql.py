"""Erases an address from what users made in `my`: the texts of views and macros.

Rows hold the token from now on, so a statement that has it too finds what it found before.
"""

from typing import TYPE_CHECKING, Final

from consumer.erasure import Eraser
from consumer.errors import CommitOutcomeUnknown, QueryError, WarehouseError
from consumer.warehouse.own_sql import remake_own

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

_STATEMENTS: Final = "select name, kind, statement from own_objects order by made_at"
_KEEP: Final = "update own_objects set statement = ? where name = ?"
# grain: one row per text that DuckDB keeps of something in `my`
_TEXTS: Final = """
select view_name as name, sql as text from duckdb_views() where schema_name = 'my'
union all
select view_name, comment from duckdb_views() where schema_name = 'my'
union all
select table_name, sql from duckdb_tables() where schema_name = 'my'
union all
select table_name, comment from duckdb_tables() where schema_name = 'my'
union all
select function_name, macro_definition from duckdb_functions() where schema_name = 'my'
union all
select name, statement from own_objects
order by all
"""


def erase_own(warehouse: "Warehouse", eraser: Eraser) -> tuple[int, list[str]]:
    """Make views and macros anew by statements without the address.

    Returns how many statements changed, and the names of what still has the address: it could not
    be made anew, or its own name has it, or a table's definition.
    """
    with warehouse.read(_STATEMENTS) as reader:
        kept = reader.read_all().to_pylist()
    changed = 0
    for name, kind, statement in (tuple(one.values()) for one in kept):
        fresh = eraser.erase(statement)
        if fresh != statement:
            changed += _replace(warehouse, name, kind, fresh)
    if changed:
        warehouse.republish()
    with warehouse.read(_TEXTS) as reader:
        texts = reader.read_all().to_pylist()
    left = {
        one["name"]
        for one in texts
        if any(text and eraser.erase(text) != text for text in (one["name"], one["text"]))
    }
    return changed, sorted(left)


def _replace(warehouse: "Warehouse", name: str, kind: str, fresh: str) -> bool:
    """Whether it could be; what cannot stays as it is, each in a transaction of its own."""

    def put(connection: "duckdb.DuckDBPyConnection") -> None:
        if kind == "table":  # its rows are erased as those of any table
            connection.execute(_KEEP, [fresh, name])
        else:
            remake_own(connection, name, fresh)

    try:
        warehouse.change_beside(f"erasing from the statement of my.{name}", put)
    except CommitOutcomeUnknown:
        raise
    except (QueryError, WarehouseError):
        return False
    return True
