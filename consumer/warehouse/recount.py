"""Holds ledger, rows, marks and archive against each other: what `duckpost verify` says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import zstandard

from consumer.warehouse.archive import Segment, Torn, list_files, read_file, read_segment
from consumer.warehouse.facts import ARCHIVE_FROM, FROZEN, read_instant
from consumer.warehouse.rollups.folding import to_comparisons
from consumer.warehouse.rollups.remaking import is_pending
from consumer.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it holds against what, and the two figures (equal when all is well).

    ``is_fault`` is False for what is only worth knowing, such as a frame whose commit failed.
    """

    check: str
    expected: int
    found: int
    note: str = ""
    is_fault: bool = True

    @property
    def is_well(self) -> bool:
        """Whether the two agree."""
        return self.expected == self.found or not self.is_fault


_HALF_DONE: Final = (
    "they are being made again: duckpost reclassify, or the next start, comes to the end of it"
)
# Each returns one row: expected, found. These need no more than a scan; a recovery runs them.
BOOKS: Final = (
    (
        "conservation: received = inserted + superseded + duplicates + quarantined + ignored",
        """
        select coalesce(sum(received), 0)::bigint, coalesce(
            sum(inserted + superseded + duplicates + quarantined + ignored), 0
        )::bigint from ledger
        """,
    ),
    (
        "conservation: batches in which the two sides differ",
        """
        select 0, count(*) from ledger
        where received != inserted + superseded + duplicates + quarantined + ignored
        """,
    ),
    (
        "events: what the ledger says was kept, and rows",
        """
        select
            (select coalesce(sum(inserted + superseded - removed), 0)::bigint from ledger),
            (select count(*) from events)
        """,
    ),
    (
        "events: keys that occur more than once",
        """
        select 0, count(*) from (
            select event_key from events group by event_key having count(*) > 1
        )
        """,
    ),
    (
        "quarantine: what the ledger says was kept, and rows",
        """
        select
            (select coalesce(sum(quarantined - released), 0)::bigint from ledger),
            (select count(*) from quarantine)
        """,
    ),
    (
        "ledger: batches entered more than once",
        """
        select 0, count(*) from (
            select batch_id from ledger group by batch_id having count(*) > 1
        )
        """,
    ),
)
_CHECKS: Final = (
    *BOOKS,
    (
        "marks: groups with more than one holder",
        """
        select 0, count(*) from (
            select mark_key, kind from marks group by mark_key, kind having count(*) > 1
        )
        """,
    ),
    (
        "marks: whose event is gone",
        """
        select 0, count(*) from marks where event_key not in (select event_key from events)
        """,
    ),
    (
        "marks: not with the least event of their group",
        """
        select 0, count(*) from (
            with held as (
                select e.message_id, e.recipient, e.feedback_id, e.event_type, m.kind,
                    m.event_at, m.event_key
                from marks as m
                join events as e on e.event_key = m.event_key
            )
            select 1
            from held as h
            join events as e on
                e.message_id = h.message_id
                and not e.is_simulator
                and (e.event_at, e.event_key) < (h.event_at, h.event_key)
                and case
                    when h.kind = 'complaint' then
                        e.event_type = 'Complaint' and e.feedback_id = h.feedback_id
                        and complaint_kind_of(
                            e.complaint_sub_type, e.complaint_feedback_type
                        ) = 'complaint'
                    else e.recipient = h.recipient and case h.kind
                        when 'delay' then e.event_type = 'DeliveryDelay'
                        when 'open' then e.event_type = 'Open'
                        when 'human_open' then
                            e.event_type = 'Open' and e.machine_rule is null
                        when 'click' then e.event_type = 'Click'
                        when 'human_click' then
                            e.event_type = 'Click' and e.machine_rule is null
                        when 'engaged' then e.event_type in ('Open', 'Click')
                        when 'human_engaged' then
                            e.event_type in ('Open', 'Click') and e.machine_rule is null
                    end
                end
        )
        """,
    ),
    (
        "marks: groups that have an event, and those of them that have a mark",
        """
        with groups as (
            select message_id, recipient, event_type
            from events
            where
                not is_simulator and recipient is not null
                and event_type in ('DeliveryDelay', 'Open', 'Click')
            group by all
        )
        select
            (select count(*) from groups),
            (select count(*) from marks where kind in ('delay', 'open', 'click'))
        """,
    ),
    (
        "marks: Deliveries after their recipient's first, and those noted as such",
        """
        with deliveries as (
            select count(*) as copies
            from events
            where
                event_type = 'Delivery' and not is_simulator and recipient is not null
                and is_near_sending(event_at, sent_at)
            group by message_id, recipient
        )
        select
            (select coalesce(sum(copies - 1), 0)::bigint from deliveries where copies > 1),
            (select count(*) from marks where kind = 'repeat')
        """,
    ),
    (
        "rare events: rows whose event is gone",
        """
        select 0, count(*) from (
            select event_key from rare_events
            except all
            select event_key from events
            where event_type in ('Bounce', 'Complaint', 'Reject', 'Rendering Failure',
                'DeliveryDelay')
        )
        """,
    ),
    (
        "rare events: delays of a recipient, and those of them that are noted",
        """
        select
            (
                select count(*) from events
                where event_type = 'DeliveryDelay' and not is_simulator and recipient is not null
            ),
            (
                select count(*) from events as e
                join rare_events as r on e.event_key = r.event_key and e.recipient = r.recipient
            )
        """,
    ),
    (
        "waiting: rows whose event is gone",
        """
        select 0, count(*) from waiting where event_key not in (select event_key from events)
        """,
    ),
)


