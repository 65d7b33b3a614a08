"""A question about some days reads some days."""

from collections.abc import Callable

import pytest

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
    log: Callable[..., Row], ask: Ask, view: str, condition: str
) -> None:
    # either side of the condition: of events that are all before it nothing would be scanned
    for at in ("2026-10-01 10:00", "2026-11-01 10:00"):
        for event_type in ("Send", "Delivery", "Bounce", "Complaint", "Open"):
            log(event_type, at)
    question = f"explain select sum(sends) from {view} where {condition}"  # noqa: S608  constants
    (plan,) = ask(question)
    column = "sent_at" if "cohort" in condition else "event_at"
    told = " ".join(str(plan["explain_value"]).split())
    assert f"date_trunc('hour', {column}) >= '2026-10-20" in told
