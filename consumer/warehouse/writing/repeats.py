"""Deliveries that follow another of their message and recipient: a recipient has one outcome.

A first Delivery is far too common to hold a mark: the later ones are noted, as ``repeat``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.hours import hours_of, near, within
from consumer.warehouse.pieces import whole
from consumer.warehouse.writing.sending import are_near_sending

_STORED: Final = """
select e.message_id, e.recipient, e.event_at, e.event_key::varchar as event_key, e.sent_at,
    null::integer as ordinal,
from events as e
where e.event_type = 'Delivery' and {within} and {near}
and e.message_id in (select message_id from delivered)
and e.recipient is not null
and not e.is_simulator
and is_near_sending(e.event_at, e.sent_at)
"""

# A group of its own each: the low half of its key.
_NOTE: Final = """
insert into marks by name
select
    (r.event_key::uuid::uhugeint & 18446744073709551615)::ubigint as mark_key,
    'repeat' as kind,
    r.event_at,
    r.event_key::uuid as event_key,
    r.sent_at,
from repeats as r
where r.event_key::uuid not in (select event_key from marks where kind = 'repeat' and {within})
"""

# A Delivery pairs with others of its recipient from an hour before its sending to a day after.
_HOURS_NEAR_SENDING: Final = range(-1, 25)

_REPEATS: Final = pa.schema(
    [
        ("event_key", pa.string()),
        ("event_at", pa.timestamp("us")),
        ("sent_at", pa.timestamp("us")),
        ("ordinal", pa.int32()),
    ]
)
_ASKED: Final = ("message_id", "recipient", "event_at", "event_key", "sent_at", "ordinal")


class _Delivery(NamedTuple):
    """One of a recipient; ``event_key`` is its text, ``ordinal`` an arriving one's."""

    message_id: str
    recipient: str
    event_at: datetime
    event_key: str
    sent_at: datetime
    ordinal: int | None

    @property
    def order(self) -> tuple[datetime, str]:
        return self.event_at, self.event_key


def mark_repeats(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table
) -> tuple[pa.Table | None, pa.Table | None]:
    """Note every Delivery that follows another of its message and recipient, for it is no outcome.

    To be called before the rows, those that stay of a batch, are inserted. The look-up reads what
    was sent when they were; what it finds is rare. Returns that, and the stored Deliveries to whom
    a delay arrives only now: event_key (as text), event_at, sent_at, and ordinal where it arrives
    only now; None for nothing.
    """
    arriving, delays = _find_arriving(rows), _find_delays(rows)
    if not arriving.num_rows and not delays.num_rows:
        return None, None
    stored = _find_stored(connection, arriving, delays)
    return _note(connection, arriving, stored), _find_delayed(delays, stored)


def _note(
    connection: duckdb.DuckDBPyConnection, arriving: pa.Table, stored: Sequence[_Delivery]
) -> pa.Table | None:
    shared = {(delivery.message_id, delivery.recipient) for delivery in stored}
    names = _to_names(arriving)
    counted = pc.value_counts(names)
    several = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    if not shared and not len(several):
        return None
    several = pa.concat_arrays(
        [several, pa.array([" ".join(name) for name in shared], pa.string())]
    )
    groups: dict[tuple[str, str], list[_Delivery]] = {}
    for row in arriving.filter(pc.is_in(names, value_set=several)).to_pylist():
        delivery = _Delivery(**{**row, "event_key": str(row["event_key"])})
        groups.setdefault((delivery.message_id, delivery.recipient), []).append(delivery)
    for delivery in stored:
        if group := groups.get((delivery.message_id, delivery.recipient)):
            group.append(delivery)
    later = [
        {name: getattr(delivery, name) for name in _REPEATS.names}
        for group in groups.values()
        for delivery in sorted(group, key=lambda one: one.order)[1:]
    ]
    if not later:
        return None
    repeats = pa.Table.from_pylist(later, _REPEATS)
    connection.register("repeats", repeats)
    connection.execute(_NOTE.format(within=near("sent_at", whole(repeats["sent_at"]))))
    return repeats


def _find_arriving(rows: pa.Table) -> pa.Table:
    """Return the Deliveries that may pair with others of their recipient."""
    pairs = pc.and_(
        pc.and_(pc.equal(rows["event_type"], "Delivery"), pc.is_valid(rows["recipient"])),
        pc.and_not(are_near_sending(rows), rows["is_simulator"]),
    )
    return rows.select(_ASKED).filter(pairs)


def _find_delays(rows: pa.Table) -> pa.Table:
    """Return the delays of somebody."""
    counts = pc.and_not(pc.equal(rows["event_type"], "DeliveryDelay"), rows["is_simulator"])
    delays = rows.select(["message_id", "recipient", "sent_at"]).filter(counts)
    return delays.filter(pc.is_valid(delays["recipient"]))


def _find_delayed(delays: pa.Table, stored: Sequence[_Delivery]) -> pa.Table | None:
    """Return the stored Deliveries that they are of."""
    if not delays.num_rows or not stored:
        return None
    names = {(row["message_id"], row["recipient"]) for row in delays.to_pylist()}
    delayed = [
        {name: getattr(delivery, name) for name in _REPEATS.names}
        for delivery in stored
        if (delivery.message_id, delivery.recipient) in names
    ]
    return pa.Table.from_pylist(delayed, _REPEATS) if delayed else None


def _find_stored(connection: duckdb.DuckDBPyConnection, *arriving: pa.Table) -> list[_Delivery]:
    """Return the stored Deliveries of the same messages."""
    of_messages = pa.concat_tables([part.select(["message_id", "sent_at"]) for part in arriving])
    sent_at = of_messages["sent_at"]
    hours = {hour + later for hour in hours_of(sent_at) for later in _HOURS_NEAR_SENDING}
    connection.register("delivered", of_messages.select(["message_id"]))
    question = _STORED.format(
        within=within("e.event_at", hours), near=near("e.sent_at", whole(sent_at))
    )
    found = connection.execute(question)
    return [_Delivery(*row) for row in found.fetchall()]


def _to_names(arriving: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(
        whole(arriving["message_id"]), whole(arriving["recipient"]), " "
    )
