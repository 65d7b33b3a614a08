"""`duckpost sql --out`: all rows in a file that is there whole or not at all."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumer.cli import main
from consumer.cli.output import WRITERS
from consumer.cli.row_files import write_rows
from consumer.door import server as door
from consumer.door.access import OpenedWarehouse
from consumer.door.client import DoorClient
from consumer.errors import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, UsageError
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

EVERYTHING = """
select
    range::bigint as n, range as n, 'x' || range as text, null::varchar as nothing,
    uuid() as key, timestamp '2026-03-02 09:30:15.422' as at, range::hugeint as huge,
    map {'campaign': ['spring', 'sale']} as tags,
from range(250_000) order by n
"""
SMALL = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory, lean_sql: Path) -> Path:
    """A warehouse just made, closed, to copy from."""
    path = tmp_path_factory.mktemp("made") / "ses.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)
        open_warehouse(path, SMALL).close()
    return path


@pytest.fixture
def file(_made: Path, tmp_path: Path, lean_sql: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)
    monkeypatch.chdir(tmp_path)
    for name in ("ses.duckdb", "ses.key"):
        shutil.copy(_made.with_name(name), tmp_path)
    return tmp_path / "ses.duckdb"


@pytest.fixture
def worker(file: Path) -> Iterator[Warehouse]:
    """The warehouse opened by somebody else, whose door is open."""
    with open_warehouse(file, SMALL) as warehouse:
        app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
        with door.listen(app, warehouse.place.socket):
            yield warehouse


def ask(file: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["sql", *arguments, "--warehouse", str(file)])
    return int(ended.value.code or 0)


def left_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if not one.name.startswith("ses."))


def test_parquet_has_every_row_and_type_in_groups_that_bound_memory(
    worker: Warehouse, tmp_path: Path
) -> None:
    with DoorClient(worker.path).read(EVERYTHING) as reader:
        assert 250_000 == write_rows(reader, tmp_path / "all.parquet", "parquet")

    written = pq.ParquetFile(tmp_path / "all.parquet")
    rows = pq.read_table(tmp_path / "all.parquet")
    assert ["n", "n_1", "text", "nothing", "key", "at", "huge", "tags"] == rows.schema.names
    assert list(range(250_000)) == rows["n"].to_pylist()
    assert [("campaign", ["spring", "sale"])] == rows["tags"][0].as_py()
    assert pa.types.is_timestamp(rows.schema.field("at").type)
    groups = [written.metadata.row_group(one).num_rows for one in range(written.num_row_groups)]
    assert 250_000 == sum(groups)
    assert 3 == len(groups)


def test_the_name_says_the_format_and_csv_stays_safe_in_a_spreadsheet(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert EXIT_DONE == ask(file, "select '=1+1' as cell, 2 as n", "--out", "cells.csv")

    with (tmp_path / "cells.csv").open(newline="") as written:
        assert [["cell", "n"], ["'=1+1", "2"]] == list(csv.reader(written))
    assert 0o600 == (tmp_path / "cells.csv").stat().st_mode & 0o777
    said = capsys.readouterr()
    assert ("", "1 rows in cells.csv") == (said.out, said.err.strip())


def test_no_rows_are_a_file_too(file: Path, tmp_path: Path) -> None:
    assert EXIT_DONE == ask(file, "select 1 as n where false", "--out", "none.parquet")
    assert ([], ["n"]) == (
        (table := pq.read_table(tmp_path / "none.parquet")).to_pylist(),
        table.schema.names,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "rows.xlsx"], "cannot tell a format"),
        (["--out", "rows"], "cannot tell a format"),
        (["--out", "rows.csv", "--format", "table"], "a table is for reading"),
        (["--out", "nowhere/rows.csv"], "there is no folder nowhere"),
        (["--out", ".", "--format", "csv"], "is a folder"),
        (["--format", "parquet"], "name one with --out"),
        (["--out", "rows.csv", "--write"], "nothing for --out"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anybody_is_asked(
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    assert EXIT_USAGE == ask(file, "select 1 as n", *arguments)
    assert said in capsys.readouterr().err
    assert [] == left_in(tmp_path)


def test_a_file_that_is_there_stays_unless_told_otherwise(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "rows.csv"
    there.write_text("mine")

    assert EXIT_USAGE == ask(file, "select 1 as n", "--out", "rows.csv")
    assert "--force" in capsys.readouterr().err
    assert "mine" == there.read_text()

    assert EXIT_DONE == ask(file, "select 1 as n", "--out", "rows.csv", "--force")
    assert "n\n1\n" == there.read_text()


def test_a_fault_half_way_leaves_what_was_there(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"mine")
    late = "select if(range = 199_999, error('broke'), range) as n from range(200_000)"

    assert EXIT_FAILED == ask(file, late, "--out", "rows.parquet", "--force")
    assert EXIT_USAGE == ask(file, "select interval 1 day as i", "--out", "i.parquet")

    assert "Cast that column" in capsys.readouterr().err
    assert b"mine" == (tmp_path / "rows.parquet").read_bytes()
    assert ["rows.parquet"] == left_in(tmp_path)


def test_a_file_that_came_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.ndjson"
    reader = pa.table({"n": [1]}).to_reader()
    written = WRITERS["ndjson"]

    def write_slowly(*arguments: object) -> None:
        written(*arguments)  # type: ignore[arg-type]  # what is passed on is what came
        path.write_text("theirs")

    monkeypatch.setitem(WRITERS, "ndjson", write_slowly)
    with pytest.raises(UsageError, match="already"):
        write_rows(reader, path, "ndjson")
    assert ("theirs", ["rows.ndjson"]) == (path.read_text(), left_in(tmp_path))
