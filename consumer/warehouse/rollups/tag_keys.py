"""Keeps a tag that names every message from making the rollup as long as the events.

A key that had more values on a day than are kept apart has one line that day, for good: all of its
mail, under no value. Which keys of which days those are depends on what came and not on its order,
and rows that go by one line are still sums.
"""

from typing import Final

import duckdb

from consumer.warehouse.rollups.tables import TAGS

# Values of a key that a day keeps apart.
MOST_VALUES: Final = 1_000

_FIND: Final = """
create or replace temp table crowded as
select period_day as cohort_day, tag_key
from {table}
where period_day in (select period_day from {days})
group by period_day, tag_key
having count(distinct tag_value) > {most}
"""
# Both sides of the change: what is noted maps the values of rows that are there as well.
_IN_CROWDED: Final = "(period_day, tag_key) in (select (cohort_day, tag_key) from crowded)"


def close_crowded(connection: duckdb.DuckDBPyConnection, days: str) -> None:
    """Give each key that has too many values on a day one line there, in the caller's transaction.

    ``days`` is a relation whose ``period_day`` says which days got rows.
    """
    connection.execute(_FIND.format(table=TAGS.table, days=days, most=MOST_VALUES))
    if connection.execute("select exists (from crowded)").fetchall() == [(True,)]:
        connection.execute("insert into rollup_tag_keys by name select * from crowded")
        line = TAGS.to_compacted(_IN_CROWDED, tag_value="crowded_tag_value()")
        connection.execute(f"create or replace temp table one_line as {line}")
        connection.execute(f"delete from {TAGS.table} where {_IN_CROWDED}")
        connection.execute(f"insert into {TAGS.table} by name from one_line")
        connection.execute("drop table one_line")
    connection.execute("drop table crowded")
