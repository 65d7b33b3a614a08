"""What a batch changes in the counts: rows for ``rollup_deltas``, in the batch's own transaction.

Nearly every row counts by itself, with the marks that it takes, and goes in as it comes. What
counts differently because of something else of its message (a Send that was rejected, a Delivery
that bounced) is rare: the few messages that have such a row, and rows that were replaced,
completed or lost a mark, go in once more, as they were and as they are, with opposite signs.
`consumer.warehouse.rollups.folding` adds it all up later.

Statements are few and plain, and what they leave is done in Arrow: a batch's rows take less time
to count than a statement that counts them takes to plan.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.rows.columns import COMMON, SPECIFIC
from consumer.warehouse.hours import hours_of, near, within
from consumer.warehouse.pieces import unless, whole
from consumer.warehouse.rollups.counts import count
from consumer.warehouse.writing.classes import SAID, Classes
from consumer.warehouse.writing.delivered import Delays, Stored, add_delivered
from consumer.warehouse.writing.domains import Domains
from consumer.warehouse.writing.pairs import ALONE, Row, pair

_MARK_BITS: Final = {
    "complaint": 1,
    "delay": 2,
    "open": 4,
    "click": 8,
    "engaged": 16,
    "human_open": 32,
    "human_click": 64,
    "human_engaged": 128,
    "repeat": 1024,
}
_NO_MARKS: Final = pa.table({"ordinal": pa.array([], pa.int32()), "bit": pa.array([], pa.int64())})

# What counts and their keys depend on, and what classes do.
_FACTS: Final = (
    *("event_key", "event_type", "event_at", "sent_at", "message_id", "recipient"),
    *("recipient_domain", "destination_count", "account", "region", "configuration_set"),
    *("identity", "source", "from_domain", "tags", "feedback_id", "delay_type"),
    *("is_unsubscribe", "processing_ms", *SAID),
)
# Of these nothing is left in a row that is ready to be counted.
_LEFT_BEHIND: Final = frozenset({"event_key", "message_id", "processing_ms"})
_FOUND_OUT: Final = (
    ("provider", pa.string()),
    ("is_machine", pa.bool_()),
    ("marks", pa.int64()),
    ("n", pa.int64()),
    ("bounce_kind", pa.string()),
    ("is_block", pa.bool_()),
    ("complaint_kind", pa.string()),
    *((name, pa.bool_()) for name in ALONE),
)
_JUDGED: Final = {"event_key": pa.string(), "bounce_class": pa.string()}
_TYPES: Final = {**dict(COMMON), **dict(SPECIFIC), **_JUDGED}
_COUNTABLE: Final = pa.schema(
    [*((name, _TYPES[name]) for name in _FACTS if name not in _LEFT_BEHIND), *_FOUND_OUT]
)
_ENTERED: Final = (
    *("event_type", "event_at", "sent_at", "account", "region", "configuration_set", "identity"),
    *("source", "from_domain", "provider", "tags", "n"),
)

_DELAY: Final = "DeliveryDelay"
_RARE_TYPES: Final = ("Bounce", "Reject", "Rendering Failure", "Complaint")
# Of complaints only these say something of their message's other rows, or of each other.
_RARE_COMPLAINTS: Final = ("suppressed", "auth_failure", "virus")
# Opens, clicks and subscriptions change nothing but themselves; delays nothing but how long their
# Deliveries count as having taken (`consumer.warehouse.writing.delivered`).
_PAIRING_TYPES: Final = ("Send", "Delivery", *_RARE_TYPES)

_KEEP_RARE: Final = "insert into rare_events by name select * from rare"
_KEPT: Final = ("message_id", "sent_at", "event_at", "event_key", "recipient")
_TOUCHING: Final = ("message_id", "sent_at", "event_at")

# grain: one row per rare row of a message that the batch brings something of
_TOUCHED: Final = """
select message_id, sent_at, event_at, recipient from rare_events
where {within} and message_id in (select message_id from pairing)
"""

# grain: one row per stored row that meets a condition
_STORED: Final = f"""
select
    e.event_key::varchar as event_key,
    {", ".join(f"e.{name}" for name in _FACTS if name != "event_key")},
    e.provider,
    e.machine_rule is not null as is_machine,
