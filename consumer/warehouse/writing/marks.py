"""Who counts once: each group's mark is with its least (event_at, event_key).

Order of arrival changes nothing: an earlier event that arrives late takes the mark over. The
groups are in docs/metrics.md: message × recipient for delays, opens, clicks and engagement (each
also human only), the feedback id for complaints. `consumer.warehouse.writing.repeats` notes one
kind more.
"""

from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.hours import hours_of, within
from consumer.warehouse.pieces import bytes_of, whole
from consumer.warehouse.writing.classes import SAID, Classes

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
select mark_key, kind, event_at, event_key, sent_at from taken
"""

_ASKED: Final = ("mark_key", "event_type", "event_at", "event_key", "sent_at", "ordinal")
_LOST: Final = pa.schema(
    [
        ("mark_key", pa.uint64()),
        ("kind", pa.string()),
        ("event_at", pa.timestamp("us")),
        ("event_key", pa.string()),
        ("sent_at", pa.timestamp("us")),
    ]
)
# What each kind marks, and whether a person's act alone.
_KINDS: Final = {
    "complaint": (("Complaint",), False),
    "delay": (("DeliveryDelay",), False),
    "open": (("Open",), False),
    "click": (("Click",), False),
    "engaged": (("Open", "Click"), False),
    "human_open": (("Open",), True),
    "human_click": (("Click",), True),
    "human_engaged": (("Open", "Click"), True),
}


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
    hours = hours_of(whole(marked["sent_at"]))
    connection.register("groups", marked.select(["mark_key"]))
    held = connection.sql(_HELD.format(within=within("m.sent_at", hours))).to_arrow_table()
    taken, lost = [], []
    for kind, first in _find_firsts(marked):
        stays, gives_way = _compare(first, held.filter(pc.equal(held["kind"], kind)))
        taken.append(first.filter(stays).append_column("kind", pa.repeat(kind, stays.true_count)))
        lost += gives_way
    taken_rows, lost_rows = pa.concat_tables(taken), pa.Table.from_pylist(lost, _LOST)
    if lost:
        connection.register("lost", lost_rows)
        connection.execute(_GIVE_WAY.format(within=within("sent_at", hours)))
    if taken_rows.num_rows:
        connection.register("taken", taken_rows)
        connection.execute(_TAKE)
    return taken_rows, lost_rows


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
    return marked.select([*_ASKED, "machine_rule"])


def _find_firsts(marked: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield, by kind, the least row of each group that has one of the kind."""
    order = {"event_at": whole(marked["event_at"]), "event_key": bytes_of(marked["event_key"])}
    by_time = [(name, "ascending") for name in order]
    marked = marked.take(pc.sort_indices(pa.table(order), sort_keys=by_time)).combine_chunks()
    is_person = pc.is_null(marked["machine_rule"])
    places = pa.array(range(marked.num_rows), pa.int32())
    keys = whole(marked["mark_key"])
    for kind, (types, is_human) in _KINDS.items():
        is_kind = whole(pc.is_in(marked["event_type"], value_set=pa.array(types)))
        if is_human:
            is_kind = pc.and_(is_kind, whole(is_person))
        if is_kind.true_count:
            groups = pa.table({"key": keys.filter(is_kind), "place": places.filter(is_kind)})
            least = groups.group_by("key", use_threads=False).aggregate([("place", "min")])
            yield kind, marked.take(least["place_min"])


def _compare(first: pa.Table, held: pa.Table) -> tuple[pa.BooleanArray, list[dict[str, Any]]]:
    """Return which of the arriving firsts hold their marks, and the stored ones that give way."""
    stays = [True] * first.num_rows
    gives_way = []
    places = pc.index_in(held["mark_key"], value_set=whole(first["mark_key"])).to_pylist()
    for place, mark in zip(places, held.to_pylist(), strict=True):
        if place is None:
            continue
        arriving = (first["event_at"][place].as_py(), str(first["event_key"][place].as_py()))
        if arriving < (mark["event_at"], mark["event_key"]):
            gives_way.append(mark)
        else:
            stays[place] = False
    return pa.array(stays, pa.bool_()), gives_way
