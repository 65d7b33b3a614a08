"""Kills aimed at checkpoints, which tear live blocks: every next start opens, with all of it.

By default a few rounds. A torn block comes about once in a thousand kills on a RAM disk, so for a
real look: ``DUCKPOST_CHECKPOINT_KILLS=5000 DUCKPOST_CHECKPOINT_FOLDER=/dev/shm pytest -s`` this
file. It prints how many starts had to mend the file, and how.
"""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from consumer.warehouse import Recovery, WarehouseOptions, open_warehouse
from consumer.warehouse.recount import BOOKS

if TYPE_CHECKING:
    from tests.conftest import Letter

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("DUCKPOST_CHECKPOINT_KILLS", "25"))
FOLDER = os.environ.get("DUCKPOST_CHECKPOINT_FOLDER")
OPTIONS = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)
# forks writers that commit, delete and checkpoint without pause; a number a commit on stdout
WRITER = """
import os, sys, traceback, uuid
from datetime import UTC, datetime
from pathlib import Path
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.warehouse import WarehouseOptions, connection, open_warehouse

path, body = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
connection.sql_folder = lambda: Path(sys.argv[3])
options = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

def tell(recovery):
    with path.with_suffix(".mended").open("a") as file:
        file.write(recovery.what + "\\n")

def write():
    first = True
    with open_warehouse(path, options, on_recovery=tell) as warehouse:
        while True:
            builder = warehouse.new_builder("files")
            for place in range(40):
                name = uuid.uuid4().hex.encode()
                for decoded in decode(Envelope(body.replace(b"MESSAGE", name), None, "files", AT)):
                    builder.add(decoded)
            batch = builder.finish()
            warehouse.write(batch)
            if first:
                os.write(2, bytes(4))
                first = False
            os.write(1, batch.batch_id.bytes)
            warehouse.checkpoint()

for _ in sys.stdin.buffer:
    child = os.fork()
    if child == 0:
        try:
            write()
        except BaseException:
            path.with_suffix(".fault").write_text(traceback.format_exc())
        os._exit(1)
    os.write(2, child.to_bytes(4, "little"))
    os.waitpid(child, 0)
    os.write(2, bytes(4))
"""
PID = struct.Struct("<I")
OPEN = GONE = bytes(4)


@pytest.fixture(autouse=True)
def _lean(lean_sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    if FOLDER is None:
        yield tmp_path
        return
    with TemporaryDirectory(dir=FOLDER) as name:
        yield Path(name)


def test_kills_aimed_at_checkpoints_cost_nothing(
    folder: Path, new_letter: Callable[..., "Letter"], lean_sql: Path
) -> None:
    path, body = folder / "ses.duckdb", folder / "event.json"
    body.write_text(json.dumps(new_letter(message_id="MESSAGE").send()), encoding="utf-8")
    open_warehouse(path, OPTIONS).close()
    choice = random.Random(7)  # noqa: S311 - a seed, not a secret
    told: list[Recovery] = []
    acknowledged: set[bytes] = set()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, path, body, lean_sql],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as writers:
        assert writers.stdin is not None
        assert writers.stdout is not None
        assert writers.stderr is not None
        os.set_blocking(writers.stdout.fileno(), False)
        for number in range(ROUNDS):
            writers.stdin.write(b"\n")
            writers.stdin.flush()
            (process,) = PID.unpack(writers.stderr.read(PID.size))
            assert OPEN == writers.stderr.read(PID.size)
            fault = path.with_suffix(".fault")
            assert not fault.exists(), fault.read_text(encoding="utf-8")
            time.sleep(choice.uniform(0, 0.15))
            os.kill(process, signal.SIGKILL)
            assert GONE == writers.stderr.read(PID.size)
            said = writers.stdout.read() or b""
            acknowledged |= {said[at : at + 16] for at in range(0, len(said), 16)}
            if number % 5 == 4 or number == ROUNDS - 1:
                check(path, acknowledged, told)
        writers.stdin.close()
    mended = path.with_suffix(".mended")
    ways = [recovery.what for recovery in told]
    ways += mended.read_text(encoding="utf-8").splitlines() if mended.exists() else []
    sys.stdout.write(f"{ROUNDS} kills, {len(acknowledged)} batches, {len(ways)} mended: {ways}\n")
    assert acknowledged


def check(path: Path, acknowledged: set[bytes], told: list[Recovery]) -> None:
    with open_warehouse(path, OPTIONS, on_recovery=told.append) as warehouse:
        with warehouse.read("select batch_id from ledger") as reader:
            known = {UUID(str(row["batch_id"])).bytes for row in reader.read_all().to_pylist()}
        assert acknowledged <= known
        for what, sql in BOOKS:
            with warehouse.read(sql) as reader:
                ((expected, found),) = (row.values() for row in reader.read_all().to_pylist())
            assert expected == found, what
