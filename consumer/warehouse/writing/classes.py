"""How bounces and complaints count, as the macros say, asked once for equal ones."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

Row = dict[str, Any]

# What the macros look at.
SAID: Final = (
    *("bounce_type", "bounce_sub_type", "is_auto_reply", "bounce_class"),
    *("complaint_sub_type", "complaint_feedback_type"),
)
_SCHEMA: Final = pa.schema(
    [("event_type", pa.string())]
    + [(name, pa.bool_() if name == "is_auto_reply" else pa.string()) for name in SAID]
)
_CLASSIFY: Final = """
select
    bounce_kind_of(bounce_type, bounce_sub_type, is_auto_reply) as bounce_kind,
    event_type = 'Bounce' and is_block(bounce_class) as is_block,
    if(
        event_type = 'Complaint',
        complaint_kind_of(complaint_sub_type, complaint_feedback_type), null
    ) as complaint_kind,
from unclassified
"""
# SES's words are few, but open lists.
_MOST_REMEMBERED: Final = 4096


class Kind(NamedTuple):
    """Of one row: its bounce kind, whether it is a block, its complaint kind."""

    bounce_kind: str | None
    is_block: bool
    complaint_kind: str | None


_NEITHER: Final = Kind(None, False, None)


class Classes:
    """Asks the macros about what it does not remember: planning that takes some milliseconds."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Kind] = {}

    def classify(self, connection: duckdb.DuckDBPyConnection, rows: Iterable[Row]) -> None:
        """Set ``bounce_kind``, ``is_block`` and ``complaint_kind`` of each row."""
        named = [(row, _to_name(row)) for row in rows]
        unknown = {name for _, name in named if name is not None} - self._known.keys()
        if unknown:
            self._ask(connection, list(unknown))
        for row, name in named:
            kind = _NEITHER if name is None else self._known[name]
            row["bounce_kind"], row["is_block"], row["complaint_kind"] = kind
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()

    def _ask(self, connection: duckdb.DuckDBPyConnection, names: list[tuple[Any, ...]]) -> None:
        columns = zip(*names, strict=True)
        arrays = [
            pa.array(column, kind.type) for column, kind in zip(columns, _SCHEMA, strict=True)
        ]
        connection.register("unclassified", pa.Table.from_arrays(arrays, schema=_SCHEMA))
        found = connection.execute(_CLASSIFY).fetchall()
        self._known.update((name, Kind(*kinds)) for name, kinds in zip(names, found, strict=True))


def _to_name(row: Row) -> tuple[Any, ...] | None:
    if row["event_type"] not in {"Bounce", "Complaint"}:
        return None
    return (row["event_type"], *(row[name] for name in SAID))
