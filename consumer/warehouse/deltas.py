"""What a batch changes in the counts: rows for ``rollup_deltas``, in the batch's own transaction.

Nearly every row counts by itself, with the marks that it takes, and goes in as it comes. What
counts differently because of something else of its message (a Send that was rejected, a Delivery
that bounced) is rare: the few messages that have such a row, and rows that were replaced,
completed or lost a mark, go in once more, as they were and as they are, with opposite signs.
`consumer.warehouse.rollups` adds it all up later.
"""

from collections.abc import Sequence
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.counts import BITS
from consumer.warehouse.hours import hours_of, near, within
from consumer.warehouse.pairs import Row, pair

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
_MARK_BIT: Final = (
    "(case kind "
    + " ".join(f"when '{kind}' then {bit}" for kind, bit in _MARK_BITS.items())
    + " else 0 end)"
)

# What a count may depend on, of a row as it is stored. Text that only classes need stays behind.
_FACTS: Final = """
    e.event_key,
    e.event_type,
    e.event_at,
    e.sent_at,
    e.message_id,
    e.recipient,
    e.recipient_domain,
    e.destination_count,
    e.account,
    e.region,
    {configuration_set} as configuration_set,
    e.identity,
    if(e.identity is null, e.source, null) as source,
    if(
        e.identity is null and coalesce(split_part(e.source, '@', -1), '') = '',
        {from_domain}, null
    ) as from_domain,
    e.feedback_id,
    e.bounce_type,
    e.bounce_sub_type,
    bounce_kind_of(e.bounce_type, e.bounce_sub_type, e.is_auto_reply) as bounce_kind,
    e.event_type = 'Bounce' and is_block(
        bounce_class_of(
            e.bounce_type, e.bounce_sub_type, e.is_auto_reply, e.status, e.diagnostic_code
        )
    ) as is_block,
    if(
        e.event_type = 'Complaint',
        complaint_kind_of(e.complaint_sub_type, e.complaint_feedback_type), null
    ) as complaint_kind,
    e.complaint_sub_type,
    e.delay_type,
    e.processing_ms,
    e.is_unsubscribe,
"""

# A batch may lack the steps that make these; what an earlier batch left in them matches nothing.
_LEFT_BY_OTHERS: Final = """
create temp table if not exists candidates (mark_key ubigint, kind varchar, event_key uuid);
create temp table if not exists held (mark_key ubigint, kind varchar, gives_way boolean);
create temp table if not exists repeats (event_at timestamp, event_key uuid, sent_at timestamp);
create temp table if not exists giving_way (event_key uuid, event_at timestamp, sent_at timestamp);
create temp table if not exists found (event_key uuid, event_at timestamp, sent_at timestamp);
"""

# grain: one row per arriving row that stays and counts
_FRESH: Final = """
select {facts}
    coalesce(p.provider, e.recipient_domain) as provider,
    v.machine_rule,
    coalesce(t.marks, 0) as marks,
from staying as e
left join providers as p on p.domain = e.recipient_domain
left join verdicts as v on v.ordinal = e.ordinal
left join (
    select c.event_key, bit_or({mark_bit}) as marks
    from (
        select event_key, kind from candidates as c
        where not exists (
            select 1 from held as h
            where h.mark_key = c.mark_key and h.kind = c.kind and not h.gives_way
        )
        union all
        select event_key, 'repeat' as kind from repeats
    ) as c
    group by c.event_key
) as t on t.event_key = e.event_key
{of_send}
where not e.is_simulator
"""

_OF_SEND: Final = (
    "left join message_facts as m on e.is_poor and m.message_id = e.message_id "
    "and m.account is not distinct from e.account"
)
_RARE_TYPES: Final = ("Bounce", "Reject", "Rendering Failure", "DeliveryDelay", "Complaint")
# Opens, clicks and subscriptions change nothing but themselves.
_PAIRING_TYPES: Final = ("Send", "Delivery", *_RARE_TYPES)
_PAIRING: Final = f"event_type in {_PAIRING_TYPES}"

_KEEP_RARE: Final = f"""
insert into rare_events
select message_id, sent_at, event_at, event_key
from staying
where
    not is_simulator
    and event_type in {_RARE_TYPES}
    and (
        event_type != 'Complaint'
        or complaint_kind_of(complaint_sub_type, complaint_feedback_type) in (
            'suppressed', 'auth_failure', 'virus'
        )
    )
"""

