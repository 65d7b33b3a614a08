"""The rollups, and how events and changes become rows of them, as SQL.

By the hour each listed provider has a line and all other mailboxes have one together; by the day
every domain has its own. What is published is kept by the day, whatever the provider.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumer.warehouse.rollups.counts import COUNTS

DIMENSIONS: Final = (
    *("account", "region", "configuration_set", "identity", "source", "from_domain", "provider"),
)
SUMMED: Final = ("events", *COUNTS)

# Changes, with hours and days on both axes.
_CHANGES: Final = f"""
select
    event_type,
    date_trunc('hour', event_at) as event_hour,
    report_day(event_at) as event_day,
    date_trunc('hour', sent_at) as cohort_hour,
    report_day(sent_at) as cohort_day,
    {", ".join(DIMENSIONS)},
    counts,
    n
from {{table}}
"""
DELTAS: Final = _CHANGES.format(table="rollup_deltas")
# Of events counted again, in the form of changes.
RECOUNTED: Final = _CHANGES.format(table="recounted")


def _to_counts(names: Iterable[str]) -> str:
    """Give the columns of changes' counts: ``n`` times each bit that is set."""
    bits = {name: f"n * ((counts >> {bit}) & 1)" for bit, name in enumerate(COUNTS)}
    return ", ".join(f"{bits.get(name, 'n')} as {name}" for name in names)


