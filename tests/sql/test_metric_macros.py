"""Macros against arithmetic done elsewhere."""

import math
import random
from collections.abc import Callable
from fractions import Fraction

import pyarrow as pa
import pytest

from consumer.warehouse.writing.edges import to_edges

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]


def make_edges() -> list[int]:
    edges = [0, 1]
    while edges[-1] < 400_000_000_000:
        edges.append(max(edges[-1] + 1, edges[-1] * 11 // 10))
    return edges


def test_edges_are_the_defined_ones(ask: Ask) -> None:
    assert [{"edges": make_edges()}] == ask("select latency_edges_ms() as edges")


@pytest.mark.parametrize(("k", "n"), [(1, 0), (0, 0), (None, 5), (3, None)])
def test_a_rate_without_its_parts_is_null(ask: Ask, k: int | None, n: int | None) -> None:
    assert [{"r": None}] == ask("select rate(?::bigint, ?::bigint) as r", k, n)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (1, 3), (5, 1000), (999, 1_000_000)])
def test_the_interval_is_wilsons(ask: Ask, k: int, n: int) -> None:
    z = 1.959963984540054
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    [found] = ask("select wilson_low(?, ?) as low, wilson_high(?, ?) as high", k, n, k, n)
    assert (pytest.approx(centre - half, abs=1e-12), pytest.approx(centre + half)) == (
        found["low"],
        found["high"],
    )


@pytest.mark.parametrize(("k", "n"), [(5, 2), (-1, 2), (0, 0)])
def test_no_interval_where_it_is_no_subset(ask: Ask, k: int, n: int) -> None:
    assert [{"low": None, "high": None}] == ask(
        "select wilson_low(?, ?) as low, wilson_high(?, ?) as high", k, n, k, n
    )


@pytest.mark.parametrize("share", ["0.50", "0.90", "0.95", "0.99"])
@pytest.mark.parametrize("size", [1, 7, 20, 100, 333])
def test_a_percentile_is_the_edge_of_the_first_bucket_that_reaches_it(
    ask: Ask, share: str, size: int
) -> None:
    random_source = random.Random(size)  # noqa: S311  test data
    values = [random_source.randrange(-50, 100_000) for _ in range(size)]
    edges = make_edges()
    goal = Fraction(share) * size
    expected = next(edge for edge in edges if sum(v <= edge for v in values) >= goal)
    [found] = ask(
        f"select edge_of_share(filled_buckets(histogram(v, latency_edges_ms())), {share}) as edge "  # noqa: S608  a constant
        "from (select unnest(?::bigint[]) as v)",
        values,
    )
    assert expected == found["edge"]


def test_every_duration_has_the_bucket_that_a_histogram_gives_it(ask: Ask) -> None:
    edges = make_edges()
    values = sorted({edge + off for edge in edges for off in (-1, 0, 1)} | {-50, 10**15})
    found = ask(
        "select latency_edge_ms(v) as edge, "
        "filled_buckets(histogram(v, latency_edges_ms()))[1].key as bucket "
        "from (select unnest(?::bigint[]) as v) group by v order by v",
        values,
    )
    assert to_edges(pa.array(values)).to_pylist() == [row["edge"] for row in found]
    assert [row["bucket"] for row in found] == [row["edge"] for row in found]


def test_latency_tells_first_attempts_from_delayed_mail(log: Log, ask: Ask) -> None:
    for number, second in enumerate((1, 2, 50)):
        message = {"message_id": f"message-{number}", "sent_at": "2026-03-01 10:00:00"}
        log("Delivery", f"2026-03-01 10:00:{second:02}", processing_ms=100, **message)
    log(
        "DeliveryDelay",
        "2026-03-01 10:00:30",
        sent_at="2026-03-01 10:00:00",
        message_id="message-2",
    )
    found = ask(
        "select attempt, deliveries, delivery_p50_ms from latency_daily_by_send_cohort "
        "order by attempt"
    )
    edges = make_edges()
    edge = {ms: next(edge for edge in edges if edge >= ms) for ms in (1000, 2000, 50_000)}
    assert [
        {"attempt": "all", "deliveries": 3, "delivery_p50_ms": edge[2000]},
        {"attempt": "delayed", "deliveries": 1, "delivery_p50_ms": edge[50_000]},
        {"attempt": "first_attempt", "deliveries": 2, "delivery_p50_ms": edge[1000]},
    ] == found


@pytest.mark.parametrize(
    ("bounce_class", "expected"),
    [
        ("authentication", True),
        ("content", True),
        ("policy", True),
        ("reputation", True),
        ("invalid_recipient", False),
        ("rate_limited", False),
        (None, False),
    ],
)
def test_a_block_refuses_the_sender_or_the_content(
    ask: Ask, bounce_class: str | None, expected: bool
) -> None:
    assert [{"b": expected}] == ask("select is_block(?::varchar) as b", bounce_class)