# grain: one row per rare row, there or arriving, of a message that the batch brings something of
_TOUCHED: Final = f"""
select message_id, sent_at, event_at
from rare_events
where {{within}} and message_id in (select message_id from staying where {_PAIRING})
"""

# Replaced, completed, or with a mark more; one that an earlier batch left here changes nothing.
_CHANGED: Final = """
select event_key, event_at, sent_at from giving_way
union all
select event_key, event_at, sent_at from found
union all
select event_key, event_at, sent_at from repeats
where event_key not in (select event_key from staying)
"""

_LOST: Final = """
select m.event_key, m.event_at, m.sent_at
from marks as m
join giving as g on g.mark_key = m.mark_key and g.kind = m.kind
where {within}
"""

# grain: one row per stored row that meets a condition, with its marks
_STORED: Final = """
with wanted as (
    select {facts} e.provider, e.machine_rule
    from events as e
    where not e.is_simulator and ({condition})
)
select
    e.* replace (e.event_key::varchar as event_key),
    coalesce(h.marks, 0) as marks,
    {is_fresh} as is_fresh,
from wanted as e
left join (
    select event_key, bit_or({mark_bit}) as marks
    from marks
    where {marks_within}
    group by event_key
) as h on h.event_key = e.event_key
"""
_BY_MESSAGE: Final = (
    f"{{within}} and e.{_PAIRING} and e.message_id in (select message_id from touched)"
)
_IS_FRESH: Final = "e.event_key in (select event_key from staying)"
_BY_KEY: Final = "{near} and e.event_key in (select event_key::uuid from changed)"

_INSERT: Final = """
insert into rollup_deltas by name
select
    event_type,
    event_at,
    sent_at,
    account,
    region,
    configuration_set,
    identity,
    source,
    from_domain,
    provider,
    recipient_domain,
    is_delayed,
    if(event_type = 'Delivery' and recipient is not null, processing_ms, null) as processing_ms,
    {bits} as counts,
    n,
from (
    select *, {has_feedback_loop} as has_feedback_loop, {is_own_domain} as is_own_domain
    from ({rows})
)
"""

_ALONE: Final = """
select
    *,
    1 as n,
    false as is_stopped,
    false as is_suppressed_by_user,
    false as is_bounced,
    false as is_bounced_before,
    false as is_delayed,
from ({rows})
"""
_AND_PAIRED: Final = """
where event_key not in (select event_key::uuid from paired)
union all by name
select * replace (event_key::uuid as event_key) from paired
"""

_STORED_FACTS: Final = _FACTS.format(
    configuration_set="e.configuration_set", from_domain="e.from_domain"
)
_FRESH_FACTS: Final = _FACTS.format(
    configuration_set="if(m.message_id is null, e.configuration_set, m.configuration_set)",
    from_domain="if(m.message_id is null, e.from_domain, m.from_domain)",
)
# A Delivery pairs with its message's rare rows from an hour before the sending to a day after.
_HOURS_NEAR_SENDING: Final = range(-1, 26)


def add_deltas(connection: duckdb.DuckDBPyConnection, rows: pa.Table, *, has_poor: bool) -> None:
    """Enter what the batch's rows change, after all of them are in place.

    1. Keep the table of rare rows up to date.
    2. Find the stored rows that changed themselves: replaced, completed, with marks lost or taken;
       what they were is read through a cursor that does not see this transaction.
    3. Find the messages with a rare row, or with a row that changed.
    4. Pair the rows of those, as they were and as they are.
    5. Enter both, and every other row as it comes.

    Args:
        connection: the writer's, inside its transaction.
        rows: those that stay, registered as ``staying``.
        has_poor: whether ``message_facts`` was filled for this batch.
    """
    connection.execute(_LEFT_BY_OTHERS)
    # 1
    _keep_rare(connection, rows)
    # 2
    with connection.cursor() as before:
        changed = _find_changed(connection, before, rows)
        connection.register("changed", changed)
        before.register("changed", changed)
        was = _read(before, changed) if changed.num_rows else []
    # 3
    touched = _find_touched(connection, rows, was)
    connection.register("touched", touched)
    # 4
    paired: list[Row] = []
    if touched.num_rows or changed.num_rows:
        stored = _read(connection, changed, touched)
        gone = set(changed["event_key"].to_pylist())
        same = [row for row in stored if not row["is_fresh"] and row["event_key"] not in gone]
        paired = [*pair([*was, *same], sign=-1), *pair(stored, sign=1)]
    # 5
    entered = _ALONE.format(
        rows=_FRESH.format(
            facts=_FRESH_FACTS if has_poor else _STORED_FACTS,
            of_send=_OF_SEND if has_poor else "",
            mark_bit=_MARK_BIT,
        )
    )
    if paired:
        connection.register("paired", _to_table(paired))
        entered += _AND_PAIRED
    connection.execute(_INSERT.format(bits=BITS, rows=entered, **_read_ours(connection)))


