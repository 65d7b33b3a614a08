"""The worker around its sources: one that fails, signals, and the process that takes its place."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.errors import SourceDenied
from consumer.settings import BatchSettings
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse
from consumer.worker import (
    IN_A_ROW_VARIABLE,
    RESTARTS_VARIABLE,
    STEADY_SECS,
    End,
    Worker,
    count_restarts,
    replace_process,
)

Send = Callable[[int], bytes]
Script = Callable[..., Any]
Fake = Any  # a class of conftest.py, which tests cannot import: they are no package


@pytest.fixture
def employ(warehouse: Warehouse, telemetry: Telemetry, stop: Fake) -> Callable[..., Worker]:
    def make(*sources: Fake) -> Worker:
        return Worker(sources, warehouse, limits=BatchSettings(), telemetry=telemetry, stop=stop)

    return make


def test_a_source_that_is_refused_does_not_stop_another(
    employ: Callable[..., Worker], script: Script, send: Send
) -> None:
    refused = script(*[SourceDenied("no")] * 3, name="sqs:refused", idle_limit=10**9)
    well = script([send(1)], [send(2)], name="sqs:well", idle_limit=50)
    assert employ(refused, well).run() is End.DONE
    assert well.acked == [send(1), send(2)]
    assert refused.is_closed
    assert well.is_closed


def test_a_defect_in_one_source_breaks_the_worker_and_loses_nothing(
    employ: Callable[..., Worker], script: Script, send: Send, telemetry: Telemetry
) -> None:
    broken = script([send(1)], RuntimeError("a defect"), name="sqs:broken")
    other = script(name="sqs:other", idle_limit=10**9)
    assert employ(broken, other).run() is End.BROKEN
    assert broken.acked == []
    assert broken.out == 0
    is_well, report = telemetry.health()
    assert not is_well
    assert report["sources"]["sqs:broken"]["state"] == "failed"  # type: ignore[index]  # JSON


def test_the_process_is_replaced_by_the_same_command_after_an_ever_longer_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[tuple[str, list[str], dict[str, str]]] = []
    waited: list[float] = []
    for name in (RESTARTS_VARIABLE, IN_A_ROW_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for _ in range(5):
        replace_process(ran_secs=1.0, wait=waited.append, execve=lambda *call: started.append(call))
        for name in (RESTARTS_VARIABLE, IN_A_ROW_VARIABLE):
            monkeypatch.setenv(name, started[-1][2][name])
    program, arguments, environ = started[0]
    assert program == sys.executable
    assert arguments == [sys.executable, *sys.orig_argv[1:]]
    assert environ["PATH"] == os.environ["PATH"]
    assert [int(call[2][RESTARTS_VARIABLE]) for call in started] == [1, 2, 3, 4, 5]
    # The upper half of 0.5, 1, 2, 4, 8 seconds each: the bounds never overlap by more than a half.
    assert all(0.25 * 2**number <= secs <= 0.5 * 2**number for number, secs in enumerate(waited))


def test_a_worker_that_fails_now_and_then_waits_no_longer_and_counts_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(RESTARTS_VARIABLE, "7")
    monkeypatch.setenv(IN_A_ROW_VARIABLE, "7")
    started: list[dict[str, str]] = []
    waited: list[float] = []
    replace_process(
        ran_secs=STEADY_SECS,
        wait=waited.append,
        execve=lambda _program, _arguments, environ: started.append(environ),
    )

    assert 8 == count_restarts(started[0])
    assert "1" == started[0][IN_A_ROW_VARIABLE]
    assert waited[0] <= 0.5
    (restarts,) = (
        sample.value
        for metric in Telemetry(restarts=count_restarts(started[0])).registry.collect()
        for sample in metric.samples
        if sample.name == "duckpost_restarts_total"
    )
    assert 8 == restarts


@pytest.fixture
def waiting_worker(tmp_path: Path) -> Fake:
    """A real `duckpost run` whose only queue never answers."""
    settings = tmp_path / "duckpost.toml"
    settings.write_text(
        f"""
        [warehouse]
        path = "{tmp_path / "ses.duckdb"}"
        min_free_bytes = 0
        [telemetry]
        port = 0
        [[sources]]
        type = "sqs"
        queue = "http://127.0.0.1:9/000000000000/ses-events"
        endpoint_url = "http://127.0.0.1:9"
        region = "us-east-1"
        """,
        encoding="utf-8",
    )
    environ = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    process = subprocess.Popen(
        [sys.executable, "-m", "consumer", "run", "-c", str(settings)],
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "worker started" in line:
            break
    yield process, tmp_path / "ses.duckdb"
    process.kill()
    process.wait()
    process.stdout.close()


def test_sigterm_ends_the_worker_in_order_with_exit_code_0(waiting_worker: Fake) -> None:
    process, path = waiting_worker
    asked_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert time.monotonic() - asked_at < 30
    assert not path.with_suffix(".sock").exists()


def test_a_second_worker_leaves_with_exit_code_4_naming_the_first_ones_pid(
    waiting_worker: Fake,
) -> None:
    process, path = waiting_worker
    second = subprocess.run(
        [sys.executable, "-m", "consumer", "run", "--warehouse", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 4
    assert str(process.pid) in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_after_a_commit_of_unknown_outcome_a_new_process_takes_over_and_nothing_is_lost(
    tmp_path: Path, send: Send
) -> None:
    (tmp_path / "events.json").write_bytes(b"\n".join(send(n) for n in range(5)))
    program = """
import json
import os
from consumer.cli import main
from consumer.errors import CommitOutcomeUnknown
from consumer.warehouse import Warehouse

write = Warehouse.write

def write_and_fail(self, batch, **more):
    write(self, batch, **more)
    raise CommitOutcomeUnknown("the COMMIT raised after it was done")

if "_DUCKPOST_RESTARTS" not in os.environ:
    Warehouse.write = write_and_fail
main(["run"])
"""
    environ = {
        **os.environ,
        "DUCKPOST_WAREHOUSE": str(tmp_path / "ses.duckdb"),
        "DUCKPOST_TELEMETRY_ENABLED": "false",
        "DUCKPOST_SOURCES": json.dumps(
            [{"type": "files", "paths": [str(tmp_path / "events.json")]}]
        ),
    }
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    first, second = (line["pid"] for line in lines if line["event"] == "worker started")
    assert first == second
    (committed,) = [line for line in lines if line["event"] == "batch committed"]
    assert (committed["received"], committed["inserted"], committed["duplicates"]) == (5, 0, 5)
