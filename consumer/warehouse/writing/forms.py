"""What becomes of each arriving row: new, a duplicate, or the better copy of one that is there.

The same Bounce, Complaint or Delivery can arrive as identity notification and as event
publishing, in either order; one copy remains, the event-publishing one. Copies of one Bounce or
Complaint share their feedback id, or message and second, even where their lists differ. Where two
identity copies contradict each other, that of the least content remains, whichever came first.

The file is asked for what it holds of the batch's keys, and for copies of its reports. Most rows
are then judged by their key alone; what may have another form is gone through one by one, which
takes less time than a statement about it takes to plan.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.hours import hours_of, near, within
from consumer.warehouse.pieces import bytes_of, pick, whole
from consumer.warehouse.writing.contest import compare_copies
from consumer.warehouse.writing.form_groups import ARRIVING, REPORTS, Copy, Told, is_expired, tell

_COPY: Final = """
select e.event_key::varchar as event_key, e.event_type, e.event_at, e.sent_at, e.message_id,
    e.feedback_id, e.is_identity_notification as is_identity,
"""
_KNOWN_ORDINALS: Final = """
select a.ordinal from events as e join arriving as a on a.event_key = e.event_key where {within}
"""
_KNOWN: Final = f"""
{_COPY} a.ordinal,
from events as e join arriving as a on a.event_key = e.event_key where {{within}}
"""
# Copies of the batch's reports, whoever they list.
_BY_FEEDBACK_ID: Final = f"""
{_COPY} null::integer as ordinal,
from events as e
where {{within}} and e.event_type in {REPORTS}
    and e.feedback_id in (select feedback_id from reports)
"""
_BY_MESSAGE: Final = f"""
{_COPY} null::integer as ordinal,
from events as e
where {{within}} and e.event_type in {REPORTS} and e.feedback_id is null
    and e.message_id in (select message_id from reports where feedback_id is null)
"""
_GONE: Final = pa.schema(
    [
        ("event_key", pa.string()),
        ("event_at", pa.timestamp("us")),
        ("sent_at", pa.timestamp("us")),
        ("message_id", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a batch's rows.

    Attributes:
        fates: rows by their place in the conservation law.
        staying: those that are in ``events`` once the batch is committed.
        removed: rows that were taken out, or never put in, for a better copy.
        gone: the rows taken out: event_key (as text), event_at, sent_at, message_id; None where
            nothing gave way.
    """

    fates: Mapping[str, int]
    staying: pa.Table
    removed: int = 0
    gone: pa.Table | None = None


def judge(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    *,
    horizon: datetime | None,
    has_identity_copies: bool,
) -> Judgement:
    """Say of each row what becomes of it, and take out the stored copies that give way.

    They leave the warehouse with their marks and their place among the waiting.

    1. Ask which keys are there already.
    2. Judge all rows by their key.
    3. Judge anew the reports, and the Deliveries that share their key with an identity copy there
       or with another row here.

    Args:
        connection: the writer's, inside its transaction.
        rows: those of the batch.
        horizon: the instant before which messages have been pruned.
        has_identity_copies: whether the warehouse holds any identity notification: without one
            there or here nothing can give way, and the question costs nothing.
    """
    # 1
    has_forms = has_identity_copies or bool(pc.any(rows["is_identity_notification"]).as_py())
    ordinals = whole(rows["ordinal"])
    arriving = {"event_key": rows["event_key"], "ordinal": ordinals}
    connection.register("arriving", pa.table(arriving))
    hours = within("e.event_at", hours_of(rows["event_at"]))
    question = _KNOWN if has_forms else _KNOWN_ORDINALS
    known = connection.sql(question.format(within=hours)).to_arrow_table()
    # 2
    is_known = pc.is_in(ordinals, value_set=whole(known["ordinal"]))
    is_shared, is_later = _find_shared_keys(rows)
    is_old = _are_before(rows["sent_at"], horizon)
    is_duplicate = pc.and_not(pc.or_(is_known, is_later), is_old)
    stays = pc.invert(pc.or_(is_old, is_duplicate))
    if not has_forms:
        return Judgement(_count(is_old, is_duplicate), pick(rows, stays))
    # 3
    copies = whole(known.filter(known["is_identity"])["ordinal"])
    types = whole(rows["event_type"])
    is_report = pc.is_in(types, value_set=pa.array(REPORTS))
    is_delivered_twice = pc.and_(
        pc.equal(types, "Delivery"), pc.or_(is_shared, pc.is_in(ordinals, value_set=copies))
    )
    has_other = pc.or_(is_report, is_delivered_twice)
    of_key = known.filter(pc.is_in(known["ordinal"], value_set=ordinals.filter(has_other)))
    reports = rows.select(["feedback_id", "message_id"]).filter(is_report)
    told = _tell(
        connection,
        rows.filter(has_other),
        [*_to_copies(of_key), *_find_copies(connection, reports, hours)],
        hours,
        horizon,
    )
    _remove(connection, told.giving_way)
    has_one = pc.invert(has_other)
    fates = _count(is_old.filter(has_one), is_duplicate.filter(has_one))
    told_to_stay = pc.is_in(ordinals, value_set=pa.array(told.staying, pa.int32()))
    return Judgement(
        fates=fates + told.fates,
        staying=pick(rows, pc.if_else(has_other, told_to_stay, stays)),
        removed=len(told.giving_way) + told.passed_over,
        gone=_to_gone(told.giving_way),
    )


