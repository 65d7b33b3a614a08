"""The write path: one batch, one transaction, everything or nothing; twice changes nothing."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.batch import Batch
from consumer.errors import PositionMoved
from consumer.rows.columns import STORED_COLUMNS
from consumer.warehouse.archive import Segment
from consumer.warehouse.facts import HORIZON, read_instant
from consumer.warehouse.pieces import whole
from consumer.warehouse.rollups.folding import fold_when_many
from consumer.warehouse.rules.bounces import Bounces
from consumer.warehouse.rules.in_force import read_bounce_rules, read_machine_rules
from consumer.warehouse.rules.machines import Machines
from consumer.warehouse.writing.classes import Classes
from consumer.warehouse.writing.deltas import Changes, add_deltas
from consumer.warehouse.writing.domains import Domains
from consumer.warehouse.writing.forms import Judgement, judge
from consumer.warehouse.writing.identities import Identities
from consumer.warehouse.writing.marks import place_marks
from consumer.warehouse.writing.messages import complete_waiting, fill_poor, wait
from consumer.warehouse.writing.repeats import mark_repeats

# Judged while writing, beside what rows come with.
_JUDGED: Final = ("provider", "machine_rule", "bounce_rule", "bounce_class")
_INSERT: Final = f"""
insert into events by name select {", ".join((*STORED_COLUMNS, *_JUDGED))} from staying
"""

_QUARANTINE: Final = """
insert into quarantine by name
select distinct on (q.sha256)
    q.sha256, q.reason, q.detail, q.origin, ? as source, q.received_at, q.payload,
    q.payload_bytes, q.payload_offset, q.region, q.account, ? as batch_id,
from incoming_quarantine as q
where q.sha256 not in (select sha256 from quarantine)
"""

_REASONS: Final = "select reason, count(*) from quarantine where batch_id = ? group by reason"

_LEDGER: Final = """
insert into ledger by name select
    $batch_id as batch_id, $source as source, $committed_at as committed_at,
    $first_received_at as first_received_at, $last_received_at as last_received_at,
    $payloads as payloads, $received as received, $inserted as inserted,
    $superseded as superseded, $duplicates as duplicates, $quarantined as quarantined,
    $ignored as ignored, $removed as removed, $released as released,
    map($ignored_kinds::varchar [], $ignored_counts::bigint []) as ignored_reasons,
    map($reasons::varchar [], $reason_counts::bigint []) as quarantined_reasons,
    $archive_file as archive_file, $archive_offset as archive_offset,
    $archive_bytes as archive_bytes
"""
_LEDGER_COUNTS: Final = (
    *("payloads", "received", "inserted", "superseded", "duplicates", "quarantined", "ignored"),
    *("removed", "released"),
)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a batch, in payloads × recipients by their fate on arrival.

    ``received == inserted + superseded + duplicates + quarantined + ignored``. ``rows`` is how
    many rows ``events`` grew by: ``inserted + superseded`` less the copies that gave way.
    """

    batch_id: UUID
    source: str
    payloads: int
    received: int
    inserted: int
    superseded: int
    duplicates: int
    quarantined: int
    ignored: int
    rows: int
    seconds: float = 0.0


