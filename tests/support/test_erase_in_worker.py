"""`duckpost erase --now` while a worker has the file: it drains, rewrites and starts anew."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

NewLetter = Callable[..., Any]

RUN = [sys.executable, "-m", "consumer"]
SOURCE = {
    "type": "sqs",
    "queue": "http://127.0.0.1:9/000000000000/ses-events",
    "endpoint_url": "http://127.0.0.1:9",
    "region": "us-east-1",
}


def test_a_worker_rewrites_its_file_and_goes_on(tmp_path: Path, new_letter: NewLetter) -> None:
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

    def ask(*arguments: str) -> str:
        ended = subprocess.run(
            [*RUN, *arguments], env=environ, check=True, capture_output=True, text=True
        )
        return ended.stdout

    ask("ingest", str(tmp_path / "events.json"))
    before = (tmp_path / "ses.duckdb").stat().st_ino
    with subprocess.Popen([*RUN, "run"], env=environ, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        events = (json.loads(line) for line in worker.stdout if line.startswith("{"))
        pid = next(one["pid"] for one in events if one["event"] == "worker started")

        said = json.loads(ask("erase", "Ann.Canary@example.com", "--yes", "--now", "--json"))
        heard = []
        for one in events:
            heard.append(one["event"])
            if one["event"] == "worker started":
                assert pid == one["pid"]
                break
        found = json.loads(ask("find", "ann.canary@example.com", "--json"))
        worker.terminate()
        worker.communicate(timeout=60)

    assert (1, None) == (said["events"], said["rewrite_due_at"])
    assert "file rewritten" in heard
    assert (1, True) == (found["total"], found["is_hidden"])
    assert before != (tmp_path / "ses.duckdb").stat().st_ino
    assert b"canary" not in (tmp_path / "ses.duckdb").read_bytes()
    assert 0 == worker.returncode
