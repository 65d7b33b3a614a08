"""Readers that want all memory beside a worker: does a commit fail, and is anything lost for it?

    python benchmarks/readers.py                      # what is shipped, four readers
    python benchmarks/readers.py --readers 2 --memory-limit 384MB
    python benchmarks/readers.py --endpoint-readers 4 --group-mib 2048

A real worker takes in a queue; readers ask it, through its door and through its SQL endpoint, to
sort more than memory holds, again and again. At the end every message that was sent must be a row,
and `verify` finds ledger, rows and archive equal. ``--group-mib`` puts the worker into a memory
cgroup of that size, as a small machine would be (needs root).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import pg8000.dbapi

from consumer.demo.loopback import LoopbackQueue
from consumer.door.client import DoorClient
from consumer.errors import DuckpostError
from consumer.settings import WarehouseSettings

TEXTS = """
select repeat(message_id || recipient || copy, 2) as text
from (select message_id, recipient from events limit 20_000)
cross join (select range as copy from range(60))
"""
# Some 200 MB each: a sort, which spills where memory ends, and a list, which cannot.
_SORT = """
select sum(place * length(text)) as answer
from (select row_number() over (order by md5(text)) as place, text from ({}))
"""
_LIST = "select length(list(text)) as answer from ({})"
GREEDY = (_SORT.format(TEXTS), _LIST.format(TEXTS))
AHEAD = 20_000
PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of a worker that lives for minutes
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_WHY = ("state", "detail", "error", "exception")
GROUPS = Path("/sys/fs/cgroup/memory")


@dataclass
class Seen:
    """What happened in a run."""

    commit_secs: list[float] = field(default_factory=list)
    lines: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    peak_bytes: int = 0

    def tell(self) -> Iterator[str]:
        """Say it, a figure a line."""
        waits = sorted(self.commit_secs)
        centiles = statistics.quantiles(waits, n=100) if len(waits) > 1 else [0.0] * 99
        yield (
            f"{len(waits):,} commits: p50 {centiles[49]:.3f} s, p95 {centiles[94]:.3f}, "
            f"p99 {centiles[98]:.3f}, slowest {max(waits, default=0):.3f}"
        )
        yield f"worker replaced itself {self.lines['worker replaces itself']} times"
        for line, count in self.faults.most_common():
            yield f"{count} times in the log: {line}"
        yield "readers: " + ", ".join(f"{n:,} {what}" for what, n in self.answers.most_common())
        yield f"worker's resident memory at its highest: {self.peak_bytes / 2**20:,.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--readers", type=int, default=4, help="through the door")
    parser.add_argument("--endpoint-readers", type=int, default=0)
    parser.add_argument("--memory-limit", default=WarehouseSettings().memory_limit)
    parser.add_argument("--group-mib", type=int, help="of a memory cgroup around the worker")
    asked = parser.parse_args()
    seen = Seen()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        queue = stack.enter_context(LoopbackQueue(visibility_secs=20))
        group = stack.enter_context(memory_group(asked.group_mib)) if asked.group_mib else None
        path = folder / "ses.duckdb"
        ports: list[int] = []
        worker = stack.enter_context(
            running(path, queue, asked.memory_limit, group, seen, ports.append)
        )
        sent = 0
        is_over = threading.Event()
        threads = [
            threading.Thread(target=ask, args=[is_over, seen, lambda sql: at_door(path, sql)])
            for _ in range(asked.readers)
        ]
        threads += [
            threading.Thread(
                target=ask, args=[is_over, seen, lambda sql: at_endpoint(ports[-1], sql)]
            )
            for _ in range(asked.endpoint_readers)
        ]
        until = time.monotonic() + asked.minutes * 60
        while time.monotonic() < until:
            queued = queue.depth()
            if queued.visible < AHEAD:
                queue.send(make_event(number) for number in range(sent, sent + 2_000))
                sent += 2_000
            if sent >= 2 * AHEAD:
                start_once(threads)
            time.sleep(0.2)
            seen.peak_bytes = max(seen.peak_bytes, read_peak(worker.pid))
        is_over.set()
        start_once(threads)
        for thread in threads:
            thread.join()
        wait_until_empty(queue)
        worker.terminate()
        worker.wait()
        print(f"{asked.readers} + {asked.endpoint_readers} readers, {asked.memory_limit}:")
        for line in seen.tell():
            print(f"  {line}")
        print(f"  {lay_against(path, sent)}")


@contextmanager
def running(  # noqa: PLR0913, PLR0917 - what a worker is given, and who hears of it
    path: Path,
    queue: LoopbackQueue,
    memory_limit: str,
    group: Path | None,
    seen: Seen,
    on_port: Callable[[int], object],
) -> Iterator["subprocess.Popen[str]"]:
    """A worker of the shipped settings, but for the memory limit."""
    source = {"type": "sqs", "queue": queue.url, "endpoint_url": queue.endpoint_url}
    endpoint = {"port": 0, "users": [{"name": "bench", "role": "support", "password": PASSWORD}]}
    environ = {
        **os.environ,
        **CREDENTIALS,
        "DUCKPOST_WAREHOUSE": str(path),
        "DUCKPOST_WAREHOUSE_MEMORY_LIMIT": memory_limit,
        "DUCKPOST_TELEMETRY_PORT": "0",
        "DUCKPOST_SOURCES": json.dumps([{**source, "region": "us-east-1"}]),
        **{f"DUCKPOST_ENDPOINT_{name.upper()}": to_text(it) for name, it in endpoint.items()},
    }
    command = [sys.executable, "-m", "consumer", "run"]
    if group is not None:
        join = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
        command = ["sh", "-c", join, "sh", *command]
    started = threading.Event()
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None

        def listen(lines: Iterator[str]) -> None:
            for line in lines:
                told: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
                event = told.get("event", "")
                seen.lines[event] += 1
                if event == "batch committed":
                    seen.commit_secs.append(told["write_secs"])
                elif event == "listening" and "postgresql" in told["url"]:
                    on_port(int(told["url"].split(":")[2].split("/")[0]))
                elif event == "worker started":
                    started.set()
                if told.get("level") in {"warning", "error"}:
                    why = [f"{name} {value}" for name, value in told.items() if name in _WHY]
                    seen.faults[" ".join([event, *why]).replace("\n", " ")[:300]] += 1

        listener = threading.Thread(target=listen, args=[iter(worker.stdout)])
        listener.start()
        started.wait(180)
        try:
            yield worker
        finally:
            worker.kill()
            listener.join()


@contextmanager
def memory_group(mib: int) -> Iterator[Path]:
    """A memory cgroup (version 1) of that size, without swap."""
    group = GROUPS / f"duckpost-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(mib * 2**20))
        yield group
    finally:
        group.rmdir()


def ask(is_over: threading.Event, seen: Seen, query: Callable[[str], None]) -> None:
    for sql in cycle(GREEDY):
        if is_over.is_set():
            return
        try:
            query(sql)
            seen.answers["answered"] += 1
        except (DuckpostError, pg8000.dbapi.Error, OSError) as error:
            seen.answers[to_kind(error)] += 1
            is_over.wait(0.2)


def at_door(path: Path, sql: str) -> None:
    with DoorClient(path).read(sql) as reader:
        reader.read_all()


def at_endpoint(port: int, sql: str) -> None:
    connection = pg8000.dbapi.connect("bench", port=port, password=PASSWORD, database="duckpost")
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        cursor.fetchall()
    finally:
        connection.close()


def to_kind(error: Exception) -> str:
    """What a reader was told, in few words."""
    text = str(error)
    for sign, kind in (
        ("emory", "refused for want of memory"),
        ("try again", "told to try again"),
        ("too many", "told to try again"),
        ("53", "told to try again"),
        ("went away", "worker was gone"),
        ("half-way", "worker was gone"),
    ):
        if sign in text:
            return kind
    return text.splitlines()[0][:60]


def start_once(threads: list[threading.Thread]) -> None:
    for thread in threads:
        if thread.ident is None:
            thread.start()


def make_event(number: int) -> str:
    mail = {
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        "messageId": f"0100019cad{number:012x}-00000000-000000",
        "destination": [f"reader{number}@example.com"],
        "sendingAccountId": "123456789012",
        "tags": {"ses:configuration-set": [f"set-{number % 20}"]},
    }
    return json.dumps({"eventType": "Send", "send": {}, "mail": mail})


def read_peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) * 1024 if found else 0  # a process that ended has none


def wait_until_empty(queue: LoopbackQueue) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        depth = queue.depth()
        if not depth.visible + depth.in_flight:
            return
        time.sleep(0.5)


def lay_against(path: Path, sent: int) -> str:
    python = [sys.executable, "-m", "consumer"]
    ask_rows = [*python, "sql", "--format", "json", "--warehouse", str(path)]
    told = subprocess.run(
        [*ask_rows, "select count(*) as n, count(distinct event_key) as keys from events"],
        check=True,
        capture_output=True,
    )
    (rows,) = json.loads(told.stdout)
    verified = subprocess.run(
        [sys.executable, "-m", "consumer", "verify", "--warehouse", path],
        check=False,
        capture_output=True,
    )
    books = "agree" if not verified.returncode else "differ: " + verified.stdout.decode()
    return f"{sent:,} sent, {rows['n']:,} rows, {rows['keys']:,} keys; the books {books}"


def to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    main()
