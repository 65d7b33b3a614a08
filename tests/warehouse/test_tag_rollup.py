"""Counts by message tag, added up by the day: whose they are, and where they stop."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from consumer.warehouse.rollups.folding import fold, recompute

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

NewLetter = Callable[..., "Letter"]

SENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
COUNTED = """
select period_day::varchar as day, tag_key, tag_value, sum(sends)::int as sends,
    sum(deliveries)::int as deliveries
from tag_rollup_rows() group by all having sum(events) > 0 order by all
"""


def connection_of(desk: "Desk") -> duckdb.DuckDBPyConnection:
    return desk.warehouse._connection


def counted(desk: "Desk") -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in desk.rows(COUNTED)]


def write_values(desk: "Desk", new_letter: NewLetter, values: list[str], *, day: int = 0) -> None:
    """A Send each, of a message with one tag."""
    desk.write(
        *(
            new_letter(
                message_id=f"0102-{day}-{value}",
                sent=SENT + timedelta(days=day),
                tags={"run": [value]},
            ).send()
            for value in values
        )
    )


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.warehouse.rollups.tag_keys.MOST_VALUES", 2)


@pytest.mark.parametrize("is_folded", [False, True])
def test_a_message_counts_under_each_tag_it_has(
    desk: "Desk", new_letter: NewLetter, is_folded: bool
) -> None:
    letter = new_letter(sent=SENT, tags={"campaign": ["spring"], "team": ["b", "a"], "none": []})
    desk.write(letter.send(), letter.delivery(after=2))
    if is_folded:
        fold(connection_of(desk))
    assert [
        ("2026-03-02", "campaign", "spring", 1, 1),
        ("2026-03-02", "none", "", 1, 1),
        ("2026-03-02", "team", "b, a", 1, 1),
    ] == counted(desk)
    assert [] == desk.faults()


@pytest.mark.parametrize("is_folded", [False, True])
def test_what_knew_no_tags_gets_those_of_the_send_that_comes_later(
    desk: "Desk", new_letter: NewLetter, is_folded: bool
) -> None:
    letter = new_letter(sent=SENT, tags={"campaign": ["spring"]})
    desk.write(letter.by_identity(letter.delivery(after=2)))
    assert [] == counted(desk)
    if is_folded:
        fold(connection_of(desk))
    desk.write(letter.send())
    assert [("2026-03-02", "campaign", "spring", 1, 1)] == counted(desk)
    assert [] == desk.faults()


@pytest.mark.usefixtures("_few")
def test_a_key_with_too_many_values_on_a_day_has_one_line_that_day(
    desk: "Desk", new_letter: NewLetter
) -> None:
    write_values(desk, new_letter, ["a", "b", "c"])
    write_values(desk, new_letter, ["a", "b"], day=1)
    fold(connection_of(desk))
    write_values(desk, new_letter, ["d"])
    expected = [
        ("2026-03-02", "run", "(too many values)", 4, 0),
        ("2026-03-03", "run", "a", 1, 0),
        ("2026-03-03", "run", "b", 1, 0),
    ]
    assert expected == counted(desk)
    assert [] == desk.faults()
    fold(connection_of(desk))
    recompute(connection_of(desk))
    assert expected == counted(desk)
    assert [] == desk.faults()


@pytest.mark.usefixtures("_few")
def test_which_keys_have_one_line_depends_on_no_order_and_no_division(
    new_desk: Callable[..., "Desk"], new_letter: NewLetter
) -> None:
    at_once, one_by_one = new_desk(), new_desk()
    write_values(at_once, new_letter, ["a", "b", "c", "d"])
    fold(connection_of(at_once))
    for value in ("d", "b", "c", "a"):
        write_values(one_by_one, new_letter, [value])
        fold(connection_of(one_by_one))
    assert counted(at_once) == counted(one_by_one)
    assert [] == one_by_one.faults()
