"""`duckpost check --send-test` beside a worker, with its queue and an SES that takes the mail."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from consumer.demo.loopback import LoopbackQueue

SIMULATOR = "success@simulator.amazonses.com"
RUN = [sys.executable, "-m", "consumer"]
# What the event destination of each configuration set publishes.
PUBLISHED = {"news": ("Send", "Delivery"), "receipts": ("Send",), "unwatched": ()}


@dataclass
class Site:
    """A worker, its queue and an SES, and commands beside them."""

    path: Path
    environ: dict[str, str]

    def check(self, configuration_set: str, *, timeout_secs: float) -> tuple[int, list[str]]:
        """Send a test mail; returns the exit code and what was said of it."""
        asked = ["--send-test", "--from", "news@example.com"]
        asked += ["--configuration-set", configuration_set, "--timeout-secs", str(timeout_secs)]
        ended = subprocess.run(
            [*RUN, "check", "--json", *asked],
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
        )
        assert not ended.stderr
        finding = json.loads(ended.stdout)[-1]
        assert f"test mail through {configuration_set}" == finding["what"]
        return ended.returncode, finding["lines"]


def make_event(kind: str, message_id: str) -> str:
    """In the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    mail = {
        "timestamp": "2026-03-02T10:00:00.000Z",
        "messageId": message_id,
        "destination": [SIMULATOR],
        "tags": {"ses:configuration-set": ["news"]},
    }
    delivery = {"timestamp": "2026-03-02T10:00:01.000Z", "recipients": [SIMULATOR]}
    own: dict[str, object] = {"send": {}} if kind == "Send" else {"delivery": delivery}
    return json.dumps({"eventType": kind, "mail": mail, **own})


@contextmanager
def serve_ses(queue: LoopbackQueue) -> Iterator[str]:
    """SESv2's SendEmail, and what its event destinations publish.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
    """
    accepted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert "/v2/email/outbound-emails" == self.path
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert [SIMULATOR] == asked["Destination"]["ToAddresses"]
            accepted.append(f"0100019cad{len(accepted):012x}-test")
            body = json.dumps({"MessageId": accepted[-1]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            kinds = PUBLISHED[asked["ConfigurationSetName"]]
            queue.send(make_event(kind, accepted[-1]) for kind in kinds)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("site") / "ses.duckdb"
    with LoopbackQueue() as queue, serve_ses(queue) as ses:
        source = {"type": "sqs", "queue": queue.url, "endpoint_url": queue.endpoint_url}
        environ = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_SESV2": ses,
            "DUCKPOST_WAREHOUSE": str(path),
            "DUCKPOST_BATCH_FLUSH_SECS": "0.2",
            "DUCKPOST_TELEMETRY_ENABLED": "false",
            "DUCKPOST_SOURCES": json.dumps([{**source, "region": "us-east-1"}]),
        }
        with subprocess.Popen([*RUN, "run"], env=environ, stdout=subprocess.PIPE, text=True) as one:
            assert one.stdout is not None
            assert any("worker started" in line for line in one.stdout)
            yield Site(path, environ)
            one.kill()


def test_each_step_that_the_mail_came_through_is_shown(site: Site) -> None:
    code, lines = site.check("news", timeout_secs=30)

    assert 0 == code
    assert lines[0].startswith("SES accepted it as message 0100019cad")
    assert lines[-1].startswith("Delivery and Send are rows, after ")


def test_an_event_that_does_not_come_is_named(site: Site) -> None:
    code, lines = site.check("receipts", timeout_secs=2)

    assert 1 == code
    assert lines[0].startswith("SES accepted it as message")
    assert "Send came, Delivery did not within 2 s" in lines[-1]


def test_a_set_without_a_destination_is_told_by_what_did_not_come(site: Site) -> None:
    code, lines = site.check("unwatched", timeout_secs=2)

    assert 1 == code
    assert "none of its events came within 2 s" in lines
    assert "no source brought anything" in lines[-1]
