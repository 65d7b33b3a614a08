"""The rollups, and how events and changes become rows of them, as SQL.

By the hour each listed provider has a line and all other mailboxes have one together; by the day
every domain has its own. What is published is kept by the day, whatever the provider, and so are
the values of each message tag.
"""

from datetime import datetime
from typing import Final

from consumer.warehouse.rollups.counts import COUNTS
from consumer.warehouse.rollups.latency import BANDS, DELIVERIES, LATENCIES
from consumer.warehouse.rollups.rollup import (
    DIMENSIONS,
    SUMMED,
    WITHOUT_SET,
    Basis,
    Rollup,
    between,
    to_counts,
)

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

# Both yield the type, hours and days, dimensions and tags as events have them, and a column a
# count.
# Of messages whose events are pruned, what they count as in hours that are not frozen yet: tags are
# counted by the day of sending alone.
_FROM_REMAINS: Final = (
    f"select * exclude (counts, n), {to_counts(SUMMED)} "
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


def _recount(within: str, frozen: datetime | None) -> str:
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


def _to_changes(within: str) -> str:
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


def _to_summed_changes(within: str) -> str:
    """Give the same question without tags, with a row for what counts alike.

    Quarters of an hour tell every time zone's days apart.
    """
    return f"""
        select event_type, time_bucket(interval 15 minute, event_at) as event_at,
            time_bucket(interval 15 minute, sent_at) as sent_at, {", ".join(DIMENSIONS)}, counts,
            sum(n)::bigint as n
        from ({_to_changes(within)})
        group by all
    """


EVENTS: Final = Basis(
    deltas="rollup_deltas",
    remains="rollup_remains",
    recounted="recounted",
    dated=_CHANGES.format(table="{table}", tags="tags"),
    to_changes=_to_changes,
    to_remains=_to_summed_changes,
    recount=_recount,
    has_bits=True,
)


def _to_tallies(axis: str, other_day: str, *, is_daily: bool) -> Rollup:
    by = {"event": "event_time", "cohort": "send_cohort"}[axis]
    return Rollup(
        basis=EVENTS,
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
    return Rollup(
        basis=EVENTS,
        table="rollup_coverage",
        axis=axis,
        when="axis_day",
        is_daily=True,
        keys={
            "axis": f"'{axis}_day'",
            "axis_day": f"{axis}_day",
            **{name: name for name in ("account", "region", "configuration_set")},
            **WITHOUT_SET,
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
    basis=EVENTS,
    table="rollup_tags_daily_by_send_cohort",
    axis="cohort",
    when="period",
    is_daily=True,
    keys={
        "period": "cohort_day::timestamp",
        "period_day": "cohort_day",
        "other_day": _OTHER_DAYS["cohort"],
        **{name: name for name in ("account", "region", "configuration_set")},
        **WITHOUT_SET,
        "tag_key": "tag.key",
        "tag_value": "daily_tag_value(cohort_day, tag.key, tag_text(tag.value))",
    },
    counted=SUMMED,
    of="(select t.* exclude (tags), unnest(map_entries(t.tags)) as tag from ({rows}) as t)",
)
# Those of which compaction makes one row a key.
TALLIES: Final = (
    *(
        _to_tallies(axis, other_day, is_daily=is_daily)
        for is_daily in (False, True)
        for axis, other_day in _OTHER_DAYS.items()
    ),
    TAGS,
    BANDS,
    *LATENCIES,
)
COVERAGE: Final = tuple(_to_coverage(axis) for axis in _OTHER_DAYS)
ROLLUPS: Final = (*TALLIES, *COVERAGE)
BASES: Final = (EVENTS, DELIVERIES)