def _are_before(instants: pa.ChunkedArray, horizon: datetime | None) -> pa.BooleanArray:
    if horizon is None:
        return pa.repeat(pa.scalar(False), len(instants))
    return pc.less(whole(instants), pa.scalar(horizon, pa.timestamp("us")))


def _find_shared_keys(rows: pa.Table) -> tuple[pa.BooleanArray, pa.BooleanArray]:
    """Return which rows share their key with another of the batch, and which are not its first."""
    keys, ordinals = bytes_of(rows["event_key"]), whole(rows["ordinal"])
    if len(pc.unique(keys)) == len(keys):
        nowhere = pa.repeat(pa.scalar(False), len(keys))
        return nowhere, nowhere
    counted = pc.value_counts(keys)
    shared = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    is_shared = pc.is_in(keys, value_set=shared)
    first: dict[bytes, int] = {}
    for key, ordinal in zip(
        keys.filter(is_shared).to_pylist(), ordinals.filter(is_shared).to_pylist(), strict=True
    ):
        first[key] = min(ordinal, first.get(key, ordinal))
    firsts = pa.array(list(first.values()), pa.int32())
    return is_shared, pc.and_not(is_shared, pc.is_in(ordinals, value_set=firsts))


def _count(is_old: pa.BooleanArray, is_duplicate: pa.BooleanArray) -> Counter[str]:
    """Count fates; no row is both."""
    expired, duplicate = is_old.true_count, is_duplicate.true_count
    inserted = len(is_old) - expired - duplicate
    return Counter(inserted=inserted, duplicate=duplicate, expired=expired)


def _find_copies(
    connection: duckdb.DuckDBPyConnection, reports: pa.Table, hours: str
) -> Iterable[Copy]:
    """Return the stored copies of these reports."""
    if not reports.num_rows:
        return []
    connection.register("reports", reports)
    copies = _to_copies(connection.sql(_BY_FEEDBACK_ID.format(within=hours)).to_arrow_table())
    if reports["feedback_id"].null_count:
        found = connection.sql(_BY_MESSAGE.format(within=hours)).to_arrow_table()
        copies += _to_copies(found)
    return copies


def _to_copies(stored: pa.Table) -> list[Copy]:
    return [Copy(**row) for row in stored.to_pylist()]


def _tell(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    stored: Sequence[Copy],
    hours: str,
    horizon: datetime | None,
) -> Told:
    """Say of the rows that may have another form, by now and among the ``stored``, their fates."""
    arriving = [
        Copy(str(row.pop("event_key")), **row)
        for row in rows.select(ARRIVING)
        .rename_columns([name.removesuffix("_notification") for name in ARRIVING])
        .to_pylist()
    ]
    identities = [copy for copy in arriving if copy.is_identity]
    shared = Counter(copy.event_key for copy in identities)
    shared.update({copy.event_key for copy in stored if copy.is_identity} & shared.keys())
    contested = {key for key, copies in shared.items() if copies > 1}
    rivals = [
        copy.ordinal
        for copy in identities
        if copy.event_key in contested and not is_expired(copy, horizon)
    ]
    is_rival = pc.is_in(rows["ordinal"], value_set=pa.array(rivals, pa.int32()))
    ranks = compare_copies(connection, rows.filter(is_rival), within=hours)
    return tell(arriving, stored, ranks, horizon)


def _to_gone(copies: Sequence[Copy]) -> pa.Table | None:
    if not copies:
        return None
    rows = [{name: getattr(copy, name) for name in _GONE.names} for copy in copies]
    return pa.Table.from_pylist(rows, _GONE)


def _remove(connection: duckdb.DuckDBPyConnection, copies: Sequence[Copy]) -> None:
    gone = _to_gone(copies)
    if gone is None:
        return
    connection.register("giving_way", gone)
    by_event = near("event_at", whole(gone["event_at"]))
    by_send = near("sent_at", whole(gone["sent_at"]))
    keys = "event_key in (select event_key::uuid from giving_way)"
    connection.execute(f"delete from events where {by_event} and {keys}")
    connection.execute(f"delete from marks where {by_send} and {keys}")
    connection.execute(f"delete from waiting where {by_send} and {keys}")
