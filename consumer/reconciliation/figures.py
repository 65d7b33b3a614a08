"""What the warehouse says: our figures by each authority's rules, and what those leave out."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from consumer.door.access import Access
from consumer.reconciliation.scopes import VDM, Metric, Scope, Span

# A query a provider and metric: the largest are enough to see who differs.
MOST_PROVIDERS: Final = 10

_MINE: Final = "coalesce(account, $1) = $1 and region = $2"

_PARITY: Final = f"""
select
    event_date, configuration_set, provider,
    grouping(configuration_set) as is_any_set, grouping(provider) as is_any_provider,
    sum(sends)::bigint as "SEND",
    sum(deliveries)::bigint as "DELIVERY",
    sum(permanent_bounces)::bigint as "PERMANENT_BOUNCE",
    sum(transient_bounces)::bigint as "TRANSIENT_BOUNCE",
    sum(complaints)::bigint as "COMPLAINT",
    sum(unique_opens)::bigint as "OPEN",
    sum(unique_clicks)::bigint as "CLICK",
from vdm_parity_daily
where {_MINE} and event_date between $3::date and $4::date
group by grouping sets (
    (event_date), (event_date, configuration_set), (event_date, provider)
)
"""  # noqa: S608 - our own words

# `events` is what CloudWatch's rules make of them: every event of the type outside the simulator,
# suppressed and soft bounces too, opens and clicks each time. The rest is what might make AWS's
# figure another one.
_COUNTS: Final = f"""
with mine as (
    select
        event_at::date as event_date, configuration_set, provider, event_type, bounce_type,
        is_simulator, message_id,
        case when event_type = 'Complaint'
            then coalesce(feedback_id, event_key::varchar) else event_key::varchar
        end as unit,
        destination_count > 1 as is_multiple,
        coalesce(identity_account != account, false) as is_delegate,
        coalesce(
            bounce_sub_type = 'OnAccountSuppressionList'
            or complaint_sub_type = 'OnAccountSuppressionList',
            false
        ) as is_on_account_list,
        is_suppression(bounce_sub_type) or is_suppression(complaint_sub_type) as is_suppressed,
        coalesce(is_auto_reply, false) as is_auto_reply,
    from events
    where {_MINE} and event_at >= $3::date and event_at < $4::date + interval 1 day
)
select
    event_date, configuration_set, provider, event_type, bounce_type,
    grouping(configuration_set) as is_any_set, grouping(provider) as is_any_provider,
    count(distinct unit) filter (where not is_simulator) as events,
    count(distinct unit) filter (where is_simulator) as simulator,
    count(distinct unit) filter (where not is_simulator and is_multiple) as multi_recipient,
    count(distinct unit) filter (where not is_simulator and is_multiple)
        - count(distinct message_id) filter (where not is_simulator and is_multiple)
        as further_recipients,
    count(distinct unit) filter (
        where not is_simulator and not is_multiple and is_delegate
    ) as delegate_senders,
    count(distinct unit) filter (
        where not is_simulator and not is_multiple and not is_delegate and is_on_account_list
    ) as account_suppression,
    count(distinct unit) filter (where not is_simulator and is_suppressed) as suppressed,
    count(distinct unit) filter (where not is_simulator and is_auto_reply) as auto_replies,
from mine
group by grouping sets (
    (event_date, event_type, bounce_type),
    (event_date, event_type, bounce_type, configuration_set),
    (event_date, event_type, bounce_type, provider)
)
"""  # noqa: S608 - the same

_SETS: Final = f"""
select distinct configuration_set from event_coverage
where {_MINE} and configuration_set is not null and events > 0
"""  # noqa: S608 - the same

_PROVIDERS: Final = f"""
select provider from vdm_parity_daily
where {_MINE} and event_date between $3::date and $4::date
    and provider in (select p.provider from providers as p)
group by provider order by sum(sends + deliveries) desc, provider limit {MOST_PROVIDERS}
"""  # noqa: S608 - the same

# A set that several accounts of old events share is told by region and account alone.
_COVERAGE: Final = f"""
select
    configuration_set, event_type, sum(events)::bigint as events,
    min(first_seen_at)::date as first_date, max(last_seen_at)::date as last_date,
