"""Opening: created whole or not at all, one process at a time, and clear words for every fault."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from consumer.errors import (
    WarehouseDamaged,
    WarehouseError,
    WarehouseFull,
    WarehouseLocked,
    WarehouseNewer,
)
from consumer.resources import sql_folder
from consumer.warehouse import Recovery, WarehouseOptions, open_warehouse
from consumer.warehouse.place import Place

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk, SmallDisk

# opens the file and holds it until its standard input ends
HOLDER = """
import sys
from pathlib import Path
from consumer.warehouse import Recovery, WarehouseOptions, open_warehouse
import consumer.warehouse.connection as connection
connection.sql_folder = lambda: Path(sys.argv[2])
options = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)
with open_warehouse(Path(sys.argv[1]), options):
    print("open", flush=True)
    sys.stdin.read()
"""


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture
def copied(empty_warehouse: Path, tmp_path: Path) -> Path:
    """A closed warehouse of this test's own."""
    shutil.copytree(empty_warehouse, tmp_path, dirs_exist_ok=True)
    return tmp_path / "ses.duckdb"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- whose days ----------------------------------------------------------------------------


def test_who_only_asks_leaves_the_days_as_they_are(
    tmp_path: Path, options: WarehouseOptions
) -> None:
    path = tmp_path / "ses.duckdb"
    found = []
    for chosen in (
        replace(options, report_time_zone="Europe/Berlin"),
        replace(options, report_time_zone="UTC", takes_rules=False),
        replace(options, report_time_zone="UTC"),
    ):
        with (
            open_warehouse(path, chosen) as warehouse,
            warehouse.read("select report_time_zone() as zone") as reader,
        ):
            found += reader.read_all()["zone"].to_pylist()

    assert ["Europe/Berlin", "Europe/Berlin", "UTC"] == found


# --- creation ------------------------------------------------------------------------------


def test_a_new_warehouse_is_a_file_and_a_key(tmp_path: Path, options: WarehouseOptions) -> None:
    open_warehouse(tmp_path / "ses.duckdb", options).close()

    assert ["ses.duckdb", "ses.key"] == names(tmp_path)


def test_nobody_else_may_read_what_is_made(
    tmp_path: Path, options: WarehouseOptions, desk: "Desk", letter: "Letter"
) -> None:
    desk.write(letter.send())
    place = desk.warehouse.place
    (frames,) = place.archive.iterdir()
    open_warehouse(tmp_path / "ses.duckdb", options).close()

    for path in (tmp_path / "ses.duckdb", tmp_path / "ses.key", frames):
        assert 0o600 == stat.S_IMODE(path.stat().st_mode), path
    assert 0o700 == stat.S_IMODE(place.archive.stat().st_mode)


