"""What long work shows while somebody watches, and that nothing is left of it otherwise."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from consumer.warehouse import WarehouseOptions, open_warehouse

VIEW = "create view my.one as select 1 as n"


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "ses.duckdb"
    open_warehouse(path, WarehouseOptions(min_free_bytes=0)).close()
    return path


def make_view(warehouse: Path, stderr: int) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "consumer", "sql", "--write", VIEW]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    return subprocess.run(
        [*command, "--warehouse", str(warehouse)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        check=True,
        env=environ,
    )


def test_a_terminal_sees_that_a_statement_is_at_work(warehouse: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = make_view(warehouse, theirs)
    finally:
        os.close(theirs)
    shown = os.read(ours, 65_536)
    os.close(ours)
    assert b"working" in shown
    assert b"done: my.one\n" == done.stdout


def test_nothing_is_shown_where_nobody_watches(warehouse: Path) -> None:
    done = make_view(warehouse, subprocess.PIPE)
    assert (b"done: my.one\n", b"") == (done.stdout, done.stderr)
