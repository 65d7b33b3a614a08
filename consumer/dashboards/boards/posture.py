"""Reconciliation and posture: what is published, how far figures reach, how mail travels."""

from consumer.dashboards.boards.questions import (
    AWS_NOTE,
    BOUNCE_LINES,
    BY_COHORT_TIME,
    BY_EVENT_TIME,
    COMPLAINT_LINES,
    long_series,
)
from consumer.dashboards.choices import MESSAGE_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import COUNT, PERCENT, Board, Line, Panel, Row

_ACCOUNTS = (
    "from mail_hourly_by_send_cohort as m\n"
    f"where $__timeFilter(m.cohort_hour){chosen(MESSAGE_CHOICES[:2], 'm')}"
)
# Whole accounts and providers have no configuration set: a choice of those would lose them.
_RECONCILED = (
    "from reconciliation as m\n"
    f"where $__timeFilter(m.event_date::timestamp){chosen(MESSAGE_CHOICES[:2], 'm')}"
)
# A chart's label is called metric, and so is a column of the view, which GROUP BY would take.
_NAMED_FIGURES = """(
    select
        r.event_date,
        r.account,
        r.region,
        r.is_explained,
        concat_ws(' ', r.authority, r.metric) as figure
    from reconciliation as r
)"""
_UNASKED = "nobody ran duckpost reconcile"
_SET_OF = "concat_ws(' ', m.configuration_set_name, m.identity_without_set)"


def posture(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-posture",
        "SES 10 · Reconciliation and posture",
        "What SES publishes, how far figures reach, where the account stands, how mail travels.",
        MESSAGE_CHOICES,
        (
            Row("The account's lines", tuple(_lines(d))),
            Row("Beside AWS's figures", (_standing(d), _differences(d), _beside(d))),
            Row("Coverage", (_coverage(d),)),
            Row("Denominators", (_basis(d),)),
            Row("How mail travels", (_tls(d), _definitions(d))),
        ),
        "now-30d",
    )


def _lines(d: Definitions) -> list[Panel]:
    label = "concat_ws(' ', coalesce(m.account, '(none)'), m.region)"
    return [
        Panel(
            "series",
            title,
            long_series(label, d.rate(name), _ACCOUNTS, BY_COHORT_TIME),
            d.explain(name, note=f"{AWS_NOTE} Configuration sets are not told apart here."),
            PERCENT,
            width=12,
            lines=lines,
        )
        for name, title, lines in (
            ("aws_bounce_rate", "Bounces as AWS counts, by account", BOUNCE_LINES),
            ("complaint_rate_fbl", "Complaints (FBL), by account", COMPLAINT_LINES),
        )
    ]


def _standing(d: Definitions) -> Panel:
    view = "reconciliation_posture"
    return Panel(
        "table",
        "How accounts stand",
        "select\n    m.account,\n    m.region,\n    m.enforcement_status,\n"
        "    m.is_sending_enabled,\n    m.has_production_access,\n    m.quota_used_rate,\n"
        "    m.sends_24h,\n    m.max_sends_24h,\n    m.max_sends_per_sec,\n"
        "    m.is_vdm_enabled,\n    m.asked_at\n"
        f"from {view} as m\nwhere true{chosen(MESSAGE_CHOICES[:2], 'm')}\n"
        "order by m.account, m.region",
        d.explain(
            view,
            f"{view}.enforcement_status",
            f"{view}.quota_used_rate",
            note="Whatever range is shown.",
        ),
        COUNT,
        width=24,
        height=6,
        units={"quota_used_rate": PERCENT},
        empty=_UNASKED,
    )


def _differences(d: Definitions) -> Panel:
    return Panel(
        "series",
        "Not explained, by authority and metric",
        long_series(
            "m.figure",
            "(count(*) filter (where not m.is_explained))::bigint",
            _RECONCILED.replace("reconciliation", _NAMED_FIGURES),
            "$__timeGroupAlias(m.event_date::timestamp, '1d')",
        ),
        d.explain(
            "reconciliation",
            "reconciliation.is_explained",
            note="Lines a day whose difference nothing known accounts for.",
        ),
        COUNT,
        width=24,
        lines=(Line(1, "orange"),),
        empty=_UNASKED,
    )


