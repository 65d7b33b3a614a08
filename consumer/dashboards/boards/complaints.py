"""Complaints and suppression: who calls it spam, and who is mailed all the same."""

from consumer.dashboards.boards.questions import (
    BY_COHORT_TIME,
    BY_EVENT_TIME,
    DAYS,
    EVENTS,
    counts,
    long_series,
    or_none,
    rates,
    select,
    wide_series,
)
from consumer.dashboards.boards.rates import rate_by_set
from consumer.dashboards.boards.stats import changing_count, changing_rate
from consumer.dashboards.choices import MAIL_CHOICES, MESSAGE_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.over_lines import NOTE, over_lines
from consumer.dashboards.panels import PERCENT, Board, Panel, Row

_REPORTS = ("complaints", "fbl_complaints", "auth_failure_complaints", "virus_complaints")
_COUNTS = ("complaints", "deliveries", "fbl_deliveries")
_RATES = ("complaint_rate_fbl", "complaint_rate")


def complaints(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-complaints",
        "SES 04 · Complaints and suppression",
        "Who calls it spam, who leaves, whom SES no longer tries, and who is mailed all the same.",
        MAIL_CHOICES,
        (
            Row(
                "Now, and against the range before",
                (
                    changing_rate(d, "complaint_rate_fbl", "Complaint rate (FBL)"),
                    changing_count(d, "complaints", "Complaints", is_more_better=False),
                    changing_count(d, "fbl_deliveries", "Deliveries that can complain"),
                    changing_count(d, "suppressed", "Suppressed", is_more_better=False),
                    changing_count(d, "unsubscribes", "Unsubscribes", is_more_better=False),
                    changing_rate(d, "unsubscribe_rate", "Unsubscribe rate"),
                ),
            ),
            Row(
                "Complaints",
                (
                    rate_by_set(d, "complaint_rate_fbl", "Complaint rate (FBL)"),
                    _reports(d),
                    _by_provider(d),
                ),
            ),
            Row("Suppression", (_suppressed(d), _known(d))),
        ),
        "now-30d",
    )


def _reports(d: Definitions) -> Panel:
    return Panel(
        "bars",
        "Reports",
        wide_series(counts(_REPORTS), EVENTS, BY_EVENT_TIME),
        d.explain(*_REPORTS, note="By the time of the report."),
        width=12,
        height=9,
        empty="no report in this range",
    )


def _by_provider(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Complaints by provider",
        select(
            (or_none("provider"), *counts(_COUNTS), *rates(d, _RATES), over_lines(d, _RATES)),
            DAYS,
            "group by m.provider",
            "having sum(m.complaints) > 0",
            "order by complaints desc, provider",
            "limit 200",
        ),
        d.explain(
            "complaints",
            "fbl_deliveries",
            *_RATES,
            note=f"Of mail sent on the days of the range, whole ones. {NOTE}",
        ),
        width=24,
        height=8,
        units=dict.fromkeys(_RATES, PERCENT),
        empty="no complaint about mail sent in this range",
    )


def _suppressed(d: Definitions) -> Panel:
    source = (
        "from bounces_hourly_by_event_time as m\n"
        f"where $__timeFilter(m.event_hour){chosen(MAIL_CHOICES, 'm')}\n"
        "    and m.bounce_kind = 'suppressed'"
    )
    return Panel(
        "bars",
        "Suppressed, by list",
        long_series("m.bounce_sub_type", count("bounces"), source, BY_EVENT_TIME),
        d.explain("suppressed", "bounces_hourly_by_event_time.bounce_sub_type"),
        width=12,
        height=9,
        is_stacked=True,
        empty="nobody was suppressed in this range",
    )


def _known(d: Definitions) -> Panel:
    source = (
        "from sends_to_known_addresses_hourly as m\n"
        f"where $__timeFilter(m.cohort_hour){chosen(MESSAGE_CHOICES, 'm')}"
    )
    return Panel(
        "bars",
        "Sends to addresses that were known to be wrong",
        long_series("m.reason", count("sends"), source, BY_COHORT_TIME),
        d.explain("sends_to_known_addresses_hourly", "sends_to_known_addresses_hourly.reason"),
        width=12,
        height=9,
        empty="no such mail in this range",
    )