from event_coverage
where {_MINE}
group by configuration_set, event_type
"""  # noqa: S608 - the same

_REGIONS: Final = """
select distinct region from events
where event_at >= $1::date and region is not null and not is_simulator order by region
"""

# What VDM's rules leave out, and would be there if AWS counted it all the same.
_BEYOND_VDM: Final = ("simulator", "multi_recipient", "delegate_senders", "account_suppression")
_BEYOND_CLOUDWATCH: Final = ("simulator",)
# What we count for CloudWatch, and would not be there if AWS counted otherwise.
_WITHIN_CLOUDWATCH: Final = ("further_recipients", "suppressed", "auto_replies")


@dataclass(slots=True)
class Figure:
    """Ours, and by how much it would be another one for each possible reason.

    Attributes:
        ours: by the authority's rules.
        parts: reason → what AWS's figure would have more (or, negative, less) for it.
    """

    ours: int
    parts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Published:
    """How often and when an event type of a configuration set came."""

    events: int
    first: date | None
    last: date | None


class Figures:
    """Ours of one account and region, for a span of UTC days.

    Args:
        access: the warehouse.
        account: events that name none count as its own.
        region: the AWS region.
        span: the days.
    """

    def __init__(self, access: Access, account: str, region: str, span: Span) -> None:
        mine = [account, region]
        days = [*mine, span.first.isoformat(), span.last.isoformat()]
        self._parity = {
            (row["event_date"], _scope_of(row)): row
            for row in _ask(access, _PARITY, days)
            if _is_named(row)
        }
        self._counts: dict[tuple[date, Scope, str], list[dict[str, Any]]] = {}
        for row in _ask(access, _COUNTS, days):
            if _is_named(row):
                key = (row["event_date"], _scope_of(row), row["event_type"])
                self._counts.setdefault(key, []).append(row)
        self.sets = sorted(row["configuration_set"] for row in _ask(access, _SETS, mine))
        self.providers = [row["provider"] for row in _ask(access, _PROVIDERS, days)]
        self._published = {
            (row["configuration_set"], row["event_type"]): Published(
                row["events"], row["first_date"], row["last_date"]
            )
            for row in _ask(access, _COVERAGE, mine)
        }

    def find(self, authority: str, day: date, scope: Scope, metric: Metric) -> Figure:
        """Return our figure by the rules of an authority, with what they leave out."""
        rows = [
            row
            for row in self._counts.get((day, scope, metric.event_type), [])
            if metric.bounce_type is None or row["bounce_type"] == metric.bounce_type
        ]
        if authority == VDM:
            ours = self._parity.get((day, scope), {}).get(metric.name, 0)
            parts = {name: sum(row[name] for row in rows) for name in _BEYOND_VDM}
        else:
            ours = sum(row["events"] for row in rows)
            parts = {name: sum(row[name] for row in rows) for name in _BEYOND_CLOUDWATCH}
            parts |= {name: -sum(row[name] for row in rows) for name in _WITHIN_CLOUDWATCH}
        return Figure(ours, {name: amount for name, amount in parts.items() if amount})

    def first_day(self, configuration_set: str | None) -> date | None:
        """Return the day of the first event of a set, whatever its type."""
        days = [
            one.first
            for (name, _), one in self._published.items()
            if name == configuration_set and one.first is not None
        ]
        return min(days, default=None)

    def published(self, configuration_set: str | None, event_type: str) -> Published:
        """Return what came of an event type, of mail without a set for None."""
        return self._published.get((configuration_set, event_type), Published(0, None, None))


def find_regions(access: Access, first: date) -> list[str]:
    """Return the regions that mail was sent in since a day."""
    return [row["region"] for row in _ask(access, _REGIONS, [first.isoformat()])]


def _ask(access: Access, sql: str, params: list[Any]) -> list[dict[str, Any]]:
    with access.read(sql, params) as reader:
        return [row for batch in reader for row in batch.to_pylist()]


def _is_named(row: dict[str, Any]) -> bool:
    """Mail without a set, or of no provider, is in the whole and has no figure at AWS's."""
    is_set = not row["is_any_set"]
    is_provider = not row["is_any_provider"]
    return not (is_set and row["configuration_set"] is None) and not (
        is_provider and row["provider"] is None
    )


def _scope_of(row: dict[str, Any]) -> Scope:
    return Scope(
        None if row["is_any_set"] else row["configuration_set"],
        None if row["is_any_provider"] else row["provider"],
    )
