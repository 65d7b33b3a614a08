"""How fast every dashboard is at a size, and what the rollups that make it so cost a write.

    python benchmarks/rollups.py 10000000 100000000 [--spans 1 7 30 365] [--rounds 3]
    python benchmarks/rollups.py 3000000 --days 30 --boards tags latency    # some of them, dense
    python benchmarks/rollups.py --write-events 200000      # what a write pays for them

A year of events (or so many days) is made straight in SQL (through the write path ten million would
take minutes and a hundred million an hour) with the marks that writing would have left, and the
rollups are made by the same code that makes them anew after a change of rules. Then every panel of
every dashboard asks its question as Grafana asks it: cold (the file closed, its pages dropped from
the system's cache, opened again), and warm, the median of some rounds. CPU is of both threads:
where other work keeps the machine busy, half of it is nearer to what a question takes on a quiet
one than the clock is.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
from measure import describe_machine

from consumer.dashboards.expansion import Range, expand
from consumer.decode import decode
from consumer.demo.traffic import generate
from consumer.envelope import Envelope
from consumer.resources import dashboards_folder
from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.rollups.folding import recompute
from consumer.warehouse.writing import write

DAYS = 365
EVENTS_A_MESSAGE = 2.47
MEMORY = "4GB"
THREADS = 2
SPANS = (1, 7, 30, 365)
MONTH = 30
BUDGET_WARM_SECS, BUDGET_COLD_SECS = 0.1, 1.0
# A question that takes longer is interrupted: the table says so.
PATIENCE_SECS = 30.0
STRETCHES = 50
LARGE = (
    *("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "gmx.de", "web.de", "orange.fr"),
    *("libero.it", "comcast.net", "mail.ru", "qq.com", "aol.com"),
)

# grain: one row per message of a stretch of the year: 20 configuration sets, 5 identities, seven
# in ten recipients with one of 12 large providers, the others in 20,000 domains; three tags
MESSAGES = f"""
create or replace temp table letters as
select
    i,
    $start::timestamp
        + to_microseconds(((i + hash(i, 13) % 1000 / 1000.0) * $spacing)::bigint) as sent_at,
    printf('0100%012x-%08x-', epoch_ms(sent_at), hash(i) % 4294967296)
        || gen_random_uuid()::varchar || '-000000' as message_id,
    if(
        hash(i, 1) % 10 < 7, {list(LARGE)}[(hash(i, 2) % {len(LARGE)})::bigint + 1],
        'company' || (hash(i, 3) % 20000) || '.example'
    ) as recipient_domain,
    'reader' || (hash(i, 4) % 5000000) || '@' || recipient_domain as recipient,
    'set-' || (hash(i, 5) % 20) as configuration_set,
    'brand' || (hash(i, 6) % 5) || '.example' as identity,
    map {{
        'campaign': ['c' || (hash(i, 7) % 50)], 'template': ['t' || (hash(i, 14) % 20)],
        'user_type': ['u' || (hash(i, 15) % 4)],
    }} as tags,
    hash(i, 8) % 1000 as luck,
from range($first, $last) as t(i)
"""  # noqa: S608 - names of domains, and columns, of our own
COMMON = """
    gen_random_uuid() as event_key, sent_at, event_at as received_at,
    false as is_identity_notification, message_id, recipient, recipient as recipient_as_written,
    recipient_domain, coalesce(p.provider, recipient_domain) as provider, 1 as destination_count,
    true as is_attributable, false as is_simulator, '111122223333' as account,
    'eu-west-1' as region, configuration_set, identity, 'hello@' || identity as source,
    identity as from_domain, tags,
