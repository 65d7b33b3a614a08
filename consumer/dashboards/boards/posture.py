"""Reconciliation and posture: what is published, how far figures reach, how mail travels."""

from consumer.dashboards.boards.questions import BY_EVENT_TIME, long_series, select
from consumer.dashboards.boards.rates import rate_by
from consumer.dashboards.choices import MESSAGE_CHOICES, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import PERCENT, Board, Panel, Row
from consumer.dashboards.thresholds import Line

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
_BASIS = ("denominator_basis", "missing_event_types", "bounce_maturity")
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
            Row("How mail travels", (_tls(d),)),
            Row("Definitions", (_definitions(d),)),
        ),
        "now-30d",
    )


def _lines(d: Definitions) -> list[Panel]:
    label = "concat_ws(' ', coalesce(m.account, '(none)'), m.region)"
    return [
        rate_by(
            d,
            name,
            title,
            label=label,
            source=_ACCOUNTS,
            note="Configuration sets are not told apart here.",
        )
        for name, title in (
            ("aws_bounce_rate", "Bounce rate (AWS), by account"),
            ("complaint_rate_fbl", "Complaint rate (FBL), by account"),
        )
    ]


def _standing(d: Definitions) -> Panel:
    view = "reconciliation_posture"
    return Panel(
        "table",
        "How accounts stand",
        select(
            (
                "account",
                "region",
                "enforcement_status",
                "is_sending_enabled",
                "has_production_access",
                "quota_used_rate",
                "sends_24h",
                "max_sends_24h",
                "max_sends_per_sec",
                "is_vdm_enabled",
                "asked_at",
            ),
            f"from {view} as m\nwhere true{chosen(MESSAGE_CHOICES[:2], 'm')}",
            "order by m.account, m.region",
        ),
        d.explain(
            view,
            f"{view}.enforcement_status",
            f"{view}.quota_used_rate",
            note="Whatever range is shown.",
        ),
        width=24,
        height=5,
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
        width=24,
        lines=(Line(1, "orange"),),
        empty=_UNASKED,
    )


def _beside(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Ours and theirs",
        select(
            (
                "event_date",
                "account",
                "region",
                "configuration_set",
                "provider",
                "authority",
                "metric",
                "ours",
                "theirs",
                "difference",
                "difference_rate",
                "array_to_string(m.reasons, ', ') as reasons",
            ),
            f"{_RECONCILED}\n    and not m.is_equal",
            "order by m.is_explained, m.difference_rate desc, m.event_date desc, m.account, "
            "m.region,\n    m.configuration_set, m.provider, m.authority, m.metric",
            "limit 500",
        ),
        d.explain(
            "reconciliation.ours",
            "reconciliation.theirs",
            "reconciliation.difference_rate",
            "reconciliation.reasons",
            note="Lines that differ, the unexplained first.",
        ),
        width=24,
        height=10,
        units={"difference_rate": PERCENT},
        empty="nothing differs, or nobody ran duckpost reconcile for this range",
    )


def _coverage(d: Definitions) -> Panel:
    return Panel(
        "table",
        "What is published",
        select(
            (
                "account",
                "region",
                f"{_SET_OF} as configuration_set",
                "event_type",
                "events",
                "first_seen_at",
                "last_seen_at",
                "days_with_mail",
                "days_without",
            ),
            f"from event_coverage as m\nwhere true{chosen(MESSAGE_CHOICES, 'm')}",
            "order by m.account, m.region, configuration_set, m.event_type",
            "limit 1000",
        ),
        d.explain(
            "event_coverage",
            "event_coverage.days_without",
            note="Of all time. A rate whose types are not published is missing.",
        ),
        width=24,
        height=12,
    )


def _basis(d: Definitions) -> Panel:
    view = "configuration_sets_daily_by_send_cohort"
    return Panel(
        "table",
        "What stands under the rates",
        select(
            (
                "cohort_day",
                "account",
                "region",
                "configuration_set_name",
                "sends",
                "outcomes",
                *_BASIS,
            ),
            f"from {view} as m\n"
            f"where $__timeFilter(m.cohort_day::timestamp){chosen(MESSAGE_CHOICES, 'm')}",
            "order by m.cohort_day desc, m.account, m.region, m.configuration_set_name",
            "limit 500",
        ),
        d.explain("sends", "outcomes", *(f"{view}.{name}" for name in _BASIS)),
        width=24,
        height=10,
    )


def _tls(d: Definitions) -> Panel:
    source = (
        "from delivery_routes as m\n"
        f"where $__timeFilter(m.event_hour){chosen(MESSAGE_CHOICES, 'm')}"
    )
    label = "coalesce(m.outgoing_tls_version, '(none told)')"
    return Panel(
        "bars",
        "Deliveries, by TLS version",
        long_series(label, count("deliveries"), source, BY_EVENT_TIME),
        d.explain(
            "delivery_routes",
            "delivery_routes.outgoing_tls_version",
        ),
        width=24,
        height=8,
        is_stacked=True,
    )


def _definitions(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Definitions",
        select(
            ("metric", "kind", "axis", "numerator", "denominator", "description"),
            "from metric_catalogue as m",
            "order by m.kind desc, m.metric",
        ),
        d.explain("metric_catalogue", "metric_catalogue.axis"),
        "string",
        width=24,
        height=10,
    )
