"""Gives events the verdicts of the rules in force: provider, machine rule, bounce rule and class.

Some messages a transaction: all that depends on each other, marks included, is of one message.
They are found by hours of sending while others write, and changed in portions small enough that a
batch waits a fraction of a second for its turn. Rollups are made again at the end: what that takes
is planning and counting, which nobody waits for there; until then figures are mostly those of the
rules before, and the warehouse notes it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from consumer.resources import sql_folder
from consumer.warehouse.facts import put_fact
from consumer.warehouse.pace import Pace
from consumer.warehouse.rollups.remaking import note_pending, remake_rollups
from consumer.warehouse.rules.files import read_rules
from consumer.warehouse.rules.in_force import JUDGED_BY
from consumer.warehouse.rules.verdicts import Verdicts, to_within

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

# Events that are looked at together, in full hours of them; nobody waits for a look.
STRETCH_EVENTS: Final = 50_000

OnProgress = Callable[[int, int], None]

_HOURS: Final = (
    "select date_trunc('hour', sent_at) as hour, count(*) as n from events group by hour order by 1"
)

_UPDATES: Final = {
    "provider": "provider = c.is_now",
    "machine_rule": "machine_rule = c.is_now",
    "bounce_class": "bounce_class = c.is_now, bounce_rule = c.rule",
}
_TOUCHED: Final = """
create or replace temp table touched as
select distinct m.mark_key, e.message_id, e.recipient
from marks as m
join events as e on e.event_key = m.event_key
where
    m.kind = 'engaged' and {m_within} and {e_within}
    and (e.message_id, e.recipient) in (select (message_id, recipient) from changed)
"""
_DROP_MARKS: Final = """
delete from marks
where
    {within} and kind in ('human_open', 'human_click', 'human_engaged')
    and mark_key in (select mark_key from touched)
"""
_PLACE_MARKS: Final = """
insert into marks by name
with acts as (
    select
        t.mark_key, e.event_at, e.event_key, e.sent_at,
        unnest(
            if(e.event_type = 'Open', ['human_open'], ['human_click']) || ['human_engaged']
        ) as kind,
    from events as e
    join touched as t on t.message_id = e.message_id and t.recipient = e.recipient
    where
        {within} and e.event_type in ('Open', 'Click')
        and e.machine_rule is null and not e.is_simulator
)
select
    mark_key,
    kind,
    min(event_at) as event_at,
    arg_min(event_key, (event_at, event_key)) as event_key,
    min(sent_at) as sent_at,
