"""Ctrl-C in long work, with a worker and without one: it ends, and leaves nothing half done."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumer.decode import decode
from consumer.door import server as door
from consumer.door.access import OpenedWarehouse
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.recount import verify

# Hours, and not a row before its end.
ENDLESS = """
select count(*) as n
from range(10_000_000) as a, range(10_000_000) as b where a.range > b.range
"""
ABORTED = (1, "\nAborted!\n")
UNMADE = (1, "broken off: nothing was made, changed or dropped\n\nAborted!\n")
ERASED = "canary@example.net"
OPTIONS = WarehouseOptions(min_free_bytes=0)
BUSY_SECS = 0.3


def make_send(number: int) -> bytes:
    """A Send in the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    mail = {
        "timestamp": f"2026-03-01T11:{number // 60:02}:{number % 60:02}.000Z",
        "messageId": f"message-{number}",
        "destination": [ERASED],
        "sendingAccountId": "123456789012",
        "tags": {"ses:configuration-set": ["news"]},
    }
    return json.dumps({"eventType": "Send", "send": {}, "mail": mail}).encode()


def read_busy_secs(pid: int) -> float:
    """CPU that a process has had so far; of its 14th and 15th field, see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(path: Path, *, is_served: bool) -> Iterator[None]:
    """The warehouse behind a worker's door, or closed."""
    if not is_served:
        yield
        return
    with open_warehouse(path, OPTIONS) as warehouse:
        app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
        with door.listen(app, warehouse.place.socket):
            yield


def count_batches(warehouse: Warehouse) -> int:
    with warehouse.read("select count(*) as n from ledger") as reader:
        count: int = reader.read_all()["n"][0].as_py()
    return count


def start(path: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "consumer", *arguments, "--warehouse", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def interrupt(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Press Ctrl-C; returns its exit code and what it said."""
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    return process.returncode, said


@pytest.mark.parametrize("is_served", [True, False])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [([ENDLESS], ABORTED), (["--write", f"create table my.endless as {ENDLESS}"], UNMADE)],
    ids=["ask", "make"],
)
def test_ctrl_c_ends_a_statement(
    tmp_path: Path, asked: list[str], expected: tuple[int, str], *, is_served: bool
) -> None:
    path = tmp_path / "ses.duckdb"
    open_warehouse(path, OPTIONS).close()
    with served(path, is_served=is_served):
        asking = start(path, "sql", *asked)
        working = os.getpid() if is_served else asking.pid
        idle_secs = read_busy_secs(working) if is_served else 2.0  # a command starts in less
        while read_busy_secs(working) - idle_secs < BUSY_SECS:
            assert asking.poll() is None, asking.stdout
            time.sleep(0.02)
        asked_at = time.monotonic()
        assert expected == interrupt(asking)

    assert time.monotonic() - asked_at < 10
    with open_warehouse(path, OPTIONS) as opened, opened.read("from own_objects") as reader:
        assert 0 == reader.read_all().num_rows


@pytest.mark.parametrize("is_served", [True, False])
def test_ctrl_c_in_an_erasure_leaves_a_sound_warehouse_and_the_next_one_finishes_it(
    tmp_path: Path, *, is_served: bool
) -> None:
    path = tmp_path / "ses.duckdb"
    with open_warehouse(path, OPTIONS) as warehouse:
        builder = warehouse.new_builder("files")
        for number in range(3_000):
            for decoded in decode(Envelope(make_send(number), None, "files", datetime.now(UTC))):
                builder.add(decoded)
        warehouse.write(builder.finish())
    with served(path, is_served=is_served):
        erasing = start(path, "erase", ERASED, "--yes")
        while not path.with_suffix(".erased").exists():
            assert erasing.poll() is None
            time.sleep(0.005)
        code, said = interrupt(erasing)
        assert 1 == code
        assert said.startswith("broken off: what comes in from now on is stored under the token;")
        assert said.endswith(ABORTED[1])
        again = start(path, "erase", ERASED, "--yes")
        again.communicate(timeout=60)
        assert 0 == again.returncode

    asked = """
        select count(distinct recipient) as n, count(*) as rows from events where recipient <> $1
    """
    with open_warehouse(path, OPTIONS) as opened:
        assert [] == [one for one in verify(opened) if not one.is_well]
        with opened.read(asked, [ERASED]) as reader:
            assert [{"n": 1, "rows": 3_000}] == reader.read_all().to_pylist()


@pytest.mark.parametrize("is_served", [True, False])
def test_ctrl_c_in_a_drop_says_how_far_it_came_and_the_next_one_finishes_it(
    tmp_path: Path, *, is_served: bool
) -> None:
    path = tmp_path / "ses.duckdb"
    with open_warehouse(path, OPTIONS) as warehouse:
        builder = warehouse.new_builder("files")
        for number in range(40_000):
            nonsense = json.dumps({"nonsense": number}).encode()
            for decoded in decode(Envelope(nonsense, None, "files", datetime.now(UTC))):
                builder.add(decoded)
        warehouse.write(builder.finish())
        batches = count_batches(warehouse)
    log = path.with_name("ses.duckdb.wal")
    with served(path, is_served=is_served):
        size = log.stat().st_size if log.exists() else 0
        dropping = start(path, "quarantine", "drop", "--all", "--yes")
        while not log.exists() or log.stat().st_size <= size:  # the first portion is committed
            assert dropping.poll() is None, dropping.communicate()
            time.sleep(0.002)
        code, said = interrupt(dropping)
        assert (1, True) == (code, said.endswith(ABORTED[1])), said
        assert re.match(r"broken off: \d+( of 40000)? or more are dropped, the others", said), said

    with open_warehouse(path, OPTIONS) as opened:
        assert [] == [one for one in verify(opened) if not one.is_well]
        with opened.read("select count(*) as n from quarantine") as reader:
            (left,) = reader.read_all()["n"].to_pylist()
        assert 0 < left < 40_000
        assert 0 == left % 1_000  # whole portions, each with its row in the ledger
        assert (40_000 - left) // 1_000 == count_batches(opened) - batches
        assert left == opened.drop_quarantined(None)
