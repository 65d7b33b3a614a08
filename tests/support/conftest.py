"""A warehouse with every view, events written into it as a worker would, and the verbs on it."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumer.batch import BatchBuilder
from consumer.cli import main
from consumer.decode import decode
from consumer.door.access import OpenedWarehouse
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, WriteResult, open_warehouse
from consumer.warehouse.recount import verify

RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SMALL = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)


@dataclass
class Desk:
    """An open warehouse, and the few moves that tests make with it."""

    warehouse: Warehouse

    @property
    def access(self) -> OpenedWarehouse:
        return OpenedWarehouse(self.warehouse)

    @property
    def path(self) -> Path:
        return self.warehouse.path

    def write(self, *payloads: Mapping[str, Any] | bytes) -> WriteResult:
        """Commit payloads as one batch, each from an envelope of its own."""
        builder = BatchBuilder("sqs:ses-events", self.warehouse.secret)
        for payload in payloads:
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            for decoded in decode(Envelope(body, None, "sqs:ses-events", RECEIVED)):
                builder.add(decoded)
        return self.warehouse.write(builder.finish())

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Answer a query."""
        with self.warehouse.read(sql) as reader:
            rows: list[dict[str, Any]] = reader.read_all().to_pylist()
        return rows

    def faults(self) -> list[str]:
        """What `verify` finds wrong."""
        return [
            f"{one.check}: {one.expected} expected, {one.found} found {one.note}"
            for one in verify(self.warehouse)
            if not one.is_well
        ]

    def reopen(self, options: WarehouseOptions = SMALL) -> None:
        """Close the file, as a worker that stops, and open it again."""
        self.warehouse.close()
        self.warehouse = open_warehouse(self.path, options)


@pytest.fixture(scope="session")
def _empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse just made, closed, to copy from: making all views takes a second."""
    path = tmp_path_factory.mktemp("empty") / "ses.duckdb"
    open_warehouse(path, SMALL).close()
    return path


@pytest.fixture
def desk(_empty_warehouse: Path, tmp_path: Path) -> Iterator[Desk]:
    for file in _empty_warehouse.parent.glob("ses.*"):
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    opened = Desk(open_warehouse(tmp_path / "ses.duckdb", SMALL))
    yield opened
    opened.warehouse.close()


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def duckpost(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    desk: Desk,
) -> Callable[..., Outcome]:
    """Run a verb on the desk's warehouse, which is closed for as long."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Outcome:
        desk.warehouse.close()
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--warehouse", str(desk.path)])
        written = capsys.readouterr()
        desk.warehouse = open_warehouse(desk.path, SMALL)
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, written.out, written.err)

    return invoke
