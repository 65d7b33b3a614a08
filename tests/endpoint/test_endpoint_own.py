"""What users made in the schema `my`: served, as far as the role might have asked it itself."""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumer.endpoint.statements.admission import admit
from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.reading.publication import Publication

CANARY = "canary.person"


@pytest.fixture(scope="module")
def reader(server: Any) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn("reader"), autocommit=True) as connection:
        yield connection


def test_a_view_over_addresses_gives_tokens_to_a_reader(
    reader: psycopg.Connection, server: Any
) -> None:
    asked = "select distinct lower(who) from my.plain where who is not null"
    ((shown,),) = reader.execute(asked).fetchall()
    with psycopg.connect(server.dsn("support")) as support:
        ((seen,),) = support.execute(asked).fetchall()

    assert shown.startswith("~")
    assert f"{CANARY}@example.net" == seen


def test_a_table_is_redacted_by_the_names_of_its_columns(reader: psycopg.Connection) -> None:
    ((recipient, who, region, number),) = reader.execute(
        "select distinct * from my.copied where recipient is not null"
    ).fetchall()

    assert recipient.startswith("~")
    assert (None, "x", 1) == (who, region, number)


def test_macros_are_called_as_they_were_made(reader: psycopg.Connection) -> None:
    assert (10,) == reader.execute("select my.double(5)").fetchone()
    assert (15,) == reader.execute("select my.double(5, times := 3)").fetchone()
    ((shown,),) = reader.execute("select * from my.mail_of('Bounce')").fetchall()
    assert shown.startswith("~")


def test_what_reads_around_the_published_views_is_not_served_and_says_why(
    publication: Publication, reader: psycopg.Connection
) -> None:
    assert {
        "raw": 'relation "main.events" does not exist',
        "settings": "permission denied for function duckdb_settings",
        "peek": 'relation "main.events" does not exist',
    } == publication.published["reader"].refused
    for sql in ("select * from my.raw", "select my.peek()", "select * from my.settings"):
        with pytest.raises(psycopg.Error):
            reader.execute(sql)


def test_catalogues_list_it_in_its_own_schema(reader: psycopg.Connection) -> None:
    listed = reader.execute(
        "select table_name from information_schema.tables where table_schema = 'my' order by 1"
    ).fetchall()

    assert ["copied", "mailed", "plain"] == [name for (name,) in listed]


def test_its_names_are_known_by_their_schema_alone(reader: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        reader.execute("select * from mailed")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("select double(1)")


@pytest.mark.parametrize(
    ("statement", "body"),
    [
        ("create view my.v as select 1", "select 1"),
        ('create or replace view my."a as select 1" as\nselect 2;', "select 2"),
        ('create view my.v ("as", b) as select 1, 2', "select 1, 2"),
        ("create view my.v /* as select 1 */ as select 2 -- as", "select 2 -- as"),
        ("create macro my.m(a, b := 'as') as a + b", "select (a + b\n)"),
        ("create macro my.m(a) as table select a", " select a"),
    ],
)
def test_the_query_of_a_statement_is_what_stands_after_its_own_as(
    publication: Publication, statement: str, body: str
) -> None:
    parsed: list[str] = []

    def parse(sql: str) -> str:
        parsed.append(sql)
        return '{"error": true, "error_type": "parser", "error_message": "not asked"}'

    assert "not asked" == admit(statement, publication.published["reader"], parse)
    assert [body] == parsed


def test_what_is_made_while_it_serves_is_seen_at_once_by_those_who_are_there(
    tmp_path: Path, start: Any
) -> None:
    with open_warehouse(tmp_path / "ses.duckdb", WarehouseOptions(min_free_bytes=0)) as warehouse:
        publication = warehouse.publish(admit=admit, on_broken=lambda: None)
        with (
            start(publication) as server,
            psycopg.connect(server.dsn("reader"), autocommit=True) as reader,
        ):
            with pytest.raises(psycopg.errors.UndefinedTable):
                reader.execute("select n from my.counted")
            found = []
            for number in range(3):  # more changes than editions are kept
                warehouse.change_own(f"create or replace view my.counted as select {number} as n")
                found.append(reader.execute("select n from my.counted").fetchone())
            warehouse.change_own("drop view my.counted")

            assert [(number,) for number in range(3)] == found
            with pytest.raises(psycopg.errors.UndefinedTable):
                reader.execute("select n from my.counted")
            assert (0,) == reader.execute("select count(*) from events").fetchone()
