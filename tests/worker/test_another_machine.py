"""A restore on another machine: of the first one only what docs/operations.md says to keep."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from consumer.demo.loopback import LoopbackQueue
from consumer.door.client import short_address

pytestmark = pytest.mark.timeout(600)
PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
PATIENCE_SECS = 120.0
ERASED, FORGOTTEN, KNOWN = "canary@example.com", "second@example.com", "reader1@example.com"
HELD = {
    "ledger": "from ledger order by batch_id",
    "rows": "from events order by event_key",
    "quarantine": "from quarantine order by sha256",
    # but for what grows with time
    "figures by day": (
        "select * exclude (cohort_age_hours) from configuration_sets_daily_by_send_cohort "
        "order by all"
    ),
    "figures by hour": "from mail_hourly_by_event_time order by all",
    "own view": "from my.sends",
}


def list_kept() -> list[str]:
    """What the page tells to keep, as patterns of names; a folder's ends in a slash."""
    table = PAGE.read_text(encoding="utf-8").split("| keep | what it is |")[1].split("\n\n")[0]
    return re.findall(r"^\| `(ses\.[^`]+)` \|", table, re.MULTILINE)


def make_event(number: int) -> str:
    """A Send in the documented shape, one in ten followed by a bounce, one in twenty nonsense.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    if number % 20 == 19:
        return json.dumps({"nonsense": number})
    recipient = {5: ERASED, 6: FORGOTTEN}.get(number, f"reader{number}@example.com")
    mail = {
        "timestamp": f"2026-03-01T{number % 24:02}:59:00.000Z",
        "messageId": f"message-{number - number % 10 // 9}",
        "destination": [recipient],
        "sendingAccountId": "123456789012",
        "tags": {"ses:configuration-set": [f"set-{number % 3}"]},
    }
    if number % 10 != 9:
        return json.dumps({"eventType": "Send", "send": {}, "mail": mail})
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": recipient}],
        "timestamp": f"2026-03-02T{number % 24:02}:00:00.000Z",
        "feedbackId": f"feedback-{number}",
    }
    return json.dumps({"eventType": "Bounce", "bounce": bounce, "mail": mail})


@dataclass
class Machine:
    """A folder of its own, and an environment with nothing of anybody else's in it."""

    folder: Path
    queue: LoopbackQueue

    @property
    def file(self) -> Path:
        return self.folder / "var" / "ses.duckdb"

    @property
    def environ(self) -> dict[str, str]:
        source = {
            "type": "sqs",
            "queue": self.queue.url,
            "endpoint_url": self.queue.endpoint_url,
            "region": "us-east-1",
            "long_poll_secs": 1,
        }
        for name in ("home", "tmp", "var"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "DUCKPOST_WAREHOUSE": str(self.file),
            "DUCKPOST_WAREHOUSE_MIN_FREE_BYTES": "0",
            "DUCKPOST_BATCH_FLUSH_SECS": "0.3",
            "DUCKPOST_TELEMETRY_ENABLED": "false",
            "DUCKPOST_SOURCES": json.dumps([source]),
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "consumer", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environ,
            cwd=self.folder / "home",
        )

    def call(self, *arguments: str) -> str:
        """Give a command; returns what it said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=PATIENCE_SECS)
        assert 0 == process.returncode, (arguments, said)
        return said

    def ask(self, sql: str) -> Any:  # noqa: ANN401 - rows of whatever was asked
        return json.loads(self.call("sql", sql, "--format", "json"))

    @contextmanager
    def working(self, *, end: signal.Signals) -> Iterator[None]:
        """Run the worker, and send it that signal at the end."""
        door = self.file.with_suffix(".sock")
        worker = self.start("run")
        try:
            self.await_it(lambda: is_answering(door), worker)
            yield
        finally:
            worker.send_signal(end)
            said, _ = worker.communicate(timeout=PATIENCE_SECS)
        assert worker.returncode == (0 if end == signal.SIGTERM else -end), said

    def await_empty_queue(self) -> None:
        def is_empty() -> bool:
            depth = self.queue.depth()
            return not depth.visible + depth.in_flight

        self.await_it(is_empty)

    @staticmethod
    def await_it(is_so: Callable[[], bool], beside: "subprocess.Popen[str] | None" = None) -> None:
        until = time.monotonic() + PATIENCE_SECS
        while not is_so():
            assert beside is None or beside.poll() is None, beside.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)


def is_answering(door: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as knocking, short_address(door) as address:
            knocking.connect(address)
    except OSError:
        return False
    return True


def carry(source: Path, target: Path, kept: list[str]) -> None:
    """Copy what is to be kept, and nothing else."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.is_dir() and any(fnmatch(f"{path.name}/", one) for one in kept):
            shutil.copytree(path, target / path.name)
        elif any(fnmatch(path.name, one) for one in kept):
            shutil.copy(path, target / path.name)


def leave_behind(folder: Path) -> None:
    """What a killed worker's folder may have besides, were all of it copied."""
    with socket.socket(socket.AF_UNIX) as left, short_address(folder / "ses.sock") as address:
        left.bind(address)
    (folder / ".ses.duckdb.4711.new").write_bytes(b"half a file")
    (folder / "ses.tmp").mkdir()
    (folder / "ses.tmp" / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(bytes(1_000))


@pytest.fixture
def queues() -> Iterator[tuple[LoopbackQueue, LoopbackQueue]]:
    with LoopbackQueue(visibility_secs=30) as one, LoopbackQueue(visibility_secs=30) as other:
        yield one, other


@pytest.mark.parametrize("has_file", [True, False], ids=["backup", "key-and-archive"])
def test_a_restore_on_another_machine_holds_the_same_and_goes_on(
    tmp_path: Path, queues: tuple[LoopbackQueue, LoopbackQueue], *, has_file: bool
) -> None:
    one = Machine(tmp_path / "one", queues[0])
    with one.working(end=signal.SIGKILL):
        one.queue.send(make_event(number) for number in range(100))
        one.await_empty_queue()
        one.call("erase", ERASED, "--yes")
        one.call("sql", "--write", "create view my.sends as select count(*) as n from events")
        before = {name: one.ask(sql) for name, sql in HELD.items()}
        one.call("backup", str(one.folder / "copy"))
    kept = list_kept()
    assert {"ses.duckdb", "ses.key", "ses.erased", "ses.archive/"} == set(kept)
    if not has_file:
        kept.remove("ses.duckdb")

    other = Machine(tmp_path / "another" / "machine" / "with" / "a" / ("long" * 20), queues[1])
    carry(one.folder / "copy", other.file.parent, kept)
    shutil.rmtree(one.folder)
    if has_file:
        leave_behind(other.file.parent)
    else:
        other.call("rebuild")
        for name in ("ledger", "own view"):  # times of commits, and what only the file had
            del before[name]
    with other.working(end=signal.SIGTERM):
        assert before == {name: other.ask(HELD[name]) for name in before}
        # what the queue never saw deleted comes again, and something new
        other.queue.send(make_event(number) for number in range(120))
        other.await_empty_queue()
        came = other.ask(
            "select sum(duplicates)::int as duplicates, sum(inserted)::int as inserted from ledger"
        )
        rows = before["rows"]
        assert {"duplicates": 100, "inserted": len(rows) + 19} == came[0]
        assert "Send" in other.call("find", KNOWN)
        assert "Send" in other.call("find", ERASED)  # by its token
        assert " 1 events" in other.call("erase", FORGOTTEN, "--yes")
        assert [] == other.ask(f"from events where recipient in ('{ERASED}', '{FORGOTTEN}')")
        other.call("verify")
    other.call("verify")
