"""Opens a mended file in a process of its own: what is wrong with it may take the process along.

``python -m consumer.warehouse.recovery.trial FILE MEMORY-LIMIT THREADS`` prints one line of JSON:
the stage it came to (``open``, ``read``, ``books`` or ``done``), and the fault that stopped it
there.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from consumer.warehouse.connection import WarehouseOptions, open_file
from consumer.warehouse.place import Place
from consumer.warehouse.recount import BOOKS

Stage = Literal["open", "read", "books", "done"]
_TABLES = "select table_name from duckdb_tables() where schema_name = 'main' and not internal"


@dataclass(frozen=True, slots=True)
class Trial:
    """How far a file came, and what stopped it: DuckDB's words, or a check that failed."""

    stage: Stage
    fault: str = ""


def try_out(place: Place, options: WarehouseOptions) -> Trial:
    """Open the file in a child process, read every row of it, and compare its books."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "consumer.warehouse.recovery.trial"),
            *(place.file.as_posix(), options.memory_limit, str(options.threads)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    try:
        return Trial(**json.loads(ended.stdout))
    except (ValueError, TypeError):
        return Trial("read", f"reading it ended the process, exit code {ended.returncode}")


def _try(place: Place, options: WarehouseOptions) -> Trial:
    stage: Stage = "open"
    try:
        connection = open_file(place, options, place.file)
        stage = "read"
        for (table,) in connection.execute(_TABLES).fetchall():
            connection.execute(f'select bit_xor(hash(t)) from "{table}" as t').fetchall()
        stage = "books"
        for check, sql in BOOKS:
            ((expected, found),) = connection.execute(sql).fetchall()
            if expected != found:
                return Trial(stage, f"{check}: {expected} expected, {found} found")
        connection.execute("checkpoint")
        connection.close()
    except duckdb.Error as error:
        return Trial(stage, str(error))
    return Trial("done")


if __name__ == "__main__":
    _, _file, _memory_limit, _threads = sys.argv
    _found = _try(
        Place(Path(_file)), WarehouseOptions(memory_limit=_memory_limit, threads=int(_threads))
    )
    sys.stdout.write(json.dumps({"stage": _found.stage, "fault": _found.fault}))
