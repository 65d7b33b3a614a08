"""The metrics over a span of time, by any dimension: what `duckpost report` shows.

Nothing is computed here: counts come from the view ``event_tallies``, rates from the macros
``rates_by_event_time`` and ``rates_by_send_cohort``. This module asks, and says in words why a
rate is missing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from consumer.door.access import Access
from consumer.errors import UsageError

Axis = Literal["event-time", "send-cohort"]


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate's column, what it is k of n of, and the event types it cannot do without."""

    name: str
    label: str
    numerator: str
    denominator: str
    needs: tuple[str, ...] = ()
    cohort_only: bool = False


RATES = (
    Rate("delivery_rate", "delivered", "sent_deliveries", "delivery_sends", ("Send", "Delivery")),
    Rate("accepted_rate", "accepted", "accepted", "delivery_attempts", ("Delivery",), True),
    Rate("hard_bounce_rate", "hard bounces", "hard_bounces", "attempted_or_outcomes"),
    Rate("soft_bounce_rate", "soft bounces", "soft_bounces", "attempted_or_outcomes"),
    Rate(
        "undetermined_bounce_rate", "undetermined", "undetermined_bounces", "attempted_or_outcomes"
    ),
    Rate("block_bounce_rate", "blocks", "block_bounces", "attempted_or_outcomes"),
    Rate("aws_bounce_rate", "AWS bounces", "aws_bounces", "aws_mail"),
    Rate(
        "complaint_rate_fbl", "complaints (FBL)", "fbl_complaints", "fbl_deliveries", ("Delivery",)
    ),
    Rate("complaint_rate", "complaints", "complaints", "deliveries", ("Delivery",)),
    Rate("delay_rate", "delayed", "delays", "delay_attempts", ("DeliveryDelay",)),
    Rate(
        "unique_open_rate",
        "opened",
        "unique_human_opens",
        "open_tracked_deliveries",
        ("Delivery", "Open"),
    ),
    Rate(
        "unique_click_rate",
        "clicked",
        "unique_human_clicks",
        "click_tracked_deliveries",
        ("Delivery", "Click"),
    ),
    Rate("click_to_open_rate", "click to open", "unique_clicks", "unique_engaged", ("Click",)),
    Rate("unsubscribe_rate", "unsubscribed", "unsubscribes", "list_deliveries"),
    Rate("lost_rate", "lost", "lost", "lost_attempts", ("Send", "Delivery"), True),
)

COUNTS = (
    "sends",
    "rejects",
    "rendering_failures",
    "suppressed",
    "attempted",
    "outcomes",
    "deliveries",
    "hard_bounces",
    "soft_bounces",
    "undetermined_bounces",
    "auto_replies",
    "complaints",
    "delays",
    "opens",
    "machine_opens",
    "unique_human_opens",
    "clicks",
    "machine_clicks",
    "unique_human_clicks",
    "unsubscribes",
)

# A configuration set or identity of one name in two accounts or regions is two.
_EXPANDED = {
    "configuration_set": ("account", "region", "configuration_set"),
    "identity": ("account", "region", "identity"),
}
_WORDS = {
    "attempted_or_outcomes": "mail attempted",
    "aws_mail": "sends",
    "delivery_sends": "sends",
    "delivery_attempts": "mail attempted",
    "delay_attempts": "mail attempted",
    "lost_attempts": "mail attempted",
    "fbl_deliveries": "deliveries to providers with a feedback loop",
    "list_deliveries": "deliveries of mail with SES list management",
    "open_tracked_deliveries": "deliveries while opens were tracked",
    "click_tracked_deliveries": "deliveries while clicks were tracked",
    "unique_engaged": "opens or clicks of one reader",
}
# Attempts, or outcomes in their place.
_NEED_AN_ATTEMPT = ("attempted_or_outcomes", "aws_mail", "delivery_attempts", "delay_attempts")
_BASES = {
    "outcomes": "of outcomes (Deliveries and bounces), as Send is not published",
    "mixed": "on some days of outcomes (Deliveries and bounces), as Send was not published",
}
_PLAIN = ("account", "region", "provider", "recipient_domain", "from_domain", "tenant")
_TIMES = ("day", "hour")
_TAG = "tag:"
_SPAN = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One rate of one group: ``numerator`` of ``denominator``; ``reason`` says why it is None."""

    rate: Rate
    value: float | None
    numerator: int | None
    denominator: int | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs together: its dimensions' values, counts by name, and rates."""

    dimensions: dict[str, object]
    counts: dict[str, int]
    figures: list[Figure]
    denominator_basis: str
    is_small_sample: bool

    @property
    def basis_in_words(self) -> str:
        """What bounce rates are of where it is not what was attempted; else empty."""
        has_outcomes = bool(self.counts["outcomes"])
        return _BASES.get(self.denominator_basis, "") if has_outcomes else ""


