"""What a rebuild takes over of a warehouse that was pruned: its archive cannot give it again."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from consumer.errors import WarehouseError
from consumer.resources import sql_folder
from consumer.warehouse.facts import FROZEN, HORIZON, put_fact, read_instant
from consumer.warehouse.rollups.folding import copy_frozen, delete_frozen, recompute
from consumer.warehouse.rollups.tables import BASES, ROLLUPS
from consumer.warehouse.rules.in_force import JUDGED_BY
from consumer.warehouse.schema import find_pending
from consumer.warehouse.writing.write import enter_removal

_FACTS: Final = ("horizon", "rollups_frozen_until", "archive_from")
# Failures that are kept for longer, with their marks; all of it where a prune was cut off.
_ROWS: Final = ("events", "marks", "waiting", "rare_events")
# Whose an address is, which pruned events may have said first.
_IDENTITIES: Final = "identities"
_FIRST_TO_SAY: Final = f"""
create or replace temp table first_to_say as
select *
from (from {_IDENTITIES} union all by name from carried.{_IDENTITIES})
qualify
    row_number() over (
        partition by account, region, source
        order by event_at, event_key, identity, coalesce(identity_account, '')
    )
    = 1
"""
# What rollups are made by, beside events.
_WHOLE: Final = (*(basis.remains for basis in BASES), "rollup_tag_keys")
_ROLLUPS: Final = tuple({rollup.table: None for rollup in ROLLUPS})


@dataclass(frozen=True, slots=True)
class Carried:
    """Facts, and rows in a file of their own.

    Attributes:
        facts: by name.
        file: None where nothing was pruned but the archive.
        frozen: before when the rollups are taken over; None where they were not frozen.
    """

    facts: dict[str, str]
    file: Path | None
    frozen: datetime | None

    def discard(self) -> None:
        """Delete the file."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def take_along(connection: duckdb.DuckDBPyConnection, file: Path) -> Carried:
    """Copy from an open file what lies before its horizon.

    Raises DuckDB's errors, and `WarehouseError` for rollups that an earlier version left: nothing
    but this version's own can be copied.
    """
    found = connection.execute("select name, value from warehouse_facts").fetchall()
    facts = {name: value for name, value in found if name in _FACTS}
    horizon = read_instant(value for (value,) in connection.execute(HORIZON).fetchall())
    frozen = read_instant(value for (value,) in connection.execute(FROZEN).fetchall())
    if horizon is None:
        return Carried(facts, None, None)
    if frozen is not None and find_pending(connection, sql_folder()):
        raise WarehouseError(
            "this warehouse was pruned and is of an earlier version, whose rollups a rebuild "
            "cannot take along. Let this version open it first: duckpost verify does."
        )
    # rows that are taken along keep the verdicts that they have
    facts |= {name: value for name, value in found if name == JUDGED_BY}
    file.unlink(missing_ok=True)
    connection.execute(f"attach '{_quoted(file)}' as carried")
    old = f"sent_at < timestamp '{horizon}'"
    copies = {table: f"select * from {table} where {old}" for table in _ROWS}
    copies[_IDENTITIES] = f"select * from {_IDENTITIES}"
    if frozen is not None:
        copies |= {table: f"select * from {table}" for table in _WHOLE}
        copies |= {table: copy_frozen(table, frozen) for table in _ROLLUPS}
    for table, rows in copies.items():
        connection.execute(f"create table carried.{table} as {rows}")
    connection.execute("detach carried")
    return Carried(facts, file, frozen)


def set_facts(connection: duckdb.DuckDBPyConnection, carried: Carried) -> None:
    """Note the facts in a new file, before anything comes into it: what is too old stays out."""
    for name, value in carried.facts.items():
        put_fact(connection, name, value)


def put_back(connection: duckdb.DuckDBPyConnection, carried: Carried) -> None:
    """Put into a new file, full of what the archive had, the rows that `take_along` copied."""
    if carried.file is None:
        return
    connection.execute(f"attach '{_quoted(carried.file)}' as carried (read_only)")
    connection.execute("begin transaction")
    for table in _ROWS:
        connection.execute(f"insert into {table} by name from carried.{table}")
    connection.execute(_FIRST_TO_SAY)
    connection.execute(f"delete from {_IDENTITIES}")
    connection.execute(f"insert into {_IDENTITIES} by name from first_to_say")
    ((events,),) = connection.execute("select count(*) from carried.events").fetchall()
    enter_removal(connection, "rebuild", removed=-events)
    if carried.frozen is not None:
        for table in _WHOLE:
            connection.execute(f"insert into {table} by name select * from carried.{table}")
        recompute(connection)
        delete_frozen(connection, carried.frozen)
        for table in _ROLLUPS:
            connection.execute(f"insert into {table} by name from carried.{table}")
    connection.execute("commit")
    connection.execute("detach carried")
    carried.discard()


def _quoted(file: Path) -> str:
    return file.as_posix().replace("'", "''")
