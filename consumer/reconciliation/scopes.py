"""What a figure is of, and the metrics that are laid beside each other."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

VDM: Final = "vdm"
CLOUDWATCH: Final = "cloudwatch"

# VDM keeps 60 days. https://docs.aws.amazon.com/ses/latest/dg/vdm-dashboard.html
VDM_DAYS: Final = 60


class Scope(NamedTuple):
    """Whose mail: a configuration set's, that to a mailbox provider, or (neither) all of it."""

    configuration_set: str | None = None
    provider: str | None = None


EVERYTHING: Final = Scope()


@dataclass(frozen=True, slots=True)
class Metric:
    """One that AWS has too.

    Attributes:
        name: as the authority calls it.
        event_type: SES's event type that carries it.
        bounce_type: of a Bounce, if it is about one type only.
    """

    name: str
    event_type: str
    bounce_type: str | None = None


# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BatchGetMetricDataQuery.html
# DELIVERY_OPEN and DELIVERY_CLICK are left out: events do not say whether mail carried a tracker.
VDM_METRICS: Final = (
    Metric("SEND", "Send"),
    Metric("DELIVERY", "Delivery"),
    Metric("PERMANENT_BOUNCE", "Bounce", "Permanent"),
    Metric("TRANSIENT_BOUNCE", "Bounce", "Transient"),
    Metric("COMPLAINT", "Complaint"),
    Metric("OPEN", "Open"),
    Metric("CLICK", "Click"),
)
# https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-cloudwatch.html
CLOUDWATCH_METRICS: Final = tuple(
    Metric(name, name)
    for name in ("Send", "Delivery", "Bounce", "Complaint", "Reject", "Open", "Click")
)


@dataclass(frozen=True, slots=True)
class Span:
    """UTC days from ``first`` to ``last``, both included; ``today`` is the day of asking."""

    first: date
    last: date
    today: date

    def days(self) -> list[date]:
        """Every one of them."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def vdm_first(self) -> date:
        """The first of them that VDM still has."""
        return max(self.first, self.today - timedelta(days=VDM_DAYS - 1))


Series = dict[tuple[Scope, str], dict[date, int]]
