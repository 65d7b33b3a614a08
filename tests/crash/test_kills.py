"""A writer killed at any instant: what it acknowledged is there, once, and nothing in part."""

import json
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.recount import verify
from consumer.warehouse.recovery.rebuild import rebuild

if TYPE_CHECKING:
    from tests.conftest import Letter

pytestmark = pytest.mark.crash

BATCHES = 600
ROUNDS = int(os.environ.get("DUCKPOST_CRASH_ROUNDS", "25"))
OPTIONS = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DIED = -signal.SIGKILL


@dataclass
class Writers:
    """The process that forks writers, and what the writers said."""

    warehouse: Path
    folder: Path
    acknowledged: dict[int, set[str]] = field(default_factory=dict)
    kills: int = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("killed_writer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._said = self._process.stdin, self._process.stdout
        os.set_blocking(self._said.fileno(), False)
        self._held = b""
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.close()
        self._process.wait()
        self._said.close()

    def _lines(self, until: float | None) -> Iterator[str]:
        """What is said, line by line, up to a moment of the monotonic clock."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._said, selectors.EVENT_READ)
            while True:
                while b"\n" in self._held:
                    line, _, self._held = self._held.partition(b"\n")
                    yield line.decode()
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return
                if selector.select(left):
                    piece = os.read(self._said.fileno(), 65_536)
                    assert piece, "the process that forks writers has gone"
                    self._held += piece

    def run(
        self,
        numbers: list[int],
        *,
        kill_after_secs: float | None = None,
        from_first_ack: bool = False,
        **order: object,
    ) -> int:
        """Run one writer over batches, killed after a while if so wanted; returns how it ended."""
        about = {"warehouse": str(self.warehouse), "folder": str(self.folder), "numbers": numbers}
        self._orders.write(json.dumps({**about, **order}).encode() + b"\n")
        self._orders.flush()
        process = 0
        until = None
        while True:
            for line in self._lines(until):
                word, _, rest = line.partition(" ")
                if word == "pid":
                    process = int(rest)
                elif word == "ack":
                    number, _, batch_id = rest.partition(" ")
                    self.acknowledged.setdefault(int(number), set()).add(batch_id)
                elif word == "ended":
                    return int(rest)
                is_start = word == ("open" if from_first_ack else "pid")
                if kill_after_secs is not None and is_start and until is None:
                    until = time.monotonic() + kill_after_secs
                    break
            else:
                os.kill(process, signal.SIGKILL)
                self.kills += 1
                until = None
                kill_after_secs = None


def events_of(number: int, new_letter: Callable[..., "Letter"]) -> Iterator[dict[str, Any]]:
    """A batch whose events reach into its neighbours: copies, both forms, rows that wait."""
    letter = new_letter(
        message_id=f"0102-{number:05}", to=[f"p{number % 7}@example.com", "ben@example.com"]
    )
    before = new_letter(message_id=f"0102-{number - 1:05}", to=["ann@example.com"])
    bounce = before.bounce(feedback_id=f"fb-{number - 1}")
    yield letter.delay()
    yield letter.by_identity(letter.delivery())
    yield before.send()
    yield before.open(after=10 * (number % 5))
    yield bounce if number % 2 else before.by_identity(bounce)
    yield letter.delivery() if number % 3 else before.open(after=3)
    earlier = new_letter(message_id=f"0102-{number - 2:05}", to=["ann@example.com"])
    yield earlier.bounce(feedback_id=f"fb-{number - 2}")
    yield earlier.open(after=1)


@pytest.fixture
def folder(tmp_path: Path, new_letter: Callable[..., "Letter"]) -> Path:
    folder = tmp_path / "batches"
    folder.mkdir()
    for number in range(BATCHES):
        lines = [json.dumps(event).encode() for event in events_of(number, new_letter)]
        if number % 10 == 0:
            lines.append(b'{"nonsense": %d}' % (number // 20))
        (folder / f"{number:04}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.fixture
def warehouse_path(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "ses.duckdb"
    path.parent.mkdir()
    open_warehouse(path, OPTIONS).close()
    return path


@pytest.fixture
def writers(warehouse_path: Path, folder: Path) -> Iterator[Writers]:
    with Writers(warehouse_path, folder) as writers:
        yield writers


def rows(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    with warehouse.read(sql) as reader:
        found: list[dict[str, Any]] = reader.read_all().to_pylist()
    return found


def content(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    return {
        "events": rows(warehouse, "select * from events order by event_key"),
        "marks": rows(warehouse, "select * from marks order by all"),
        "waiting": rows(warehouse, "select * from waiting order by all"),
        "quarantine": rows(warehouse, "select sha256, payload from quarantine order by all"),
    }


def written_once(tmp_path: Path, writers: Writers, numbers: list[int]) -> Any:  # noqa: ANN401 - content
    """What a warehouse of the same key holds that was never killed."""
    path = tmp_path / "calm" / "ses.duckdb"
    path.parent.mkdir()
    path.with_suffix(".key").write_bytes(writers.warehouse.with_suffix(".key").read_bytes())
    with open_warehouse(path, OPTIONS) as warehouse:
        calm = Writers(path, writers.folder)
        builder = warehouse.new_builder("files")
        for number in numbers:
            file = calm.folder / f"{number:04}.jsonl"
            for decoded in decode(Envelope(file.read_bytes(), None, f"file:{file.name}", AT)):
                builder.add(decoded)
        warehouse.write(builder.finish())
        return content(warehouse)


def check(writers: Writers) -> None:
    """Everything acknowledged is in the ledger, and the books agree."""
    with open_warehouse(writers.warehouse, OPTIONS) as warehouse:
        known = {str(row["batch_id"]) for row in rows(warehouse, "select batch_id from ledger")}
        for batch_ids in writers.acknowledged.values():
            assert batch_ids <= known
        assert [] == [finding for finding in verify(warehouse) if not finding.is_well]


def test_no_kill_at_any_instant_loses_or_doubles_an_acknowledged_batch(
    writers: Writers, tmp_path: Path
) -> None:
    choice = random.Random(os.environ.get("DUCKPOST_CRASH_SEED", "1"))  # noqa: S311 - a seed, not a secret
    for number in range(ROUNDS):
        left = [one for one in range(BATCHES) if one not in writers.acknowledged]
        again = choice.sample(sorted(writers.acknowledged), min(2, len(writers.acknowledged)))
        writers.run(
            [*again, *left[:200]],
            kill_after_secs=choice.uniform(0, 0.25),
            from_first_ack=choice.random() < 0.7,
        )
        if number % 8 == 7:
            check(writers)
    assert writers.kills > ROUNDS // 2
    sent = sorted(writers.acknowledged)
    redelivered = choice.sample(sent, len(sent) // 10)
    rest = [one for one in range(max(sent, default=0) + 1) if one not in writers.acknowledged]
    assert 0 == writers.run([*redelivered, *rest])

    check(writers)
    with open_warehouse(writers.warehouse, OPTIONS) as warehouse:
        assert written_once(tmp_path, writers, sorted(writers.acknowledged)) == content(warehouse)


@pytest.mark.parametrize(
    ("failpoint", "is_committed", "strays", "torn"),
    [
        ("before the first row", False, 0, 0),
        ("frame torn", False, 0, 1),
        ("frame synced", False, 1, 0),
        ("committed", True, 0, 0),
    ],
)
def test_a_kill_at_a_named_point_is_settled_by_redelivery(
    writers: Writers, tmp_path: Path, failpoint: str, strays: int, torn: int, *, is_committed: bool
) -> None:
    assert DIED == writers.run([0, 1, 2, 3], failpoint=failpoint, at=2)
    assert {0, 1} == set(writers.acknowledged)
    with open_warehouse(writers.warehouse, OPTIONS) as warehouse:
        found = {finding.check: finding.found for finding in verify(warehouse)}
        assert 2 + is_committed == len(rows(warehouse, "select 1 from ledger"))
        assert strays == found["archive: frames whose commit failed (rebuild takes them in)"]
        assert torn == found["archive: torn ends (a kill while writing leaves one)"]
    assert 0 == writers.run([2, 3])

    check(writers)
    expected = written_once(tmp_path, writers, [0, 1, 2, 3])
    with open_warehouse(writers.warehouse, OPTIONS) as warehouse:
        assert expected == content(warehouse)
    rebuild(writers.warehouse, OPTIONS)
    check_rebuilt(writers, expected)


def check_rebuilt(writers: Writers, expected: object) -> None:
    with open_warehouse(writers.warehouse, OPTIONS) as warehouse:
        assert expected == content(warehouse)
        assert [] == [finding for finding in verify(warehouse) if not finding.is_well]
