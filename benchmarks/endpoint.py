"""The SQL endpoint: what connecting, small and large results and many panels at once take.

    python benchmarks/endpoint.py [--messages 20000] [--rounds 5] [--postgres FOLDER]

The worker's part runs in a process of its own (`endpoint_server.py`). A PostgreSQL, where there is
one, gives the same rows over the same wire, from a table in its memory, to the same client, in
turn: a yardstick for the wire. The writer's commits are timed in the worker, alone and beside
readers that never rest.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString, NamedTuple

import psycopg
from endpoint_server import DAYS, PASSWORD, ROWS, USER
from measure import describe_machine
from yardstick import Server, find_postgres, open_postgres

from consumer.dashboards.expansion import Range, expand
from consumer.resources import dashboards_folder

HERE = Path(__file__).parent
SMALL_QUERIES = 200
CONNECTS = 20
PANELS = 10
HEAVY_READERS = 4
COMMIT_ROUNDS = 2
# payloads a batch, batches a round; the budget is for the first, a worker's ordinary batch
COMMITS = ((500, 15), (5_000, 3))
CHUNK_ROWS = 1_000
WIRE_BUDGET = 2.0
COMMIT_BUDGET_SECS = 0.25
HEAVY: LiteralString = """select recipient_domain, event_type, count(distinct message_id), count(*)
from events group by all order by 3 desc"""


class Commit(NamedTuple):
    """What one commit took, in seconds: by the clock, of CPU, waiting for a free processor."""

    secs: float
    cpu_secs: float
    queued_secs: float


@dataclass(slots=True)
class Worker:
    """The process behind our endpoint, and a way to have it commit."""

    server: Server
    process: "subprocess.Popen[str]"

    def commit(self, payloads: int, commits: int) -> list[Commit]:
        """Have so many next batches of so many payloads committed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{payloads} {commits}\n")
        self.process.stdin.flush()
        return [Commit(*took) for took in json.loads(self.process.stdout.readline())]


@dataclass(slots=True)
class Figures:
    """What was measured of one server, by name, in seconds."""

    secs: dict[str, list[float]] = field(default_factory=dict)
    grown_bytes: int = 0

    def add(self, name: str, secs: Sequence[float]) -> None:
        self.secs.setdefault(name, []).extend(secs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000, help="in the warehouse")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", type=Path, help="the folder of PostgreSQL's programs")
    arguments = parser.parse_args()
    print(describe_machine())
    measure_endpoint(arguments.messages, arguments.rounds, arguments.postgres)


def measure_endpoint(messages: int, rounds: int, programs: Path | None = None) -> None:
    """Print both tables; without a PostgreSQL, a word in place of its column."""
    programs = programs or find_postgres()
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="duckpost-bench-"))
        worker = opened.enter_context(open_worker(Path(folder), messages))
        servers = [worker.server]
        if programs is None:
            print("no PostgreSQL on this machine: its column is left out")
        else:
            servers.append(opened.enter_context(open_postgres(programs, ROWS)))
        compare_wires(servers, rounds)
        measure_panels(worker.server, rounds)
        measure_commits(worker)


def compare_wires(servers: Sequence[Server], rounds: int) -> None:
    """Print what a client waits for: connecting, a little, much; the servers in turn."""
    figures = {server.name: Figures() for server in servers}
    for _ in range(rounds):
        for server in servers:
            measure_wire(server, figures[server.name])
    print("| | " + " | ".join(server.name for server in servers) + " |")
    print("|---" * (len(servers) + 1) + "|")
    for name in figures[servers[0].name].secs:
        told = [to_text(figures[server.name].secs[name]) for server in servers]
        print(f"| {name} | " + " | ".join(told) + " |")
    grown = figures[servers[0].name].grown_bytes / 2**20
    print(f"\n{servers[0].name} grew by {grown:,.0f} MiB while it gave 1,000,000 rows")
    if len(servers) > 1:
        for name in ("100,000 × 5 rows, text", "100,000 × 5 rows, binary"):
            ours, theirs = (statistics.median(one.secs[name]) for one in figures.values())
            print(f"{name}: {ours / theirs:.2f} × {servers[1].name} (budget {WIRE_BUDGET})")
    print()


def measure_wire(server: Server, figures: Figures) -> None:
    figures.add("connect", time_each(CONNECTS, lambda: psycopg.connect(server.conninfo).close()))
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        ask(connection, "select 1")
        asked = time_each(SMALL_QUERIES, lambda: ask(connection, "select 1"))
        figures.add("`select 1`", asked)
        for is_binary, form in ((False, "text"), (True, "binary")):
            sql = server.large.format(rows=100_000)
            secs = time_each(1, lambda b=is_binary, s=sql: ask(connection, s, is_binary=b))  # type: ignore[misc]  # no types for a lambda's defaults
            figures.add(f"100,000 × 5 rows, {form}", secs)
        before = forget_peak(server)
        figures.add(
            "1,000,000 × 5 rows, as they come", time_each(1, lambda: stream(connection, server))
        )
        if server.pid is not None:
            figures.grown_bytes = max(
                figures.grown_bytes, read_memory(server.pid, "VmHWM") - before
            )


