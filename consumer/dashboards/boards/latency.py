"""Latency and delays: how long it takes, what waits, and what never came to an end."""

from consumer.dashboards.boards.questions import (
    BY_COHORT_TIME,
    BY_EVENT_TIME,
    COHORT,
    EVENTS,
    OF_SETS,
    changing_count,
    changing_rate,
    long_series,
    wide_series,
)
from consumer.dashboards.choices import (
    MAIL_CHOICES,
    MESSAGE_CHOICES,
    PROVIDER,
    chosen,
)
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import COUNT, PERCENT, Board, Line, Panel, Row

_MS = "ms"
_BANDS = ("up_to_1s", "up_to_5s", "up_to_30s", "up_to_2m", "up_to_10m", "up_to_1h", "up_to_6h")
_TIMES = "delivery_times_hourly_by_event_time"
_DELAY_LINES = (Line(0.05, "orange"), Line(0.15, "red"))
_LOST_LINES = (Line(0.01, "orange"), Line(0.05, "red"))


def latency(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-latency",
        "SES 5 · Latency and delays",
        "How long delivery takes, what waits now, and what never came to an end.",
        MAIL_CHOICES,
        (
            Row(
                "Now, and against the range before",
                (
                    changing_rate(d, "delay_rate", "Delayed", width=6),
                    changing_count(d, "delays", "Delayed", is_more_better=False, width=6),
                    changing_count(d, "ses_delays", "By SES", is_more_better=False, width=6),
                    changing_count(
                        d, "receiver_delays", "By the receiver", is_more_better=False, width=6
                    ),
                ),
            ),
            Row("How long it takes", (_percentiles(d), _bands(d), _within(d))),
            Row("What waits now", (_backlog(d), _waiting(d))),
            Row("Delays and lost mail", (_delay_rate(d), _sides(d), _lost(d))),
        ),
    )


def _percentiles(d: Definitions) -> Panel:
    view = "latency_daily_by_event_time"
    return Panel(
        "table",
        "Percentiles, by configuration set and attempt",
        "select\n    m.event_day,\n"
        "    c.configuration_set_label as configuration_set,\n    m.attempt,\n"
        "    m.deliveries,\n    m.delivery_p50_ms,\n    m.delivery_p95_ms,\n"
        "    m.delivery_p99_ms,\n    m.processing_p95_ms\n"
        f"from {view} as m\n{OF_SETS}"
        "where m.event_day::timestamp between\n"
        "        $__timeFrom()::timestamp - interval 1 day and $__timeTo()::timestamp"
        f"{chosen(MESSAGE_CHOICES, 'm')}\n"
        "order by m.event_day desc, configuration_set, m.attempt\nlimit 500",
        d.explain(
            f"{view}.attempt",
            f"{view}.delivery_p50_ms",
            f"{view}.delivery_p95_ms",
            f"{view}.processing_p95_ms",
            note="Day by day, as percentiles of days don't add up to those of a range.",
        ),
        _MS,
        width=12,
        height=10,
        units={"deliveries": COUNT},
    )


def _bands(d: Definitions) -> Panel:
    bands = (*_BANDS, "over_6h")
    columns = ",\n    ".join(f"{count(name)} as {name}" for name in bands)
    source = f"from {_TIMES} as m\nwhere $__timeFilter(m.event_hour)"
    return Panel(
        "heatmap",
        "Deliveries by how long they took",
        wide_series(columns, source + chosen((*MESSAGE_CHOICES, PROVIDER), "m"), BY_EVENT_TIME),
        d.explain(_TIMES, *(f"{_TIMES}.{name}" for name in bands[:2])),
        COUNT,
        width=12,
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
    )


def _backlog(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Delayed and unresolved",
        "select\n    coalesce(m.provider, '(none)') as provider,\n"
        "    coalesce(m.delay_type, '(none)') as delay_type,\n    m.age_hours,\n"
        "    sum(m.recipients)::bigint as recipients,\n"
        "    min(m.oldest_sent_at) as oldest_sent_at\n"
        f"from backlog as m\nwhere true{chosen((*MESSAGE_CHOICES, PROVIDER), 'm')}\n"
        "group by m.provider, m.delay_type, m.age_hours\n"
        "order by m.age_hours desc, recipients desc, provider, delay_type\nlimit 200",
        d.explain("backlog", "backlog.age_hours", note="Now, whatever the range."),
        COUNT,
        width=16,
        height=9,
        empty="nothing waits",
    )


def _waiting(d: Definitions) -> Panel:
    return Panel(
        "gauge",
        "Waiting, by age",
        "select\n    concat('at least ', m.age_hours, ' h') as age,\n"
        "    sum(m.recipients)::bigint as recipients\n"
        f"from backlog as m\nwhere true{chosen((*MESSAGE_CHOICES, PROVIDER), 'm')}\n"
        "group by m.age_hours\norder by m.age_hours",
        d.explain("backlog", "backlog.recipients", note="Now, whatever the range."),
        COUNT,
        width=8,
        height=9,
        empty="nothing waits",
    )


def _delay_rate(d: Definitions) -> Panel:
    source = COHORT.replace("\nwhere", f"\n{OF_SETS}where")
    return Panel(
        "series",
        "Delay rate, by configuration set",
        long_series("c.configuration_set_label", d.rate("delay_rate"), source, BY_COHORT_TIME),
        d.explain("delay_rate", "alert_delays"),
        PERCENT,
        width=12,
        lines=_DELAY_LINES,
    )


def _sides(d: Definitions) -> Panel:
    columns = ",\n    ".join(
        f"{count(name)} as {name}" for name in ("ses_delays", "receiver_delays")
    )
    return Panel(
        "bars",
        "Whose delays",
        wide_series(columns, EVENTS, BY_EVENT_TIME),
        d.explain("ses_delays", "receiver_delays"),
        COUNT,
        width=12,
        is_stacked=True,
        empty="no delay in this range",
    )


def _lost(d: Definitions) -> Panel:
    view = "configuration_sets_daily_by_send_cohort"
    return Panel(
        "table",
        "Lost mail, by day of sending",
        "select\n    m.cohort_day,\n"
        "    c.configuration_set_label as configuration_set,\n    m.lost_attempts,\n"
        "    m.lost,\n    m.lost_rate,\n    m.lost_rate_low,\n    m.lost_rate_high\n"
        f"from {view} as m\n{OF_SETS}"
        f"where $__timeFilter(m.cohort_day::timestamp){chosen(MESSAGE_CHOICES, 'm')}\n"
        "    and m.lost_rate is not null\n"
        "order by m.cohort_day desc, configuration_set\nlimit 500",
        d.explain("lost", "lost_rate", f"{view}.lost_rate_low", "alert_lost_mail"),
        COUNT,
        width=24,
        height=9,
        lines=_LOST_LINES,
        units=dict.fromkeys(("lost_rate", "lost_rate_low", "lost_rate_high"), PERCENT),
        empty="no day in this range is old enough, or Send or Delivery is not published",
    )