"""
EVENTS = f"""
create or replace temp table made as
with dated as (
    select *, 'Send' as event_type, sent_at as event_at from letters
    union all
    select *, 'Delivery', sent_at + to_milliseconds(
        (300 + hash(i, 9) % 9000 + if(luck < 30, 600_000, 0))::bigint
    )
    from letters where luck >= 20
    union all
    select *, 'DeliveryDelay', sent_at + to_seconds((30 + hash(i, 10) % 300)::bigint)
    from letters where luck >= 20 and luck < 30
    union all
    select *, 'Bounce', sent_at + to_seconds((2 + hash(i, 10) % 600)::bigint)
    from letters where luck < 20
    union all
    select *, 'Open', sent_at + to_seconds((60 * exp((hash(i, 11) % 8000) / 1000.0))::bigint)
    from letters where luck >= 600
    union all
    select *, 'Click', sent_at + to_seconds((70 * exp((hash(i, 11) % 8000) / 1000.0))::bigint)
    from letters where luck >= 930
)
select {COMMON}
    event_type, event_at,
    if(event_type = 'Bounce', if(luck < 8, 'Permanent', 'Transient'), null) as bounce_type,
    if(event_type = 'Bounce', 'General', null) as bounce_sub_type,
    if(event_type = 'Bounce', false, null) as is_auto_reply,
    if(event_type = 'Bounce', message_id || '-bounce', null) as feedback_id,
    if(event_type = 'Bounce', '5.1.1', null) as status,
    if(event_type = 'Bounce', 'smtp; 550 5.1.1 user unknown ' || (i % 50), null)
        as diagnostic_code,
    if(event_type = 'Delivery', 200 + hash(i, 9) % 9000, null)::bigint as processing_ms,
    if(event_type = 'Delivery', '250 2.0.0 OK ' || (hash(i, 12) % 4294967296), null)
        as smtp_response,
    if(event_type = 'Delivery', '192.0.2.' || (i % 16), null) as outgoing_ip,
    if(event_type in ('Open', 'Click'), 'Mozilla/5.0 (like agent ' || (i % 200) || ')', null)
        as user_agent,
    if(event_type = 'Click', 'https://www.example.com/offer/' || (i % 40), null) as link,
    if(event_type = 'DeliveryDelay', 'MailboxFull', null) as delay_type,
    if(event_type = 'Open' and luck % 10 < 4, 'google_image_proxy', null) as machine_rule,
from dated left join providers as p on p.domain = recipient_domain
order by event_at
"""  # noqa: S608 - names of domains, and columns, of our own
# As the write path leaves them: of one open and one click at most, each the first of its kind.
MARKS = """
insert into marks by name
select
    hash(message_id, event_type in ('Open', 'Click')) as mark_key, kind, event_at, event_key,
    sent_at
from (
    select *, unnest(case event_type
        when 'Open' then ['open', 'engaged']
            || if(machine_rule is null, ['human_open', 'human_engaged'], [])
        when 'Click' then ['click', 'human_click']
        when 'DeliveryDelay' then ['delay']
    end) as kind
    from made where event_type in ('Open', 'Click', 'DeliveryDelay')
)
"""
RARE = """
insert into rare_events by name
select
    message_id, sent_at, event_at, event_key,
    if(event_type = 'DeliveryDelay', recipient, null) as recipient,
from made where event_type in ('Bounce', 'DeliveryDelay')
"""
FROM_EVENTS = """
select cohort_day, configuration_set, sum(sends), sum(deliveries), sum(hard_bounces)
from event_tallies
where cohort_day >= timestamp '{starts}' and cohort_day < timestamp '{ends}' group by all
"""
FROM_ROLLUPS = """
select cohort_day, configuration_set, sum(sends), sum(deliveries), sum(hard_bounces)
from configuration_sets_daily_by_send_cohort
where cohort_day >= timestamp '{starts}' and cohort_day < timestamp '{ends}' group by all
"""


@dataclass(frozen=True)
class Question:
    """One panel's, with the values of the board's own variables."""

    name: str
    sql: str
    fixed: Mapping[str, Sequence[str] | None]


class Taken(NamedTuple):
    """By the clock, and of CPU."""

    secs: float
    cpu_secs: float

    def __str__(self) -> str:
        return f"{self.secs * 1e3:,.0f} ms ({self.cpu_secs * 1e3:,.0f})"


class Choices(dict[str, Sequence[str] | None]):
    """All of every variable, but of those that have a value of their own."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Sequence[str] | None:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int, nargs="*", help="sizes")
    parser.add_argument("--spans", type=int, nargs="*", default=SPANS, help="days")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--days", type=int, default=DAYS, help="over which the events lie")
    parser.add_argument("--boards", nargs="*", default=(), help="such as tags; else all")
    parser.add_argument("--write-events", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="keeps what is made there")
    arguments = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="duckpost-bench-") as there:
        folder = arguments.folder or Path(there)
        if arguments.write_events:
            measure_writes(folder, arguments.write_events)
        for events in arguments.events:
            path = folder / f"rollups-{events}.duckdb"
            if not path.exists():
                fill(path, events, arguments.days)
            measure_dashboards(folder, events, arguments.spans, arguments.rounds, arguments.boards)