from events as e
where not e.is_simulator and {{condition}}
"""
_NOTHING_STORED: Final = pa.schema(
    [
        *((name, _TYPES[name]) for name in _FACTS),
        ("provider", pa.string()),
        ("is_machine", pa.bool_()),
    ]
).empty_table()
_BY_MESSAGE: Final = (
    f"{{within}} and {{near}} and e.event_type in {_PAIRING_TYPES} "
    "and e.message_id in (select message_id from touched)"
)
_BY_KEY: Final = "{near} and e.event_key in (select event_key::uuid from changed)"

_HELD: Final = """
select event_key::varchar as event_key, kind from marks
where {within} and event_key in (select event_key::uuid from stored)
"""

# What counts alike within a quarter of an hour is one row: no zone has days that begin inside one.
_QUARTER_MINUTES: Final = 15
_INSERT: Final = """
insert into rollup_deltas by name
select * exclude (n), sum(n)::bigint as n from counted group by all having sum(n) != 0
"""

# A Delivery pairs with its message's rare rows from an hour before the sending to a day after.
_HOURS_NEAR_SENDING: Final = range(-1, 26)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What the steps before did to stored rows, and the marks that arriving rows have.

    Each has event_key (as text), event_at and sent_at; ``gone`` also message_id, ``moved``
    configuration_set, from_domain and tags, ``repeats`` and ``taken`` ordinal (of an arriving row),
    ``lost`` and ``taken`` kind. ``delayed`` are Deliveries of which a delay arrives. None: nothing
    was looked for.
    """

    gone: pa.Table | None = None
    moved: pa.Table | None = None
    repeats: pa.Table | None = None
    delayed: pa.Table | None = None
    lost: pa.Table | None = None
    taken: pa.Table | None = None


def add_deltas(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    changes: Changes,
    *,
    classes: Classes,
    domains: Domains,
) -> None:
    """Enter what the batch's rows change, after all of them are in place.

    1. Give each arriving row what was found out about it.
    2. Find the messages with a rare row of which the batch brings something.
    3. Keep the table of rare rows up to date.
    4. Read the stored rows of those, and the stored rows that changed themselves, as they were:
       through a cursor that does not see this transaction.
    5. Pair them as they were, and as they are now beside the arriving ones.
    6. Count what differs, and every other row as it comes.
    7. The same of how long Deliveries took.

    Args:
        connection: the writer's, inside its transaction.
        rows: those that stay, with what belongs to their messages and what rules say of them.
        changes: what the steps before did.
        classes: what bounces and complaints are about, as far as it was asked.
        domains: whose mailboxes recipients' domains have.
    """
    # 1
    fresh = _complete(rows, changes)
    kinds = set(pc.unique(fresh["event_type"]).to_pylist())
    # 2
    is_exceptional = _is_one_of(fresh["event_type"], _RARE_TYPES)
    exceptional = _to_rows(_pick(fresh, is_exceptional))
    classes.classify(connection, exceptional)
    is_rare = pa.array([_is_rare(row) for row in exceptional], pa.bool_())
    rare = _pick(fresh, is_exceptional).filter(is_rare)
    touched, delays = _find_touched(connection, fresh, rare, changes)
    # 3
    _keep_rare(connection, rare, delays.arriving, changes)
    # 4
    was, changed = _read_stored(connection, touched, changes)
    classes.classify(connection, was)
    # 5
    is_paired = pc.and_(
        _is_one_of(fresh["event_type"], _PAIRING_TYPES),
        pc.is_in(fresh["message_id"], value_set=whole(touched["message_id"])),
    )
    is_beside = pc.and_not(is_paired, is_exceptional)
    arriving = [*exceptional, *_to_rows(_pick(fresh, is_beside))]
    paired = _differences(pair(was, sign=-1), pair([*_as_now(was, changes), *arriving], sign=1))
    # 6
    is_alone = pc.invert(pc.or_(is_paired, is_exceptional))
    counted = [_count(fresh, domains, kinds.difference(_RARE_TYPES)).filter(is_alone)]
    if paired:
        counted.append(_count(_to_table(paired), domains, {row["event_type"] for row in paired}))
    connection.register("counted", pa.concat_tables(counted))
    connection.execute(_INSERT)
    # 7
    add_delivered(connection, fresh, Stored(changed, changes.gone, changes.moved), delays)


def _complete(rows: pa.Table, changes: Changes) -> pa.Table:
    """The arriving rows that count, with what stored rows have besides, as if each were alone."""
    # in one piece: what is done below is done to each piece
    rows = rows.select([*_FACTS, "provider", "machine_rule", "ordinal", "is_simulator"])
    rows = rows.combine_chunks()
    if pc.any(rows["is_simulator"]).as_py():
        rows = rows.filter(pc.invert(rows["is_simulator"])).combine_chunks()
    columns = {name: whole(rows[name]) for name in (*_FACTS, "provider")}
    columns["is_machine"] = pc.is_valid(whole(rows["machine_rule"]))
    columns["marks"] = _to_marks(whole(rows["ordinal"]), changes)
    columns["n"] = _repeat(1, rows, pa.int64())
    columns["bounce_kind"] = columns["complaint_kind"] = _repeat(None, rows, pa.string())
    columns["is_block"] = _repeat(False, rows, pa.bool_())
    columns.update((name, columns["is_block"]) for name in ALONE)
    return pa.table(columns)


