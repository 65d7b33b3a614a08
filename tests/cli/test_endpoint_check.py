"""What `check` says of the SQL endpoint; no worker runs."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer import errors

Duckpost = Callable[..., Any]
USERS = json.dumps(
    [
        {"name": "grafana", "password": "a password for tests"},
        {"name": "helpdesk", "password": "another one for tests", "role": "support"},
    ]
)


def take_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
    return port


@pytest.fixture
def check(duckpost: Duckpost, tmp_path: Path) -> Callable[[], tuple[int, dict[str, Any]]]:
    def run() -> tuple[int, dict[str, Any]]:
        checked = duckpost("check", "--json", "--warehouse", tmp_path / "ses.duckdb")
        finding: dict[str, Any] = json.loads(checked.out)[-1]
        return checked.code, finding

    return run


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    port = take_port()
    monkeypatch.setenv("DUCKPOST_ENDPOINT_USERS", USERS)
    monkeypatch.setenv("DUCKPOST_ENDPOINT_PORT", str(port))
    return port


def test_check_names_who_sees_what(
    check: Callable[[], tuple[int, dict[str, Any]]], port: int
) -> None:
    code, finding = check()

    assert (0, 0) == (code, finding["exit_code"])
    assert f"SQL endpoint 127.0.0.1:{port}" == finding["what"]
    assert [
        "grafana sees tokens and domains in place of addresses",
        "helpdesk sees addresses",
        "speaks without TLS: what is read crosses in the clear",
    ] == finding["lines"]


def test_check_says_that_the_port_is_taken(
    check: Callable[[], tuple[int, dict[str, Any]]], port: int
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        code, finding = check()

    assert (errors.EXIT_USAGE, errors.EXIT_USAGE) == (code, finding["exit_code"])
    assert "endpoint.port" in finding["lines"][-1]


def test_check_says_that_a_certificate_cannot_be_read(
    check: Callable[[], tuple[int, dict[str, Any]]],
    port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DUCKPOST_ENDPOINT_CERTIFICATE_FILE", str(tmp_path / "gone.pem"))
    monkeypatch.setenv("DUCKPOST_ENDPOINT_KEY_FILE", str(tmp_path / "gone.key"))
    code, finding = check()

    assert errors.EXIT_USAGE == code
    assert "gone.pem" in finding["lines"][-1]


def test_check_says_nothing_of_it_where_nobody_may_connect(
    check: Callable[[], tuple[int, dict[str, Any]]],
) -> None:
    _, finding = check()

    assert "sources" == finding["what"]