def _read_ours(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """SQL for what is known of domains, as constants: a look-up in its place costs planning."""
    ((looped, own),) = connection.execute(
        "select (select list(distinct provider) from providers where has_feedback_loop), "
        "own_domains()"
    ).fetchall()
    return {
        "has_feedback_loop": _is_one_of("provider", looped),
        "is_own_domain": _is_one_of("recipient_domain", own),
    }


def _is_one_of(column: str, values: list[str] | None) -> str:
    if not values:
        return "false"
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"coalesce({column} in ({quoted}), false)"


def _keep_rare(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    gone = connection.sql("select sent_at from giving_way").to_arrow_table()
    if gone.num_rows:
        by_send = near("sent_at", gone["sent_at"].combine_chunks())
        connection.execute(
            f"delete from rare_events where {by_send} "
            "and event_key in (select event_key from giving_way)"
        )
    if pc.any(pc.is_in(rows["event_type"], pa.array(_RARE_TYPES))).as_py():
        connection.execute(_KEEP_RARE)


def _find_changed(
    connection: duckdb.DuckDBPyConnection, before: duckdb.DuckDBPyConnection, rows: pa.Table
) -> pa.Table:
    changed = connection.sql(_CHANGED).to_arrow_table()
    giving = connection.sql("select mark_key, kind from held where gives_way").to_arrow_table()
    if not giving.num_rows:
        return changed
    before.register("giving", giving)
    by_send = within("m.sent_at", hours_of(rows["sent_at"].combine_chunks()))
    lost = before.sql(_LOST.format(within=by_send)).to_arrow_table()
    return pa.concat_tables([changed, lost])


def _find_touched(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, was: Sequence[Row]
) -> pa.Table:
    """Messages whose rows depend on each other: id, and the instants to look for their rows at."""
    pairing = pc.is_in(rows["event_type"], pa.array(_PAIRING_TYPES))
    sent_at = rows["sent_at"].filter(pairing).combine_chunks()
    by_send = within("sent_at", hours_of(sent_at))
    touched = connection.sql(_TOUCHED.format(within=by_send)).to_arrow_table()
    more = [
        {name: row[name] for name in touched.column_names}
        for row in was
        if row["event_type"] in _PAIRING_TYPES
    ]
    return pa.concat_tables([touched, pa.Table.from_pylist(more, touched.schema)])


def _read(
    connection: duckdb.DuckDBPyConnection, changed: pa.Table, touched: pa.Table | None = None
) -> list[Row]:
    """The rows of ``changed``, and of the messages of ``touched``, as this connection sees them."""
    conditions = []
    instants = changed["sent_at"]
    if changed.num_rows:
        conditions.append(_BY_KEY.format(near=near("e.event_at", _whole(changed["event_at"]))))
    if touched is not None and touched.num_rows:
        sent = hours_of(_whole(touched["sent_at"]))
        hours = {hour + later for hour in sent for later in _HOURS_NEAR_SENDING}
        hours.update(hours_of(_whole(touched["event_at"])))
        conditions.append(_BY_MESSAGE.format(within=within("e.event_at", hours)))
        instants = pa.chunked_array([*instants.chunks, *touched["sent_at"].chunks])
    sql = _STORED.format(
        facts=_STORED_FACTS,
        condition=" or ".join(f"({condition})" for condition in conditions),
        mark_bit=_MARK_BIT,
        marks_within=within("sent_at", hours_of(_whole(instants))),
        is_fresh="false" if touched is None else _IS_FRESH,
    )
    rows: list[Row] = connection.sql(sql).to_arrow_table().to_pylist()
    return rows


def _to_table(paired: list[Row]) -> pa.Table:
    names = [name for name in paired[0] if name != "is_fresh"]
    return pa.table({name: pa.array([row[name] for row in paired]) for name in names})


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