def _to_marks(ordinal: pa.ChunkedArray, changes: Changes) -> pa.ChunkedArray:
    """The marks of the arriving rows with these ordinals."""
    found = _NO_MARKS
    if changes.taken is not None:
        kinds = pa.array(_MARK_BITS)
        bits = pa.array(_MARK_BITS.values(), pa.int64())
        bit = bits.take(pc.index_in(whole(changes.taken["kind"]), value_set=kinds))
        found = pa.table({"ordinal": changes.taken["ordinal"], "bit": bit})
    if changes.repeats is not None:
        arriving = changes.repeats.filter(pc.is_valid(changes.repeats["ordinal"]))
        repeats = {
            "ordinal": arriving["ordinal"],
            "bit": _repeat(_MARK_BITS["repeat"], arriving, pa.int64()),
        }
        found = pa.concat_tables([found, pa.table(repeats)])
    # a row has each kind once: the sum of its bits is their set
    sets = found.group_by("ordinal").aggregate([("bit", "sum")])
    position = pc.index_in(ordinal, value_set=whole(sets["ordinal"]))
    return pc.fill_null(sets["bit_sum"].take(position), 0)


def _find_touched(
    connection: duckdb.DuckDBPyConnection, fresh: pa.Table, rare: pa.Table, changes: Changes
) -> tuple[pa.Table, Delays]:
    """Messages whose rows depend on each other, and what delayed Deliveries of others.

    Of those messages id, and the instants to look for their rows at.
    """
    pairing = fresh.select(["message_id", "sent_at"]).filter(
        _is_one_of(fresh["event_type"], (*_PAIRING_TYPES, _DELAY))
    )
    connection.register("pairing", pairing.select(["message_id"]))
    by_send = within("sent_at", hours_of(whole(pairing["sent_at"])))
    found = connection.sql(_TOUCHED.format(within=by_send)).to_arrow_table()
    is_delay = pc.is_valid(found["recipient"])
    arriving = _pick(
        fresh, pc.and_(pc.equal(fresh["event_type"], _DELAY), pc.is_valid(fresh["recipient"]))
    )
    touched = [found.filter(pc.invert(is_delay)), rare]
    if changes.gone is not None:
        touched.append(changes.gone)
    return (
        pa.concat_tables([part.select(_TOUCHING) for part in touched]),
        Delays(before=found.filter(is_delay), arriving=arriving.select(_KEPT)),
    )


def _keep_rare(
    connection: duckdb.DuckDBPyConnection, rare: pa.Table, delays: pa.Table, changes: Changes
) -> None:
    if changes.gone is not None and changes.gone.num_rows:
        by_send = near("sent_at", whole(changes.gone["sent_at"]))
        connection.execute(
            f"delete from rare_events where {by_send} "
            "and event_key in (select event_key::uuid from giving_way)"
        )
    if rare.num_rows or delays.num_rows:
        nobody = _repeat(None, rare, pa.string())
        rare = rare.select(_KEPT).set_column(_KEPT.index("recipient"), "recipient", nobody)
        connection.register("rare", pa.concat_tables([rare, delays]))
        connection.execute(_KEEP_RARE)


def _read_stored(
    connection: duckdb.DuckDBPyConnection, touched: pa.Table, changes: Changes
) -> tuple[list[Row], pa.Table]:
    """The rows of the messages of ``touched``, and those that changed, before this transaction.

    Returns both with their marks, and the latter by themselves.
    """
    names = ["event_key", "event_at", "sent_at"]
    steps = [changes.gone, changes.moved, changes.lost, changes.delayed]
    if changes.repeats is not None:
        steps.append(changes.repeats.filter(pc.is_null(changes.repeats["ordinal"])))
    keys = [part.select(names) for part in steps if part is not None and part.num_rows]
    changed = _NOTHING_STORED
    parts = []
    with connection.cursor() as before:
        # one question each: a condition with both cannot skip the rows that neither wants
        if keys:
            sought = pa.concat_tables(keys)
            before.register("changed", sought)
            by_key = _BY_KEY.format(near=near("e.event_at", whole(sought["event_at"])))
            changed = before.sql(_STORED.format(condition=by_key)).to_arrow_table()
            parts.append(changed)
        if touched.num_rows:
            before.register("touched", touched)
            sent = hours_of(whole(touched["sent_at"]))
            hours = {hour + later for hour in sent for later in _HOURS_NEAR_SENDING}
            hours.update(hours_of(whole(touched["event_at"])))
            by_message = _BY_MESSAGE.format(
                within=within("e.event_at", hours),
                near=near("e.sent_at", whole(touched["sent_at"])),
            )
            parts.append(before.sql(_STORED.format(condition=by_message)).to_arrow_table())
        if not any(part.num_rows for part in parts):
            return [], changed
        stored = pa.concat_tables(parts)
        before.register("stored", stored.select(["event_key"]))
        by_send = within("sent_at", hours_of(whole(stored["sent_at"])))
        held = before.sql(_HELD.format(within=by_send)).to_arrow_table().to_pylist()
    marks = _by_key(held)
    rows = {row["event_key"]: row for row in stored.to_pylist()}
    return [{**row, "marks": marks.get(key, 0)} for key, row in rows.items()], changed


