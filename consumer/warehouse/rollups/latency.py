"""How long Deliveries took, added up: bands by the hour, and histograms by the day."""

from datetime import datetime
from typing import Final

from consumer.warehouse.rollups.rollup import WITHOUT_SET, Basis, Rollup, between

_CHANGES: Final = """
select
    date_trunc('hour', event_at) as event_hour,
    report_day(event_at) as event_day,
    date_trunc('hour', sent_at) as cohort_hour,
    report_day(sent_at) as cohort_day,
    *
from {table}
"""
# As `consumer.warehouse.writing.delivered` enters them.
_FROM_EVENTS: Final = """
select
    o.event_at,
    o.sent_at,
    o.account,
    o.region,
    o.configuration_set,
    if(o.configuration_set is null, o.own_identity, null) as identity,
    if(o.configuration_set is null and o.own_identity is null, o.source, null) as source,
    if(
        o.configuration_set is null and o.own_identity is null
        and coalesce(split_part(o.source, '@', -1), '') = '',
        o.from_domain, null
    ) as from_domain,
    o.provider,
    latency_edge_ms(o.delivery_ms) as delivery_edge_ms,
    latency_edge_ms(o.processing_ms) as processing_edge_ms,
    1::bigint as deliveries,
    o.is_delayed::bigint as delayed_deliveries
from delivery_times as o
where {within}
"""


def _to_changes(within: str) -> str:
    return _FROM_EVENTS.format(within=within)


def _recount(within: str, frozen: datetime | None) -> str:
    if frozen is None:
        return _CHANGES.format(table=f"({_to_changes(within)})")
    kept = _to_changes(f"{within} and {between('o.sent_at', frozen, None)}")
    remains = _CHANGES.format(table="rollup_delivery_remains")
    return (
        f"{_CHANGES.format(table=f'({kept})')} "
        f"union all by name select * from ({remains}) where {within}"
    )


DELIVERIES: Final = Basis(
    deltas="rollup_delivery_deltas",
    remains="rollup_delivery_remains",
    recounted="recounted_deliveries",
    dated=_CHANGES,
    to_changes=_to_changes,
    to_remains=_to_changes,
    recount=_recount,
    has_bits=False,
)


BANDS: Final = Rollup(
    basis=DELIVERIES,
    table="rollup_delivery_times_hourly_by_event_time",
    axis="event",
    when="period",
    is_daily=False,
    keys={
        "period": "event_hour",
        **{name: name for name in ("account", "region", "configuration_set")},
        "provider": "hourly_provider(provider)",
        "at_most_ms": "latency_band_ms(delivery_ms(event_at, sent_at))",
    },
    counted=("deliveries",),
)


def _to_histogram(axis: str, by: str) -> Rollup:
    return Rollup(
        basis=DELIVERIES,
        table=f"rollup_latency_daily_by_{by}",
        axis=axis,
        when="period",
        is_daily=True,
        keys={
            "period": f"{axis}_day::timestamp",
            **{name: name for name in ("account", "region", "configuration_set")},
            **WITHOUT_SET,
            "measure": "measure",
            "edge_ms": "edge_ms",
        },
        counted=("deliveries", "delayed_deliveries"),
        of=f"(select * from ({_MEASURED}) where edge_ms is not null)",
    )


# Deliveries once for each of their times.
_MEASURED: Final = """
select
    *,
    unnest(['delivery', 'processing']) as measure,
    unnest([delivery_edge_ms, processing_edge_ms]) as edge_ms
from ({rows})
"""
LATENCIES: Final = (_to_histogram("event", "event_time"), _to_histogram("cohort", "send_cohort"))
