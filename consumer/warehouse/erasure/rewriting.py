"""Rewrites the file, so that bytes which no row has any more leave the disk.

``python -m consumer.warehouse.erasure.rewriting`` does it in a process of its own, which gives its
memory back at the end: it reads one line of JSON, ``{"file", "memory_limit", "threads"}``, and
answers with ``null`` or with what was wrong.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from consumer.errors import WarehouseError
from consumer.warehouse.archive import sync_folder
from consumer.warehouse.connection import WarehouseOptions, open_file
from consumer.warehouse.copies import require_room, sum_sizes
from consumer.warehouse.erased import ErasedList
from consumer.warehouse.erasure.pending_rewrite import ask_for, forget, note_failure, note_try
from consumer.warehouse.estimates import REWRITE, note_rate
from consumer.warehouse.faults import to_open_fault
from consumer.warehouse.place import Place


def prepare(place: Place) -> None:
    """Remember that a rewrite is wanted, and look for room before anybody pauses for it.

    Raises `WarehouseFull` where there is none; that is remembered as a try that failed.
    """
    ask_for(place)
    try:
        _require_room(place)
    except WarehouseError:
        with _noting_failure(place):
            raise


def rewrite(place: Place, options: WarehouseOptions) -> None:
    """Put a file of the same content in the place of one that nobody has open.

    Raises `WarehouseFull` where there is no room for a second file, `WarehouseLocked` where another
    process has the file; it is left as it is then, and a worker tries again: see
    `consumer.warehouse.erasure.pending_rewrite`.
    """
    began_at = datetime.now(UTC)
    with _noting_failure(place):
        _require_room(place)
        asked = {
            "file": str(place.file),
            "memory_limit": options.memory_limit,
            "threads": options.threads,
        }
        ended = subprocess.run(
            [sys.executable, "-m", "consumer.warehouse.erasure.rewriting"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or ["it was killed"])[-1]
            raise WarehouseError(
                f"rewriting {place.file} failed: {reason}. The file is left as it is."
            )
    ErasedList(place.erased, place.load_secret(is_new=False)).note_rewrite(began_at=began_at)
    forget(place)


@contextmanager
def _noting_failure(place: Place) -> Iterator[None]:
    note_try(place)
    try:
        yield
    except WarehouseError as error:
        note_failure(place, str(error))
        raise


def _require_room(place: Place) -> None:
    require_room(place.file.parent, sum_sizes([place.file, *place.logs]), doing="rewriting")


def _rewrite_here(place: Place, options: WarehouseOptions) -> None:
    """Copy the whole content and swap the files.

    1. Open the old file, which takes its lock and reads its log.
    2. Copy everything, views and users' own tables too, into a new file.
    3. Take away the logs, empty since, and move the new file over the old one in one step: a kill
       leaves the one or the other.

    The process ends without closing the old one: whoever opens the new one at once has a log
    there, and closing would look at it.
    """
    fresh = place.to_working("rewriting")
    fresh.clear()
    # 1
    began = time.monotonic()
    size = sum_sizes([place.file, *place.logs])
    connection = open_file(place, options, place.file)
    connection.execute("force checkpoint")
    # 2
    quoted = str(fresh.file).replace("'", "''")
    name = connection.execute("select current_database()").fetchall()[0][0].replace('"', '""')
    connection.execute(f"attach '{quoted}' as fresh")
    connection.execute(f'copy from database "{name}" to fresh')
    note_rate(connection, REWRITE, size, time.monotonic() - began, catalog="fresh")
    connection.execute("checkpoint fresh")
    connection.execute("detach fresh")
    fresh.file.chmod(0o600)
    # 3
    for log in (*place.logs, *fresh.logs):
        log.unlink(missing_ok=True)
    fresh.file.replace(place.file)
    sync_folder(place.file.parent)
    os._exit(0)


if __name__ == "__main__":
    _asked = json.loads(sys.stdin.read())
    _place = Place(Path(_asked["file"]))
    _options = WarehouseOptions(memory_limit=_asked["memory_limit"], threads=_asked["threads"])
    try:
        _rewrite_here(_place, _options)
    except duckdb.Error as _error:
        sys.exit(str(to_open_fault(_error, _place.file)))
