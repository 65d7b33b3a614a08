"""What users make in the schema `my`: only there, and there to stay."""

import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import httpx
import pytest

from consumer import health
from consumer.checks.own_views import LOOK_SECS, OwnViews, find_broken_views
from consumer.door.access import OpenedWarehouse
from consumer.errors import CommitOutcomeUnknown, QueryError
from consumer.listener import Listener
from consumer.telemetry import Telemetry
from consumer.warehouse.backup import back_up
from consumer.warehouse.interruption import Interruption
from consumer.warehouse.recovery.rebuild import rebuild

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

ASKED = "select n, my.twice(n) as twice, my.twice(n, 3) as thrice from my.counted"
ENDLESS = """
create table my.endless as
select count(*) as n
from range(10_000_000) as a, range(10_000_000) as b where a.range > b.range
"""
ANSWER = [{"n": 1, "twice": 2, "thrice": 3}]


@pytest.fixture
def owner(desk: "Desk", letter: "Letter") -> "Desk":
    """A warehouse whose user has a view over a table, and a macro with a default value."""
    desk.write(letter.send())
    for sql in (
        "create table my.sends as select count(*) as n from events",
        "create macro my.twice(n, times := 2) as n * times",
        "-- mine\ncreate or replace view my.counted as from my.sends where n < my.twice(9)",
    ):
        desk.warehouse.change_own(sql)
    return desk


def refreshed(desk: "Desk") -> "Desk":
    """The same after an upgrade that makes all views anew."""
    desk.warehouse.close()
    with duckdb.connect(desk.warehouse.path) as connection:
        connection.execute("update warehouse_facts set value = 'old' where name = 'code_sha256'")
    desk.warehouse._open()
    return desk


def backed_up(desk: "Desk", folder: Path) -> "Desk":
    back_up(desk.warehouse, folder / "copy")
    path = desk.warehouse.path
    desk.warehouse.close()
    shutil.copy(folder / "copy" / path.name, path)
    desk.warehouse._open()
    return desk


def rebuilt(desk: "Desk") -> "Desk":
    desk.warehouse.close()
    rebuild(desk.warehouse.path, desk.warehouse.options)
    desk.warehouse._open()
    return desk


def test_what_was_made_can_be_asked(owner: "Desk") -> None:
    assert ANSWER == owner.rows(ASKED)


def test_it_survives_a_start_an_upgrade_a_rebuild_and_a_backup(
    owner: "Desk", tmp_path: Path
) -> None:
    owner.warehouse.reopen()
    assert ANSWER == owner.rows(ASKED)
    assert ANSWER == refreshed(owner).rows(ASKED)
    assert ANSWER == rebuilt(owner).rows(ASKED)
    assert ANSWER == backed_up(owner, tmp_path).rows(ASKED)
    assert [] == list(owner.warehouse.path.parent.glob("*.own"))


def test_what_is_dropped_stays_away(owner: "Desk") -> None:
    owner.warehouse.change_own("drop view my.counted")
    rebuilt(owner)

    with pytest.raises(QueryError):
        owner.rows(ASKED)
    assert 2 == owner.value("select count(*) from own_objects")


def test_a_broken_view_is_named_by_health_and_makes_nothing_ill(owner: "Desk") -> None:
    now = [0.0]
    views = OwnViews(OpenedWarehouse(owner.warehouse), clock=lambda: now[0])
    app = health.to_app(Telemetry(), find_broken_views=views.find_broken)
    bound = socket.create_server(("127.0.0.1", 0))
    with Listener(app, bound):
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/health"
        assert {} == httpx.get(url).json()["broken_views"]
        owner.warehouse.change_own("create or replace table my.sends as select 1 as other")
        assert {} == httpx.get(url).json()["broken_views"]  # once a minute is enough
        now[0] += LOOK_SECS
        answer = httpx.get(url)
        owner.warehouse.close()
        now[0] += LOOK_SECS
        closed = httpx.get(url)

    assert (200, "up") == (answer.status_code, answer.json()["status"])
    assert ["my.counted"] == list(answer.json()["broken_views"])
    assert ["my.counted"] == list(closed.json()["broken_views"])


def test_a_view_that_an_upgrade_breaks_is_told_and_kept_until_it_works_again(
    owner: "Desk",
) -> None:
    access = OpenedWarehouse(owner.warehouse)
    assert {} == find_broken_views(access)
    owner.warehouse.change_own("create or replace table my.sends as select 1 as other")
    broken = find_broken_views(access)
    assert ["counted"] == list(broken)
    assert "\n" not in broken["counted"]

    rebuilt(owner)
    assert ["counted"] == list(find_broken_views(access))
    owner.warehouse.change_own("create or replace table my.sends as select 1 as n")
    owner.warehouse.reopen()
    assert {} == find_broken_views(access)
    assert ANSWER == owner.rows(ASKED)


