"""Ctrl-C in a long statement, with a worker and without one: it ends, and nothing stays."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from consumer.door import server as door
from consumer.door.access import OpenedWarehouse
from consumer.warehouse import WarehouseOptions, open_warehouse

# Hours, and not a row before its end.
ENDLESS = """
select count(*) as n
from range(10_000_000) as a, range(10_000_000) as b where a.range > b.range
"""
OPTIONS = WarehouseOptions(min_free_bytes=0)
BUSY_SECS = 0.3


def read_busy_secs(pid: int) -> float:
    """CPU that a process has had so far; of its 14th and 15th field, see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("is_served", [True, False])
@pytest.mark.parametrize(
    "asked", [[ENDLESS], ["--write", f"create table my.endless as {ENDLESS}"]], ids=["ask", "make"]
)
def test_ctrl_c_ends_a_statement(tmp_path: Path, asked: list[str], *, is_served: bool) -> None:
    path = tmp_path / "ses.duckdb"
    with ExitStack() as stack:
        warehouse = open_warehouse(path, OPTIONS)
        if is_served:
            stack.enter_context(warehouse)
            app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
            stack.enter_context(door.listen(app, warehouse.place.socket))
        else:
            warehouse.close()
        command = [sys.executable, "-m", "consumer", "sql", "--warehouse", str(path)]
        asking = subprocess.Popen(
            [*command, *asked], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        working = os.getpid() if is_served else asking.pid
        idle_secs = read_busy_secs(working) if is_served else 2.0  # a command starts in less
        while read_busy_secs(working) - idle_secs < BUSY_SECS:
            assert asking.poll() is None, asking.stdout
            time.sleep(0.02)
        asked_at = time.monotonic()
        asking.send_signal(signal.SIGINT)
        said, _ = asking.communicate(timeout=20)

    assert time.monotonic() - asked_at < 10
    assert (1, "\nAborted!\n") == (asking.returncode, said)
    with open_warehouse(path, OPTIONS) as opened, opened.read("from own_objects") as reader:
        assert 0 == reader.read_all().num_rows