def test_a_new_warehouse_has_every_view(
    tmp_path: Path, options: WarehouseOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", sql_folder)
    with (
        open_warehouse(tmp_path / "ses.duckdb", options) as warehouse,
        warehouse.read("select view_name from duckdb_views() where not internal") as reader,
    ):
        made = {row["view_name"] for row in reader.read_all().to_pylist()}
    entities = {file.stem.partition("_")[2] for file in sql_folder().glob("views/20_*.sql")}

    assert entities
    assert entities <= made


def test_a_creation_that_fails_leaves_no_half_file(
    tmp_path: Path, options: WarehouseOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise duckdb.IOException("IO Error: the disk has gone")

    path = tmp_path / "ses.duckdb"
    with monkeypatch.context() as patch:
        patch.setattr("consumer.warehouse.connection.refresh", fail)
        with pytest.raises(WarehouseError, match="the disk has gone"):
            open_warehouse(path, options)

    assert ["ses.key"] == names(tmp_path)
    open_warehouse(path, options).close()


@pytest.fixture
def killed_creation(tmp_path: Path, lean_sql: Path) -> Callable[[str], None]:
    """Kills a process that creates a warehouse when it comes to a named function."""

    def kill_at(target: str) -> None:
        module, _, name = target.rpartition(".")
        script = f"""
import os, signal
import {module} as module
module.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
{HOLDER}
"""
        process = start(script, tmp_path / "ses.duckdb", lean_sql)
        process.communicate()
        assert -signal.SIGKILL == process.returncode

    return kill_at


@pytest.mark.parametrize(
    "target",
    [
        "os.link",
        "os.fsync",
        "consumer.warehouse.connection.migrate",
        "consumer.warehouse.connection.refresh",
        "consumer.warehouse.connection.sync_folder",
    ],
)
def test_a_kill_while_it_is_made_does_not_hinder_the_next_start(
    tmp_path: Path, options: WarehouseOptions, killed_creation: Callable[[str], None], target: str
) -> None:
    killed_creation(target)
    with open_warehouse(tmp_path / "ses.duckdb", options) as warehouse:
        assert 32 == len(warehouse.secret)


# --- one process at a time -------------------------------------------------------------------


def test_a_second_process_is_told_who_has_the_file(
    copied: Path, options: WarehouseOptions, lean_sql: Path
) -> None:
    with start(HOLDER, copied, lean_sql) as holder:
        assert holder.stdout is not None
        assert "open\n" == holder.stdout.readline()
        with pytest.raises(WarehouseLocked, match=str(holder.pid)) as caught:
            open_warehouse(copied, options)
        holder.communicate()

    assert holder.pid == caught.value.pid
    assert 4 == caught.value.exit_code
    open_warehouse(copied, options).close()


# --- what is refused -------------------------------------------------------------------------


def alter(path: Path, statement: str) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(statement)


def test_a_newer_warehouse_is_left_alone(copied: Path, options: WarehouseOptions) -> None:
    alter(copied, "insert into migrations values ('9999_later', 'x', now()::timestamp)")

    with pytest.raises(WarehouseNewer, match="9999_later"):
        open_warehouse(copied, options)


def test_a_migration_that_reads_differently_stops_the_start(
    copied: Path, options: WarehouseOptions
) -> None:
    alter(copied, "update migrations set sha256 = 'x' where name = '0001_core'")

    with pytest.raises(WarehouseError, match="0001_core differs"):
        open_warehouse(copied, options)


def test_a_refused_file_is_not_kept_open(copied: Path, options: WarehouseOptions) -> None:
    alter(copied, "insert into migrations values ('9999_later', 'x', now()::timestamp)")
    with pytest.raises(WarehouseNewer):
        open_warehouse(copied, options)
    alter(copied, "delete from migrations where name = '9999_later'")

    open_warehouse(copied, options).close()


def test_a_migration_and_its_record_are_applied_together(
    copied: Path,
    options: WarehouseOptions,
    lean_sql: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "sql"
    shutil.copytree(lean_sql, folder)
    broken = folder / "migrations" / "9000_more.sql"
    broken.write_text("create table more (a integer); insert into nowhere values (1);")
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: folder)
    with pytest.raises(WarehouseError, match="nowhere"):
        open_warehouse(copied, options)
    broken.write_text("create table more (a integer);")
    with (
        open_warehouse(copied, options) as warehouse,
        warehouse.read("select name from migrations order by name") as reader,
    ):
        applied = [row["name"] for row in reader.read_all().to_pylist()]

    assert "9000_more" == applied[-1]
    assert len(set(applied)) == len(applied)


def test_an_upgrade_keeps_the_file_as_it_was_runs_once_and_says_what_it_does(
    copied: Path,
    options: WarehouseOptions,
    lean_sql: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "sql"
    shutil.copytree(lean_sql, folder)
    text = "-- A table of more. It is new.\ncreate table more (a integer);"
    (folder / "migrations" / "9000_more.sql").write_text(text, encoding="utf-8")
    before = copied.read_bytes()
    told: list[Recovery] = []
    with monkeypatch.context() as patch:
        patch.setattr("consumer.warehouse.connection.sql_folder", lambda: folder)
        for _ in range(2):
            open_warehouse(copied, options, on_recovery=told.append).close()

    (upgrade,) = told
    assert upgrade.is_upgrade
    assert "9000_more: A table of more" == upgrade.what
    assert upgrade.kept is not None
    assert len(before) == len(upgrade.kept.read_bytes())
    with pytest.raises(WarehouseNewer, match="9000_more"):
        open_warehouse(copied, options)
    upgrade.kept.replace(copied)  # the way back
    open_warehouse(copied, options).close()


def test_an_upgrade_without_room_for_a_copy_changes_nothing(
    copied: Path,
    options: WarehouseOptions,
    lean_sql: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "sql"
    shutil.copytree(lean_sql, folder)
    (folder / "migrations" / "9000_more.sql").write_text("create table more (a integer);")
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("consumer.warehouse.connection.sql_folder", lambda: folder)
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
        with pytest.raises(WarehouseFull, match="the copy of an upgrade needs"):
            open_warehouse(copied, options)

    open_warehouse(copied, options).close()


def test_leftovers_of_a_killed_creation_go_with_the_next_start(
    copied: Path, options: WarehouseOptions
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f".ses.duckdb.{ended.pid}.new", f".ses.duckdb.{ended.pid}.new.wal"):
        (copied.parent / name).touch()
    alive = copied.parent / f".ses.key.{os.getppid()}.new"
    other = copied.parent / f".other.duckdb.{ended.pid}.new"
    alive.touch()
    other.touch()
    open_warehouse(copied, options).close()

    assert sorted([alive.name, other.name, "ses.duckdb", "ses.key"]) == names(copied.parent)


def test_a_missing_folder_is_named(tmp_path: Path, options: WarehouseOptions) -> None:
    with pytest.raises(WarehouseError, match="nowhere does not exist"):
        open_warehouse(tmp_path / "nowhere" / "ses.duckdb", options)


def test_a_warehouse_that_lost_its_key_is_not_opened_with_another(
    copied: Path, options: WarehouseOptions
) -> None:
    copied.with_suffix(".key").unlink()

    with pytest.raises(WarehouseDamaged, match=r"ses\.key is gone"):
        open_warehouse(copied, options)
    assert not copied.with_suffix(".key").exists()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"SQLite format 3\0" * 1_000])
def test_a_file_of_something_else_is_left_alone_and_said_to_be_none_of_ours(
    tmp_path: Path, options: WarehouseOptions, content: bytes
) -> None:
    file = tmp_path / "ses.duckdb"
    file.write_bytes(content)
    with pytest.raises(WarehouseDamaged, match=r"no DuckDB file .* did not make it"):
        open_warehouse(file, options)
    assert content == file.read_bytes()


@pytest.mark.parametrize("content", ["", "abcd\n", "not hex at all\n", "00" * 33, "\N{SNOWMAN}"])
def test_a_key_that_is_none_is_refused(
    copied: Path, options: WarehouseOptions, content: str
) -> None:
    copied.with_suffix(".key").write_text(content, encoding="utf-8")

    with pytest.raises(WarehouseDamaged, match="does not hold a key of 32 bytes"):
        open_warehouse(copied, options)


def test_two_that_create_at_once_agree_on_one_key(tmp_path: Path) -> None:
    place = Place(tmp_path / "ses.duckdb")
    first = place.load_secret(is_new=True)

    assert first == place.load_secret(is_new=True)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500, b"\0" * 20_000])
