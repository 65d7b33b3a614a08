"""Every verb, again and again, beside a worker under load, and either side killed at any instant.

``DUCKPOST_CRASH_VERB_SECS=600`` goes on for ten minutes; the suite takes a few seconds of it.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

from consumer.demo.loopback import LoopbackQueue
from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.recount import verify

pytestmark = pytest.mark.crash

SECS = float(os.environ.get("DUCKPOST_CRASH_VERB_SECS", "12"))
RUN = [sys.executable, "-m", "consumer"]
OPTIONS = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)
# An event a second to somebody who is erased while more come; one payload in fifty is nonsense.
ERASED = "canary@example.com"


def make_payload(number: int) -> str:
    """A Send in the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    if number % 50 == 49:
        return json.dumps({"nonsense": number})
    recipient = ERASED if number % 500 == 0 else f"reader{number}@example.com"
    mail = {
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        "messageId": f"message-{number}",
        "destination": [recipient],
        "sendingAccountId": "123456789012",
        "tags": {"ses:configuration-set": [f"set-{number % 3}"]},
    }
    return json.dumps({"eventType": "Send", "send": {}, "mail": mail})


class Worker:
    """`duckpost run`, started anew whenever it is gone, and killed now and then."""

    def __init__(self, environ: dict[str, str], choice: random.Random) -> None:
        self.kills = 0
        self._environ = environ
        self._choice = choice
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.is_set():
            with subprocess.Popen(
                [*RUN, "run"], env=self._environ, stdout=subprocess.DEVNULL
            ) as one:
                self._is_over.wait(self._choice.uniform(1, 8))
                one.kill()
                self.kills += 1


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[tuple[dict[str, str], LoopbackQueue]]:
    with LoopbackQueue(visibility_secs=3) as queue:
        source = {
            "type": "sqs",
            "queue": queue.url,
            "endpoint_url": queue.endpoint_url,
            "region": "us-east-1",
            "visibility_secs": 3,
            "long_poll_secs": 1,
        }
        yield (
            {
                **{name: it for name, it in os.environ.items() if name[:9] != "DUCKPOST_"},
                "PYTHONPATH": os.pathsep.join(sys.path),
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "DUCKPOST_WAREHOUSE": str(tmp_path / "ses.duckdb"),
                "DUCKPOST_WAREHOUSE_MEMORY_LIMIT": "256MB",
                "DUCKPOST_BATCH_FLUSH_SECS": "0.3",
                "DUCKPOST_RETENTION_EVENTS_DAYS": "400",
                "DUCKPOST_TELEMETRY_ENABLED": "false",
                "DUCKPOST_SOURCES": json.dumps([source]),
            },
            queue,
        )


def verbs(folder: Path) -> Iterator[list[str]]:
    """Commands, each as often as the next; files and folders are new every time."""
    for number in count():
        file = folder / f"ingested-{number}.json"
        file.write_text(make_payload(10_000_000 + 500 * number + 1), encoding="utf-8")
        yield from (
            ["sql", "select count(*) from events"],
            ["report"],
            ["find", "message-1"],
            ["ingest", str(file)],
            ["quarantine", "list"],
            ["quarantine", "replay"],
            ["suppression", "list"],
            ["sql", "--write", "create or replace view my.sends as select count(*) n from events"],
            ["erase", ERASED, "--yes"],
            ["prune"],
            ["verify"],
            ["backup", str(folder / f"backup-{number}")],
        )


def read(path: Path, sql: str) -> list[dict[str, Any]]:
    with open_warehouse(path, OPTIONS) as warehouse, warehouse.read(sql) as reader:
        rows: list[dict[str, Any]] = reader.read_all().to_pylist()
    return rows


def test_verbs_and_a_worker_killed_at_random_leave_ledger_rows_and_figures_equal(
    environ: tuple[dict[str, str], LoopbackQueue], tmp_path: Path
) -> None:
    settings, queue = environ
    choice = random.Random(3)  # noqa: S311 - a seed, not a secret
    path = tmp_path / "ses.duckdb"
    open_warehouse(path, OPTIONS).close()
    ended: Counter[str] = Counter()
    ingested: set[str] = set()
    sent = 0
    until = time.monotonic() + SECS
    with Worker(settings, choice) as worker:
        for command in verbs(tmp_path):
            if time.monotonic() > until:
                break
            if queue.depth().visible < 2_000:
                queue.send(make_payload(number) for number in range(sent, sent + 500))
                sent += 500
            with subprocess.Popen(
                [*RUN, *command], env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as one:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.wait(choice.choice([0.7, 1.5, 60, 60]))
                if one.poll() is None:
                    one.kill()
                _, said = one.communicate()
            outcome = "killed" if one.returncode < 0 else str(one.returncode)
            ended[f"{command[0]} {outcome}"] += 1
            # 4: the worker was gone, or another command had the file just then
            assert one.returncode in {0, 4, -9}, (command, said.decode())
            assert b"Traceback" not in said, (command, said.decode())
            if command[0] == "ingest" and one.returncode == 0:
                ingested.add(command[1])
    last = subprocess.Popen([*RUN, "run"], env=settings, stdout=subprocess.DEVNULL)
    try:
        wait_until_empty(queue)
    finally:
        last.terminate()
        last.wait(60)

    with open_warehouse(path, OPTIONS) as warehouse:
        assert [] == [one for one in verify(warehouse) if not one.is_well]
    (found,) = read(
        path,
        """
        select count(*) as n, count(distinct event_key) as keys,
            count(distinct message_id) as messages,
            count(*) filter (where recipient = 'canary@example.com') as canaries,
            (select sum(sends) from event_tallies)::bigint as sends
        from events where not starts_with(message_id, 'message-1000')
        """,
    )
    expected = sent - sent // 50
    assert (expected, expected, expected) == (found["n"], found["keys"], found["messages"])
    (taken,) = read(
        path, "select count(*) as n from events where starts_with(message_id, 'message-1000')"
    )
    assert taken["n"] >= len(ingested)
    (kept,) = read(path, "select count(*) as n from quarantine")
    assert sent // 50 == kept["n"]
    sys.stdout.write(f"{worker.kills} workers killed, {sent} sent; {dict(ended)}\n")


def wait_until_empty(queue: LoopbackQueue) -> None:
    until = time.monotonic() + 120
    turn = threading.Event()

    def is_empty() -> bool:
        depth = queue.depth()
        return not depth.visible + depth.in_flight

    check: Callable[[], bool] = is_empty
    while not check():
        assert time.monotonic() < until, "the queue was not taken in"
        turn.wait(0.1)
