"""Notes of what a role's catalog holds: PostgreSQL's catalogue (sql/postgres) is made of them."""

from typing import Final

import duckdb

# What is in `public` has its comments in the warehouse's `main`, what is in `my` in its `my`.
_RELATIONS: Final = """
create table own.relations as
select v.schema_name as schema, v.view_name as name, w.comment
from duckdb_views() as v
left join (
    select schema_name, view_name as name, comment from duckdb_views()
    where database_name = $file
    union all
    select schema_name, table_name, comment from duckdb_tables()
    where database_name = $file
) as w on w.name = v.view_name and w.schema_name = replace(v.schema_name, 'public', 'main')
where v.database_name = $catalog and v.schema_name in ('public', 'my')
"""
_COLUMNS: Final = """
create table own.columns as
select c.schema_name as schema, c.table_name as relation, c.column_name as name,
    c.column_index as position, c.data_type, w.comment
from duckdb_columns() as c
left join duckdb_columns() as w
    on w.database_name = $file and w.schema_name = replace(c.schema_name, 'public', 'main')
    and w.table_name = c.table_name and w.column_name = c.column_name
where c.database_name = $catalog and c.schema_name in ('public', 'my')
"""
_FUNCTIONS: Final = """
create table own.functions as
select f.schema_name as schema, f.function_name as name, f.parameters,
    f.function_type = 'table_macro' as is_table
from duckdb_functions() as f
where f.database_name = $catalog and f.schema_name in ('public', 'my')
"""


def note_published(cursor: duckdb.DuckDBPyConnection, database: str, catalog: str) -> None:
    """Note relations, columns and functions, with the comments that the warehouse has on them."""
    cursor.execute(_RELATIONS, {"file": database, "catalog": catalog})
    cursor.execute(_COLUMNS, {"file": database, "catalog": catalog})
    cursor.execute(_FUNCTIONS, {"catalog": catalog})
