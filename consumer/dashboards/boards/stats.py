"""Single figures, each with its change against the range before."""

from consumer.dashboards.choices import MAIL_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.over_lines import TOO_LITTLE
from consumer.dashboards.panels import COUNT, PERCENT, Panel
from consumer.dashboards.thresholds import LINES, Line, explain_lines

_NAME = f"""case
        when is_small_sample(
            (select n.sample from figures as n where n.time = $__timeTo()::timestamp)
        )
        then '{TOO_LITTLE}'
        else 'rate'
    end"""  # noqa: S608 - our own words
# What is missing where a rate is; a denominator that is not attempted mail has words of its own.
_WITHOUT_DENOMINATOR = {
    "accepted_rate": "no mail, or no deliveries published",
    "aws_bounce_rate": "no mail that AWS counts",
    "click_to_open_rate": "nobody opened or clicked",
    "complaint_rate_fbl": "nobody can complain",
    "delay_rate": "no mail, or no delays published",
    "unique_click_rate": "clicks are not tracked",
    "unique_open_rate": "opens are not tracked",
    "unsubscribe_rate": "no list of SES's is used",
}
_PLAIN = "A rate of fewer than 1,000 has no colour."
_CHANGE = "Of mail sent in the range, beside the change against the range before of equal length."


def changing_count(
    definitions: Definitions, name: str, title: str, *, is_more_better: bool = True, width: int = 4
) -> Panel:
    """Return a stat of a count."""
    return _changing(
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
    """Return a stat of a rate, with its thresholds where it has any, and mail enough."""
    lines = LINES.get(name, ())
    notes = (_CHANGE, explain_lines(name), _PLAIN if lines else "")
    return _changing(
        title,
        definitions.rate(name),
        definitions.explain(name, note=" ".join(filter(None, notes))),
        PERCENT,
        width=width,
        is_more_better=is_more_better,
        empty=_WITHOUT_DENOMINATOR.get(name, "nothing attempted"),
        lines=lines,
        denominator=definitions.denominator(name) if lines else "",
    )


def _changing(  # noqa: PLR0913 - what a stat consists of
    title: str,
    value: str,
    description: str,
    unit: str,
    *,
    width: int,
    is_more_better: bool,
    empty: str,
    lines: tuple[Line, ...] = (),
    denominator: str = "",
) -> Panel:
    return Panel(
        "stat",
        title,
        _two_ranges(value, denominator),
        description,
        unit,
        width=width,
        height=4,
        lines=lines,
        changes=True,
        is_more_better=is_more_better,
        empty=empty,
    )


def _two_ranges(value: str, denominator: str) -> str:
    """Return a question with a row for the range before, at its end, and one for the range.

    Both are there whatever was sent, or an old figure would stand for none. With a denominator
    both are named by whether the range has enough of it.
    """
    sample = f",\n        {denominator} as sample" if denominator else ""
    name = f",\n    {_NAME} as metric" if denominator else ""
    return f"""with figures as (
    select
        case
            when m.cohort_hour >= $__timeFrom()::timestamp then $__timeTo()::timestamp
            else $__timeFrom()::timestamp
        end as time,
        {value} as value{sample}
    from mail_hourly_by_send_cohort as m
    where m.cohort_hour between
            $__timeFrom()::timestamp - ($__timeTo()::timestamp - $__timeFrom()::timestamp)
            and $__timeTo()::timestamp{chosen(MAIL_CHOICES, "m")}
    group by time
)

select
    r.time{name},
    f.value
from (values ($__timeFrom()::timestamp), ($__timeTo()::timestamp)) as r (time)
left join figures as f on r.time = f.time
order by r.time"""  # noqa: S608 - our own names
