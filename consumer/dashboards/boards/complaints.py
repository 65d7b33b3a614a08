"""Complaints and suppression: who calls it spam, and who is mailed all the same."""

from consumer.dashboards.boards.questions import (
    AWS_NOTE,
    BY_COHORT_TIME,
    BY_EVENT_TIME,
    COHORT,
    COMPLAINT_LINES,
    DAYS,
    EVENTS,
    OF_SETS,
    changing_count,
    changing_rate,
    long_series,
    wide_series,
)
from consumer.dashboards.choices import MAIL_CHOICES, MESSAGE_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import COUNT, PERCENT, Board, Panel, Row

_REPORTS = ("complaints", "fbl_complaints", "auth_failure_complaints", "virus_complaints")


def complaints(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-complaints",
        "SES 4 · Complaints and suppression",
        "Who calls it spam, who leaves, whom SES no longer tries, and who is mailed all the same.",
        MAIL_CHOICES,
        (
            Row(
                "Now, and against the range before",
                (
                    changing_rate(d, "complaint_rate_fbl", "Complaints (FBL)"),
                    changing_count(d, "complaints", "Complaints", is_more_better=False),
                    changing_count(d, "fbl_deliveries", "Deliveries that can complain"),
                    changing_count(d, "suppressed", "Suppressed", is_more_better=False),
                    changing_count(d, "unsubscribes", "Unsubscribes", is_more_better=False),
                    changing_rate(d, "unsubscribe_rate", "Unsubscribe rate"),
                ),
            ),
            Row("Complaints", (_rate_by_set(d), _reports(d), _by_provider(d))),
            Row("Suppression", (_suppressed(d), _known(d))),
        ),
        "now-30d",
    )


def _rate_by_set(d: Definitions) -> Panel:
    source = COHORT.replace("\nwhere", f"\n{OF_SETS}where")
    return Panel(
        "series",
        "Complaint rate (FBL), by configuration set",
        long_series(
            "c.configuration_set_label", d.rate("complaint_rate_fbl"), source, BY_COHORT_TIME
        ),
        d.explain("complaint_rate_fbl", note=AWS_NOTE),
        PERCENT,
        width=12,
        height=9,
        lines=COMPLAINT_LINES,
    )


def _reports(d: Definitions) -> Panel:
    columns = ",\n    ".join(f"{count(name)} as {name}" for name in _REPORTS)
    return Panel(
        "bars",
        "Reports",
        wide_series(columns, EVENTS, BY_EVENT_TIME),
        d.explain(*_REPORTS, note="By the time of the report."),
        COUNT,
        width=12,
        height=9,
        empty="no report in this range",
    )


def _by_provider(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Complaints by provider",
        "select\n    coalesce(m.provider, '(none)') as provider,\n"
        f"    {count('complaints')} as complaints,\n    {count('deliveries')} as deliveries,\n"
        f"    {count('fbl_deliveries')} as fbl_deliveries,\n"
        f"    {d.rate('complaint_rate_fbl')} as complaint_rate_fbl,\n"
        f"    {d.rate('complaint_rate')} as complaint_rate\n{DAYS}\n"
        "group by m.provider\nhaving sum(m.complaints) > 0\n"
        "order by complaints desc, provider\nlimit 200",
        d.explain(
            "complaints",
            "fbl_deliveries",
            "complaint_rate_fbl",
            "complaint_rate",
            note="Of mail sent on the days of the range, whole ones.",
        ),
        COUNT,
        width=24,
        height=8,
        units={"complaint_rate_fbl": PERCENT, "complaint_rate": PERCENT},
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
        long_series("m.bounce_sub_type", "sum(m.bounces)::bigint", source, BY_EVENT_TIME),
        d.explain("suppressed", "bounces_hourly_by_event_time.bounce_sub_type"),
        COUNT,
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
        COUNT,
        width=12,
        height=9,
        empty="no such mail in this range",
    )
