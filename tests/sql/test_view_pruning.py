"""A question about some days reads some days."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import duckdb

Row = dict[str, object]
Ask = Callable[..., list[Row]]


@pytest.mark.parametrize(
    ("view", "condition"),
    [
        ("event_outcomes", "cohort_hour >= timestamp '2026-10-20'"),
        ("event_outcomes", "event_hour >= timestamp '2026-10-20'"),
        ("configuration_sets_hourly_by_event_time", "event_hour >= timestamp '2026-10-20'"),
        ("configuration_sets_hourly_by_send_cohort", "cohort_hour >= timestamp '2026-10-20'"),
    ],
)
def test_a_condition_on_hours_reaches_the_scan_of_events(
    warehouse: "duckdb.DuckDBPyConnection", view: str, condition: str
) -> None:
    row = warehouse.execute(
        f"explain select sum(sends) from {view} where {condition}"  # noqa: S608  constants
    ).fetchall()
    plan = " ".join(str(row[0][1]).split())
    column = "sent_at" if "cohort" in condition else "event_at"
    assert f"date_trunc('hour', {column}) >= '2026-10-20" in plan
