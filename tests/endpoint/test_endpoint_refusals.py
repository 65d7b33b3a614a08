"""Everything that is refused or cut off, each with its SQLSTATE, and the next query works."""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

import os
import socket
import struct
import threading
import time
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import errors


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("drop table events", "25006"),
        ("insert into events values (1)", "25006"),
        ("delete from events", "25006"),
        ("copy events to '/etc/x'", "42501"),
        ("copy (select 1) to '/etc/x'", "42501"),
        ("copy events from '/etc/passwd'", "25006"),
        ("select * from read_csv('/etc/passwd')", "42501"),
        ("select * from read_text('/etc/passwd')", "42501"),
        ("select * from '/etc/passwd'", "42P01"),
        ("attach '/tmp/x.duckdb'", "25006"),
        ("set memory_limit = '100GB'", "42501"),
        ("set enable_external_access = true", "42501"),
        ("reset all", None),
        ("pragma database_list", "25006"),
        ("install httpfs", "25006"),
        ("call pragma_version()", "25006"),
        ("use memory", "25006"),
        ("select 1; select 2", "42601"),
        ("select 1; drop table events", "42601"),
        ("selec 1", "42601"),
        ("select * from main.events", "42P01"),
        ("select * from ses.main.events", "0A000"),
        ("select * from duckpost_to_support.public.events", "0A000"),
        ("select * from own.redaction_key", "42P01"),
        ("select * from redaction_key", "42P01"),
        ("select * from duckdb_settings()", "42501"),
        ("select * from duckdb_settings", "42P01"),
        ("select * from sqlite_master", "42P01"),
        ("select * from query('select 1')", "42501"),
        ("select * from query_table('events')", "42501"),
        ("from (summarize events)", None),
        ("select getenv('HOME')", "42501"),
        ("select getvariable('x')", "42501"),
        ("select own.token('x', 'y')", "42883"),
        ("select * from pragma_storage_info('events')", "42501"),
        ("select * from duckdb_secrets()", "42501"),
        ("select * from duckdb_views()", "42501"),
        ("select * from duckdb_columns()", "42501"),
        ("select * from glob('/etc/*')", "42501"),
        ("select * from sniff_csv('/etc/passwd')", "42501"),
        ("select * from json_execute_serialized_sql('{}')", "42501"),
        ("select json_serialize_sql('select 1')", "42501"),
        ("select stats(recipient) from events", "42501"),
        ("select current_query()", "42501"),
        ("select list_transform([1], lambda x: getenv('HOME'))", "42501"),
        ("select redaction_key.secret from events", "42703"),
        ("select rowid from events", "42703"),
        ("copy (select 1) to program 'id'", "42501"),
        ("copy from database ses to memory", "25006"),
        ("create temp table x as select 1", "25006"),
        ("summarize events", "25006"),
        ("describe events", "25006"),
        ("pivot events on recipient", "25006"),
        ("set variable x = 1", "42501"),
        ("prepare x as drop table events", "25006"),
        ("select system.main.getenv('HOME')", "42883"),
        ("select repeat('x', 1000)::json", "42704"),
        ("select json_structure('[')", "42501"),
        ("select * from events as e where exists (select 1 from marks)", "42P01"),
        ("explain delete from events", "25006"),
        ("with x as (delete from events) select 1", None),
        ("select " + "(" * 5_000 + "1" + ")" * 5_000, "54001"),
        ("select 1" + " union all select 1" * 2_000, "54001"),
        ("select '" + "x" * 300_000 + "'", "54000"),
    ],
)
def test_a_statement_that_does_more_than_read_what_is_published_is_refused(
    server: Any, sql: str, state: str | None
) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        if sql == "reset all":
            connection.execute(sql)
        else:
            with pytest.raises(psycopg.Error) as refused:
                connection.execute(sql)
            assert state in (None, refused.value.sqlstate)

        assert (1,) == connection.execute("select 1").fetchone()


@pytest.mark.parametrize(
    "sql",
    [
        # the name of a common table expression is one only where it is in scope
        (
            "select * from duckdb_settings where exists "
            "(with duckdb_settings as (select 1) select 1 from duckdb_settings)"
        ),
        "with a as (select * from duckdb_settings), duckdb_settings as (select 1) select * from a",
        (
            "with recursive duckdb_settings(n) as (select name from duckdb_settings union all "
            "select n from duckdb_settings where false) select * from duckdb_settings"
        ),
        "select (with duckdb_tables as (select 1) select 1), * from duckdb_tables",
    ],
)
def test_a_name_out_of_its_scope_is_no_way_in(server: Any, sql: str) -> None:
    with (
        psycopg.connect(server.dsn(), autocommit=True) as connection,
        pytest.raises(errors.UndefinedTable),
    ):
        connection.execute(sql)


def test_a_common_table_expression_may_have_any_name(server: Any) -> None:
    with psycopg.connect(server.dsn()) as connection:
        found = connection.execute("with events as (select 7 as n) select n from events")

        assert (7,) == found.fetchone()