class Standing:
    """What the writer knows of the warehouse without asking, so that ordinary batches ask less.

    Only ever too careful: a flag may say that something is there when it is gone.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        def ask(question: str) -> bool:
            return bool(connection.execute(f"select exists ({question})").fetchall()[0][0])

        self.has_identity_copies = ask("select 1 from events where is_identity_notification")
        self.has_waiting = ask("select 1 from waiting")
        self.classes = Classes()
        self.bounces = Bounces(read_bounce_rules(connection))
        self.machines = Machines(read_machine_rules(connection))
        self.domains = Domains(connection)
        self.identities = Identities()

    def learn(self, rows: pa.Table) -> None:
        """Take in a committed batch."""
        self.has_identity_copies |= bool(pc.any(rows["is_identity_notification"]).as_py())


def write_batch(  # noqa: PLR0913 - the steps of one transaction, each its own fact
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    *,
    standing: Standing,
    append: Callable[[bytes], Segment] | None,
    replaces: Collection[str] = (),
    segment: Segment | None = None,
) -> WriteResult:
    """Do everything of a batch but the COMMIT, inside the caller's transaction.

    0. Compare the positions it reads on from with the stored ones, before its frame is archived:
       a refused batch leaves no trace.
    1. Judge every row: new, duplicate, the better copy of one that is there, too old.
    2. Give the rows that stay what belongs to their message and what rules say of them, and note
       Deliveries that repeat another.
    3. Insert them; note those that wait for their Send.
    4. Complete rows that waited for a Send of this batch.
    5. Give the marks of things counted once to their least events.
    6. Enter what all this changes in the counts.
    7. Learn which identity stands behind a source address.
    8. Take out of quarantine what this batch replays, then quarantine what no schema accepted:
       a payload that is refused again stays.
    9. Append the frame to the archive, then the ledger's row that names it and the positions.

    Args:
        connection: the writer's.
        batch: what to write.
        standing: what the writer knows already.
        append: writes the frame durably; None when the archive is off.
        replaces: sha256 of quarantined payloads that this batch holds anew.
        segment: where the frame lies already, when an archived batch is written again.
    """
    # 0
    _compare_positions(connection, batch)
    rows = batch.rows
    judgement = Judgement(fates={}, staying=rows)
    if rows.num_rows:
        horizon = read_instant(at for (at,) in connection.execute(HORIZON).fetchall())
        # 1
        judgement = judge(
            connection,
            rows,
            horizon=horizon,
            has_identity_copies=standing.has_identity_copies,
        )
        if judgement.staying.num_rows or judgement.gone is not None:
            _store(connection, judgement, standing)
        # 7
        standing.identities.learn(connection, rows, horizon=horizon)
    fates = Counter(judgement.fates)
    removed = judgement.removed
    # 8
    released = _release(connection, replaces)
    quarantined, quarantine_duplicates = _quarantine(connection, batch)
    # 9
    if segment is None and append is not None and batch.frame:
        segment = append(batch.frame)
    result = WriteResult(
        batch_id=batch.batch_id,
        source=batch.source,
        payloads=batch.payloads,
        received=batch.received,
        inserted=fates["inserted"],
        superseded=fates["superseded"],
        duplicates=fates["duplicate"] + quarantine_duplicates,
        quarantined=quarantined,
        ignored=sum(batch.ignored.values()) + fates["expired"],
        rows=fates["inserted"] + fates["superseded"] - removed,
    )
    ignored = {**batch.ignored, **({"expired": fates["expired"]} if fates["expired"] else {})}
    _enter(connection, batch, result, ignored, segment, removed=removed, released=released)
    _keep_positions(connection, batch)
    return result


def _store(connection: duckdb.DuckDBPyConnection, judgement: Judgement, standing: Standing) -> None:
    # 2
    filled = fill_poor(connection, judgement.staying)
    rows = standing.bounces.judge(filled.rows)
    rows = rows.append_column("machine_rule", standing.machines.judge(rows))
    providers = standing.domains.to_providers(whole(rows["recipient_domain"]))
    rows = rows.append_column("provider", providers)
    repeats, delayed = mark_repeats(connection, rows)
    # 3
    connection.register("staying", rows)
    connection.execute(_INSERT)
    wait(connection, filled.waiting)
    # 4
    moved = complete_waiting(connection, rows) if standing.has_waiting else None
    # too careful, should the batch be rolled back
    standing.has_waiting |= filled.waiting.num_rows > 0
    # 5
    taken, lost = place_marks(connection, rows, standing.classes) or (None, None)
    # 6
    changes = Changes(
        gone=judgement.gone,
        moved=moved,
        repeats=repeats,
        delayed=delayed,
        lost=lost,
        taken=taken,
    )
    add_deltas(connection, rows, changes, classes=standing.classes, domains=standing.domains)
    fold_when_many(connection)


def _quarantine(connection: duckdb.DuckDBPyConnection, batch: Batch) -> tuple[int, int]:
    """Returns how many payloads are new in quarantine, and how many were there already."""
    if not batch.quarantined.num_rows:
        return 0, 0
    connection.register("incoming_quarantine", batch.quarantined)
    (new,) = connection.execute(_QUARANTINE, [batch.source, batch.batch_id]).fetchall()[0]
    return int(new), batch.quarantined.num_rows - int(new)


def _release(connection: duckdb.DuckDBPyConnection, replaces: Collection[str]) -> int:
    if not replaces:
        return 0
    (gone,) = connection.execute(
        "delete from quarantine where sha256 in (select unnest(?::varchar []))", [list(replaces)]
    ).fetchall()[0]
    return int(gone)


def _enter(  # noqa: PLR0913 - a ledger row is what it says
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    result: WriteResult,
    ignored: dict[str, int],
    segment: Segment | None,
    *,
    removed: int,
    released: int,
) -> None:
    reasons = dict(
        connection.execute(_REASONS, [batch.batch_id]).fetchall() if result.quarantined else ()
    )
    values: dict[str, Any] = {
        "batch_id": batch.batch_id,
        "source": batch.source,
        "committed_at": datetime.now(UTC).replace(tzinfo=None),
        "first_received_at": _naive(batch.first_received_at),
        "last_received_at": _naive(batch.last_received_at),
        "payloads": result.payloads,
        "received": result.received,
        "inserted": result.inserted,
        "superseded": result.superseded,
        "duplicates": result.duplicates,
        "quarantined": result.quarantined,
        "ignored": result.ignored,
        "removed": removed,
        "released": released,
        "ignored_kinds": list(ignored),
        "ignored_counts": list(ignored.values()),
        "reasons": list(reasons),
        "reason_counts": list(reasons.values()),
        "archive_file": segment.file if segment else None,
        "archive_offset": segment.offset if segment else None,
        "archive_bytes": segment.length if segment else None,
    }
    connection.execute(_LEDGER, values)


def enter_removal(connection: duckdb.DuckDBPyConnection, source: str, *, removed: int) -> None:
    """Enter that rows of ``events`` went without a batch, or came back where it is negative.

    Inside the caller's transaction. Nothing was received, so the conservation law holds.
    """
    if not removed:
        return
    values: dict[str, Any] = {
        **dict.fromkeys(_LEDGER_COUNTS, 0),
        "batch_id": uuid4(),
        "source": source,
        "committed_at": datetime.now(UTC).replace(tzinfo=None),
        "first_received_at": None,
        "last_received_at": None,
        "removed": removed,
        **{key: [] for key in ("ignored_kinds", "ignored_counts", "reasons", "reason_counts")},
        **dict.fromkeys(("archive_file", "archive_offset", "archive_bytes")),
    }
    connection.execute(_LEDGER, values)


def _compare_positions(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Raise `PositionMoved` unless the batch reads on from where its source's rows end."""
    if not batch.expects:
        return
    owner = batch.positions_of or batch.source
    stored = dict(
        connection.execute(
            "select part, position from positions where source = ?", [owner]
        ).fetchall()
    )
    for part, expected in batch.expects.items():
        found = stored.get(part)
        if found != expected:
            raise PositionMoved(
                f"writing batch {batch.batch_id} of {batch.source}: it reads on from "
                f"{expected or 'the start'} of {part}, the warehouse is at {found or 'the start'}. "
                "Another reader was faster; nothing of the batch is written."
            )


def _keep_positions(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Replace the parts that the batch has positions of, at once: there may be thousands."""
    if not batch.positions:
        return
    owner = batch.positions_of or batch.source
    parts, positions = list(batch.positions), list(batch.positions.values())
    connection.execute(
        "delete from positions where source = ? and part in (select unnest(?::varchar []))",
        [owner, parts],
    )
    connection.execute(
        "insert into positions select ?, unnest(?::varchar []), unnest(?::varchar []), ?",
        [owner, parts, positions, batch.batch_id],
    )


def _naive(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None)
