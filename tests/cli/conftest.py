import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumer.cli import main

SENT_AT = datetime.now(UTC) - timedelta(days=2)


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


Duckpost = Callable[..., Outcome]


def make_event(number: int, kind: str, **details: object) -> dict[str, object]:
    """An event in the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    recipient = f"reader{number}@example.net"
    mail = {
        "timestamp": SENT_AT.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "source": "news@example.com",
        "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
        "sendingAccountId": "123456789012",
        "messageId": f"message-{number}",
        "destination": [recipient],
        "tags": {"ses:configuration-set": ["news"], "color": ["red" if number % 2 else "blue"]},
    }
    own: dict[str, dict[str, object]] = {
        "Send": {"send": {}},
        "Delivery": {
            "delivery": {
                "timestamp": (SENT_AT + timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "processingTimeMillis": 5000,
                "recipients": [recipient],
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": "mta.example.com",
            }
        },
    }
    return {"eventType": kind, "mail": mail, **own.get(kind, {}), **details}


def write_events(path: Path) -> None:
    """Four sends, three deliveries, and two payloads that nobody understands."""
    events = [make_event(n, "Send") for n in range(4)]
    events += [make_event(n, "Delivery") for n in range(3)]
    lines = [json.dumps(event) for event in events]
    lines.append(json.dumps(make_event(9, "Teleport")))
    lines.append(json.dumps({"eventType": "Send", "mail": {"subject": "\x1b[31mred"}}))
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def duckpost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Duckpost:
    """Run a command in this process; the working folder is empty."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, written.out, written.err)

    return invoke


@pytest.fixture(scope="module", params=["without a worker", "with a worker"])
def warehouse(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A warehouse with the events of `write_events`, free or open in a worker."""
    folder = tmp_path_factory.mktemp("verbs")
    path = folder / "ses.duckdb"
    write_events(folder / "events.json")
    run = [sys.executable, "-m", "consumer"]
    subprocess.run(
        [*run, "ingest", "--warehouse", str(path), str(folder / "events.json")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    if request.param == "without a worker":
        yield path
        return
    # What a killed worker leaves behind must be no obstacle to the next.
    path.with_suffix(".sock").touch()
    sources = [
        {
            "type": "sqs",
            "queue": "http://127.0.0.1:9/000000000000/ses-events",
            "endpoint_url": "http://127.0.0.1:9",
            "region": "us-east-1",
        }
    ]
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "DUCKPOST_TELEMETRY_PORT": "0",
        "DUCKPOST_SOURCES": json.dumps(sources),
    }
    with subprocess.Popen(
        [*run, "run", "--warehouse", str(path)], stdout=subprocess.PIPE, env=environ, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "worker started" in line:
                break
        yield path
        process.kill()
