"""What a batch changes in how long Deliveries took: rows for ``rollup_delivery_deltas``.

Each Delivery is one row, as it comes. Whether it was delayed is all that hangs on something else:
delays are kept with their recipients among the rare events, so that a Delivery that follows one
needs no look-up of its own. One that came before its delay, that gave way to a better copy or got
what its message's Send says goes in once more, as it was and as it is, with opposite signs.
"""

from typing import Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.pieces import unless, whole
from consumer.warehouse.writing.edges import to_edges
from consumer.warehouse.writing.sending import are_near_sending, to_micros_since_sending

_ENTERED: Final = (
    *("event_at", "sent_at", "account", "region", "configuration_set", "identity", "source"),
    *("from_domain", "provider", "processing_ms"),
)
_ASKED: Final = (*_ENTERED, "message_id", "recipient")
_INSERT: Final = "insert into rollup_delivery_deltas by name select * from delivery_deltas"


class Delays(NamedTuple):
    """Delays of the messages of which a batch brings something; each is of one recipient.

    Tables with message_id, recipient and sent_at: of what was there before, and of what arrives.
    """

    before: pa.Table
    arriving: pa.Table

    def to_now(self) -> pa.Table:
        """Return both."""
        names = ["message_id", "recipient", "sent_at"]
        return pa.concat_tables([self.before.select(names), self.arriving.select(names)])


class Stored(NamedTuple):
    """Rows as they were, without the batch, where they are not what they were any more.

    ``gone`` are those that gave way, ``moved`` those that got a configuration set and from_domain.
    ``event_key`` is its text everywhere.
    """

    rows: pa.Table
    gone: pa.Table | None
    moved: pa.Table | None


def add_delivered(
    connection: duckdb.DuckDBPyConnection, fresh: pa.Table, stored: Stored, delays: Delays
) -> None:
    """Enter what the batch's rows change, inside the caller's transaction.

    ``fresh`` are the rows that arrive and count.
    """
    parts = [_pick(fresh, 1)]
    if stored.rows.num_rows:
        stay = stored.rows.filter(pc.invert(_is_among(stored.rows, stored.gone)))
        parts += [_pick(stored.rows, -1), _pick(_move(stay, stored.moved), 1)]
    delivered = pa.concat_tables(parts).combine_chunks()
    if delivered.num_rows:
        deltas = _to_deltas(delivered, _are_delayed(delivered, delays))
        connection.register("delivery_deltas", deltas)
        connection.execute(_INSERT)


def _pick(rows: pa.Table, sign: int) -> pa.Table:
    """Return the Deliveries to somebody, each as so many ``deliveries``."""
    is_counted = pc.and_(pc.equal(rows["event_type"], "Delivery"), pc.is_valid(rows["recipient"]))
    picked = rows.select(_ASKED).take(pc.indices_nonzero(is_counted))
    n = pa.repeat(pa.scalar(sign, pa.int64()), picked.num_rows)
    return picked.append_column("deliveries", n)


def _are_delayed(delivered: pa.Table, delays: Delays) -> pa.Array:
    """Whether each is near its sending and its recipient had a delay, by when it goes or comes."""
    nowhere = pa.repeat(pa.scalar(False), delivered.num_rows)
    known = delays.to_now()
    may_be = whole(pc.is_in(delivered["message_id"], value_set=whole(known["message_id"])))
    if not may_be.true_count:
        return nowhere
    names = ["message_id", "recipient", "event_at", "sent_at", "deliveries"]
    few = delivered.select(names).filter(may_be)
    had_one = pc.if_else(
        pc.less(whole(few["deliveries"]), 0),
        pc.is_in(_to_names(few), value_set=_to_names(delays.before)),
        pc.is_in(_to_names(few), value_set=_to_names(known)),
    )
    return pc.replace_with_mask(nowhere, may_be, pc.and_(are_near_sending(few), had_one))


def _to_names(rows: pa.Table) -> pa.Array:
    """What a recipient's rows find each other by: an event of another hour is of another mail."""
    hour = pc.floor_temporal(whole(rows["sent_at"]), 1, "hour").cast(pa.int64()).cast(pa.string())
    return pc.binary_join_element_wise(
        whole(rows["message_id"]), whole(rows["recipient"]), hour, " "
    )


def _is_among(rows: pa.Table, others: pa.Table | None) -> pa.Array:
    if others is None:
        return pa.repeat(pa.scalar(False), rows.num_rows)
    return whole(pc.is_in(rows["event_key"], value_set=whole(others["event_key"])))


def _move(rows: pa.Table, moved: pa.Table | None) -> pa.Table:
    """Give the rows what their message's Send says."""
    if moved is None:
        return rows
    place = whole(pc.index_in(rows["event_key"], value_set=whole(moved["event_key"])))
    is_moved = pc.is_valid(place)
    for name in ("configuration_set", "from_domain"):
        column = pc.if_else(is_moved, whole(moved[name]).take(place), whole(rows[name]))
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows


def _to_deltas(delivered: pa.Table, are_delayed: pa.Array) -> pa.Table:
    """The Deliveries as ``rollup_delivery_deltas`` has them."""
    columns = {name: whole(delivered[name]) for name in (*_ENTERED, "deliveries")}
    columns["delayed_deliveries"] = pc.if_else(are_delayed, columns["deliveries"], 0)
    # who sent is known by the configuration set, else as in `consumer.warehouse.writing.deltas`
    source = columns["source"]
    has_no_domain = pc.fill_null(pc.or_(pc.ends_with(source, "@"), pc.equal(source, "")), True)
    has_set = pc.is_valid(columns["configuration_set"])
    has_name = pc.or_(has_set, pc.is_valid(columns["identity"]))
    columns["identity"] = unless(has_set, columns["identity"])
    columns["source"] = unless(has_name, source)
    columns["from_domain"] = unless(
        pc.or_(has_name, pc.invert(has_no_domain)), columns["from_domain"]
    )
    taken = pc.divide(to_micros_since_sending(delivered), 1_000)
    edges = to_edges(pa.concat_arrays([taken, columns.pop("processing_ms")]))
    columns["delivery_edge_ms"] = edges[: len(taken)]
    columns["processing_edge_ms"] = edges[len(taken) :]
    return pa.table(columns)
