"""What bounces and complaints are about is asked of the macros once for equal ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consumer.warehouse.writing.classes import SAID, Classes


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    views = Path(__file__).parents[2] / "sql" / "views"
    with duckdb.connect() as connected:
        connected.execute((views / "00_classes.sql").read_text(encoding="utf-8"))
        yield connected


def to_row(event_type: str, **said: object) -> dict[str, Any]:
    return {"event_type": event_type, **dict.fromkeys(SAID), **said}


def to_kinds(row: dict[str, Any]) -> tuple[object, ...]:
    return row["bounce_kind"], row["is_block"], row["complaint_kind"]


def test_each_row_gets_its_kinds(connection: duckdb.DuckDBPyConnection) -> None:
    blocked = to_row("Bounce", bounce_type="Transient", bounce_class="policy")
    refused = to_row("Complaint", complaint_sub_type="OnAccountSuppressionList")
    virus = to_row("Complaint", complaint_feedback_type="virus")
    sent = to_row("Send")
    Classes().classify(connection, [blocked, refused, virus, sent])
    assert [
        ("soft", True, None),
        (None, False, "suppressed"),
        (None, False, "virus"),
        (None, False, None),
    ] == [to_kinds(row) for row in (blocked, refused, virus, sent)]


def test_equal_rows_are_asked_about_once(connection: duckdb.DuckDBPyConnection) -> None:
    classes = Classes()
    classes.classify(connection, [to_row("Bounce", bounce_type="Permanent")])
    connection.execute("drop macro bounce_kind_of")
    again = to_row("Bounce", bounce_type="Permanent")
    classes.classify(connection, [again])
    assert ("hard", False, None) == to_kinds(again)


def test_more_rows_than_are_remembered_are_classified_all_the_same(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.writing.classes._MOST_REMEMBERED", 3)
    classes = Classes()
    rows = [
        to_row("Bounce", bounce_type="Permanent", bounce_sub_type=f"Unheard{number}")
        for number in range(10)
    ]
    classes.classify(connection, rows)
    classes.classify(connection, rows[:1])
    assert {"hard"} == {row["bounce_kind"] for row in rows}