@pytest.mark.parametrize(
    "sql",
    [
        "create view other as select 1",
        "create or replace view main.events as select 1",
        "drop table events",
        "delete from events",
        "insert into my.sends values (1)",
        "create schema your",
        "drop schema my cascade",
        "create persistent secret my.s (type s3)",
        "create table my.a as select 1; drop table events",
        "create view my.main.events as select 1",
        'create view "my".x.y as select 1',
        "create temp table my.t as select 1",
        "attach '/tmp/x.duckdb' as my",
        "copy events to '/tmp/events.csv'",
        "",
        "not sql at all",
    ],
)
def test_nothing_else_may_be_changed(owner: "Desk", sql: str) -> None:
    before = owner.rows("select table_schema, table_name from information_schema.tables order by 2")
    with pytest.raises(QueryError):
        owner.warehouse.change_own(sql)

    assert before == owner.rows(
        "select table_schema, table_name from information_schema.tables order by 2"
    )
    assert 1 == owner.value("select count(*) from events")


@pytest.mark.parametrize(
    "sql",
    [
        "create view my.v as select * from read_csv('{file}')",
        "create table my.t as select * from read_text('{file}')",
        "create view my.v as select * from '{file}'",
        "create macro my.m() as table select * from read_blob('{file}')",
    ],
)
def test_files_are_out_of_reach(owner: "Desk", tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(QueryError, match=r"disabled|Permission|does not exist"):
        owner.warehouse.change_own(sql.format(file=file))


def test_a_macro_that_would_read_files_finds_them_closed(
    owner: "Desk", new_letter: Callable[..., "Letter"]
) -> None:
    try:
        owner.warehouse.change_own("create macro my.peek(p) as table select * from read_text(p)")
    except QueryError:
        return
    with pytest.raises(QueryError):
        owner.rows("from my.peek('/etc/hostname')")


def test_a_statement_that_fails_changes_nothing(owner: "Desk") -> None:
    with pytest.raises(QueryError, match="nowhere"):
        owner.warehouse.change_own("create or replace view my.counted as select * from nowhere")

    assert ANSWER == owner.rows(ASKED)


def test_a_table_that_takes_long_is_made_beside_the_writer_and_can_be_interrupted(
    owner: "Desk", letter: "Letter"
) -> None:
    ended: list[str] = []
    interruption = Interruption()

    def make() -> None:
        try:
            owner.warehouse.change_own(ENDLESS, interruption=interruption)
        except QueryError as error:
            ended.append(str(error))

    making = threading.Thread(target=make)
    making.start()
    owner.write(letter.open())
    with pytest.raises(QueryError, match="before it began"):
        owner.warehouse.change_own("drop table my.sends", interruption=asked())
    assert making.is_alive()
    while making.is_alive():
        interruption.ask()
        making.join(0.05)

    assert "nterrupt" in ended[0]
    assert 2 == owner.value("select count(*) from events")
    owner.warehouse.change_own("create or replace table my.sends as select 1 as n")
    assert ANSWER == owner.rows(ASKED)


def asked() -> Interruption:
    interruption = Interruption()
    interruption.ask()
    return interruption


def test_a_warehouse_that_closes_ends_what_is_being_made(owner: "Desk") -> None:
    ended: list[QueryError] = []

    def make() -> None:
        try:
            owner.warehouse.change_own(ENDLESS)
        except QueryError as error:
            ended.append(error)

    making = threading.Thread(target=make)
    before = time.process_time()
    making.start()
    while time.process_time() - before < 0.2:
        time.sleep(0.01)
    owner.warehouse.close()
    making.join(10)
    owner.warehouse._open()

    assert 1 == len(ended)
    assert ANSWER == owner.rows(ASKED)


class FailingCommit:
    """A writer's connection whose cursors cannot commit."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def cursor(self) -> "FailingCommit":
        return FailingCommit(self._connection.cursor())

    def execute(self, query: str, *args: object) -> object:
        if query == "commit":
            raise duckdb.TransactionException("Failed to commit: failed to pin block")
        return self._connection.execute(query, *args)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_a_commit_that_fails_beside_the_writer_is_an_open_outcome_too(
    owner: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = owner.warehouse._transactions
    with monkeypatch.context() as patch:
        patch.setattr(transactions, "_connection", FailingCommit(transactions._connection))
        with pytest.raises(CommitOutcomeUnknown, match="its outcome is open"):
            owner.warehouse.change_own("create view my.other as select 1 as n")
    with pytest.raises(CommitOutcomeUnknown):
        owner.write(letter.open())
    owner.warehouse.reopen()

    owner.write(letter.open())
    assert ANSWER == owner.rows(ASKED)
