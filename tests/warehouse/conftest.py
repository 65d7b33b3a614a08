"""A fresh warehouse for every test: made once, then copied, and with the macros but no views.

The write path needs no view, and making all of them at every opening takes a second.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, WriteResult, open_warehouse
from consumer.warehouse.recount import verify

RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class Desk:
    """A warehouse, and the few moves that tests make with it."""

    warehouse: Warehouse

    def batch(
        self,
        *payloads: Mapping[str, Any] | bytes,
        source: str = "sqs:ses-events",
        received_at: datetime = RECEIVED,
        positions: Mapping[str, str] | None = None,
        batch_id: UUID | None = None,
        account: str | None = None,
    ) -> Batch:
        """Decode payloads, each from an envelope of its own, into one batch."""
        builder = BatchBuilder(source, self.warehouse.secret, batch_id=batch_id)
        for payload in payloads:
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            for decoded in decode(Envelope(body, None, source, received_at, None, account)):
                builder.add(decoded)
        return builder.finish(positions=positions)

    def write(self, *payloads: Mapping[str, Any] | bytes) -> WriteResult:
        """Commit payloads as one batch."""
        return self.warehouse.write(self.batch(*payloads))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Answer a query."""
        with self.warehouse.read(sql) as reader:
            rows: list[dict[str, Any]] = reader.read_all().to_pylist()
        return rows

    def value(self, sql: str) -> Any:  # noqa: ANN401 - whatever the query asks for
        """Answer a query of one row and one column."""
        ((value,),) = (row.values() for row in self.rows(sql))
        return value

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that must not depend on the order of arrival."""
        return {
            "events": self.rows(
                "select * exclude (received_at) from events order by event_key, event_at"
            ),
            "marks": self.rows("select * from marks order by all"),
            "waiting": self.rows("select * from waiting order by all"),
        }

    def faults(self) -> list[str]:
        """What `verify` finds wrong."""
        return [
            f"{one.check}: {one.expected} expected, {one.found} found {one.note}"
            for one in verify(self.warehouse)
            if not one.is_well
        ]


@pytest.fixture(autouse=True)
def _lean(lean_sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)


SMALL = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)


@pytest.fixture
def options() -> WarehouseOptions:
    return SMALL


@pytest.fixture(scope="session")
def empty_warehouse(lean_sql: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a warehouse just made, closed, to copy from."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)
        open_warehouse(folder / "ses.duckdb", SMALL).close()
    return folder


@pytest.fixture
def new_desk(
    empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Desk]]:
    """Opens further warehouses, all with the same key, so that their rows compare."""
    opened = []

    def make(options: WarehouseOptions = SMALL) -> Desk:
        folder = tmp_path_factory.mktemp("desk")
        shutil.copytree(empty_warehouse, folder, dirs_exist_ok=True)
        desk = Desk(open_warehouse(folder / "ses.duckdb", options))
        opened.append(desk)
        return desk

    yield make
    for desk in opened:
        desk.warehouse.close()


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


@pytest.fixture
def warehouse(desk: Desk) -> Warehouse:
    return desk.warehouse


@dataclass(frozen=True)
class SmallDisk:
    """A file system of 20 MiB in memory, mounted for one test."""

    folder: Path

    @staticmethod
    def run(program: str, *arguments: str) -> str:
        """Run ``mount`` or ``umount``; returns what it complained about."""
        command = [shutil.which(program) or program, *arguments]
        try:
            ended = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            return str(error)
        return ended.stderr.strip() if ended.returncode else ""

    def make_read_only(self) -> None:
        assert not self.run("mount", "-o", "remount,ro", str(self.folder))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "small"
    folder.mkdir()
    disk = SmallDisk(folder)
    complaint = disk.run("mount", "-t", "tmpfs", "-o", "size=20m", "none", str(folder))
    if complaint:
        pytest.skip(f"mounting a small disk is not permitted here: {complaint}")
    try:
        yield disk
    finally:
        assert not disk.run("umount", "-l", str(folder))
