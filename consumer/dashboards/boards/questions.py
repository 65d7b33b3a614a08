"""The SQL that dashboards ask with: what of, by when, and how rows are laid out."""

from consumer.dashboards.choices import MAIL_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count


def in_days(alias: str) -> str:
    """Return the condition that mail was sent on a day that the range touches, as WHERE."""
    return (
        f"where {alias}.cohort_day >= report_day($__timeFrom()::timestamp)\n"
        f"    and {alias}.cohort_day <= report_day($__timeTo()::timestamp)"
    )


_HOURS_SENT = "from mail_hourly_by_send_cohort as m\n"
_IN_HOURS_SENT = f"where $__timeFilter(m.cohort_hour){chosen(MAIL_CHOICES, 'm')}"
OF_SETS = (
    "inner join configuration_sets as c\n"
    "    on m.account is not distinct from c.account\n"
    "    and m.region is not distinct from c.region\n"
    "    and m.configuration_set is not distinct from c.configuration_set\n"
)
# What became of the mail sent in the range, and what happened in it.
COHORT = f"{_HOURS_SENT}{_IN_HOURS_SENT}"
COHORT_OF_SETS = f"{_HOURS_SENT}{OF_SETS}{_IN_HOURS_SENT}"
# The same of whole days, which have every domain.
DAYS = f"from mail_daily_by_send_cohort as m\n{in_days('m')}{chosen(MAIL_CHOICES, 'm')}"
EVENTS = (
    "from mail_hourly_by_event_time as m\n"
    f"where $__timeFilter(m.event_hour){chosen(MAIL_CHOICES, 'm')}"
)
BY_COHORT_TIME = "$__timeGroupAlias(m.cohort_hour, $__interval)"
BY_COHORT_DAY = "$__timeGroupAlias(m.cohort_day::timestamp, $__interval)"
BY_EVENT_TIME = "$__timeGroupAlias(m.event_hour, $__interval)"

SET = "c.configuration_set_label as configuration_set"


def counts(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of counts over many rows."""
    return tuple(f"{count(name)} as {name}" for name in names)


def rates(definitions: Definitions, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of rates over many rows."""
    return tuple(f"{definitions.rate(name)} as {name}" for name in names)


def or_none(name: str) -> str:
    """Return a column in which nothing is written out."""
    return f"coalesce(m.{name}, '(none)') as {name}"


def select(columns: tuple[str, ...], source: str, *clauses: str, alias: str = "m") -> str:
    """Return a question.

    Args:
        columns: a bare name is a column of ``alias``; anything else stands as it is.
        source: FROM and WHERE.
        clauses: what follows, one a line.
        alias: of the view.
    """
    named = (f"{alias}.{one}" if one.isidentifier() else one for one in columns)
    return "\n".join(("select\n    " + ",\n    ".join(named), source, *clauses))


def wide_series(columns: tuple[str, ...], source: str, by_time: str) -> str:
    """Return a question with a column a line of the chart."""
    return select((by_time, *columns), source, "group by time", "order by time")


def long_series(label: str, value: str, source: str, by_time: str) -> str:
    """Return a question with a row a line and instant: what is named by ``metric``."""
    return select(
        (by_time, f"{label} as metric", f"{value} as value"),
        source,
        "group by time, metric",
        "order by time, metric",
    )


def largest(name: str, source: str) -> str:
    """Return the condition that a row's ``name`` is among the ten with the most mail.

    ``source`` is FROM and WHERE of the view ``l``. A chart holds so many lines.
    """
    lines = source.replace("\n", "\n        ")
    return (
        f"\n    and m.{name} in (\n        select l.{name}\n        {lines}\n"
        f"        group by l.{name}\n"
        f"        order by sum(l.attempted_or_outcomes) desc, l.{name}\n        limit 10\n    )"
    )
