"""What the endpoint's readers do for speed: they give way to the writer, and remember columns."""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

import os
import sys
import threading
import time
from typing import Any

import psycopg
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no niceness")
def test_statements_run_on_threads_that_give_way_to_the_writer(server: Any) -> None:
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("select count(*) from events")
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    theirs = {
        os.getpriority(os.PRIO_PROCESS, thread.native_id or 0)
        for thread in threading.enumerate()
        if thread.name.startswith("endpoint_")
    }

    assert {min(mine + 5, 19)} == theirs


def test_beside_a_batch_statements_run_one_by_one_until_they_lose_patience(start: Any) -> None:
    endless = "select sum(a.range * b.range) from range(1000000) as a, range(1000000) as b"
    writes = threading.Event()
    with (
        start(is_writing=writes.is_set, most_beside_writer=1) as server,
        psycopg.connect(server.dsn(), autocommit=True) as busy,
        psycopg.connect(server.dsn(), autocommit=True) as other,
    ):
        answers: list[psycopg.Error] = []
        thread = threading.Thread(target=_run, args=(busy, endless, answers))
        thread.start()
        other.execute("select 1")  # nothing is in its way
        writes.set()
        began = time.monotonic()
        other.execute("select 1")
        took = time.monotonic() - began
        busy.cancel_safe()
        thread.join()

    assert took >= 1.0
    assert [psycopg.errors.QueryCanceled] == [type(error) for error in answers]


def _run(connection: Any, sql: Any, answers: list[psycopg.Error]) -> None:
    try:
        connection.execute(sql)
    except psycopg.Error as error:
        answers.append(error)


def test_the_same_question_of_another_time_has_the_same_columns(publication: Any) -> None:
    reader = publication.open_reader("reader")
    asked = "select event_at, 1.5 as n from events where event_at > '{}T00:00:00Z'"
    before = reader.describe(asked.format("2026-03-01"))
    after = reader.describe(asked.format("2026-03-02"))
    reader.close()

    assert before is after  # not bound again
    assert ["timestamp", "decimal"] == [column.type.kind for column in after]


def test_another_question_is_bound_for_its_own_columns(publication: Any) -> None:
    reader = publication.open_reader("reader")
    types = [
        reader.describe(f"select {value} as n")[0].type.name for value in ("1.5", "1.50", "'a'")
    ]
    reader.close()

    assert ["DECIMAL(2,1)", "DECIMAL(3,2)", "VARCHAR"] == types


def test_a_reader_remembers_the_columns_of_so_many_questions(publication: Any) -> None:
    reader = publication.open_reader("reader")
    first = reader.describe("select 0 as n")
    for number in range(1, 201):
        reader.describe(f"select {number} as n")
    again = reader.describe("select 0 as n")
    reader.close()

    assert first == again
    assert first is not again
