"""`duckpost erase --now` while a worker has the file: it drains, rewrites and starts anew."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumer.warehouse.erasure.pending_rewrite import read_pending
from consumer.warehouse.place import Place

NewLetter = Callable[..., Any]

RUN = [sys.executable, "-m", "consumer"]
SOURCE = {
    "type": "sqs",
    "queue": "http://127.0.0.1:9/000000000000/ses-events",
    "endpoint_url": "http://127.0.0.1:9",
    "region": "us-east-1",
}


@pytest.fixture
def environ(tmp_path: Path, new_letter: NewLetter) -> dict[str, str]:
    """Of a worker and of commands; there is one message in the warehouse."""
    letter = new_letter(to=["ann.canary@example.com"])
    (tmp_path / "events.json").write_text(json.dumps(letter.send()))
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "DUCKPOST_TELEMETRY_PORT": "0",
        "DUCKPOST_WAREHOUSE": str(tmp_path / "ses.duckdb"),
        "DUCKPOST_SOURCES": json.dumps([SOURCE]),
    }
    ask(environ, "ingest", str(tmp_path / "events.json"))
    return environ


def ask(environ: dict[str, str], *arguments: str) -> str:
    ended = subprocess.run(
        [*RUN, *arguments], env=environ, check=True, capture_output=True, text=True
    )
    return ended.stdout


@contextmanager
def working(environ: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", Iterator[Any]]]:
    """A worker, and what it logs; it ends by SIGTERM."""
    with subprocess.Popen([*RUN, "run"], env=environ, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        events = (json.loads(line) for line in worker.stdout if line.startswith("{"))
        try:
            yield worker, events
        finally:
            if worker.poll() is None:
                worker.terminate()
            worker.communicate(timeout=60)


def hear_until(events: Iterator[Any], name: str) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    for one in events:
        heard.append(one)
        if one["event"] == name:
            break
    return heard


def test_a_worker_rewrites_its_file_and_goes_on(tmp_path: Path, environ: dict[str, str]) -> None:
    before = (tmp_path / "ses.duckdb").stat().st_ino
    with working(environ) as (worker, events):
        pid = hear_until(events, "worker started")[-1]["pid"]

        said = json.loads(
            ask(environ, "erase", "Ann.Canary@example.com", "--yes", "--now", "--json")
        )
        heard = hear_until(events, "worker started")
        found = json.loads(ask(environ, "find", "ann.canary@example.com", "--json"))

    assert pid == heard[-1]["pid"]
    assert (1, None, None) == (said["events"], said["rewrite_due_at"], said["rewrite_failed"])
    (announced,) = [one for one in heard if one["event"] == "file to be rewritten"]
    assert announced["about_secs"] >= 1
    assert "file rewritten" in [one["event"] for one in heard]
    assert (1, True) == (found["total"], found["is_hidden"])
    assert before != (tmp_path / "ses.duckdb").stat().st_ino
    assert b"canary" not in (tmp_path / "ses.duckdb").read_bytes()
    assert not (tmp_path / "ses.rewrite").exists()
    assert 0 == worker.returncode


def test_a_rewrite_that_fails_is_told_at_once_and_tried_again(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    in_the_way = tmp_path / "ses.rewriting.duckdb"
    in_the_way.mkdir()  # where the second file would be
    place = Place(tmp_path / "ses.duckdb")
    with working(environ) as (_, events):
        hear_until(events, "worker started")
        began = time.monotonic()
        command = [*RUN, "erase", "ann.canary@example.com", "--yes", "--now"]
        said = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        took = time.monotonic() - began
        heard = hear_until(events, "worker started")
        in_the_way.rmdir()

    assert 4 == said.returncode
    assert "1 events" in said.stdout
    assert "the file was not rewritten: rewriting" in said.stderr
    assert "tries again from" in said.stderr
    assert took < 60
    (failed,) = [one for one in heard if one["event"] == "file not rewritten"]
    pending = read_pending(place)
    assert pending is not None
    assert 1 == pending.tries
    assert f"{pending.due_at:%Y-%m-%dT%H:%M:%SZ}" == failed["retry_at"]

    kept = json.loads(place.rewrite.read_text(encoding="utf-8"))
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    place.rewrite.write_text(json.dumps({**kept, "tried_at": long_ago}), encoding="utf-8")
    with working(environ) as (_, events):  # as the same one would, later
        heard = hear_until(events, "file rewritten")
        hear_until(events, "worker started")
    assert "file rewritten" == heard[-1]["event"]
    assert read_pending(place) is None
