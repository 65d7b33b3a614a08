"""Overview: how mail does, at a glance, and where to look next."""

from consumer.dashboards.boards.questions import (
    BY_COHORT_TIME,
    BY_EVENT_TIME,
    COHORT,
    COHORT_OF_SETS,
    EVENTS,
    SET,
    counts,
    rates,
    select,
    wide_series,
)
from consumer.dashboards.boards.rates import rate_by_set
from consumer.dashboards.boards.stats import changing_count, changing_rate
from consumer.dashboards.choices import MAIL_CHOICES
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.over_lines import NOTE, over_lines
from consumer.dashboards.panels import PERCENT, Board, Panel, Row
from consumer.dashboards.thresholds import AWS_NOTE, LINES

_VOLUME = ("sends", "deliveries", "opens", "clicks")
_TROUBLE = (
    "hard_bounces",
    "soft_bounces",
    "undetermined_bounces",
    "suppressed",
    "complaints",
    "delays",
    "rejects",
    "rendering_failures",
    "unsubscribes",
)
_FUNNEL = (
    "attempted_or_outcomes",
    "deliveries",
    "accepted",
    "unique_human_opens",
    "unique_human_clicks",
)
_TABLE_RATES = (
    "accepted_rate",
    "hard_bounce_rate",
    "soft_bounce_rate",
    "aws_bounce_rate",
    "complaint_rate_fbl",
    "delay_rate",
    "unique_open_rate",
    "unique_click_rate",
)
_SAMPLE = (
    "Grey points stand where fewer than 1,000 were attempted: such a rate says little by itself."
)


def overview(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-overview",
        "SES 01 · Overview",
        "How mail does, at a glance, and where to look next.",
        MAIL_CHOICES,
        (
            Row("Now, and against the range before", _stats(d)),
            Row("What happened, and what came of it", (_volume(d), _trouble(d), _funnel(d))),
            Row("Rates, by when the mail was sent", (_bounces(d), _complaints(d))),
            Row("Configuration sets", (_by_set(d), _accepted(d))),
        ),
    )


def _stats(d: Definitions) -> tuple[Panel, ...]:
    return (
        changing_count(d, "sends", "Sends", width=3),
        changing_count(d, "deliveries", "Deliveries", width=3),
        changing_rate(d, "accepted_rate", "Accepted", is_more_better=True, width=3),
        changing_rate(d, "hard_bounce_rate", "Hard bounces", width=3),
        changing_rate(d, "aws_bounce_rate", "Bounces (AWS)", width=3),
        changing_rate(d, "complaint_rate_fbl", "Complaints (FBL)", width=3),
        changing_rate(d, "delay_rate", "Delayed", width=3),
        changing_rate(d, "unique_click_rate", "Clicked", is_more_better=True, width=3),
    )


def _volume(d: Definitions) -> Panel:
    return Panel(
        "series",
        "Mail and its readers",
        wide_series(counts(_VOLUME), EVENTS, BY_EVENT_TIME),
        d.explain(*_VOLUME, note="By the time at which it happened."),
        width=9,
        height=9,
    )


def _trouble(d: Definitions) -> Panel:
    return Panel(
        "bars",
        "What went wrong",
        wide_series(counts(_TROUBLE), EVENTS, BY_EVENT_TIME),
        d.explain(*_TROUBLE, note="By the time at which it happened."),
        width=9,
        height=9,
        is_stacked=True,
        empty="nothing went wrong in this range",
    )


def _funnel(d: Definitions) -> Panel:
    return Panel(
        "gauge",
        "From attempt to click",
        select(counts(_FUNNEL), COHORT, "having count(*) > 0"),
        d.explain(*_FUNNEL, note="Of mail sent in the range."),
        width=6,
        height=9,
    )


def _bounces(d: Definitions) -> Panel:
    names = ("hard_bounce_rate", "soft_bounce_rate", "block_bounce_rate", "aws_bounce_rate")
    small = select(
        (BY_COHORT_TIME, f"{d.rate('hard_bounce_rate')} as small_sample"),
        COHORT,
        "group by time",
        f"having is_small_sample({d.denominator('hard_bounce_rate')})",
        "order by time",
    )
    return Panel(
        "series",
        "Bounce rates",
        wide_series(rates(d, names), COHORT, BY_COHORT_TIME),
        d.explain(*names, note=f"{AWS_NOTE} {_SAMPLE}"),
        PERCENT,
        width=12,
        height=9,
        lines=LINES["aws_bounce_rate"],
        marks=small,
    )


def _complaints(d: Definitions) -> Panel:
    names = ("complaint_rate_fbl", "complaint_rate")
    return Panel(
        "series",
        "Complaint rates",
        wide_series(rates(d, names), COHORT, BY_COHORT_TIME),
        d.explain(*names, note=f"{AWS_NOTE} They are meant for complaint_rate_fbl alone."),
        PERCENT,
        width=12,
        height=9,
        lines=LINES["complaint_rate_fbl"],
    )


def _by_set(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Configuration sets",
        select(
            (
                SET,
                *counts(("sends", "deliveries")),
                *rates(d, _TABLE_RATES),
                over_lines(d, _TABLE_RATES),
                "c.configuration_set_name as name",
                "coalesce(c.account, '(none)') as account",
                "coalesce(c.region, '(none)') as region",
            ),
            COHORT_OF_SETS,
            "group by c.configuration_set_label, c.configuration_set_name, c.account, c.region",
            "order by sends desc, c.configuration_set_label",
        ),
        d.explain(
            "sends",
            "deliveries",
            *_TABLE_RATES,
            note=f"Of mail sent in the range. A name leads to the set's bounces. {NOTE}",
        ),
        width=24,
        height=9,
        units=dict.fromkeys(_TABLE_RATES, PERCENT),
        links={
            "configuration_set": "/d/duckpost-bounces?${__url_time_range}"
            "&var-account=${__data.fields.account:percentencode}"
            "&var-region=${__data.fields.region:percentencode}"
            "&var-configuration_set=${__data.fields.name:percentencode}"
        },
        hidden=("name", "account", "region"),
    )


def _accepted(d: Definitions) -> Panel:
    return rate_by_set(
        d,
        "accepted_rate",
        "Accepted",
        also=("configuration_sets.configuration_set_label",),
        width=24,
        height=8,
    )
