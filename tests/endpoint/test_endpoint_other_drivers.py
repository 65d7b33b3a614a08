"""Drivers that are not Python's: Grafana's own two in Go, JDBC's, node-postgres.

Each is a small program beside this file; where its tools are not installed the test is skipped.
"""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "drivers"
PASSWORD = "a password for tests"
JAR = "org/postgresql/postgresql/42.7.4/postgresql-42.7.4.jar"


def run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=PROGRAMS,
        env=os.environ | environment,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def to_url(server: Any) -> str:
    password = PASSWORD.replace(" ", "%20")
    return f"postgres://reader:{password}@127.0.0.1:{server.port}/duckpost?sslmode=disable"


@pytest.fixture(scope="module")
def jar() -> Path:
    """JDBC's driver, which Maven brings once."""
    maven = shutil.which("mvn")
    if maven is None or shutil.which("java") is None or shutil.which("javac") is None:
        pytest.skip("a JDK and Maven are not installed")
    found = Path.home() / ".m2" / "repository" / JAR
    if not found.is_file():
        artefact = "-Dartifact=org.postgresql:postgresql:42.7.4"
        subprocess.run(
            [maven, "-q", "-B", "dependency:get", "-Dtransitive=false", artefact],
            capture_output=True,
            check=False,
            timeout=120,
        )
    if not found.is_file():
        pytest.skip("Maven could not fetch JDBC's driver")
    return found


def test_jdbc_tools_browse(server: Any, jar: Path) -> None:
    url = f"jdbc:postgresql://127.0.0.1:{server.port}/duckpost"
    said = run("java", "-cp", jar, PROGRAMS / "Browse.java", url, PASSWORD).splitlines()

    assert [
        "views 1",
        "columns 3",
        "own 3",
        "keys 0",
        "indexes 0",
        "prepared 1 timestamp int4",
        "valid true public duckpost",
        "asked 61",
    ] == said


def test_grafanas_own_drivers_read_what_is_there(server: Any, tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    program = tmp_path / "ask"
    built = subprocess.run(
        [go, "build", "-o", program, "."],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=PROGRAMS,
        env=os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off"},
    )
    if built.returncode and "module lookup disabled" in built.stderr:
        pytest.skip("pgx and lib/pq are not there: go mod download, in tests/endpoint/drivers")
    assert (0, "") == (built.returncode, built.stderr)

    assert [
        "pgx 1 a 2026-01-02T03:04:05Z 1.5 true [1 2] 2",
        "pgx 2 SELECT 2",
        "pgx true",
        "pq 1 1500 5",
    ] == run(program, to_url(server)).splitlines()


def test_node_postgres_reads_what_is_there(server: Any) -> None:
    node = shutil.which("node")
    probe = [node or "false", "-e", "require('pg')"]
    if subprocess.run(probe, capture_output=True, check=False, cwd=PROGRAMS).returncode:
        pytest.skip("Node.js with pg is not there: NODE_PATH names the folder that has it")
    values, *others = json.loads(run(node, "ask.js", to_url(server), TZ="UTC"))

    row = {"a": 1, "b": "x", "c": None, "d": True, "e": 1.5, "f": [1, 2]}
    assert row | {"g": "2026-01-02T03:04:05.000Z"} == values
    assert [2, "é", "25006"] == others
