"""Engagement: people and machines apart, links, and when people read."""

from consumer.dashboards.boards.questions import (
    BY_EVENT_TIME,
    EVENTS,
    OF_SETS,
    SET,
    counts,
    select,
    wide_series,
)
from consumer.dashboards.boards.rates import rate_by_set
from consumer.dashboards.boards.stats import changing_count, changing_rate
from consumer.dashboards.choices import MAIL_CHOICES, MESSAGE_CHOICES, TIME_ZONE, chosen
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.panels import PERCENT, Board, Panel, Row

_COUNTS = ("opens", "machine_opens", "unique_human_opens")
_CLICKS = ("clicks", "machine_clicks", "unique_human_clicks")
_AGES = (
    "unique_open_rate_24h",
    "unique_open_rate_72h",
    "unique_open_rate_7d",
    "unique_click_rate_24h",
    "unique_click_rate_72h",
    "unique_click_rate_7d",
)
_LOCAL = "timezone(${time_zone:sqlstring}, timezone('UTC', m.event_hour))"


def engagement(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-engagement",
        "SES 06 · Engagement",
        "Who reads and clicks, people and machines apart, which links, and when.",
        (*MAIL_CHOICES, TIME_ZONE),
        (
            Row(
                "Now, and against the range before",
                (
                    changing_rate(d, "unique_open_rate", "Opened", is_more_better=True, width=6),
                    changing_rate(d, "unique_click_rate", "Clicked", is_more_better=True, width=6),
                    changing_rate(
                        d, "click_to_open_rate", "Click to open", is_more_better=True, width=6
                    ),
                    changing_count(d, "unique_human_engaged", "Readers", width=6),
                ),
            ),
            Row("People and machines", (_events(d, _COUNTS), _events(d, _CLICKS), _verdicts(d))),
            Row(
                "By when the mail was sent",
                (rate_by_set(d, "unique_click_rate", "Click rate"), _ages(d)),
            ),
            Row(
                "Hours of the week",
                (
                    _hours(d, "unique_human_opens", "People open"),
                    _hours(d, "unique_human_clicks", "People click"),
                ),
            ),
            Row("Links", (_links(d),)),
        ),
        "now-30d",
    )


def _events(d: Definitions, names: tuple[str, ...]) -> Panel:
    return Panel(
        "series",
        names[0].capitalize(),
        wide_series(counts(names), EVENTS, BY_EVENT_TIME),
        d.explain(*names, note="By the time at which it happened."),
        width=12,
    )


def _verdicts(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Who that was, and who says so",
        select(
            ("event_type", "verdict", "judged_by", "sum(m.events)::bigint as events"),
            "from engagement_verdicts_hourly_by_event_time as m\n"
            f"where $__timeFilter(m.event_hour){chosen(MESSAGE_CHOICES, 'm')}",
            "group by m.event_type, m.verdict, m.judged_by",
            "order by m.event_type desc, events desc, m.verdict, m.judged_by",
        ),
        d.explain("engagement_verdicts_hourly_by_event_time", note="By the time of the event."),
        width=24,
        height=8,
        empty="neither an open nor a click in this range",
    )


def _ages(d: Definitions) -> Panel:
    view = "configuration_sets_daily_by_send_cohort"
    return Panel(
        "table",
        "At fixed ages, so that days compare",
        select(
            ("cohort_day", SET, *_AGES),
            f"from {view} as m\n{OF_SETS}"
            f"where $__timeFilter(m.cohort_day::timestamp){chosen(MESSAGE_CHOICES, 'm')}\n"
            "    and coalesce(m.unique_open_rate_24h, m.unique_click_rate_24h) is not null",
            "order by m.cohort_day desc, configuration_set",
            "limit 500",
        ),
        d.explain(*_AGES, note="A rate is missing until the day's mail is that old."),
        PERCENT,
        width=12,
        height=9,
        empty="neither opens nor clicks are tracked, or no day is old enough",
    )


def _links(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Links",
        select(
            ("link", *counts(("clicks", "machine_clicks"))),
            "from links_hourly_by_event_time as m\n"
            f"where $__timeFilter(m.event_hour){chosen(MESSAGE_CHOICES, 'm')}",
            "group by m.link",
            "order by clicks desc, m.link",
            "limit 200",
        ),
        d.explain("links_hourly_by_event_time", "clicks", "machine_clicks"),
        width=24,
        height=10,
        empty="no click in this range",
    )


def _hours(d: Definitions, name: str, title: str) -> Panel:
    by_hour = tuple(
        f'(sum(m.{name}) filter (where hour({_LOCAL}) = {hour}))::bigint as "{hour:02}"'
        for hour in range(24)
    )
    return Panel(
        "table",
        f"{title}, by hour of the week",
        select(
            (f"dayname({_LOCAL}) as weekday", *by_hour),
            EVENTS,
            f"group by weekday, isodow({_LOCAL})",
            f"having sum(m.{name}) > 0",
            f"order by isodow({_LOCAL})",
        ),
        d.explain(
            name,
            note="Hours of the chosen time zone; zones that differ from UTC by half an hour are "
            "as exact as whole UTC hours allow.",
        ),
        width=24,
        height=9,
        is_shaded=True,
        empty="no person read or clicked in this range",
    )