def verify(
    warehouse: Warehouse, *, on_progress: Callable[[int, int], None] | None = None
) -> list[Finding]:
    """Run every check and return what each found, agreeing or not.

    ``on_progress`` gets steps done and in all, a check or a file of the archive each; what it
    raises ends the work.
    """
    findings = []
    on_rollups = _to_rollup_checks(warehouse)
    checks = (*_CHECKS, *on_rollups)
    steps = _Steps(len(checks) + len(list_files(warehouse.place.archive)), on_progress)
    for check, sql in checks:
        steps.take()
        with warehouse.read(sql) as reader:
            ((expected, found),) = (row.values() for row in reader.read_all().to_pylist())
        findings.append(Finding(check, expected, found))
    if is_pending(warehouse):
        known = {check for check, _ in on_rollups}
        findings = [
            replace(one, note=_HALF_DONE, is_fault=False) if one.check in known else one
            for one in findings
        ]
    findings.extend(_verify_archive(warehouse, steps))
    return findings


class _Steps:
    """Tells how far the work is, before each step."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None] | None) -> None:
        self._done = 0
        self._total = total
        self._on_progress = on_progress or (lambda _done, _total: None)

    def take(self) -> None:
        """The next step begins."""
        self.go_on()
        self._done += 1

    def go_on(self) -> None:
        """Within a step: where whoever waits may end it."""
        self._on_progress(min(self._done, self._total), self._total)


def _to_rollup_checks(warehouse: Warehouse) -> list[tuple[str, str]]:
    with warehouse.read(FROZEN) as reader:
        frozen = read_instant(reader.read_all()["value"].to_pylist())
    return [
        (f"rollups: keys of {rollup} that differ from a recount of the events", sql)
        for rollup, sql in to_comparisons(frozen)
    ]


def _verify_archive(warehouse: Warehouse, steps: _Steps) -> Iterator[Finding]:
    """Every ledger row's frame is where it says, and every frame is in the ledger.

    What retention deleted is not looked for: a row goes on naming the file that it had.
    """
    sql = f"""
        select batch_id, archive_file, archive_offset, archive_bytes
        from ledger
        where archive_file is not null and archive_file >= coalesce(({ARCHIVE_FROM}), '')
    """
    with warehouse.read(sql) as reader:
        rows = reader.read_all().to_pylist()
    folder = warehouse.place.archive
    named = {}
    bad: list[str] = []
    for row in rows:
        steps.go_on()
        segment = Segment(row["archive_file"], row["archive_offset"], row["archive_bytes"])
        named[(segment.file, segment.offset)] = row["batch_id"]
        problem = _read_problem(folder, segment, str(row["batch_id"]))
        if problem is not None:
            bad.append(problem)
    yield Finding(
        "archive: frames that ledger rows name, and whole ones",
        len(rows),
        len(rows) - len(bad),
        "; ".join(bad[:3]),
    )
    strays = torn = 0
    note = ""
    for file in list_files(folder):
        steps.take()
        for found in read_file(file):
            steps.go_on()
            if isinstance(found, Torn):
                torn += 1
                note = f"{found.file} from byte {found.offset}: {found.reason}"
            elif (found[0].file, found[0].offset) not in named:
                strays += 1
    yield Finding(
        "archive: frames whose commit failed (rebuild takes them in)", 0, strays, is_fault=False
    )
    yield Finding(
        "archive: torn ends (a kill while writing leaves one)", 0, torn, note, is_fault=False
    )


def _read_problem(folder: Path, segment: Segment, batch_id: str) -> str | None:
    try:
        head = read_segment(folder, segment).head
    except (OSError, ValueError, EOFError, zstandard.ZstdError) as error:
        return f"{segment.file} at {segment.offset}: {error}"
    if str(head.batch_id) != batch_id:
        return f"{segment.file} at {segment.offset} holds batch {head.batch_id}, not {batch_id}"
    return None