def _as_now(was: Iterable[Row], changes: Changes) -> list[Row]:
    """The stored rows as they are after what the batch did to them."""
    gone = set(changes.gone["event_key"].to_pylist()) if changes.gone is not None else set()
    moved = changes.moved.to_pylist() if changes.moved is not None else []
    said = {
        row["event_key"]: {name: row[name] for name in ("configuration_set", "from_domain", "tags")}
        for row in moved
    }
    lost = _by_key(changes.lost.to_pylist() if changes.lost is not None else [])
    repeats = set(changes.repeats["event_key"].to_pylist()) if changes.repeats is not None else ()
    return [
        {
            **row,
            **said.get(row["event_key"], {}),
            "marks": (row["marks"] & ~lost.get(row["event_key"], 0))
            | (_MARK_BITS["repeat"] if row["event_key"] in repeats else 0),
        }
        for row in was
        if row["event_key"] not in gone
    ]


def _by_key(held: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    marks: dict[str, int] = {}
    for mark in held:
        marks[mark["event_key"]] = marks.get(mark["event_key"], 0) | _MARK_BITS[mark["kind"]]
    return marks


def _differences(was: Sequence[Row], now: Sequence[Row]) -> list[Row]:
    """Both, without the rows that are in both and count the same."""
    before = {row["event_key"]: {**row, "n": 1} for row in was}
    same = {row["event_key"] for row in now if before.get(row["event_key"]) == row}
    return [row for row in (*was, *now) if row["event_key"] not in same]


def _count(ready: pa.Table, domains: Domains, kinds: Collection[str]) -> pa.Table:
    """The rows as ``rollup_deltas`` has them."""
    columns = {name: whole(ready[name]) for name in ready.column_names}
    columns["has_feedback_loop"] = domains.have_loops(columns["provider"])
    columns["is_own_domain"] = domains.are_own(columns["recipient_domain"])
    # who sent is known by the identity, else by the source's domain, else by the From header's
    source = columns["source"]
    has_identity = pc.is_valid(columns["identity"])
    has_no_domain = pc.or_(pc.ends_with(source, "@"), pc.equal(source, ""))
    has_domain = pc.invert(pc.fill_null(has_no_domain, True))
    columns["source"] = unless(has_identity, source)
    columns["from_domain"] = unless(pc.or_(has_identity, has_domain), columns["from_domain"])
    counted = count(pa.table(columns), _ENTERED, kinds)
    # only now: how long after the sending somebody opened is counted to the microsecond
    for name in ("event_at", "sent_at"):
        quarters = pc.floor_temporal(counted[name], _QUARTER_MINUTES, "minute")
        counted = counted.set_column(counted.column_names.index(name), name, quarters)
    return counted


def _is_rare(row: Row) -> bool:
    return row["event_type"] != "Complaint" or row["complaint_kind"] in _RARE_COMPLAINTS


def _pick(rows: pa.Table, condition: pa.ChunkedArray) -> pa.Table:
    """The rows for which the condition holds, where those are few: nothing is looked at else."""
    return rows.take(pc.indices_nonzero(condition))


def _to_table(rows: Sequence[Row]) -> pa.Table:
    """Rows that are ready to be counted, in one piece."""
    return pa.Table.from_pylist(list(rows), _COUNTABLE)


def _to_rows(rows: pa.Table) -> list[Row]:
    """As dictionaries, with keys as text."""
    found: list[Row] = rows.to_pylist()
    for row in found:
        row["event_key"] = str(row["event_key"])
    return found


def _is_one_of(column: pa.ChunkedArray, values: tuple[str, ...]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(values))


def _repeat(value: object, rows: pa.Table, of_type: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, of_type), rows.num_rows)
