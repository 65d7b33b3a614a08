"""Latency and delays: how long it takes, what waits, and what never came to an end."""

from consumer.dashboards.boards.questions import (
    BY_EVENT_TIME,
    EVENTS,
    OF_SETS,
    SET,
    counts,
    long_series,
    or_none,
    select,
    wide_series,
)
from consumer.dashboards.boards.rates import rate_by_set
from consumer.dashboards.boards.stats import changing_count, changing_rate
from consumer.dashboards.choices import MAIL_CHOICES, MESSAGE_CHOICES, PROVIDER, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.over_lines import NOTE, to_column
from consumer.dashboards.panels import PERCENT, Board, Panel, Row

_MS = "ms"
_BANDS = {
    "up_to_1s": "≤ 1 s",
    "up_to_5s": "≤ 5 s",
    "up_to_30s": "≤ 30 s",
    "up_to_2m": "≤ 2 min",
    "up_to_10m": "≤ 10 min",
    "up_to_1h": "≤ 1 h",
    "up_to_6h": "≤ 6 h",
    "over_6h": "> 6 h",
}
_SIDES = ("ses_delays", "receiver_delays")
_LOST_RATES = ("lost_rate", "lost_rate_low", "lost_rate_high")
_WAITING = f"from backlog as m\nwhere true{chosen((*MESSAGE_CHOICES, PROVIDER), 'm')}"
_TIMES = "delivery_times_hourly_by_event_time"


def latency(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-latency",
        "SES 05 · Latency and delays",
        "How long delivery takes, what waits now, and what never came to an end.",
        MAIL_CHOICES,
        (
            Row(
                "Now, and against the range before",
                (
                    changing_rate(d, "delay_rate", "Delay rate", width=6),
                    changing_count(d, "delays", "Delayed", is_more_better=False, width=6),
                    changing_count(
                        d, "ses_delays", "Delayed by SES", is_more_better=False, width=6
                    ),
                    changing_count(
                        d,
                        "receiver_delays",
                        "Delayed by the receiver",
                        is_more_better=False,
                        width=6,
                    ),
                ),
            ),
            Row("How long it takes", (_percentiles(d), _bands(d), _within(d))),
            Row("What waits now", (_backlog(d), _waiting(d))),
            Row(
                "Delays and lost mail",
                (
                    rate_by_set(d, "delay_rate", "Delay rate", also=("alert_delays",), height=8),
                    _sides(d),
                    _lost(d),
                ),
            ),
        ),
    )


def _percentiles(d: Definitions) -> Panel:
    view = "latency_daily_by_event_time"
    return Panel(
        "table",
        "Percentiles, by configuration set and attempt",
        select(
            (
                "event_day",
                SET,
                "attempt",
                "deliveries",
                "delivery_p50_ms",
                "delivery_p95_ms",
                "delivery_p99_ms",
                "processing_p95_ms",
            ),
            f"from {view} as m\n{OF_SETS}"
            "where m.event_day::timestamp between\n"
            "        $__timeFrom()::timestamp - interval 1 day and $__timeTo()::timestamp"
            f"{chosen(MESSAGE_CHOICES, 'm')}",
            "order by m.event_day desc, configuration_set, m.attempt",
            "limit 500",
        ),
        d.explain(
            f"{view}.attempt",
            f"{view}.delivery_p50_ms",
            f"{view}.delivery_p95_ms",
            f"{view}.processing_p95_ms",
            note="Day by day, as percentiles of days don't add up to those of a range.",
        ),
        _MS,
        width=15,
        height=10,
        units={"deliveries": "locale"},
    )


def _bands(d: Definitions) -> Panel:
    source = f"from {_TIMES} as m\nwhere $__timeFilter(m.event_hour)"
    return Panel(
        "heatmap",
        "Deliveries by how long they took",
        wide_series(
            tuple(f'{count(name)} as "{label}"' for name, label in _BANDS.items()),
            source + chosen((*MESSAGE_CHOICES, PROVIDER), "m"),
            BY_EVENT_TIME,
        ),
        d.explain(_TIMES, f"{_TIMES}.up_to_1s", f"{_TIMES}.up_to_5s"),
        width=9,
        height=10,
    )


def _within(d: Definitions) -> Panel:
    source = (
        f"from {_TIMES} as m\n{OF_SETS}"
        f"where $__timeFilter(m.event_hour){chosen((*MESSAGE_CHOICES, PROVIDER), 'm')}"
    )
    value = "rate(sum(m.within_2m), sum(m.deliveries))"
    return Panel(
        "series",
        "Delivered within two minutes, by configuration set",
        long_series("c.configuration_set_label", value, source, BY_EVENT_TIME),
        d.explain(f"{_TIMES}.within_2m", f"{_TIMES}.deliveries"),
        PERCENT,
        width=24,
        floor=0.9,
    )


def _backlog(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Delayed and unresolved",
        select(
            (
                or_none("provider"),
                or_none("delay_type"),
                "age_hours",
                *counts(("recipients",)),
                "min(m.oldest_sent_at) as oldest_sent_at",
            ),
            _WAITING,
            "group by m.provider, m.delay_type, m.age_hours",
            "order by m.age_hours desc, recipients desc, provider, delay_type",
            "limit 200",
        ),
        d.explain("backlog", "backlog.age_hours", note="Whatever range is shown."),
        width=16,
        height=7,
        empty="nothing waits",
    )


def _waiting(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Waiting, by age",
        select(
            ("concat('at least ', m.age_hours, ' h') as age", *counts(("recipients",))),
            _WAITING,
            "group by m.age_hours",
            "order by m.age_hours",
        ),
        d.explain("backlog", "backlog.recipients", note="Whatever range is shown."),
        width=8,
        height=7,
        empty="nothing waits",
    )


def _sides(d: Definitions) -> Panel:
    return Panel(
        "bars",
        "Whose delays",
        wide_series(counts(_SIDES), EVENTS, BY_EVENT_TIME),
        d.explain(*_SIDES),
        width=12,
        is_stacked=True,
        empty="no delay in this range",
    )


def _lost(d: Definitions) -> Panel:
    view = "configuration_sets_daily_by_send_cohort"
    return Panel(
        "table",
        "Lost mail, by day of sending",
        select(
            (
                "cohort_day",
                SET,
                "lost_attempts",
                "lost",
                *_LOST_RATES,
                to_column({"lost_rate": ("m.lost_rate", "m.lost_attempts")}),
            ),
            f"from {view} as m\n{OF_SETS}"
            f"where $__timeFilter(m.cohort_day::timestamp){chosen(MESSAGE_CHOICES, 'm')}\n"
            "    and m.lost_rate is not null",
            "order by m.cohort_day desc, configuration_set",
            "limit 500",
        ),
        d.explain("lost", "lost_rate", f"{view}.lost_rate_low", "alert_lost_mail", note=NOTE),
        width=24,
        height=9,
        units=dict.fromkeys(_LOST_RATES, PERCENT),
        empty="no day in this range is old enough, or Send or Delivery is not published",
    )
