"""Questions that several dashboards ask."""

from consumer.dashboards.choices import MAIL_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import COUNT, PERCENT, Line, Panel

# What became of the mail sent in the range, and what happened in it.
COHORT = (
    "from mail_hourly_by_send_cohort as m\n"
    f"where $__timeFilter(m.cohort_hour){chosen(MAIL_CHOICES, 'm')}"
)
# The same of whole days, which have every domain.
DAYS = (
    "from mail_daily_by_send_cohort as m\n"
    "where m.cohort_day >= report_day($__timeFrom()::timestamp)\n"
    f"    and m.cohort_day <= report_day($__timeTo()::timestamp){chosen(MAIL_CHOICES, 'm')}"
)
EVENTS = (
    "from mail_hourly_by_event_time as m\n"
    f"where $__timeFilter(m.event_hour){chosen(MAIL_CHOICES, 'm')}"
)
OF_SETS = (
    "inner join configuration_sets as c\n"
    "    on m.account is not distinct from c.account\n"
    "    and m.region is not distinct from c.region\n"
    "    and m.configuration_set is not distinct from c.configuration_set\n"
)
BY_COHORT_TIME = "$__timeGroupAlias(m.cohort_hour, $__interval)"
BY_EVENT_TIME = "$__timeGroupAlias(m.event_hour, $__interval)"

# AWS reviews an account at the second line of bounces, or the first of complaints, and pauses it
# at the last. They are the account's: below it they are guides.
BOUNCE_LINES = (Line(0.02, "yellow"), Line(0.05, "orange"), Line(0.10, "red"))
COMPLAINT_LINES = (Line(0.001, "orange"), Line(0.005, "red"))
AWS_NOTE = "The lines are AWS's, and drawn for a whole account; below that they are guides."
RATE_LINES = {
    "aws_bounce_rate": BOUNCE_LINES,
    "hard_bounce_rate": BOUNCE_LINES,
    "complaint_rate_fbl": COMPLAINT_LINES,
}

_CHANGE = "Of mail sent in the range, beside the change against the range before of equal length."


def changing_count(
    definitions: Definitions, name: str, title: str, *, is_more_better: bool = True, width: int = 4
) -> Panel:
    """Return a stat of a count, with its change against the range before."""
    return Panel(
        "stat",
        title,
        _two_ranges(figure=f"{count(name)} as {name}", name=name),
        definitions.explain(name, note=_CHANGE),
        COUNT,
        width=width,
        height=4,
        changes=True,
        is_more_better=is_more_better,
        empty="none sent",
    )


def changing_rate(
    definitions: Definitions, name: str, title: str, *, is_more_better: bool = False, width: int = 4
) -> Panel:
    """Return a stat of a rate, with its change against the range before."""
    lines = RATE_LINES.get(name, ())
    note = f"{_CHANGE} {AWS_NOTE}" if lines else _CHANGE
    return Panel(
        "stat",
        title,
        _two_ranges(figure=f"{definitions.rate(name)} as {name}", name=name),
        definitions.explain(name, note=note),
        PERCENT,
        width=width,
        height=4,
        lines=lines,
        changes=True,
        is_more_better=is_more_better,
        empty="no denominator",
    )


def _two_ranges(*, figure: str, name: str) -> str:
    """Return a question with a row for the range before, at its end, and one for the range.

    Both are there whatever was sent, or an old figure would stand for none.
    """
    return f"""with figures as (
    select
        case
            when m.cohort_hour >= $__timeFrom()::timestamp then $__timeTo()::timestamp
            else $__timeFrom()::timestamp
        end as time,
        {figure}
    from mail_hourly_by_send_cohort as m
    where m.cohort_hour between
            $__timeFrom()::timestamp - ($__timeTo()::timestamp - $__timeFrom()::timestamp)
            and $__timeTo()::timestamp{chosen(MAIL_CHOICES, "m")}
    group by time
)

select r.time, f.{name}
from (values ($__timeFrom()::timestamp), ($__timeTo()::timestamp)) as r (time)
left join figures as f on r.time = f.time
order by r.time"""  # noqa: S608 - our own names


def wide_series(select: str, source: str, by_time: str) -> str:
    """Return a question with a column a line of the chart."""
    return f"select\n    {by_time},\n    {select}\n{source}\ngroup by time\norder by time"


def long_series(label: str, value: str, source: str, by_time: str) -> str:
    """Return a question with a row a line and instant: what is named by ``metric``."""
    return (
        f"select\n    {by_time},\n    {label} as metric,\n    {value} as value\n{source}\n"
        "group by time, metric\norder by time, metric"
    )