from acts
group by mark_key, kind
"""


@dataclass(frozen=True, slots=True)
class Change:
    """Rows whose ``column`` changes from one value to another; None is no verdict."""

    column: str
    before: str | None
    after: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Reclassification:
    """What other rules changed, or would change.

    Attributes:
        events: rows of ``events`` that were looked at.
        changes: the greatest first.
        asked: domains that DNS was asked about before, ``unanswered`` of them in vain.
    """

    events: int
    changes: list[Change]
    seconds: float
    is_dry_run: bool
    asked: int = 0
    unanswered: int = 0


def reclassify(
    warehouse: "Warehouse", *, is_dry_run: bool = False, on_progress: OnProgress | None = None
) -> Reclassification:
    """Read the files of rules anew, put them into force, and judge all of history by them.

    1. Read the rules; a fault changes nothing.
    2. Put them into force: what comes in from here on is judged by them.
    3. Find the rows that they judge differently, a stretch at a time, and change them in portions.
    4. Make the rollups again where events count otherwise now; see `remake_rollups`.
    5. Note by which rules all of history is judged now.

    Cut off anywhere, the next time goes on.

    Args:
        warehouse: open; its options name the user's files.
        is_dry_run: count only.
        on_progress: gets events done and in all; what it raises ends the work between two
            portions.

    Raises `SettingsError` for rules that cannot be used.
    """
    began = time.monotonic()
    rules = read_rules(sql_folder() / "seeds", warehouse.options.rule_files)  # 1
    if not is_dry_run:
        warehouse.enforce(rules)  # 2
    verdicts = Verdicts(warehouse, rules)
    stretches = list(_find_stretches(warehouse))
    total = sum(events for _, _, events in stretches)
    tell = on_progress or (lambda _done, _total: None)
    counted: Counter[tuple[str, str | None, str | None]] = Counter()
    pace = Pace()
    done = 0
    for start, end, events in stretches:  # 3
        tell(done, total)
        changed = verdicts.find_changed(start, end)
        for column, rows in changed.items():
            pairs = zip(rows["was"].to_pylist(), rows["is_now"].to_pylist(), strict=True)
            counted.update((column, was, is_now) for was, is_now in pairs)
        for messages, since, until in () if is_dry_run else _cut(changed, pace):
            tell(done, total)
            warehouse.change(
                "giving events the verdicts of other rules",
                partial(_change, changed=messages, start=since, end=until, pace=pace),
            )
        done += events
    if not is_dry_run:
        remake_rollups(warehouse, lambda: tell(done, total))  # 4
        warehouse.change(  # 5
            "noting the rules",
            lambda connection: put_fact(connection, JUDGED_BY, rules.digest),
        )
    return Reclassification(
        events=total,
        changes=[Change(*what, rows) for what, rows in counted.most_common()],
        seconds=round(time.monotonic() - began, 3),
        is_dry_run=is_dry_run,
    )


def _find_stretches(warehouse: "Warehouse") -> Iterator[tuple[datetime, datetime, int]]:
    """Yield full hours of sending with about `STRETCH_EVENTS` events together."""
    with warehouse.read(_HOURS) as reader:
        hours = reader.read_all().to_pylist()
    start: datetime | None = None
    end, held = datetime.min, 0  # noqa: DTZ901 - naive UTC, like the column
    for found in hours:
        if start is not None and held + found["n"] > STRETCH_EVENTS:
            yield start, end, held
            start, held = None, 0
        start = start or found["hour"]
        end, held = found["hour"] + timedelta(hours=1), held + found["n"]
    if start is not None:
        yield start, end, held


def _cut(
    changed: dict[str, pa.Table], pace: Pace
) -> Iterator[tuple[dict[str, pa.Table], datetime, datetime]]:
    """Yield the rows in portions of whole messages, each of about as many as ``pace`` says.

    With each goes when its messages were sent, to full seconds: copies of an event may differ in
    less. A second that two portions share is looked at by both.
    """
    rows = pa.concat_tables([one.select(["message_id", "sent_at"]) for one in changed.values()])
    messages = rows.group_by("message_id").aggregate(
        [("sent_at", "min"), ("sent_at", "max"), ([], "count_all")]
    )
    messages = messages.sort_by("sent_at_min").combine_chunks()
    ends = pc.cumulative_sum(messages["count_all"])
    start = taken = 0
    while start < len(messages):
        fitting = pc.sum(pc.less_equal(ends, taken + pace.rows)).as_py() or 0
        end = max(fitting, start + 1)
        portion = messages.slice(start, end - start)
        since = pc.min(portion["sent_at_min"]).as_py().replace(microsecond=0)
        until = pc.max(portion["sent_at_max"]).as_py().replace(microsecond=0)
        ids = portion["message_id"].combine_chunks()
        parts = {
            column: one.filter(pc.is_in(one["message_id"], value_set=ids))
            for column, one in changed.items()
        }
        yield parts, since, until + timedelta(seconds=1)
        start, taken = end, ends[end - 1].as_py()


def _change(
    connection: "duckdb.DuckDBPyConnection",
    changed: dict[str, pa.Table],
    start: datetime,
    end: datetime,
    pace: Pace,
) -> None:
    """Give the rows their verdicts, and their groups' marks to whom they belong."""
    with pace.timed():
        note_pending(connection)
        for column, rows in changed.items():
            if rows.num_rows:
                connection.register("changed", rows)
                connection.execute(
                    f"update events as e set {_UPDATES[column]} from changed as c "
                    f"where {to_within('e', start, end)} and e.event_key = c.event_key::uuid"
                )
                if column == "machine_rule":
                    _move_marks(connection, start, end)
                connection.unregister("changed")


def _move_marks(connection: "duckdb.DuckDBPyConnection", start: datetime, end: datetime) -> None:
    """Place anew the marks of persons in the groups of ``changed`` opens and clicks."""
    of_events, of_marks = to_within("e", start, end), to_within("m", start, end)
    connection.execute(_TOUCHED.format(m_within=of_marks, e_within=of_events))
    connection.execute(_DROP_MARKS.format(within=of_marks.replace("m.", "")))
    connection.execute(_PLACE_MARKS.format(within=of_events))