def ask(connection: psycopg.Connection, sql: LiteralString, *, is_binary: bool = False) -> None:
    with connection.cursor(binary=is_binary) as cursor:
        cursor.execute(sql).fetchall()


def stream(connection: psycopg.Connection, server: Server) -> None:
    with connection.cursor() as cursor:
        rows = server.large.format(rows=1_000_000)
        count = sum(1 for _ in cursor.stream(rows, size=CHUNK_ROWS))
    assert count == 1_000_000, count


def measure_panels(server: Server, rounds: int) -> None:
    """Print how long a dashboard that is opened waits for its slowest panel."""
    questions = read_questions()

    def show(sql: LiteralString) -> None:
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            ask(connection, sql)

    with ThreadPoolExecutor(PANELS) as threads:
        secs = time_each(rounds, lambda: list(threads.map(show, questions)))
    print(f"the Overview's first {PANELS} panels at once, connecting included: {to_text(secs)}\n")


def read_questions() -> list[LiteralString]:
    """Return the questions of the Overview's first panels, everything chosen."""
    board = json.loads((dashboards_folder() / "json/duckpost-overview.json").read_bytes())
    now = datetime.now(UTC).replace(tzinfo=None)
    week = Range(now - timedelta(days=DAYS), now, 3600)
    chosen = {
        one["name"]: [one["current"]["value"]] if one["type"] == "custom" else None
        for one in board["templating"]["list"]
    }
    targets = [target for panel in board["panels"] for target in panel.get("targets", [])]
    return [expand(target["rawSql"], week, chosen) for target in targets[:PANELS]]


def measure_commits(worker: Worker) -> None:
    """Print what readers cost the writer; rounds alone and beside them in turn.

    The rest of a commit's time is neither CPU nor waiting for a processor: locks, and the disk.
    """
    print(
        "| commit of | beside | p50 | p95 | CPU | waiting for a processor | for all else "
        "| statements |\n|---|---|---|---|---|---|---|---|"
    )
    slowest = {}
    for payloads, commits in COMMITS:
        alone: list[Commit] = []
        beside: list[Commit] = []
        answered = 0
        for _ in range(COMMIT_ROUNDS):
            alone += worker.commit(payloads, commits)
            with heavy_readers(worker.server) as answers:
                beside += worker.commit(payloads, commits)
            answered += len(answers)
        slowest[payloads] = percentile([one.secs for one in beside], 95)
        print(f"| {payloads:,} payloads | nobody | {to_cells(alone)} | – |")
        print(f"| | {HEAVY_READERS} readers | {to_cells(beside)} | {answered} |", flush=True)
    (payloads, _), *_ = COMMITS
    print(
        f"\np95 of {payloads} payloads beside {HEAVY_READERS} readers "
        f"{slowest[payloads] * 1000:.0f} ms (budget {COMMIT_BUDGET_SECS * 1000:.0f} ms)\n"
    )


def to_cells(commits: Sequence[Commit]) -> str:
    secs = [one.secs for one in commits]
    told = (
        statistics.median(secs),
        percentile(secs, 95),
        statistics.median(one.cpu_secs for one in commits),
        statistics.median(one.queued_secs for one in commits),
        statistics.median(one.secs - one.cpu_secs - one.queued_secs for one in commits),
    )
    return " | ".join(f"{one * 1000:,.0f} ms" for one in told)


@contextmanager
def heavy_readers(server: Server) -> Iterator[list[None]]:
    """Have so many clients ask for what takes long, again and again; yields a list of answers."""
    stop = threading.Event()
    answers: list[None] = []

    def read() -> None:
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            while not stop.is_set():
                ask(connection, HEAVY)
                answers.append(None)

    with ThreadPoolExecutor(HEAVY_READERS) as threads:
        readers = [threads.submit(read) for _ in range(HEAVY_READERS)]
        try:
            yield answers
        finally:
            stop.set()
        for reader in readers:
            reader.result()


@contextmanager
def open_worker(folder: Path, messages: int) -> Iterator[Worker]:
    """Start our server over a warehouse of so many messages."""
    command = [sys.executable, str(HERE / "endpoint_server.py"), str(folder), str(messages)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        conninfo = psycopg.conninfo.make_conninfo(
            host="127.0.0.1",
            port=port,
            user=USER,
            password=PASSWORD,
            dbname="duckpost",
            sslmode="disable",
        )
        large: LiteralString = "select * from my.made limit {rows}"
        yield Worker(Server("duckpost", conninfo, large, process.pid), process)
        process.stdin.close()


def forget_peak(server: Server) -> int:
    """Have the kernel count a process's highest memory anew; returns what it holds."""
    if server.pid is None:
        return 0
    Path(f"/proc/{server.pid}/clear_refs").write_text("5", encoding="ascii")
    return read_memory(server.pid, "VmRSS")


def read_memory(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name)
    )


def time_each(times: int, act: Callable[[], object]) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return took


def to_text(secs: Sequence[float]) -> str:
    """Write the median in ms, and where there are enough for one the 95th percentile."""
    middle = f"{statistics.median(secs) * 1000:,.2f} ms"
    return f"{middle}, p95 {percentile(secs, 95) * 1000:,.2f}" if len(secs) >= 20 else middle


def percentile(secs: Sequence[float], percent: int) -> float:
    return statistics.quantiles(secs, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
