"""Who counts once: each group's mark is with its least (event_at, event_key).

Order of arrival changes nothing: an earlier event that arrives late takes the mark over. The
groups are in docs/metrics.md: message × recipient for delays, opens, clicks and engagement (each
also human only), the feedback id for complaints. `consumer.warehouse.repeats` notes one kind more.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.classes import SAID, Classes
from consumer.warehouse.hours import hours_of, within
from consumer.warehouse.pieces import whole

_HELD: Final = """
select m.mark_key, m.kind, m.event_at, m.event_key::varchar as event_key, m.sent_at
from marks as m
where {within} and m.mark_key in (select mark_key from groups)
"""
_GIVE_WAY: Final = """
delete from marks
where {within} and (mark_key, kind) in (select (mark_key, kind) from lost)
"""
_TAKE: Final = """
insert into marks by name
select mark_key, kind, event_at, event_key::uuid as event_key, sent_at from taken
"""

_ASKED: Final = ("mark_key", "event_type", "event_at", "event_key", "sent_at", "ordinal")
_MARK: Final = (
    ("mark_key", pa.uint64()),
    ("kind", pa.string()),
    ("event_at", pa.timestamp("us")),
    ("event_key", pa.string()),
    ("sent_at", pa.timestamp("us")),
)
_LOST: Final = pa.schema(_MARK)
_TAKEN: Final = pa.schema([*_MARK, ("ordinal", pa.int32())])
# What an act is marked as: anybody's, and a person's.
_ACTS: Final = {
    ("Open", True): ("open", "engaged"),
    ("Open", False): ("open", "engaged", "human_open", "human_engaged"),
    ("Click", True): ("click", "engaged"),
    ("Click", False): ("click", "engaged", "human_click", "human_engaged"),
    ("DeliveryDelay", False): ("delay",),
    ("Complaint", False): ("complaint",),
}


class Mark(NamedTuple):
    """A group's mark of a kind, with the event that holds it; ``ordinal`` is an arriving one's.

    ``event_key`` is its text: it sorts as the key does.
    """

    mark_key: int
    kind: str
    event_at: datetime
    event_key: str
    sent_at: datetime
    ordinal: int | None = None

    def precedes(self, other: "Mark") -> bool:
        """Whether it is this one that holds the mark of the two."""
        return (self.event_at, self.event_key) < (other.event_at, other.event_key)


def place_marks(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, classes: Classes
) -> tuple[pa.Table, pa.Table] | None:
    """Give the marks of this batch's groups to their least events.

    All events of a message share its ``sent_at``, so a group's mark lies in the same hour. Returns
    the marks that arriving events took (kind and ordinal among their columns), and those that
    stored events lost to them (kind, and the event's event_key as text, event_at and sent_at); None
    where no row may hold one.

    Args:
        connection: the writer's, inside its transaction.
        rows: those that stay, with their ``machine_rule``.
        classes: which complaints count.
    """
    marked = _find_marked(connection, rows, classes)
    if not marked.num_rows:
        return None
    candidates: dict[tuple[int, str], Mark] = {}
    for mark in _to_marks(marked):
        group = (mark.mark_key, mark.kind)
        if group not in candidates or mark.precedes(candidates[group]):
            candidates[group] = mark
    hours = hours_of(whole(marked["sent_at"]))
    connection.register("groups", marked.select(["mark_key"]))
    found = connection.execute(_HELD.format(within=within("m.sent_at", hours))).fetchall()
    held = {(key, kind): Mark(key, kind, *rest) for key, kind, *rest in found}
    lost = []
    for group, mark in held.items():
        if group in candidates and candidates[group].precedes(mark):
            lost.append(mark)
        else:
            candidates.pop(group, None)
    lost_rows, taken = _to_table(lost, _LOST), _to_table(candidates.values(), _TAKEN)
    if lost:
        connection.register("lost", lost_rows)
        connection.execute(_GIVE_WAY.format(within=within("sent_at", hours)))
    if candidates:
        connection.register("taken", taken)
        connection.execute(_TAKE)
    return taken, lost_rows


def _find_marked(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, classes: Classes
) -> pa.Table:
    """Return the rows that may hold a mark: of reports those alone that count as complaints."""
    may = pc.and_(pc.is_valid(rows["mark_key"]), pc.invert(rows["is_simulator"]))
    marked = rows.select([*_ASKED, *SAID, "machine_rule"]).filter(may)
    is_report = whole(pc.equal(marked["event_type"], "Complaint"))
    if is_report.true_count:
        reports = marked.select(["event_type", *SAID]).filter(is_report).to_pylist()
        classes.classify(connection, reports)
        counts = pa.array([report["complaint_kind"] == "complaint" for report in reports])
        marked = marked.filter(pc.replace_with_mask(pc.invert(is_report), is_report, counts))
    return marked


def _to_marks(marked: pa.Table) -> Iterator[Mark]:
    columns = (marked[name].to_pylist() for name in (*_ASKED, "machine_rule"))
    for key, event_type, event_at, event_key, sent_at, ordinal, rule in zip(*columns, strict=True):
        text = str(event_key)
        for kind in _ACTS[event_type, rule is not None]:
            yield Mark(key, kind, event_at, text, sent_at, ordinal)


def _to_table(marks: Iterable[Mark], schema: pa.Schema) -> pa.Table:
    rows: list[dict[str, Any]] = [mark._asdict() for mark in marks]
    return pa.Table.from_pylist(rows, schema)