def measure_dashboards(
    folder: Path, events: int, spans: Sequence[int], rounds: int, boards: Sequence[str] = ()
) -> None:
    path = folder / f"rollups-{events}.duckdb"
    if not path.exists():
        fill(path, events, DAYS)
    began = time.perf_counter()
    open_warehouse(path, WarehouseOptions(min_free_bytes=0, threads=THREADS)).close()
    print(f"opened and closed in {time.perf_counter() - began:.2f} s")
    ends = datetime.now(UTC).replace(tzinfo=None)
    questions = [
        question
        for question in read_questions()
        if not boards or question.name.partition(":")[0] in boards
    ]
    print(f"\n{len(questions)} questions of the dashboards at {events:,} events\n")
    print("| span | warm, median, ms (CPU) | warm, worst | cold, worst | over budget |")
    print("|---|---|---|---|---|")
    told: list[tuple[int, str, Taken, Taken]] = []
    for days in spans:
        span = Range(ends - timedelta(days=days), ends, 3600 if days <= MONTH else 86_400)
        warm, cold = {}, {}
        for question in questions:
            sql = expand(question.sql, span, Choices(question.fixed))
            cold[question.name], warm[question.name] = time_question(path, sql, rounds)
        over = [
            name
            for name in warm
            if warm[name].secs > BUDGET_WARM_SECS or cold[name].secs > BUDGET_COLD_SECS
        ]
        told.extend((days, name, warm[name], cold[name]) for name in (warm if boards else over))
        middle = sorted(warm.values())[len(warm) // 2]
        worst, worst_cold = max(warm.values()), max(cold.values())
        print(f"| {days} d | {middle} | {worst} | {worst_cold} | {len(over)} |", flush=True)
    print(f"\n| span | {'panel' if boards else 'over budget'} | warm | cold |\n|---|---|---|---|")
    for days, name, of_warm, of_cold in told:
        print(f"| {days} d | {name} | {of_warm} | {of_cold} |")
    print("\n| span | by day and set from events | from rollups |\n|---|---|---|")
    for days in spans:
        bounds = {"starts": ends - timedelta(days=days), "ends": ends}
        _, of_events = time_question(path, FROM_EVENTS.format(**bounds), 1)
        _, of_rollups = time_question(path, FROM_ROLLUPS.format(**bounds), rounds)
        print(f"| {days} d | {of_events} | {of_rollups} |")


def fill(path: Path, events: int, days: int) -> None:
    """Make events of so many days that end now, and what belongs to them."""
    open_warehouse(path, WarehouseOptions(min_free_bytes=0)).close()
    messages = int(events / EVENTS_A_MESSAGE)
    start = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    spacing = days * 86_400_000_000 / messages
    began = time.perf_counter()
    with connect(path) as connection:
        for stretch in range(STRETCHES):
            bounds = {
                "first": messages * stretch // STRETCHES,
                "last": messages * (stretch + 1) // STRETCHES,
            }
            connection.execute(MESSAGES, {"start": start, "spacing": spacing, **bounds})
            connection.execute(EVENTS)
            connection.execute("delete from made where event_at >= now() at time zone 'UTC'")
            connection.execute("insert into events by name select * from made")
            connection.execute(MARKS)
            connection.execute(RARE)
        connection.execute("drop table letters")
        connection.execute("drop table made")
        connection.execute("checkpoint")
        ((rows,),) = connection.execute("select count(*) from events").fetchall()
        filled = count_bytes(connection)
        secs = time.perf_counter() - began
        print(f"{rows:,} events in {secs:.0f} s, {filled / rows:.1f} bytes each")
        began, cpu = time.perf_counter(), time.process_time()
        connection.execute("begin transaction")
        recompute(connection)
        connection.execute("commit")
        connection.execute("checkpoint")
        cpu = time.process_time() - cpu
        ((hourly, daily),) = connection.execute(
            "select (select count(*) from rollup_hourly_by_send_cohort), "
            "(select count(*) from rollup_daily_by_send_cohort)"
        ).fetchall()
        print(
            f"recounted in {time.perf_counter() - began:.0f} s, {cpu / rows * 1e6:.1f} µs CPU an "
            f"event; {hourly:,} rows by hour of sending, {daily:,} by day, "
            f"{(count_bytes(connection) - filled) / rows:.1f} bytes an event"
        )


def count_bytes(connection: duckdb.DuckDBPyConnection) -> int:
    """What is used of the file: the rest of it is free for what comes."""
    ((used,),) = connection.execute(
        "select used_blocks * block_size from pragma_database_size()"
    ).fetchall()
    return int(used)


def read_questions() -> Iterator[Question]:
    for file in sorted((dashboards_folder() / "json").glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        fixed: dict[str, Sequence[str] | None] = {
            one["name"]: [one["current"]["value"]]
            for one in board["templating"]["list"]
            if one["type"] == "custom"
        }
        fixed |= {"tag_key": ["campaign"], "look_for": ["reader7@gmail.com"]}
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                name = f"{board['uid'].removeprefix('duckpost-')}: {panel['title']}"
                yield Question(name, target["rawSql"], fixed)


def time_question(path: Path, sql: str, rounds: int) -> tuple[Taken, Taken]:
    """Return what it takes cold, and warm."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with connect(path, read_only=True) as connection:
        cold = time_once(connection, sql)
        if cold.secs >= PATIENCE_SECS:
            return cold, cold
        warm = sorted(time_once(connection, sql) for _ in range(rounds))
        return cold, warm[len(warm) // 2]


def time_once(connection: duckdb.DuckDBPyConnection, sql: str) -> Taken:
    timer = threading.Timer(PATIENCE_SECS, connection.interrupt)
    timer.start()
    began, cpu = time.perf_counter(), time.process_time()
    with suppress(duckdb.InterruptException):
        connection.execute(sql).fetchall()
    timer.cancel()
    return Taken(time.perf_counter() - began, time.process_time() - cpu)


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "threads": THREADS,
    }
    connection = duckdb.connect(path.as_posix(), read_only=read_only, config=config)
    connection.execute("load icu")
    connection.execute("set TimeZone = 'UTC'")
    return connection


def measure_writes(folder: Path, events: int) -> None:
    """A write with and without its rollups, in turn: mail as it comes, in the order of events."""
    made = generate(int(events / 3), seed=5, start=datetime(2026, 3, 1, tzinfo=UTC))
    payloads = list(made.payloads)
    keep = vars(write)["add_deltas"]
    print("| batches of | without, µs CPU an event | with | |\n|---|---|---|---|")
    for rows in (5_000, 20_000):
        costs: dict[bool, list[float]] = {True: [], False: []}
        for round_number in range(4):
            with_rollups = round_number % 2 == 0
            vars(write)["add_deltas"] = keep if with_rollups else _add_nothing
            path = folder / f"write-{rows}-{round_number}.duckdb"
            costs[with_rollups].append(write_all(path, payloads, rows))
        vars(write)["add_deltas"] = keep
        without, with_them = (statistics.mean(costs[one]) for one in (False, True))
        print(
            f"| {rows:,} | {without * 1e6:.1f} | {with_them * 1e6:.1f} "
            f"| +{(with_them / without - 1) * 100:.0f}% |"
        )


def _add_nothing(*_: object, **__: object) -> None:
    """In the place of what a batch changes in the counts."""


def write_all(path: Path, payloads: Sequence[bytes], rows: int) -> float:
    """CPU of writing, an event; the first batch is left out, in which memory is first touched."""
    spent = written = 0.0
    with open_warehouse(path, WarehouseOptions(min_free_bytes=0, threads=1)) as warehouse:
        builder = warehouse.new_builder("bench")
        is_first = True
        for payload in payloads:
            for decoded in decode(Envelope(payload, None, "bench", datetime.now(UTC))):
                builder.add(decoded)
            if builder.rows >= rows:
                batch = builder.finish()
                began = time.process_time()
                warehouse.write(batch)
                if not is_first:
                    spent += time.process_time() - began
                    written += batch.rows.num_rows
                is_first = False
    return spent / written


if __name__ == "__main__":
    main()