# Both yield the type, hours and days, dimensions as events have them, and a column a count.
# Of messages whose events are pruned, what they count as in hours that are not frozen yet.
_FROM_REMAINS: Final = (
    f"select * exclude (counts, n), {_to_counts(SUMMED)} "
    f"from ({_CHANGES.format(table='rollup_remains')})"
)
_OF_EVENT: Final = {
    "aws_outcomes": (
        "aws_outcome(o.outcomes, o.bounce_sub_type, o.is_own_domain, o.recipient) as aws_outcomes"
    )
}
FROM_EVENTS: Final = f"""
select
    o.event_type,
    o.event_hour,
    o.event_day,
    o.cohort_hour,
    o.cohort_day,
    o.account,
    o.region,
    o.configuration_set,
    o.own_identity as identity,
    if(o.own_identity is null, o.source, null) as source,
    if(
        o.own_identity is null and coalesce(split_part(o.source, '@', -1), '') = '',
        o.from_domain, null
    ) as from_domain,
    o.provider,
    1 as events,
    {", ".join(_OF_EVENT.get(name, f"o.{name}") for name in COUNTS)}
from event_outcomes as o
"""


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table, or the part of one that an axis has.

    Attributes:
        table: its name.
        axis: ``event`` or ``cohort``.
        when: the column that says when; the start of an hour (UTC), or a day of
            ``report_time_zone``.
        is_daily: which of the two.
        keys: columns and how they are made of a change, with the axis's own first.
        counted: columns to be added up.
        part: a condition on the rows of this axis.
    """

    table: str
    axis: str
    when: str
    is_daily: bool
    keys: dict[str, str]
    counted: tuple[str, ...]
    part: str = "true"

    @property
    def name(self) -> str:
        """What `verify` calls it."""
        return self.table if self.part == "true" else f"{self.table} by {self.axis}_day"

    def to_rows(self, rows: str) -> str:
        """Give the question for its rows of these rows, a column a count, added up."""
        return (
            f"select {self._made}, {self._to_sums()} from ({rows}) group by all {self._not_empty}"
        )

    def to_rows_of(self, changes: str) -> str:
        """Give the question for its rows of these changes, with hours and days, added up.

        What counts alike under one key is added up first: forty sums of fewer rows.
        """
        alike = f"select {self._made}, counts, sum(n)::bigint as n from ({changes}) group by all"
        return (
            f"select {', '.join(self.keys)}, {self._to_sums()} from ("
            f"select {', '.join(self.keys)}, {_to_counts(self.counted)} from ({alike})"
            f") group by all {self._not_empty}"
        )

    def to_compacted(self, condition: str) -> str:
        """Give the question for its rows that meet a condition, one a key; none for nothing."""
        return (
            f"select {', '.join(self.keys)}, {self._to_sums()} from {self.table} "
            f"where {self.part} and {condition} group by all {self._not_empty}"
        )

    def between(self, start: datetime | None, end: datetime | None) -> str:
        """The condition on its rows of the periods from ``start`` to before ``end`` (UTC).

        A day that ``start`` lies in does not begin then, and counts as before it.
        """
        if not self.is_daily:
            return between(self.when, start, end)
        bounds = [f"{self.when} > {_day_before(start)}"] if start is not None else []
        bounds += [f"{self.when} <= {_day_before(end)}"] if end is not None else []
        return " and ".join(bounds) or "true"

    @property
    def _made(self) -> str:
        return ", ".join(f"{made} as {name}" for name, made in self.keys.items())

    @property
    def _not_empty(self) -> str:
        """Leaves out keys of which everything went as it came."""
        return f"having not ({' and '.join(f'sum({name}) = 0' for name in self.counted)})"

    def _to_sums(self) -> str:
        return ", ".join(f"sum({name})::bigint as {name}" for name in self.counted)


def _to_tallies(axis: str, other_day: str, *, is_daily: bool) -> Rollup:
    by = {"event": "event_time", "cohort": "send_cohort"}[axis]
    return Rollup(
        table=f"rollup_{'daily' if is_daily else 'hourly'}_by_{by}",
        axis=axis,
        when="period",
        is_daily=is_daily,
        keys={
            "period": f"{axis}_day::timestamp" if is_daily else f"{axis}_hour",
            "period_day": f"{axis}_day",
            "other_day": other_day,
            **{name: name for name in DIMENSIONS},
            "provider": "provider" if is_daily else "hourly_provider(provider)",
        },
        counted=SUMMED,
    )


def _to_coverage(axis: str) -> Rollup:
    own = {
        name: f"if(configuration_set is null, {name}, null)"
        for name in ("identity", "source", "from_domain")
    }
    return Rollup(
        table="rollup_coverage",
        axis=axis,
        when="axis_day",
        is_daily=True,
        keys={
            "axis": f"'{axis}_day'",
            "axis_day": f"{axis}_day",
            **{name: name for name in ("account", "region", "configuration_set")},
            **own,
            "event_type": "event_type",
        },
        counted=("events", "sends", "outcomes"),
        part=f"axis = '{axis}_day'",
    )


# What an axis keeps of the other's day, which some rates depend on.
_OTHER_DAYS: Final = {
    "event": "if(has_basis(event_type), cohort_day, null)",
    "cohort": "if(event_type = 'Delivery', nullif(event_day, cohort_day), null)",
}
TALLIES: Final = tuple(
    _to_tallies(axis, other_day, is_daily=is_daily)
    for is_daily in (False, True)
    for axis, other_day in _OTHER_DAYS.items()
)
COVERAGE: Final = tuple(_to_coverage(axis) for axis in _OTHER_DAYS)
ROLLUPS: Final = (*TALLIES, *COVERAGE)


def recount(within: str, frozen: datetime | None) -> str:
    """Give the question that counts events again, with what remains of pruned ones.

    ``within`` is a condition on hours and days.
    """
    if frozen is None:
        return f"{FROM_EVENTS} where {within}"
    # failures may be kept for longer: they are among what remains
    return (
        f"{FROM_EVENTS} where {within} and {between('o.sent_at', frozen, None)} "
        f"union all by name select * from ({_FROM_REMAINS}) where {within}"
    )


def to_changes(within: str) -> str:
    """Give the question for what events count as, in the form of changes.

    ``within`` is a condition on ``event_outcomes as o``. Quarters of an hour tell every time zone's
    days apart.
    """
    bits = " | ".join(f"({name}::bigint << {bit})" for bit, name in enumerate(COUNTS))
    recounted = FROM_EVENTS.replace("select", "select o.event_at, o.sent_at,", 1)
    return f"""
        select event_type, time_bucket(interval 15 minute, event_at) as event_at,
            time_bucket(interval 15 minute, sent_at) as sent_at, {", ".join(DIMENSIONS)},
            {bits} as counts, count(*) as n
        from ({recounted} where {within})
        group by all
    """


def between(column: str, start: datetime | None, end: datetime | None) -> str:
    """The condition that an instant lies from ``start`` to before ``end``; None is no bound."""
    bounds = []
    if start is not None:
        bounds.append(f"{column} >= timestamp '{start}'")
    if end is not None:
        bounds.append(f"{column} < timestamp '{end}'")
    return " and ".join(bounds) or "true"


def _day_before(at: datetime) -> str:
    """The day that ends by then, or is cut by it."""
    return f"report_day(timestamp '{at}' - interval 1 microsecond)"
