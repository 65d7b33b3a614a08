"""Bounces and blocks: how many, of what kind, where, and what the receivers said."""

from consumer.dashboards.boards.questions import (
    AWS_NOTE,
    BOUNCE_LINES,
    BY_COHORT_TIME,
    BY_EVENT_TIME,
    COHORT,
    OF_SETS,
    changing_count,
    changing_rate,
    long_series,
)
from consumer.dashboards.choices import MAIL_CHOICES, MESSAGE_CHOICES, PROVIDER, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import COUNT, PERCENT, Board, Panel, Row

_BOUNCES = (
    "from bounces_hourly_by_event_time as m\n"
    f"where $__timeFilter(m.event_hour){chosen(MAIL_CHOICES, 'm')}\n"
    "    and m.bounce_kind in ('hard', 'soft', 'undetermined')"
)
_NO_BOUNCE = "no bounce in this range"


def bounces(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-bounces",
        "SES 3 · Bounces and blocks",
        "How much bounces, of what kind, where, and what the receivers said.",
        MAIL_CHOICES,
        (
            Row(
                "Now, and against the range before",
                (
                    changing_rate(d, "aws_bounce_rate", "Bounces as AWS counts"),
                    changing_rate(d, "hard_bounce_rate", "Hard bounces"),
                    changing_rate(d, "soft_bounce_rate", "Soft bounces"),
                    changing_rate(d, "block_bounce_rate", "Blocks"),
                    changing_count(d, "hard_bounces", "Hard bounces", is_more_better=False),
                    changing_count(d, "block_bounces", "Blocks", is_more_better=False),
                ),
            ),
            Row("What they are", (_over_time(d, "bounce_class"), _over_time(d, "bounce_kind"))),
            Row("Where they come from", (_by_set(d), _by_set_line(d))),
            Row("What they say", (_kinds(d), _responses(d))),
        ),
    )


def _over_time(d: Definitions, column: str) -> Panel:
    return Panel(
        "bars",
        {"bounce_class": "By what they are about", "bounce_kind": "By kind"}[column],
        long_series(f"m.{column}", "sum(m.bounces)::bigint", _BOUNCES, BY_EVENT_TIME),
        d.explain(
            f"bounces_hourly_by_event_time.{column}",
            "bounces_hourly_by_event_time.bounces",
            note="By the time of the bounce. Blocks are policy, reputation and content.",
        ),
        COUNT,
        width=12,
        height=9,
        is_stacked=True,
        empty=_NO_BOUNCE,
    )


def _by_set(d: Definitions) -> Panel:
    names = ("hard_bounce_rate", "soft_bounce_rate", "block_bounce_rate", "aws_bounce_rate")
    rates = ",\n    ".join(f"{d.rate(name)} as {name}" for name in names)
    return Panel(
        "table",
        "By configuration set and identity",
        "select\n    c.configuration_set_label as configuration_set,\n"
        "    coalesce(m.identity, '(none)') as identity,\n"
        f"    {count('attempted_or_outcomes')} as attempted_or_outcomes,\n    {rates}\n"
        + COHORT.replace("\nwhere", f"\n{OF_SETS}where")
        + "\n"
        "group by c.configuration_set_label, m.identity\nhaving sum(m.attempted_or_outcomes) > 0\n"
        "order by attempted_or_outcomes desc, configuration_set, identity\nlimit 200",
        d.explain("attempted_or_outcomes", *names, note="Of mail sent in the range."),
        COUNT,
        width=12,
        height=9,
        units=dict.fromkeys(names, PERCENT),
    )


def _by_set_line(d: Definitions) -> Panel:
    source = COHORT.replace("\nwhere", f"\n{OF_SETS}where")
    return Panel(
        "series",
        "Hard bounce rate, by configuration set",
        long_series(
            "c.configuration_set_label", d.rate("hard_bounce_rate"), source, BY_COHORT_TIME
        ),
        d.explain("hard_bounce_rate", note=AWS_NOTE),
        PERCENT,
        width=12,
        height=9,
        lines=BOUNCE_LINES,
    )


def _kinds(d: Definitions) -> Panel:
    return Panel(
        "table",
        "By SES's types and status",
        "select\n    m.bounce_type,\n    m.bounce_sub_type,\n    m.status,\n    m.bounce_class,\n"
        f"    sum(m.bounces)::bigint as bounces\n{_BOUNCES}\n"
        "group by m.bounce_type, m.bounce_sub_type, m.status, m.bounce_class\n"
        "order by bounces desc, m.bounce_type, m.bounce_sub_type, m.status, m.bounce_class\n"
        "limit 200",
        d.explain(
            "bounces_hourly_by_event_time.bounce_type",
            "bounces_hourly_by_event_time.bounce_sub_type",
            "bounces_hourly_by_event_time.status",
            "bounces_hourly_by_event_time.bounce_class",
        ),
        COUNT,
        width=10,
        height=10,
        empty=_NO_BOUNCE,
    )


def _responses(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Responses",
        "select\n    m.response,\n    m.status,\n"
        "    count(distinct coalesce(m.provider, '(none)')) as providers,\n"
        "    sum(m.recipients)::bigint as recipients\n"
        "from responses_hourly_by_event_time as m\n"
        f"where $__timeFilter(m.event_hour){chosen((*MESSAGE_CHOICES, PROVIDER), 'm')}\n"
        "    and m.event_type = 'Bounce'\n"
        "group by m.response, m.status\norder by recipients desc, m.response\nlimit 200",
        d.explain("responses_hourly_by_event_time", "responses_hourly_by_event_time.response"),
        COUNT,
        width=14,
        height=10,
        empty=_NO_BOUNCE,
    )
