"""What is not published and what is lost by it: which figures lack, and what to switch on.

It rests on what came, as the view ``event_coverage`` does: a rare type that never came may be
published all the same, and is only spoken of where so much mail without one is unlikely.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from consumer.door.access import Access

# The SESv2 names of event types, as a destination lists them.
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestinationDefinition.html
_API_NAMES = {"DeliveryDelay": "DELIVERY_DELAY"}
# A type that stays away this long while mail goes on was switched off, not rare. Whether mail goes
# on is told by what comes soon after sending: opens and complaints come for weeks.
_SILENT_DAYS = 7
_SOON = ("Send", "Delivery", "DeliveryDelay", "Bounce")


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes with an event type, and how much mail without one makes its lack credible."""

    event_type: str
    words: str
    least_mail: int = 0


LOSSES = (
    Loss(
        "Send",
        "rates are per outcomes (Deliveries and bounces), and the delivery rate and lost mail "
        "are unknown",
    ),
    Loss("Delivery", "no delivery, acceptance, complaint or open rate, no latency, no lost mail"),
    Loss("Bounce", "no bounce was ever counted", 1_000),
    Loss("DeliveryDelay", "no delay rate, and latency is not split by delays", 1_000),
    Loss("Complaint", "no complaint was ever counted", 10_000),
)

# Of the counts by day, not of the events: the view event_coverage reads every one of them.
_QUESTION = f"""
with days as (
    select
        account, region, configuration_set, identity_without_set, event_type,
        sum(events)::bigint as events,
        max(axis_day) filter (where is_plausible(axis_day::timestamp)) as last_seen_day,
    from coverage_days()
    where axis = 'event_day'
    group by all
),
lines as (
    select
        account, region, configuration_set, identity_without_set,
        max(last_seen_day) filter (where event_type in {_SOON}) as newest_day,
        max(events) filter (where event_type in ('Send', 'Delivery')) as mail,
    from days
    group by all
),
types as (select unnest({[loss.event_type for loss in LOSSES]}) as event_type)
select
    l.account, l.region, l.configuration_set, l.identity_without_set,
    t.event_type, d.last_seen_day, l.mail,
from lines as l
cross join types as t
left join days as d
    on l.account is not distinct from d.account
    and l.region is not distinct from d.region
    and l.configuration_set is not distinct from d.configuration_set
    and l.identity_without_set is not distinct from d.identity_without_set
    and t.event_type = d.event_type
where d.events is null or d.last_seen_day < l.newest_day - {_SILENT_DAYS}
order by l.configuration_set nulls last, l.identity_without_set, l.account, l.region
"""  # noqa: S608 - names and a number of ours


@dataclass(frozen=True, slots=True)
class Gap:
    """What a configuration set, or an identity where mail has no set, does not publish.

    Attributes:
        name: the set's or the identity's.
        has_set: which of the two it is.
        losses: one for each type that lacks, the gravest first.
        last_seen_days: the last days (of report_time_zone) of those that came once.
    """

    account: str | None
    region: str | None
    name: str
    has_set: bool
    losses: tuple[Loss, ...]
    last_seen_days: Mapping[str, date] = field(default_factory=dict)

    def describe(self) -> list[str]:
        """Say in words what lacks, what that costs, and what to switch on."""
        where = "/".join(part for part in (self.account, self.region) if part)
        types = " and no ".join(self._name(loss.event_type) for loss in self.losses)
        costs = "; ".join(loss.words for loss in self.losses)
        region = f" --region {self.region}" if self.region else ""
        if not self.has_set:
            lack = f"mail of {self.name} without a configuration set ({where}) has no {types}"
            advice = (
                "identity notifications never carry Send, opens, clicks or tags; give the identity "
                "a default set that publishes everything: aws sesv2 "
                f"put-email-identity-configuration-set-attributes{region} "
                f"--email-identity {self.name} --configuration-set-name NAME"
            )
        else:
            lack = f"configuration set {self.name} ({where}) publishes no {types}"
            names = ", ".join(
                _API_NAMES.get(loss.event_type, loss.event_type.upper()) for loss in self.losses
            )
            advice = (
                f"add {names} to the MatchingEventTypes of its event destination: aws sesv2 "
                f"get-configuration-set-event-destinations{region} --configuration-set-name "
                f"{self.name} shows them, update-configuration-set-event-destination changes them"
            )
        return [f"{lack}: {costs}", advice]

    def _name(self, event_type: str) -> str:
        seen = self.last_seen_days.get(event_type)
        return event_type if seen is None else f"{event_type} (the last one of {seen:%Y-%m-%d})"


def find_gaps(access: Access) -> list[Gap]:
    """Ask which lines of mail lack event types that figures rest on."""
    with access.read(_QUESTION) as reader:
        rows = [row for batch in reader for row in batch.to_pylist()]
    lacking: dict[tuple[str | None, str | None, str, bool], dict[str, date | None]] = {}
    mail: dict[tuple[str | None, str | None, str, bool], int] = {}
    for row in rows:
        name = row["configuration_set"]
        line = (
            row["account"],
            row["region"],
            name if name is not None else row["identity_without_set"] or "an unknown identity",
            name is not None,
        )
        lacking.setdefault(line, {})[row["event_type"]] = row["last_seen_day"]
        mail[line] = row["mail"] or 0
    gaps = []
    for line, types in lacking.items():
        losses = tuple(
            loss for loss in LOSSES if loss.event_type in types and mail[line] >= loss.least_mail
        )
        if losses:
            seen = {name: day for name, day in types.items() if day is not None}
            gaps.append(Gap(*line, losses, seen))
    return gaps
