"""Single figures, each with its change against the range before."""

from consumer.dashboards.choices import MAIL_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import COUNT, PERCENT, Panel
from consumer.dashboards.thresholds import LINES, Line, explain_lines

_CHANGE = "Of mail sent in the range, beside the change against the range before of equal length."


def changing_count(
    definitions: Definitions, name: str, title: str, *, is_more_better: bool = True, width: int = 4
) -> Panel:
    """Return a stat of a count."""
    return _changing(
        name,
        title,
        count(name),
        definitions.explain(name, note=_CHANGE),
        COUNT,
        width=width,
        is_more_better=is_more_better,
        empty="none sent",
    )


def changing_rate(
    definitions: Definitions, name: str, title: str, *, is_more_better: bool = False, width: int = 4
) -> Panel:
    """Return a stat of a rate, with its thresholds where it has any."""
    return _changing(
        name,
        title,
        definitions.rate(name),
        definitions.explain(name, note=f"{_CHANGE} {explain_lines(name)}".rstrip()),
        PERCENT,
        width=width,
        is_more_better=is_more_better,
        empty="no denominator",
        lines=LINES.get(name, ()),
    )


def _changing(  # noqa: PLR0913 - what a stat consists of
    name: str,
    title: str,
    value: str,
    description: str,
    unit: str,
    *,
    width: int,
    is_more_better: bool,
    empty: str,
    lines: tuple[Line, ...] = (),
) -> Panel:
    return Panel(
        "stat",
        title,
        _two_ranges(figure=f"{value} as {name}", name=name),
        description,
        unit,
        width=width,
        height=4,
        lines=lines,
        changes=True,
        is_more_better=is_more_better,
        empty=empty,
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