def _beside(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Ours and theirs",
        "select\n    m.event_date,\n    m.account,\n    m.region,\n    m.configuration_set,\n"
        "    m.provider,\n    m.authority,\n    m.metric,\n    m.ours,\n    m.theirs,\n"
        "    m.difference,\n    m.difference_rate,\n"
        "    array_to_string(m.reasons, ', ') as reasons\n"
        f"{_RECONCILED}\n    and not m.is_equal\n"
        "order by m.is_explained, m.difference_rate desc, m.event_date desc, m.account, m.region,\n"
        "    m.configuration_set, m.provider, m.authority, m.metric\nlimit 500",
        d.explain(
            "reconciliation.ours",
            "reconciliation.theirs",
            "reconciliation.difference_rate",
            "reconciliation.reasons",
            note="Lines that differ, the unexplained first.",
        ),
        COUNT,
        width=24,
        height=10,
        units={"difference_rate": PERCENT},
        empty="nothing differs, or nobody ran duckpost reconcile for this range",
    )


def _coverage(d: Definitions) -> Panel:
    return Panel(
        "table",
        "What is published",
        f"select\n    m.account,\n    m.region,\n    {_SET_OF} as configuration_set,\n"
        "    m.event_type,\n    m.events,\n    m.first_seen_at,\n    m.last_seen_at,\n"
        "    m.days_with_mail,\n    m.days_without\n"
        f"from event_coverage as m\nwhere true{chosen(MESSAGE_CHOICES, 'm')}\n"
        "order by m.account, m.region, configuration_set, m.event_type\nlimit 1000",
        d.explain(
            "event_coverage",
            "event_coverage.days_without",
            note="Of all time. A rate whose types are not published is missing.",
        ),
        COUNT,
        width=24,
        height=12,
    )


def _basis(d: Definitions) -> Panel:
    view = "configuration_sets_daily_by_send_cohort"
    return Panel(
        "table",
        "What stands under the rates",
        "select\n    m.cohort_day,\n    m.account,\n    m.region,\n    m.configuration_set_name,\n"
        "    m.sends,\n    m.outcomes,\n    m.denominator_basis,\n    m.missing_event_types,\n"
        "    m.bounce_maturity\n"
        f"from {view} as m\n"
        f"where $__timeFilter(m.cohort_day::timestamp){chosen(MESSAGE_CHOICES, 'm')}\n"
        "order by m.cohort_day desc, m.account, m.region, m.configuration_set_name\nlimit 500",
        d.explain(
            "sends",
            "outcomes",
            f"{view}.denominator_basis",
            f"{view}.missing_event_types",
            f"{view}.bounce_maturity",
        ),
        COUNT,
        width=24,
        height=10,
    )


def _tls(d: Definitions) -> Panel:
    source = (
        "from outgoing_hourly_by_event_time as m\n"
        f"where $__timeFilter(m.event_hour){chosen(MESSAGE_CHOICES, 'm')}"
    )
    label = "coalesce(m.outgoing_tls_version, '(none told)')"
    return Panel(
        "bars",
        "Deliveries, by TLS version",
        long_series(label, count("deliveries"), source, BY_EVENT_TIME),
        d.explain(
            "outgoing_hourly_by_event_time",
            "outgoing_hourly_by_event_time.outgoing_tls_version",
        ),
        COUNT,
        width=12,
        height=9,
        is_stacked=True,
    )


def _definitions(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Definitions",
        "select\n    m.metric,\n    m.kind,\n    m.axis,\n    m.numerator,\n    m.denominator,\n"
        "    m.description\nfrom metric_catalogue as m\norder by m.kind desc, m.metric",
        d.explain("metric_catalogue", "metric_catalogue.axis"),
        "string",
        width=12,
        height=9,
    )
