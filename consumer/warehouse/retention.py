"""Retention: what is older than it may be leaves, in slices between two batches.

Horizons are on ``sent_at``: a message goes whole, and what comes of it later is ignored as
``expired``, for the keys that would recognise it are gone. Its figures stay: rollups outlive their
events, and are frozen before the horizon.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from consumer.errors import WarehouseError
from consumer.warehouse.archive import list_files, sync_folder
from consumer.warehouse.facts import ARCHIVE_FROM, FROZEN, HORIZON, put_fact, read_instant
from consumer.warehouse.rollups.folding import to_remains
from consumer.warehouse.rollups.tables import BASES
from consumer.warehouse.writing.write import enter_removal

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

FAILURES: Final = ("Bounce", "Complaint", "Reject", "Rendering Failure")

# Rows that go in one transaction: it takes a tenth of a second, and a batch waits no longer.
SLICE_ROWS: Final = 50_000
_QUARANTINE_AT_ONCE: Final = 2_000
_ARCHIVE_NAME: Final = re.compile(r"\d{8}T\d{2}-\d{3}(\.e\d+)?\.zst")

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days what is kept; None keeps it for ever.

    Attributes:
        events_days: events, from when their message was sent.
        failure_events_days: the same of bounces, complaints, rejects and rendering failures; None
            is as ``events_days``.
        archive_days: raw payloads, from when they were received.
        quarantine_days: payloads in quarantine, the same.
    """

    events_days: int | None = None
    failure_events_days: int | None = None
    archive_days: int | None = None
    quarantine_days: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether anything ever goes."""
        return any(days is not None for days in asdict(self).values())


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What went, or would go, before which instants (UTC, as ISO 8601; None where all is kept).

    Attributes:
        events: rows of ``events``.
        others: rows of marks and of what waits or pairs, which go with their events.
        archive_files: files of raw payloads, of ``archive_bytes`` together.
        quarantined: payloads in quarantine.
    """

    events_before: str | None
    failure_events_before: str | None
    archive_before: str | None
    quarantined_before: str | None
    events: int
    others: int
    archive_files: int
    archive_bytes: int
    quarantined: int
    seconds: float
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The instants before which things go, naive UTC."""

    events: datetime | None
    failures: datetime | None
    archive: datetime | None
    quarantine: datetime | None

    def to_conditions(self) -> dict[str, str]:
        """SQL for the rows that go, by table. What pairs and waits goes with the first horizon."""
        types = ", ".join(f"'{one}'" for one in FAILURES)
        events, failures = f"timestamp '{self.events}'", f"timestamp '{self.failures}'"
        return {
            "events": (
                f"sent_at < {events} and (sent_at < {failures} or event_type not in ({types}))"
            ),
            "marks": f"sent_at < {events} and (sent_at < {failures} or kind != 'complaint')",
            "waiting": f"sent_at < {events}",
            "rare_events": f"sent_at < {events}",
        }


def prune(
    warehouse: "Warehouse",
    retention: Retention,
    *,
    is_dry_run: bool = False,
    now: datetime | None = None,
    on_progress: OnProgress | None = None,
) -> PruneResult:
    """Delete what is older than it may be.

    1. Store the horizon: from here on what comes of older messages is ignored.
    2. Freeze the rollups before it, and keep what the older messages count as after it.
    3. Delete rows, a slice a transaction, each noted in the ledger.
    4. Delete files of the archive, noted first.
    5. Delete payloads in quarantine.

    Cut off anywhere, the next time goes on. A horizon never moves back: what is gone stays gone.

    Args:
        warehouse: open.
        retention: how long what is kept.
        is_dry_run: count only.
        now: the instant that days are counted back from, to the start of a day of
            ``report_time_zone``.
        on_progress: gets rows done and in all; what it raises ends the work between two slices.
    """
    began = time.monotonic()
    bounds = _find_bounds(warehouse, retention, now or datetime.now(UTC))
    archived = _list_archived(warehouse, bounds.archive)
    archive_bytes = sum(file.stat().st_size for file in archived)
    events = others = 0
    if bounds.events is not None:
        if is_dry_run:
            conditions = bounds.to_conditions()
            counts = {table: _count(warehouse, table, rows) for table, rows in conditions.items()}
            events = counts.pop("events")
            others = sum(counts.values())
        else:
            _store_horizon(warehouse, bounds.events)  # 1
            _freeze(warehouse, bounds.events)  # 2
            events, others = _delete_rows(warehouse, bounds, on_progress)  # 3
    if not is_dry_run:
        _delete_archived(warehouse, archived, bounds.archive)  # 4
    quarantined = _prune_quarantine(warehouse, bounds.quarantine, is_dry_run=is_dry_run)  # 5
    return PruneResult(
        events_before=_to_text(bounds.events),
        failure_events_before=_to_text(bounds.failures),
        archive_before=_to_text(bounds.archive),
        quarantined_before=_to_text(bounds.quarantine),
        events=events,
        others=others,
        archive_files=len(archived),
        archive_bytes=archive_bytes,
        quarantined=quarantined,
        seconds=round(time.monotonic() - began, 3),
        is_dry_run=is_dry_run,
    )


def _find_bounds(warehouse: "Warehouse", retention: Retention, now: datetime) -> _Bounds:
    at = now.astimezone(UTC).replace(tzinfo=None)
    events = failures = None
    if retention.events_days is not None:
        events = _start_of_day(warehouse, at - timedelta(days=retention.events_days))
        with warehouse.read(HORIZON) as reader:
            stored = read_instant(reader.read_all()["value"].to_pylist())
        events = events if stored is None else max(events, stored)
        failures = events
        if retention.failure_events_days is not None:
            days = timedelta(days=retention.failure_events_days)
            failures = min(events, _start_of_day(warehouse, at - days))
    return _Bounds(
        events,
        failures,
        archive=_days_before(at, retention.archive_days),
        quarantine=_days_before(at, retention.quarantine_days),
    )


def _start_of_day(warehouse: "Warehouse", at: datetime) -> datetime:
    sql = f"select report_day_starts_at(report_day(timestamp '{at}'))::timestamp as starts_at"
    with warehouse.read(sql) as reader:
        found: datetime = reader.read_all()["starts_at"][0].as_py()
    return found


def _days_before(at: datetime, days: int | None) -> datetime | None:
    return None if days is None else at - timedelta(days=days)


def _store_horizon(warehouse: "Warehouse", horizon: datetime) -> None:
    def store(connection: "duckdb.DuckDBPyConnection") -> None:
        stored = read_instant(value for (value,) in connection.execute(HORIZON).fetchall())
        if stored is None or stored < horizon:
            put_fact(connection, "horizon", horizon.isoformat())

    warehouse.change("storing the horizon", store)


def _freeze(warehouse: "Warehouse", horizon: datetime) -> None:
    """Keep what older messages count as after the horizon, for their events are to go."""
    with warehouse.read(FROZEN) as reader:
        frozen = read_instant(reader.read_all()["value"].to_pylist())
    if frozen is not None and frozen >= horizon:
        return
    # nothing of these messages comes in any more, so the writer need not wait for the sum
    remains = {}
    for basis in BASES:
        with warehouse.read(to_remains(basis, frozen, horizon)) as reader:
            remains[basis.remains] = reader.read_all()

    def freeze(connection: "duckdb.DuckDBPyConnection") -> None:
        if read_instant(value for (value,) in connection.execute(FROZEN).fetchall()) != frozen:
            return  # another prune was faster
        for table, rows in remains.items():
            connection.register("remains", rows)
            connection.execute(f"insert into {table} by name select * from remains")
            connection.unregister("remains")
            connection.execute(f"delete from {table} where event_at < timestamp '{horizon}'")
        put_fact(connection, "rollups_frozen_until", horizon.isoformat())

    warehouse.change("freezing rollups", freeze)


def _delete_rows(
    warehouse: "Warehouse", bounds: _Bounds, on_progress: OnProgress | None
) -> tuple[int, int]:
    conditions = bounds.to_conditions()
    slices = list(_find_slices(warehouse, conditions))
    total = sum(rows for _, _, rows in slices)
    done = events = others = 0
    for start, end, rows in slices:
        if on_progress is not None:
            on_progress(done, total)
        gone = warehouse.change(
            "deleting old rows",
            lambda connection: _delete_slice(connection, conditions, start, end),  # noqa: B023 - called at once
        )
        events += gone.pop("events")
        others += sum(gone.values())
        done += rows
    return events, others


def _find_slices(
    warehouse: "Warehouse", conditions: dict[str, str]
) -> Iterator[tuple[datetime, datetime, int]]:
    """Yield stretches of ``sent_at`` with about `SLICE_ROWS` rows; a full minute is not cut."""
    rows = " union all ".join(
        f"select sent_at from {table} where {condition}" for table, condition in conditions.items()
    )
    sql = f"""
        select date_trunc('minute', sent_at) as minute, count(*) as n
        from ({rows}) group by minute order by minute
    """
    with warehouse.read(sql) as reader:
        found = reader.read_all()
    start: datetime | None = None
    end, held = datetime.min, 0  # noqa: DTZ901 - naive UTC, like the column
    for minute, n in zip(found["minute"].to_pylist(), found["n"].to_pylist(), strict=True):
        if start is not None and held + n > SLICE_ROWS:
            yield start, end, held
            start, held = None, 0
        start = start or minute
        end, held = minute + timedelta(minutes=1), held + n
    if start is not None:
        yield start, end, held


def _delete_slice(
    connection: "duckdb.DuckDBPyConnection",
    conditions: dict[str, str],
    start: datetime,
    end: datetime,
) -> dict[str, int]:
    gone = {}
    within = f"sent_at >= timestamp '{start}' and sent_at < timestamp '{end}'"
    for table, condition in conditions.items():
        ((gone[table],),) = connection.execute(
            f"delete from {table} where {within} and ({condition})"
        ).fetchall()
    enter_removal(connection, "prune", removed=gone["events"])
    return gone


def _list_archived(warehouse: "Warehouse", before: datetime | None) -> list[Path]:
    """Files whose hour was over by then; the one that batches go into stays."""
    if before is None:
        return []
    return [
        file
        for file in list_files(warehouse.place.archive)
        if _ARCHIVE_NAME.fullmatch(file.name)
        and file.name < _to_hour(before)
        and not warehouse.is_writing(file)
    ]


def _delete_archived(warehouse: "Warehouse", files: list[Path], before: datetime | None) -> None:
    if not files or before is None:
        return
    # no start may build a damaged file anew from what is left, without being asked
    warehouse.place.gaps.touch(mode=0o600)

    def note(connection: "duckdb.DuckDBPyConnection") -> None:
        noted = [value for (value,) in connection.execute(ARCHIVE_FROM).fetchall()]
        put_fact(connection, "archive_from", max([*noted, _to_hour(before)]))

    warehouse.change("noting what leaves the archive", note)
    try:
        for file in files:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise WarehouseError(f"cannot delete old files of the archive: {error}") from error
    sync_folder(warehouse.place.archive)


def _prune_quarantine(warehouse: "Warehouse", before: datetime | None, *, is_dry_run: bool) -> int:
    if before is None:
        return 0
    if is_dry_run:
        return _count(warehouse, "quarantine", f"received_at < timestamp '{before}'")
    sql = f"select sha256 from quarantine where received_at < timestamp '{before}'"
    with warehouse.read(sql) as reader:
        old = reader.read_all()["sha256"].to_pylist()
    return sum(
        warehouse.drop_quarantined(old[start : start + _QUARANTINE_AT_ONCE])
        for start in range(0, len(old), _QUARANTINE_AT_ONCE)
    )


def _count(warehouse: "Warehouse", table: str, condition: str) -> int:
    with warehouse.read(f"select count(*) as n from {table} where {condition}") as reader:
        counted: Any = reader.read_all()["n"][0].as_py()
    return int(counted)


def _to_hour(at: datetime) -> str:
    """As the names of the archive's files begin."""
    return f"{at:%Y%m%dT%H}"


def _to_text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