def parse_span(text: str) -> timedelta:
    """Read ``90m``, ``24h``, ``7d`` or ``4w``. Raises `UsageError`."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no span of time; write 90m, 24h, 7d or 4w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def parse_dimensions(text: str) -> list[str]:
    """Read a comma-separated list of dimensions. Raises `UsageError` for one there is not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in (*_EXPANDED, *_PLAIN, *_TIMES) and not (
            name.startswith(_TAG) and len(name) > len(_TAG)
        ):
            known = ", ".join((*_EXPANDED, *_PLAIN, *_TIMES, "tag:KEY"))
            raise UsageError(f"{name!r} is no dimension; there are {known}")
    return names


def build_report(
    access: Access,
    *,
    since: datetime,
    until: datetime,
    by: Sequence[str],
    axis: Axis,
) -> list[Group]:
    """Ask for the figures from ``since`` up to ``until`` (UTC, naive), the largest group first."""
    is_cohort = axis == "send-cohort"
    dimensions, params = _to_dimensions(by, is_cohort=is_cohort)
    instant = "sent_at" if is_cohort else "event_at"
    macro = "rates_by_send_cohort" if is_cohort else "rates_by_event_time"
    sql = f"""
    with tallies as (
        select {dimensions} as dimensions, t.* from event_tallies as t
        where t.{instant} >= ?::timestamp and t.{instant} < ?::timestamp
    ),
    sums as (select s.*, ?::timestamp as cohort_ends_at from sums_by_dimensions('tallies') as s)
    select r.* from {macro}('sums') as r
    order by r.attempted_or_outcomes desc, r.dimensions::varchar
    """  # noqa: S608 - names from the closed lists above; values are parameters
    instants = [since.isoformat(), until.isoformat(), until.isoformat()]
    with access.read(sql, [*params, *instants]) as reader:
        rows = [row for batch in reader for row in batch.to_pylist()]
    return [_to_group(row, by, is_cohort=is_cohort) for row in rows]


DEFINITION_CHANGES = """
select version, metric, what_changed, taken_up_at
from definition_changes order by version desc, metric
"""


def read_definitions_version(access: Access) -> str:
    """Ask which definitions the figures follow: the version that docs/metrics.md carries."""
    with access.read("select definitions_version() as version") as reader:
        version: str = reader.read_all()["version"][0].as_py()
    return version


def _to_dimensions(by: Sequence[str], *, is_cohort: bool) -> tuple[str, list[object]]:
    """Return a struct's SQL with a field for each dimension, and the tag keys it asks for."""
    columns: dict[str, str] = {}
    params: list[object] = []
    for name in by:
        if name.startswith(_TAG):
            columns[name] = "array_to_string(t.tags[?], ', ')"
            params.append(name.removeprefix(_TAG))
        elif name in _TIMES:
            columns[name] = f"t.{'cohort' if is_cohort else 'event'}_{name}"
        else:
            for column in _EXPANDED.get(name, (name,)):
                columns[column] = f"t.{column}"
    if not columns:
        return "struct_pack(everything := true)", []
    fields = [f"d{index} := {sql}" for index, sql in enumerate(columns.values())]
    return f"struct_pack({', '.join(fields)})", params


def _names(by: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(column for name in by for column in _EXPANDED.get(name, (name,))))


def _to_group(row: dict[str, object], by: Sequence[str], *, is_cohort: bool) -> Group:
    packed = row["dimensions"]
    values = list(packed.values()) if isinstance(packed, dict) else []
    missing = {name for name in str(row["missing_event_types"] or "").split(", ") if name}
    basis = str(row["denominator_basis"] or "")
    figures = []
    for rate in RATES:
        if rate.cohort_only and not is_cohort:
            continue
        value = _to_float(row[rate.name])
        figures.append(
            Figure(
                rate=rate,
                value=value,
                numerator=_to_int(row[rate.numerator]),
                denominator=_to_int(row[rate.denominator]),
                low=_to_float(row.get(f"{rate.name}_low")),
                high=_to_float(row.get(f"{rate.name}_high")),
                reason="" if value is not None else _explain(rate, row, missing, basis),
            )
        )
    return Group(
        dimensions=dict(zip(_names(by), values, strict=False)),
        counts={name: _to_int(row[name]) or 0 for name in COUNTS},
        figures=figures,
        denominator_basis=basis,
        is_small_sample=bool(row["is_small_sample"]),
    )


def _explain(rate: Rate, row: dict[str, object], missing: set[str], basis: str) -> str:
    """Say why a rate is missing, the most telling reason first."""
    absent = [name for name in rate.needs if name in missing]
    if absent:
        return f"no {' and no '.join(absent)} event was ever seen: not published?"
    if rate.denominator in _NEED_AN_ATTEMPT and {"Send", "Delivery"} <= missing:
        return "neither Send nor Delivery events were ever seen: nothing says how much was tried"
    if rate.name == "lost_rate" and row["lost"] is None and _to_int(row[rate.denominator]):
        return "known 24 hours after the last mail of the span; use --until 24h"
    if "Send" in rate.needs and basis == "outcomes":
        return "Send events are not published; outcomes stand in for attempted"
    words = _WORDS.get(rate.denominator, rate.denominator.replace("_", " "))
    return f"nothing to divide by: no {words} in this span"


def _to_int(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _to_float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
