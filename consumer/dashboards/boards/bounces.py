"""Bounces and blocks: how many, of what kind, where, and what the receivers said."""

from consumer.dashboards.boards.questions import (
    BY_EVENT_TIME,
    COHORT_OF_SETS,
    SET,
    counts,
    long_series,
    or_none,
    rates,
    select,
)
from consumer.dashboards.boards.rates import rate_by_set
from consumer.dashboards.boards.stats import changing_count, changing_rate
from consumer.dashboards.choices import MAIL_CHOICES, MESSAGE_CHOICES, PROVIDER, chosen
from consumer.dashboards.colors import COLORS
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.over_lines import NOTE, over_lines
from consumer.dashboards.panels import PERCENT, Board, Panel, Row

_VIEW = "bounces_hourly_by_event_time"
_BOUNCES = (
    f"from {_VIEW} as m\n"
    f"where $__timeFilter(m.event_hour){chosen(MAIL_CHOICES, 'm')}\n"
    "    and m.bounce_kind in ('hard', 'soft', 'undetermined')"
)
_RATES = ("hard_bounce_rate", "soft_bounce_rate", "block_bounce_rate", "aws_bounce_rate")
_KINDS = ("bounce_type", "bounce_sub_type", "status", "bounce_class")
_KINDS_OF_BOUNCES = ("hard", "soft", "undetermined")
_NO_BOUNCE = "no bounce in this range"


def bounces(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-bounces",
        "SES 03 · Bounces and blocks",
        "How much bounces, of what kind, where, and what the receivers said.",
        MAIL_CHOICES,
        (
            Row(
                "Now, and against the range before",
                (
                    changing_rate(d, "aws_bounce_rate", "Bounce rate (AWS)"),
                    changing_rate(d, "hard_bounce_rate", "Hard bounce rate"),
                    changing_rate(d, "soft_bounce_rate", "Soft bounce rate"),
                    changing_rate(d, "block_bounce_rate", "Block rate"),
                    changing_count(d, "hard_bounces", "Hard bounces", is_more_better=False),
                    changing_count(d, "block_bounces", "Blocks", is_more_better=False),
                ),
            ),
            Row(
                "What they are",
                (
                    _over_time(d, "bounce_class", "By what they are about"),
                    _over_time(d, "bounce_kind", "By kind"),
                ),
            ),
            Row(
                "Where they come from",
                (
                    _by_set(d),
                    rate_by_set(d, "hard_bounce_rate", "Hard bounce rate"),
                    rate_by_set(d, "block_bounce_rate", "Block rate"),
                ),
            ),
            Row("What they say", (_kinds(d), _responses(d))),
        ),
    )


def _over_time(d: Definitions, column: str, title: str) -> Panel:
    return Panel(
        "bars",
        title,
        long_series(f"m.{column}", count("bounces"), _BOUNCES, BY_EVENT_TIME),
        d.explain(
            f"{_VIEW}.{column}",
            f"{_VIEW}.bounces",
            note="By the time of the bounce. Blocks are policy, reputation and content.",
        ),
        width=12,
        height=9,
        colors={name: COLORS[name] for name in _KINDS_OF_BOUNCES},
        is_stacked=True,
        empty=_NO_BOUNCE,
    )


def _by_set(d: Definitions) -> Panel:
    return Panel(
        "table",
        "By configuration set and identity",
        select(
            (
                SET,
                or_none("identity"),
                *counts(("attempted_or_outcomes",)),
                *rates(d, _RATES),
                over_lines(d, _RATES),
            ),
            COHORT_OF_SETS,
            "group by c.configuration_set_label, m.identity",
            "having sum(m.attempted_or_outcomes) > 0",
            "order by attempted_or_outcomes desc, configuration_set, identity",
            "limit 200",
        ),
        d.explain("attempted_or_outcomes", *_RATES, note=f"Of mail sent in the range. {NOTE}"),
        width=24,
        height=8,
        units=dict.fromkeys(_RATES, PERCENT),
    )


def _kinds(d: Definitions) -> Panel:
    names = ", ".join(f"m.{name}" for name in _KINDS)
    return Panel(
        "table",
        "By SES's types and status",
        select(
            (*_KINDS, *counts(("bounces",))),
            _BOUNCES,
            f"group by {names}",
            f"order by bounces desc, {names}",
            "limit 200",
        ),
        d.explain(*(f"{_VIEW}.{name}" for name in _KINDS)),
        width=10,
        height=10,
        empty=_NO_BOUNCE,
    )


def _responses(d: Definitions) -> Panel:
    return Panel(
        "table",
        "What receivers said to bounced mail",
        select(
            (
                "response",
                "status",
                "count(distinct coalesce(m.provider, '(none)')) as providers",
                *counts(("recipients",)),
            ),
            "from responses_hourly_by_event_time as m\n"
            f"where $__timeFilter(m.event_hour){chosen((*MESSAGE_CHOICES, PROVIDER), 'm')}\n"
            "    and m.event_type = 'Bounce'",
            "group by m.response, m.status",
            "order by recipients desc, m.response",
            "limit 200",
        ),
        d.explain("responses_hourly_by_event_time", "responses_hourly_by_event_time.response"),
        width=14,
        height=10,
        empty=_NO_BOUNCE,
    )