@pytest.mark.parametrize("user", ["reader", "nobody"])
def test_a_wrong_password_and_an_unknown_user_are_told_the_same(server: Any, user: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed") as denied:
        psycopg.connect(
            f"host=127.0.0.1 port={server.port} user={user} password=wrong dbname=duckpost"
        )

    assert f'for user "{user}"' in str(denied.value)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 64,
        b"\x00\x00\x00\x04",
        struct.pack("!ii", 8, 1234),
        struct.pack("!ii", 100_000_000, 196_608),
        struct.pack("!ii", 8, 80_877_103) * 3,
        struct.pack("!ii", 13, 196_608) + b"user\0",
        struct.pack("!ii", 20, 196_608) + b"user\0reade\0\0p\x7f\xff\xff\xff" + b"x" * 50,
    ],
)
def test_garbage_is_hung_up_on(server: Any, data: bytes) -> None:
    with server.connect() as client:
        client.sendall(data)
        client.shutdown(1)
        while client.recv(4096):
            pass

    with psycopg.connect(server.dsn()) as connection:
        assert (1,) == connection.execute("select 1").fetchone()


def test_a_message_of_a_hundred_megabytes_is_hung_up_on(server: Any) -> None:
    connection = psycopg.connect(server.dsn())
    with socket.socket(fileno=os.dup(connection.fileno())) as client:
        client.setblocking(True)
        client.sendall(b"Q" + struct.pack("!i", 100_000_000))
        answer = client.recv(4096)
    connection.close()

    assert b"invalid message length" in answer


def test_more_connections_than_allowed_are_told_so(start: Any) -> None:
    with start(max_connections=3) as server, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(psycopg.connect(server.dsn()))

        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            psycopg.connect(server.dsn())


def test_two_hundred_strangers_at_once_leave_room_for_the_next(server: Any) -> None:
    with ExitStack() as stack:
        strangers = [stack.enter_context(server.connect()) for _ in range(200)]
        told = strangers[-1].recv(200)

    with psycopg.connect(server.dsn()) as connection:
        assert b"53300" in told
        assert (1,) == connection.execute("select 1").fetchone()


def test_a_client_cancels_its_query_within_two_seconds(server: Any) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        began = time.monotonic()
        with pytest.raises(errors.QueryCanceled):
            connection.execute(ENDLESS)
        timer.join()

        assert time.monotonic() - began < 2.3
        assert (1,) == connection.execute("select 1").fetchone()


ENDLESS = "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b"


def test_a_query_ends_with_its_time(start: Any) -> None:
    with (
        start(statement_timeout_secs=0.5) as server,
        psycopg.connect(server.dsn(), autocommit=True) as connection,
    ):
        with pytest.raises(errors.QueryCanceled, match="statement timeout"):
            connection.execute(ENDLESS)
        assert (1,) == connection.execute("select 1").fetchone()


def test_a_client_that_dies_makes_room_for_the_next(start: Any) -> None:
    with start(max_active_queries=1, turn_secs=2.0) as server:
        dying = psycopg.connect(server.dsn(), autocommit=True)
        dying.pgconn.send_query(ENDLESS.encode())
        time_to_start = threading.Event()
        time_to_start.wait(0.3)
        dying.close()

        with psycopg.connect(server.dsn()) as connection:
            assert (1,) == connection.execute("select 1").fetchone()


def test_a_client_that_reads_nothing_is_cut_off(start: Any) -> None:
    with start(stall_secs=0.5, max_active_queries=1, turn_secs=5.0) as server:
        lazy = psycopg.connect(server.dsn(), autocommit=True)
        lazy.pgconn.send_query(b"select repeat('x', 1000) from generate_series(1, 1000000)")

        with psycopg.connect(server.dsn()) as connection:
            assert (1,) == connection.execute("select 1").fetchone()
        lazy.close()


def test_a_result_of_too_many_rows_is_cut_off(start: Any) -> None:
    with (
        start(most_rows=1_000) as server,
        psycopg.connect(server.dsn(), autocommit=True) as connection,
        pytest.raises(errors.ProgramLimitExceeded, match="more than 1000 rows"),
    ):
        connection.execute("select * from generate_series(1, 100000)")


def test_a_query_that_wants_all_memory_is_told_so(server: Any) -> None:
    with (
        psycopg.connect(server.dsn(), autocommit=True) as connection,
        pytest.raises(errors.OutOfMemory),
    ):
        connection.execute("select len(list(i)) from generate_series(1, 500000000) t(i)")


def test_an_idle_client_is_hung_up_on(start: Any) -> None:
    with start(idle_timeout_secs=0.3) as server, psycopg.connect(server.dsn()) as connection:
        threading.Event().wait(0.8)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


def test_a_running_query_does_not_hold_up_the_end_of_the_server(start: Any) -> None:
    with start() as server:
        busy = psycopg.connect(server.dsn(), autocommit=True)
        busy.pgconn.send_query(ENDLESS.encode())
        threading.Event().wait(0.3)
        began = time.monotonic()

    assert time.monotonic() - began < 2
    busy.close()