def test_a_file_that_is_no_database_names_the_way_back(
    copied: Path, options: WarehouseOptions, content: bytes
) -> None:
    copied.write_bytes(content)

    with pytest.raises(WarehouseDamaged, match=f"duckpost ingest PATH --warehouse {copied}"):
        open_warehouse(copied, options)
    assert content == copied.read_bytes()


@pytest.mark.parametrize("is_new", [True, False])
def test_a_read_only_folder_is_named_at_once(
    small_disk: "SmallDisk", empty_warehouse: Path, options: WarehouseOptions, *, is_new: bool
) -> None:
    if not is_new:
        shutil.copytree(empty_warehouse, small_disk.folder, dirs_exist_ok=True)
    small_disk.make_read_only()

    with pytest.raises(WarehouseError, match="is not writable"):
        open_warehouse(small_disk.folder / "ses.duckdb", options)


# --- closing and opening again ---------------------------------------------------------------


def test_what_was_committed_is_there_after_opening_again(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send(), letter.open())
    desk.warehouse.reopen()

    assert 2 == desk.write(letter.send(), letter.open()).duplicates
    assert not desk.warehouse.place.wal.exists() or desk.warehouse.place.wal.stat().st_size
    assert [] == desk.faults()


def test_a_warehouse_knows_after_opening_that_it_holds_identity_copies(
    desk: "Desk", letter: "Letter"
) -> None:
    desk.write(letter.by_identity(letter.bounce()))
    desk.warehouse.reopen()
    desk.write(letter.send(), letter.bounce())

    assert 0 == desk.value("select count(*) from events where is_identity_notification")
    assert 0 == desk.value("select count(*) from waiting")


def test_a_key_is_not_part_of_the_file(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send())
    desk.warehouse.checkpoint()

    assert desk.warehouse.secret not in desk.warehouse.path.read_bytes()
    assert desk.warehouse.secret.hex().encode() not in desk.warehouse.path.read_bytes()
