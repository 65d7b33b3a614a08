"""Coverage by the day, which `check` and rates rest on, is that of the events themselves."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.streams.conftest import Desk

Fake = Any  # a class of conftest.py, which tests cannot import: they are no package

LINE = "account, region, configuration_set, identity_without_set, event_type"


def test_counts_of_days_say_what_the_coverage_view_finds_in_events(
    desk: "Desk", new_storyteller: Callable[[int], Fake]
) -> None:
    events = new_storyteller(31).tell(40)
    for start in range(0, len(events), 60):
        desk.write(*events[start : start + 60])
    by_days = desk.ask(
        f"select {LINE}, sum(events)::bigint as events, max(axis_day) as last_seen_on "  # noqa: S608 - our own names
        "from coverage_days() where axis = 'event_day' group by all order by all"
    )
    by_events = desk.ask(
        f"select {LINE}, events, last_seen_at::date as last_seen_on "  # noqa: S608 - the same
        "from event_coverage where events > 0 order by all"
    )
    assert by_events == by_days
    assert len(by_days) > 40
