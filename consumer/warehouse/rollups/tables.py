"""The rollups, and how events and changes become rows of them, as SQL.

By the hour each listed provider has a line and all other mailboxes have one together; by the day
every domain has its own. What is published is kept by the day, whatever the provider, and so are
the values of each message tag.
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
NO_TAGS: Final = "null::map (varchar, varchar [])"

# Changes, with hours and days on both axes.
_CHANGES: Final = f"""
select
    event_type,
    date_trunc('hour', event_at) as event_hour,
    report_day(event_at) as event_day,
    date_trunc('hour', sent_at) as cohort_hour,
    report_day(sent_at) as cohort_day,
    {", ".join(DIMENSIONS)},
    {{tags}} as tags,
    counts,
    n
from {{table}}
"""
DELTAS: Final = _CHANGES.format(table="rollup_deltas", tags="tags")
# Of events counted again, in the form of changes.
RECOUNTED: Final = _CHANGES.format(table="recounted", tags="tags")


def _to_counts(names: Iterable[str]) -> str:
    """Give the columns of changes' counts: ``n`` times each bit that is set."""
    bits = {name: f"n * ((counts >> {bit}) & 1)" for bit, name in enumerate(COUNTS)}
    return ", ".join(f"{bits.get(name, 'n')} as {name}" for name in names)


# Both yield the type, hours and days, dimensions and tags as events have them, and a column a
# count.
# Of messages whose events are pruned, what they count as in hours that are not frozen yet: tags are
# counted by the day of sending alone.
_FROM_REMAINS: Final = (
    f"select * exclude (counts, n), {_to_counts(SUMMED)} "
    f"from ({_CHANGES.format(table='rollup_remains', tags=NO_TAGS)})"
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
    o.tags,
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
        of: the relation that ``keys`` are made of, with ``{rows}`` for events or changes.
    """

    table: str
    axis: str
    when: str
    is_daily: bool
    keys: dict[str, str]
    counted: tuple[str, ...]
    part: str = "true"
    of: str = "({rows})"

    @property
    def name(self) -> str:
        """What `verify` calls it."""
        return self.table if self.part == "true" else f"{self.table} by {self.axis}_day"

    def to_rows(self, rows: str) -> str:
        """Give the question for its rows of these rows, a column a count, added up."""
        return (
            f"select {self._made}, {self._to_sums()} from {self.of.format(rows=rows)} "
            f"group by all {self._not_empty}"
        )

    def to_rows_of(self, changes: str) -> str:
        """Give the question for its rows of these changes, with hours and days, added up.

        What counts alike under one key is added up first: forty sums of fewer rows.
        """
        source = self.of.format(rows=changes)
        alike = f"select {self._made}, counts, sum(n)::bigint as n from {source} group by all"
        return (
            f"select {', '.join(self.keys)}, {self._to_sums()} from ("
            f"select {', '.join(self.keys)}, {_to_counts(self.counted)} from ({alike})"
            f") group by all {self._not_empty}"
        )

    def to_compacted(self, condition: str, **other: str) -> str:
        """Give the question for its rows that meet a condition, one a key; none for nothing.

        ``other`` says what stands in the place of keys of those names.
        """
        keys = (f"{other[name]} as {name}" if name in other else name for name in self.keys)
        return (
            f"select {', '.join(keys)}, {self._to_sums()} from {self.table} "
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


# Who sent, where there is no configuration set that says as much.
_WITHOUT_SET: Final = {
    name: f"if(configuration_set is null, {name}, null)"
    for name in ("identity", "source", "from_domain")
}


def _to_coverage(axis: str) -> Rollup:
    return Rollup(
        table="rollup_coverage",
        axis=axis,
        when="axis_day",
        is_daily=True,
        keys={
            "axis": f"'{axis}_day'",
            "axis_day": f"{axis}_day",
            **{name: name for name in ("account", "region", "configuration_set")},
            **_WITHOUT_SET,
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
# A message counts once under each key it has, by all of the key's values together.
TAGS: Final = Rollup(
    table="rollup_tags_daily_by_send_cohort",
    axis="cohort",
    when="period",
    is_daily=True,
    keys={
        "period": "cohort_day::timestamp",
        "period_day": "cohort_day",
        "other_day": _OTHER_DAYS["cohort"],
        **{name: name for name in ("account", "region", "configuration_set")},
        **_WITHOUT_SET,
        "tag_key": "tag.key",
        "tag_value": "daily_tag_value(cohort_day, tag.key, tag_text(tag.value))",
    },
    counted=SUMMED,
    of="(select t.* exclude (tags), unnest(map_entries(t.tags)) as tag from ({rows}) as t)",
)
TALLIES: Final = (
    *(
        _to_tallies(axis, other_day, is_daily=is_daily)
        for is_daily in (False, True)
        for axis, other_day in _OTHER_DAYS.items()
    ),
    TAGS,
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
    """Give the question for what each event counts as, in the form of changes.

    ``within`` is a condition on ``event_outcomes as o``.
    """
    bits = " | ".join(f"({name}::bigint << {bit})" for bit, name in enumerate(COUNTS))
    recounted = FROM_EVENTS.replace("select", "select o.event_at, o.sent_at,", 1)
    return f"""
        select event_type, event_at, sent_at, {", ".join(DIMENSIONS)}, tags,
            {bits} as counts, 1::bigint as n
        from ({recounted} where {within})
    """


def to_summed_changes(within: str) -> str:
    """Give the same question without tags, with a row for what counts alike.

    Quarters of an hour tell every time zone's days apart.
    """
    return f"""
        select event_type, time_bucket(interval 15 minute, event_at) as event_at,
            time_bucket(interval 15 minute, sent_at) as sent_at, {", ".join(DIMENSIONS)}, counts,
            sum(n)::bigint as n
        from ({to_changes(within)})
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
