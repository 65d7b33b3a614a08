"""What AWS says of our mail, kept beside what we say."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from consumer.warehouse.warehouse import Warehouse

LINE_FIELDS: Final = pa.schema(
    [
        ("reconciled_at", pa.timestamp("us")),
        ("event_date", pa.date32()),
        ("account", pa.string()),
        ("region", pa.string()),
        ("configuration_set", pa.string()),
        ("provider", pa.string()),
        ("authority", pa.string()),
        ("metric", pa.string()),
        ("ours", pa.int64()),
        ("theirs", pa.int64()),
        ("reasons", pa.list_(pa.string())),
    ]
)
# A day that was asked for again is answered anew as a whole, its vanished lines included.
_REPLACE: Final = """
delete from reconciliations as r using (
    select distinct account, region, authority, event_date from lines
) as n
where r.account = n.account and r.region = n.region
    and r.authority = n.authority and r.event_date = n.event_date
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of a UTC day, ours and AWS's.

    Attributes:
        configuration_set: NULL for the whole account, or a provider.
        provider: NULL for the whole account, or a configuration set.
        authority: ``vdm`` or ``cloudwatch``.
        metric: as the authority names it.
        theirs: None where AWS has no figure.
        reasons: for a difference; see `consumer.reconciliation.reasons`.
    """

    event_date: date
    account: str
    region: str
    configuration_set: str | None
    provider: str | None
    authority: str
    metric: str
    ours: int
    theirs: int | None
    reasons: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether there is nothing to explain."""
        return self.ours == self.theirs

    def because(self, *reasons: str) -> Self:
        """The same line, with reasons."""
        return replace(self, reasons=reasons)


@dataclass(frozen=True, slots=True)
class Posture:
    """How an account stands with SES in a region.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
    """

    account: str
    region: str
    enforcement_status: str | None
    review_status: str | None
    is_sending_enabled: bool | None
    has_production_access: bool | None
    max_sends_24h: float | None
    max_sends_per_sec: float | None
    sends_24h: float | None
    is_vdm_enabled: bool | None
    has_engagement_metrics: bool | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What one region answered: the lines of the days asked for, and the posture if allowed."""

    at: datetime
    lines: Sequence[Line]
    posture: Posture | None

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; instants as ISO 8601 in UTC."""
        lines = [{**asdict(one), "event_date": one.event_date.isoformat()} for one in self.lines]
        posture = asdict(self.posture) if self.posture is not None else None
        return {"at": self.at.isoformat(), "lines": lines, "posture": posture}

    @classmethod
    def parse(cls, told: dict[str, Any]) -> Self:
        """Make it from `to_json`'s answer."""
        lines = [
            Line(
                **{
                    **one,
                    "event_date": date.fromisoformat(one["event_date"]),
                    "reasons": tuple(one["reasons"]),
                }
            )
            for one in told["lines"]
        ]
        posture = Posture(**told["posture"]) if told["posture"] is not None else None
        return cls(datetime.fromisoformat(told["at"]), lines, posture)


def keep(warehouse: Warehouse, found: Reconciliation) -> None:
    """Replace what is known of these days, and note the posture; one transaction."""
    at = found.at.replace(tzinfo=None)
    rows = [{"reconciled_at": at, **asdict(one)} for one in found.lines]
    lines = pa.Table.from_pylist(rows, LINE_FIELDS)

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        connection.register("lines", lines)
        try:
            connection.execute(_REPLACE)
            connection.execute("insert into reconciliations by name select * from lines")
        finally:
            connection.unregister("lines")
        if found.posture is not None:
            values = [at, *asdict(found.posture).values()]
            marks = ", ".join("?" for _ in values)
            connection.execute(f"insert into postures values ({marks})", values)

    warehouse.change("keeping a reconciliation", work)
