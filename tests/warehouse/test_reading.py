"""Readers beside the writer: they see what is committed, and can change or reach nothing."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from consumer.errors import QueryError

if TYPE_CHECKING:
    from consumer.warehouse import Warehouse
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

COUNT = "select count(*) as n from events"


@pytest.mark.parametrize(
    "sql",
    [
        "insert into events by name select * from events",
        "update events set recipient = 'x'",
        "delete from events",
        "truncate events",
        "drop table events",
        "alter table events add column x integer",
        "create table mine (a integer)",
        "create temp table mine (a integer)",
        "copy events to 'FOLDER/stolen.csv'",
        "copy events from '/etc/passwd'",
        "export database 'FOLDER/stolen'",
        "attach ':memory:' as other",
        "attach 'FOLDER/other.duckdb' as other",
        "detach ses",
        "use memory",
        "set memory_limit = '64GB'",
        "set enable_external_access = true",
        "reset memory_limit",
        "pragma database_list",
        "call pragma_version()",
        "checkpoint",
        "vacuum",
        "begin",
        "commit",
        "install httpfs",
        "load json",
        "prepare mine as select 1",
        "explain analyze delete from events",
        "explain analyze copy events to 'FOLDER/stolen.csv'",
        "select 1; select 2",
        "select 1; drop table events",
        "",
        "-- a comment alone",
        "selec 1",
    ],
)
def test_only_one_statement_that_reads_is_run(
    desk: "Desk", letter: "Letter", tmp_path: Path, sql: str
) -> None:
    desk.write(letter.send())
    statement = sql.replace("FOLDER", str(tmp_path))
    with pytest.raises(QueryError), desk.warehouse.read(statement) as reader:
        reader.read_all()

    assert [{"n": 1}] == desk.rows(COUNT)
    assert [] == list(tmp_path.iterdir())
    assert 1 == desk.write(letter.open()).inserted


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from read_blob('/etc/passwd')",
        "select * from read_json('/etc/passwd')",
        "select * from read_parquet('/etc/passwd')",
        "select * from parquet_metadata('/etc/passwd')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from glob('/etc/*')",
        "select * from '/etc/passwd'",
        "select * from '/etc/passwd.csv'",
        "select getenv('HOME')",
        "select * from read_csv('https://example.com/x.csv')",
    ],
)
def test_s11_nothing_outside_the_file_can_be_read(warehouse: "Warehouse", sql: str) -> None:
    with pytest.raises(QueryError), warehouse.read(sql) as reader:
        reader.read_all()


def test_s11_this_processs_own_variables_are_no_tables(warehouse: "Warehouse") -> None:
    secret_table = pa.table({"a": [1]})

    with (
        pytest.raises(QueryError, match="secret_table"),
        warehouse.read("select * from secret_table"),
    ):
        pass
    assert 1 == secret_table.num_rows


def test_the_writers_temporary_tables_are_not_for_readers(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send())
    for table in ("incoming", "fates", "temp.fates"):
        with pytest.raises(QueryError), desk.warehouse.read(f"select * from {table}"):  # noqa: S608 - constants
            pass


@pytest.mark.parametrize(
    "sql",
    [
        "values (1)",
        "from events limit 1",
        "with one as (select 1 as a) select a from one",
        "explain select 1",
        "show tables",
        "describe events",
        "summarize select 1 as a",
    ],
)
def test_statements_that_read_are_answered(warehouse: "Warehouse", sql: str) -> None:
    with warehouse.read(sql) as reader:
        reader.read_all()


def test_parameters_are_values_not_text(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send())
    hostile = "x' or 1=1; drop table events; --"
    with desk.warehouse.read("select $1 as said, count(*) as n from events", [hostile]) as reader:
        assert [{"said": hostile, "n": 1}] == reader.read_all().to_pylist()


def test_a_fault_after_the_first_rows_is_the_querys(warehouse: "Warehouse") -> None:
    sql = "select case when range = 900_000 then error('late') end from range(1_000_000)"
    with warehouse.read(sql) as reader:
        assert 0 < reader.read_next_batch().num_rows
        with pytest.raises(QueryError, match="late"):
            reader.read_all()
    with warehouse.read("select 1 as a") as reader:
        assert [{"a": 1}] == reader.read_all().to_pylist()


def test_a_readers_own_fault_stays_its_own(warehouse: "Warehouse") -> None:
    with pytest.raises(BrokenPipeError), warehouse.read("select 1"):
        raise BrokenPipeError


def test_a_query_past_the_memory_limit_fails_alone(desk: "Desk", letter: "Letter") -> None:
    sql = "select count(distinct list(range)) from range(400_000_000)"
    with pytest.raises(QueryError), desk.warehouse.read(sql) as reader:
        reader.read_all()

    assert 1 == desk.write(letter.send()).inserted
    assert [] == desk.faults()


def test_a_reader_sees_the_warehouse_as_of_its_start(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send())
    with desk.warehouse.read("select event_type from events") as reader:
        desk.write(letter.open())
        assert [{"event_type": "Send"}] == reader.read_all().to_pylist()

    assert [{"n": 2}] == desk.rows(COUNT)


def test_what_is_rolled_back_was_never_seen(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(*_args: object, **_named: object) -> None:
        seen.append(desk.value(COUNT))

    desk.write(letter.send())
    monkeypatch.setattr("consumer.warehouse.writing.write._keep_positions", look)
    desk.write(letter.open(), letter.click())

    assert [1] == seen


def test_readers_beside_a_writer_see_whole_batches(desk: "Desk", letter: "Letter") -> None:
    """Each batch has three events: a count that is no multiple of three is half a batch."""
    is_done = threading.Event()
    counts: list[int] = []
    faults: list[BaseException] = []

    def read() -> None:
        try:
            while not is_done.is_set():
                counts.append(desk.value(COUNT))
        except BaseException as fault:  # noqa: BLE001 - told to the test's own thread
            faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(15):
        desk.write(*(letter.open(after=number * 3 + step) for step in range(3)))
    is_done.set()
    for reader in readers:
        reader.join()

    assert [] == faults
    assert counts
    assert {0} == {count % 3 for count in counts}


def test_writers_on_several_threads_take_turns(desk: "Desk", letter: "Letter") -> None:
    batches = [desk.batch(letter.send(), letter.open(after=number)) for number in range(12)]
    threads = [threading.Thread(target=desk.warehouse.write, args=[one]) for one in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [{"n": 13}] == desk.rows(COUNT)
    assert [] == desk.faults()
