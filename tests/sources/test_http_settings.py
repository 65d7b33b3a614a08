"""How endpoints are configured, refused, checked, and run beside each other in a worker."""

import base64
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.cli import main
from consumer.errors import SettingsError
from consumer.settings import load_settings

if TYPE_CHECKING:
    from tests.sources.conftest import HttpSender, SnsSigner

TOPIC = "arn:aws:sns:eu-west-1:111122223333:ses-events"
FIREHOSE = '[[sources]]\ntype = "firehose"\npath = "/firehose"\n'
SNS = f'[[sources]]\ntype = "sns"\npath = "/sns"\ntopics = ["{TOPIC}"]\n'
QUERY = "select message_id from events order by all"
CANARY = "canary-that-nobody-may-read"


def refuse(folder: Path, text: str) -> str:
    file = folder / "bad.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refusal:
        load_settings(file, environ={})
    return str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FIREHOSE, "sources[0]: give access_keys, or insecure = true"),
        (FIREHOSE + f"insecure = true\naccess_keys = ['{CANARY}']", "sources[0]: give access_keys"),
        (FIREHOSE + "access_keys = ['']", "an empty one lets everybody in"),
        (FIREHOSE + "access_keys = ['canary-of-15-ch']", "fewer than 16 characters can be guessed"),
        (FIREHOSE + f"access_keys = ['{CANARY} ']", "a key travels in a header"),
        (FIREHOSE + f"access_keys = ['{CANARY}\u00e9']", "a key travels in a header"),
        (FIREHOSE + f"access_keys = ['{CANARY * 200}']", "a key travels in a header"),
        (FIREHOSE + f"access_keys = '{CANARY}'", "sources[0].access_keys: Input should be a"),
        (FIREHOSE + f"access_keys = ['{CANARY}', '{CANARY}', 'c']", "sources[0].access_keys: "),
        (f"[sources]\ntype = 'firehose'\naccess_keys = ['{CANARY}']", "sources: "),
        (FIREHOSE.replace("/firehose", "firehose"), "sources[0].path: "),
        (FIREHOSE.replace('"/firehose"', '"/{x}"'), "sources[0].path: "),
        (FIREHOSE + "insecure = true\nmax_in_flight_bytes = 1000", "max_in_flight_bytes: "),
        (SNS.replace(f'"{TOPIC}"', ""), "sources[0].topics: "),
        (SNS.replace(TOPIC, "ses-events"), "sources[0].topics.0: "),
        (SNS.replace(TOPIC, "*"), "sources[0].topics.0: "),
        (SNS + "raw_secret = 'short'", "sources[0].raw_secret: "),
        (SNS + f"raw_secret = '{CANARY}/x'", "sources[0].raw_secret: only letters"),
        (SNS + FIREHOSE.replace("/firehose", "/sns") + "insecure = true", "path /sns is given to"),
        ("[http]\ncertificate_file = 'x.pem'", "http: certificate_file and key_file go together"),
    ],
)
def test_a_bad_endpoint_is_refused_by_its_path_and_no_secret_is_shown(
    tmp_path: Path, text: str, said: str
) -> None:
    told = refuse(tmp_path, text)
    assert said in told
    assert CANARY not in told


def test_settings_do_not_show_their_secrets(tmp_path: Path) -> None:
    file = tmp_path / "good.toml"
    text = FIREHOSE + f"access_keys = ['{CANARY}']\n" + SNS + f"raw_secret = '{CANARY}'"
    file.write_text(text, encoding="utf-8")
    assert CANARY not in repr(load_settings(file, environ={}))


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def check(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int | str | None, list[dict[str, object]]]:
    """Run `duckpost check`; return its exit code and what it found."""
    file = folder / "duckpost.toml"
    head = f'[warehouse]\npath = "{folder}/ses.duckdb"\n[telemetry]\nenabled = false\n'
    file.write_text(head + text, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--json", "--config", str(file)])
    findings: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return ended.value.code, findings


def test_check_says_what_each_endpoint_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"[http]\nport = {find_free_port()}\n" + FIREHOSE + f"access_keys = ['{CANARY}']\n" + SNS
    code, findings = check(tmp_path, text, capsys)
    assert 0 == code
    assert ["firehose /firehose", "sns /sns"] == [one["what"] for one in findings[1:3]]
    assert CANARY not in json.dumps(findings)


def test_check_finds_a_port_that_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, findings = check(tmp_path, f"[http]\nport = {port}\n" + SNS, capsys)
    assert 2 == code
    assert f"cannot listen on 127.0.0.1:{port}" in json.dumps(findings[-1])


@pytest.mark.parametrize(
    "text",
    [
        "[http]\nport = 0\ncertificate_file = 'no.pem'\nkey_file = 'no.pem'\n" + SNS,
        "[http]\nport = 0\n" + SNS + "certificate_folder = 'no-such-folder'\n",
    ],
)
def test_check_finds_certificates_that_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    code, findings = check(tmp_path, text, capsys)
    assert 2 == code
    assert "no.pem" in json.dumps(findings) or "holds no certificate" in json.dumps(findings)


def make_event(number: int) -> str:
    mail = {
        "timestamp": "2026-11-22T11:59:00.000Z",
        "source": "news@example.com",
        "sendingAccountId": "111122223333",
        "messageId": f"message-{number}",
        "destination": [f"reader{number}@example.net"],
        "tags": {"ses:configuration-set": ["news"]},
    }
    return json.dumps({"eventType": "Send", "mail": mail, "send": {}})


def test_a_worker_answers_both_kinds_of_senders_once_their_rows_are_committed(
    tmp_path: Path,
    sns_signer: "SnsSigner",
    eventually: Callable[[Callable[[], object]], None],
    send_to: Callable[[int], "HttpSender"],
) -> None:
    (tmp_path / "SimpleNotificationService-0123abcd.pem").write_bytes(sns_signer.certificate)
    port = find_free_port()
    config = tmp_path / "duckpost.toml"
    config.write_text(
        f'[warehouse]\npath = "{tmp_path}/ses.duckdb"\n'
        f"[telemetry]\nenabled = false\n[http]\nport = {port}\n{FIREHOSE}"
        f"access_keys = ['{CANARY}']\n{SNS}certificate_folder = '{tmp_path}'\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "consumer"]
    worker = subprocess.Popen(
        [*command, "run", "--config", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        eventually(lambda: _is_open(port))
        sender = send_to(port)
        notice = json.dumps(sns_signer.notify(make_event(1))).encode()
        assert [200, 200] == [sender.post("/sns", notice).status for _ in range(2)]
        data = [base64.b64encode(make_event(n).encode()).decode() for n in (1, 2)]
        request = {"requestId": "r", "records": [{"data": one} for one in data]}
        headers = {
            "X-Amz-Firehose-Protocol-Version": "1.0",
            "X-Amz-Firehose-Access-Key": CANARY,
        }
        answer = sender.post("/firehose", json.dumps(request).encode(), headers)
        assert (200, "r") == (answer.status, answer.json()["requestId"])
        assert 403 == sender.post("/sns", notice.replace(b"news", b"fake")).status
        asked = subprocess.run(
            [*command, "sql", "--config", config, "--format", "json", QUERY],
            capture_output=True,
            check=True,
        )
        rows = json.loads(asked.stdout)
        assert ["message-1", "message-2"] == [row["message_id"] for row in rows]
    finally:
        worker.send_signal(signal.SIGTERM)
        told, _ = worker.communicate(timeout=30)
    assert 0 == worker.returncode
    assert CANARY not in told
    assert "reader1" not in told


def _is_open(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
