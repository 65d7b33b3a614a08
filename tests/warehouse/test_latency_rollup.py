"""How long Deliveries took, added up: in which bucket, and whether a delay came before."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from consumer.warehouse.rollups.folding import fold, recompute

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

NewLetter = Callable[..., "Letter"]

COUNTED = """
select edge_ms, sum(deliveries)::int as deliveries, sum(delayed_deliveries)::int as delayed
from rollup_latency_daily_by_event_time
where measure = 'delivery' group by all having sum(deliveries) != 0 order by all
"""
BANDS = """
select at_most_ms, sum(deliveries)::int as deliveries
from rollup_delivery_times_hourly_by_event_time
group by all having sum(deliveries) != 0 order by all
"""


def connection_of(desk: "Desk") -> duckdb.DuckDBPyConnection:
    return desk.warehouse._connection


def counted(desk: "Desk", sql: str = COUNTED) -> list[tuple[Any, ...]]:
    fold(connection_of(desk))
    return [tuple(row.values()) for row in desk.rows(sql)]


@pytest.mark.parametrize("is_delay_late", [False, True])
@pytest.mark.parametrize("is_folded", [False, True])
def test_a_delay_moves_its_delivery_whichever_comes_first(
    desk: "Desk", new_letter: NewLetter, is_delay_late: bool, is_folded: bool
) -> None:
    letter = new_letter()
    events = [letter.delay(after=600), letter.delivery(after=700)]
    desk.write(letter.send())
    for event in reversed(events) if is_delay_late else events:
        desk.write(event)
        if is_folded:
            fold(connection_of(desk))
    assert [] == desk.faults()
    assert [(1, 1)] == [(n, delayed) for _, n, delayed in counted(desk)]
    assert [(3_600_000, 1)] == counted(desk, BANDS)
    assert [] == desk.faults()


def test_a_delivery_a_day_after_its_sending_pairs_with_no_delay(
    desk: "Desk", new_letter: NewLetter
) -> None:
    letter = new_letter()
    late = 86_400 + 1
    desk.write(letter.send(), letter.delivery(after=late))
    desk.write(letter.delay(after=600))
    assert [(1, 0)] == [(n, delayed) for _, n, delayed in counted(desk)]
    assert [] == desk.faults()


def test_what_replaces_a_copy_takes_it_out_of_its_bucket(
    desk: "Desk", new_letter: NewLetter
) -> None:
    letter = new_letter()
    delivery = letter.delivery(after=4.5)
    desk.write(letter.send(), letter.by_identity(delivery))
    desk.write(delivery)
    assert [1] == [n for _, n, _ in counted(desk)]
    assert [(5_000, 1)] == counted(desk, BANDS)
    assert [] == desk.faults()


def test_a_copy_that_was_delayed_takes_its_delay_along(desk: "Desk", new_letter: NewLetter) -> None:
    letter = new_letter()
    delivery = letter.delivery(after=700)
    desk.write(letter.send(), letter.by_identity(delivery), letter.delay(after=600))
    assert [(1, 1)] == [(n, delayed) for _, n, delayed in counted(desk)]
    desk.write(delivery, letter.delay(after=650))
    assert [(1, 1)] == [(n, delayed) for _, n, delayed in counted(desk)]
    assert [] == desk.faults()


def test_a_delay_is_of_the_recipient_that_it_names(desk: "Desk", new_letter: NewLetter) -> None:
    letter = new_letter(to=["ann@example.com", "bob@example.com"])
    desk.write(letter.send(), letter.delivery(after=700))
    desk.write(letter.delay(after=600, to=["bob@example.com"]))
    assert [(2, 1)] == [(n, delayed) for _, n, delayed in counted(desk)]
    assert [] == desk.faults()


def test_a_delivery_that_waited_for_its_send_moves_to_the_send_s_configuration_set(
    desk: "Desk", new_letter: NewLetter
) -> None:
    letter = new_letter()
    desk.write(letter.by_identity(letter.delivery(after=700)))
    before = {row["configuration_set"] for row in desk.rows("from rollup_delivery_deltas")}
    desk.write(letter.send(), letter.delay(after=600))
    fold(connection_of(desk))
    after = desk.rows(
        "select configuration_set, identity, sum(deliveries)::int as n, "
        "sum(delayed_deliveries)::int as delayed from rollup_latency_daily_by_event_time "
        "where measure = 'processing' group by all having n != 0"
    )
    assert {None} == before
    assert [(False, None, 1, 1)] == [
        (row["configuration_set"] is None, row["identity"], row["n"], row["delayed"])
        for row in after
    ]
    assert [] == desk.faults()


def test_verify_finds_a_delay_that_is_not_noted(desk: "Desk", new_letter: NewLetter) -> None:
    letter = new_letter()
    desk.write(letter.send(), letter.delay())
    connection_of(desk).execute("delete from rare_events where recipient is not null")
    assert [True] == ["delays of a recipient" in fault for fault in desk.faults()]


def test_recomputing_gives_the_same_histograms(desk: "Desk", new_letter: NewLetter) -> None:
    for number, after in enumerate((-0.5, 0, 0.001, 1, 1.001, 5, 30, 3_600, 21_600, 80_000)):
        letter = new_letter(message_id=f"0102-{number}")
        desk.write(letter.send(), letter.delivery(after=after))
    expected = counted(desk), counted(desk, BANDS)
    recompute(connection_of(desk))
    assert expected == (counted(desk), counted(desk, BANDS))
    assert [] == desk.faults()
