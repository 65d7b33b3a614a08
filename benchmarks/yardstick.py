"""A real PostgreSQL beside `endpoint.py`'s worker: the yardstick for the wire."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from endpoint_server import PASSWORD, USER

from consumer import listener


@dataclass(frozen=True, slots=True)
class Server:
    """Something that speaks the protocol.

    Attributes:
        name: the column it gets.
        conninfo: how to connect.
        large: gives ``{rows}`` rows of five columns.
        pid: of the process whose memory is told, or None.
    """

    name: str
    conninfo: str
    large: LiteralString
    pid: int | None = None


def find_postgres() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs, or None."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: one.parts[-3])
    return found[-1].parent if found else None


@contextmanager
def open_postgres(programs: Path, rows: LiteralString) -> Iterator[Server]:
    """Start a PostgreSQL on loopback, with what ``rows`` gives in a table that fits its memory."""
    # it refuses to be root
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    with (
        ended_by_sigterm(),
        tempfile.TemporaryDirectory(prefix="duckpost-bench-postgres-") as folder,
    ):
        shutil.chown(folder, user)
        secret = Path(folder) / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        shutil.chown(secret, user)
        data = f"{folder}/data"
        initialise = ["-U", USER, "-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8"]
        run_as(user, programs / "initdb", "-D", data, "--no-sync", *initialise)
        with listener.bind("127.0.0.1", 0, what="", advice="") as probe:
            port = probe.getsockname()[1]
        options = f"-p {port} -h 127.0.0.1 -k {folder} -c shared_buffers=1GB -c fsync=off"
        control = (programs / "pg_ctl", "-D", data)
        try:
            run_as(user, *control, "-w", "-o", options, "-l", f"{folder}/log", "start")
            conninfo = psycopg.conninfo.make_conninfo(
                host="127.0.0.1",
                port=port,
                user=USER,
                password=PASSWORD,
                dbname="postgres",
                sslmode="disable",
            )
            with psycopg.connect(conninfo, autocommit=True) as connection:
                connection.execute(f"create unlogged table made as {rows}")
                connection.execute("vacuum analyze made")
            yield Server("PostgreSQL", conninfo, "select * from made limit {rows}")
        finally:
            run_as(user, *control, "-m", "immediate", "stop")


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM unwind what is open: the server is nobody's child, and would stay."""
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_as(user: str, *command: "str | Path") -> None:
    is_other = os.geteuid() == 0
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
        user=user if is_other else None,
        extra_groups=[] if is_other else None,
    )
