"""A process that forks writers to be killed: imports are paid once, not once a kill.

Reads orders from standard input, a JSON object a line. For each it forks a writer that opens the
warehouse and commits batch after batch, saying ``ack NUMBER BATCH-ID`` once `write` has returned.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumer.batch import Batch
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.archive import Archive, Segment

RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OPTIONS = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)


def build(warehouse: Warehouse, file: Path) -> Batch:
    """Decode a file of payloads, one a line, into one batch."""
    builder = warehouse.new_builder("files")
    for decoded in decode(Envelope(file.read_bytes(), None, f"file:{file.name}", RECEIVED)):
        builder.add(decoded)
    return builder.finish(positions={"file": file.name})


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tear(archive: Archive, frame: bytes) -> Segment:
    """Write half a frame where it belongs, and no more."""
    append(archive, frame[: len(frame) // 2])
    die()
    raise AssertionError


def sync_and_die(archive: Archive, frame: bytes) -> Segment:
    append(archive, frame)
    die()
    raise AssertionError


def judge_and_die(*_: object, **__: object) -> None:
    die()


append = Archive.append


def set_failpoint(name: str) -> Callable[[], None]:
    """Arm a place to die at; returns what to call when a write has returned."""
    patch = pytest.MonkeyPatch()
    if name == "frame torn":
        patch.setattr(Archive, "append", tear)
    elif name == "frame synced":
        patch.setattr(Archive, "append", sync_and_die)
    elif name == "before the first row":
        patch.setattr("consumer.warehouse.warehouse.write_batch", judge_and_die)
    elif name == "committed":
        return die
    else:
        raise AssertionError(name)
    return lambda: None


def write(order: Mapping[str, Any]) -> None:
    files = [Path(order["folder"], f"{number:04}.jsonl") for number in order["numbers"]]
    with open_warehouse(Path(order["warehouse"]), OPTIONS) as warehouse:
        say("open")
        after_write: Callable[[], None] = lambda: None  # noqa: E731 - armed below, or nothing
        for place, (number, file) in enumerate(zip(order["numbers"], files, strict=True)):
            if order.get("failpoint") and place == order["at"]:
                after_write = set_failpoint(order["failpoint"])
            result = warehouse.write(build(warehouse, file))
            after_write()
            say(f"ack {number} {result.batch_id}")


def main() -> None:
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            write(json.loads(line))
            os._exit(0)
        say(f"pid {process}")
        _, status = os.waitpid(process, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
