"""Mailbox providers: who takes the mail, who delays it, who refuses it."""

from consumer.dashboards.boards.questions import (
    BY_EVENT_TIME,
    COHORT,
    DAYS,
    counts,
    largest,
    long_series,
    or_none,
    rates,
    select,
)
from consumer.dashboards.boards.rates import rate_by
from consumer.dashboards.choices import MAIL_CHOICES, MESSAGE_CHOICES, PROVIDER, chosen
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.over_lines import NOTE, over_lines
from consumer.dashboards.panels import PERCENT, Board, Panel, Row

_RATES = (
    "accepted_rate",
    "hard_bounce_rate",
    "soft_bounce_rate",
    "block_bounce_rate",
    "complaint_rate_fbl",
    "delay_rate",
)
_OF_PROVIDER = (*MESSAGE_CHOICES, PROVIDER)
_LARGEST = largest(
    "provider",
    "from mail_hourly_by_send_cohort as l\n"
    "where $__timeFilter(l.cohort_hour) and l.provider is not null",
)
_TEN = (
    "The ten largest providers of the range. Those that are not listed are one line, (other); the "
    "table has all."
)


def providers(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-providers",
        "SES 02 · Mailbox providers",
        "Who takes the mail, who delays it, who refuses it, and what they say.",
        MAIL_CHOICES,
        (
            Row("Every provider", (_table(d), _without_loop(d))),
            Row("By when the mail was sent", tuple(_series(d))),
            Row("What they say", (_rising(d), _responses(d))),
            Row("Where SES delivers from", (_outgoing(d), _speed(d))),
        ),
    )


def _table(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Providers",
        select(
            (
                or_none("provider"),
                *counts(("attempted_or_outcomes", "deliveries")),
                *rates(d, _RATES),
                over_lines(d, _RATES),
            ),
            DAYS,
            "group by m.provider",
            "having sum(m.sends + m.deliveries + m.attempted_or_outcomes) > 0",
            "order by attempted_or_outcomes desc, provider",
            "limit 200",
        ),
        d.explain(
            "attempted_or_outcomes",
            "deliveries",
            *_RATES,
            note="Of mail sent on the days of the range, whole ones; the 200 largest. Unknown "
            f"domains stay themselves. {NOTE}",
        ),
        width=20,
        height=12,
        units=dict.fromkeys(_RATES, PERCENT),
    )


def _without_loop(d: Definitions) -> Panel:
    return Panel(
        "gauge",
        "Who could complain",
        select(counts(("deliveries", "fbl_deliveries")), COHORT, "having count(*) > 0"),
        d.explain(
            "deliveries",
            "fbl_deliveries",
            note="Where a provider has no feedback loop, as Gmail has none, nobody's complaint "
            "reaches SES: those deliveries say nothing about complaints.",
        ),
        width=4,
        height=12,
    )


def _series(d: Definitions) -> list[Panel]:
    return [
        rate_by(
            d,
            name,
            title,
            label="m.provider",
            source=f"{COHORT}{_LARGEST}",
            note=_TEN,
        )
        for name, title in (
            ("accepted_rate", "Accepted, by provider"),
            ("block_bounce_rate", "Blocks, by provider"),
            ("delay_rate", "Delayed, by provider"),
            ("complaint_rate_fbl", "Complaints (FBL), by provider"),
        )
    ]


def _rising(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Responses that are new or rising",
        select(
            (
                or_none("provider"),
                "status",
                "response",
                *counts(("recipients_24h",)),
                "sum(m.recipients_a_day_before) as recipients_a_day_before",
                "min(m.first_seen_at) as first_seen_at",
            ),
            f"from rising_responses as m\nwhere true{chosen(_OF_PROVIDER, 'm')}",
            "group by m.provider, m.status, m.response",
            "order by recipients_24h desc, provider, m.response",
            "limit 100",
        ),
        d.explain(
            "rising_responses",
            "rising_responses.recipients_24h",
            "rising_responses.recipients_a_day_before",
            note="Of the last 24 hours, whatever the range.",
        ),
        width=24,
        height=9,
        empty="no response is new or rising",
    )


def _responses(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Responses to bounced and delayed mail",
        select(
            (or_none("provider"), "event_type", "status", "response", *counts(("recipients",))),
            "from responses_hourly_by_event_time as m\n"
            f"where $__timeFilter(m.event_hour){chosen(_OF_PROVIDER, 'm')}",
            "group by m.provider, m.event_type, m.status, m.response",
            "order by recipients desc, provider, m.event_type, m.response",
            "limit 200",
        ),
        d.explain("responses_hourly_by_event_time", "responses_hourly_by_event_time.response"),
        width=24,
        height=10,
        empty="no bounce and no delay in this range",
    )


def _outgoing(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Deliveries by outgoing address and provider",
        select(
            (or_none("outgoing_ip"), or_none("provider"), *counts(("deliveries",))),
            "from delivery_routes as m\n"
            f"where $__timeFilter(m.event_hour){chosen(_OF_PROVIDER, 'm')}",
            "group by m.outgoing_ip, m.provider",
            "order by deliveries desc, outgoing_ip, provider",
            "limit 200",
        ),
        d.explain("delivery_routes", "delivery_routes.outgoing_ip"),
        width=12,
        height=10,
    )


def _speed(d: Definitions) -> Panel:
    source = (
        "from delivery_times_hourly_by_event_time as m\n"
        f"where $__timeFilter(m.event_hour){chosen(_OF_PROVIDER, 'm')}{_LARGEST}"
    )
    value = "rate(sum(m.within_2m), sum(m.deliveries))"
    return Panel(
        "series",
        "Delivered within two minutes, by provider",
        long_series("m.provider", value, source, BY_EVENT_TIME),
        d.explain(
            "delivery_times_hourly_by_event_time.within_2m",
            note="The listed ones among the ten largest providers of the range.",
        ),
        PERCENT,
        width=12,
        height=10,
        floor=0.9,
    )
