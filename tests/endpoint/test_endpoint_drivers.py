"""Each driver connects, asks with parameters, reads every kind of value, and browses."""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

import asyncio
import shutil
import subprocess
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import pytest
import sqlalchemy

VALUES = (
    "select 1, 'a', null::integer, 1.50::decimal(10, 2), timestamp '2026-01-02 03:04:05', [1, 2], "
    "true, date '2020-01-01', 1.5::double, uuid '00000000-0000-0000-0000-000000000001'"
)
EXPECTED = (
    1,
    "a",
    None,
    Decimal("1.50"),
    datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - a timestamp without time zone
    [1, 2],
    True,
    date(2020, 1, 1),
    1.5,
    UUID("00000000-0000-0000-0000-000000000001"),
)
PASSWORD = "a password for tests"


@pytest.mark.parametrize("is_binary", [False, True])
def test_psycopg_reads_text_and_binary(server: Any, is_binary: bool) -> None:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.cursor(binary=is_binary).execute(VALUES).fetchone()

    assert EXPECTED == row


def test_psycopg_asks_with_parameters_lists_and_a_cursor(server: Any) -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    with psycopg.connect(server.dsn()) as connection:
        counted = connection.execute(
            "select count(*) from events where event_type = any(%s) and event_at > %s",
            (["Send", "Bounce"], since),
        ).fetchone()
        with connection.cursor(name="some") as cursor:
            cursor.execute("select i from generate_series(1, 10) t(i)")
            fetched = [*cursor.fetchmany(3), *cursor.fetchall()]

    assert (2,) == counted
    assert [(number,) for number in range(1, 11)] == fetched


def test_an_error_has_its_sqlstate_and_place_and_ends_the_transaction(server: Any) -> None:
    with psycopg.connect(server.dsn()) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable) as failed:
            connection.execute("select * from nosuch")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("select 1")
        connection.rollback()

        assert "15" == failed.value.diag.statement_position
        assert (1,) == connection.execute("select 1").fetchone()


def test_psycopg2_reads_everything(server: Any) -> None:
    connection = psycopg2.connect(server.dsn())
    with connection.cursor() as cursor:
        cursor.execute(VALUES)
        row = cursor.fetchone()
    connection.close()

    assert EXPECTED[:-1] == row[:-1]


def test_pg8000_reads_everything(server: Any) -> None:
    with server.connect() as ours:  # a socket of pg8000's own it leaves open
        connection = pg8000.native.Connection(
            "reader", sock=ours, database="duckpost", password=PASSWORD
        )
        rows = connection.run(VALUES)
        counted = connection.run(
            "select count(*) from events where event_type = :type", type="Send"
        )
        connection.close()

    assert [list(EXPECTED)] == rows
    assert [[1]] == counted


def test_asyncpg_infers_types_and_reads_in_portions(server: Any) -> None:
    async def ask() -> tuple[Any, ...]:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=server.port,
            user="reader",
            password=PASSWORD,
            ssl=False,  # its attempt at TLS leaves a socket open when there is none
            database="duckpost",
        )
        row = tuple(await connection.fetchrow(VALUES))
        counted = await connection.fetchval(
            "select count(*) from events where event_type = $1 and event_at > $2 "
            "and destination_count >= $3 and message_id = any($4)",
            "Send",
            EXPECTED[4].replace(year=2020),
            1,
            ["message-1"],
        )
        async with connection.transaction():
            cursor = connection.cursor("select i from generate_series(1, 5) t(i)", prefetch=2)
            read = [found[0] async for found in cursor]
        await connection.close()
        return row, counted, read

    assert (EXPECTED, 1, [1, 2, 3, 4, 5]) == asyncio.run(ask())


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sqlalchemy_reflects_the_views(server: Any, driver: str) -> None:
    engine = sqlalchemy.create_engine(
        f"postgresql+{driver}://reader:{PASSWORD.replace(' ', '%20')}"
        f"@127.0.0.1:{server.port}/duckpost"
    )
    inspector = sqlalchemy.inspect(engine)
    columns = [column["name"] for column in inspector.get_columns("providers")]
    table = sqlalchemy.Table("events", sqlalchemy.MetaData(), autoload_with=engine, schema="public")
    with engine.connect() as connection:
        asked = sqlalchemy.select(sqlalchemy.func.count()).where(table.c.event_type == "Send")
        counted = connection.execute(asked).scalar()
    views = inspector.get_view_names()
    engine.dispose()

    assert ["domain", "provider", "has_feedback_loop"] == columns
    assert "events" in views
    assert 1 == counted


@pytest.mark.parametrize(
    "command", [r"\d", r"\dt", r"\dv", r"\df", r"\l", r"\dn+", r"\d providers", r"\d+ providers"]
)
def test_psql_browses(server: Any, command: str) -> None:
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("psql is not installed")
    done = subprocess.run(
        [psql, "--no-psqlrc", server.dsn(), "-c", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (0, "") == (done.returncode, done.stderr.replace("Did not find any relations.\n", ""))


@pytest.mark.parametrize("sql", [";", "-- ping", ""])
def test_an_empty_query_is_answered_as_one(server: Any, sql: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        result = connection.pgconn.exec_(sql.encode())

    assert psycopg.pq.ExecStatus.EMPTY_QUERY == result.status
