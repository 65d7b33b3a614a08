"""One region from question to explained lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from consumer.door.access import Access
from consumer.errors import SourceError
from consumer.reconciliation.amazon import Amazon
from consumer.reconciliation.figures import Figures
from consumer.reconciliation.reasons import Circumstances, explain, explain_whole
from consumer.reconciliation.scopes import (
    CLOUDWATCH,
    CLOUDWATCH_METRICS,
    EVERYTHING,
    VDM,
    VDM_METRICS,
    Metric,
    Scope,
    Series,
    Span,
)
from consumer.warehouse.reconciliations import Line, Posture, Reconciliation

_METRICS: Final = {VDM: VDM_METRICS, CLOUDWATCH: CLOUDWATCH_METRICS}


@dataclass(frozen=True, slots=True)
class RegionReport:
    """What came of a region.

    Attributes:
        region: the AWS region.
        account: whose credentials it was asked with; None where even that was refused.
        posture: how the account stands, None where we may not know.
        lines: the figures side by side, with reasons; they are in the warehouse too.
        refusals: what was not answered, each in words with what to do.
        faults: the same as raised, for the exit code.
    """

    region: str
    account: str | None
    posture: Posture | None
    lines: Sequence[Line]
    faults: Sequence[SourceError]

    @property
    def refusals(self) -> list[str]:
        """What was not answered, each in words with what to do."""
        return [str(fault) for fault in self.faults]

    @property
    def is_refused(self) -> bool:
        """Whether nothing at all was answered."""
        return bool(self.faults) and self.posture is None and not self.lines


def reconcile_region(
    access: Access,
    open_amazon: Callable[[], Amazon],
    region: str,
    span: Span,
    *,
    at: datetime | None = None,
) -> RegionReport:
    """Ask AWS for the days of ``span``, lay our figures beside, explain, and keep the result.

    1. Ask whose account it is, and how it stands.
    2. Ask our own figures.
    3. Ask VDM, unless it is off, and CloudWatch; one that refuses does not hinder the other.
    4. Explain what differs.
    5. Keep it in the warehouse.

    A refusal is part of the report, not an exception.
    """
    faults: list[SourceError] = []
    # 1
    try:
        amazon = open_amazon()
        account = amazon.read_account()
    except SourceError as fault:
        return RegionReport(region, None, None, [], [fault])
    posture: Posture | None = None
    try:
        posture = amazon.read_posture(account)
    except SourceError as fault:
        faults.append(fault)
    # 2
    figures = Figures(access, account, region, span)
    around = Circumstances(figures, span, posture.has_engagement_metrics if posture else None)
    # 3
    answers: dict[str, tuple[list[Scope], Series]] = {}
    sets = [Scope(configuration_set=name) for name in figures.sets]
    if posture is not None and posture.is_vdm_enabled is False:
        faults.append(
            SourceError(
                f"Virtual Deliverability Manager is off in {region}: nothing to lay beside; "
                "switch it on in the SES console, or with aws sesv2 put-account-vdm-attributes"
            )
        )
    elif span.vdm_first <= span.last:
        scopes = [EVERYTHING, *sets, *(Scope(provider=name) for name in figures.providers)]
        try:
            answers[VDM] = (scopes, amazon.read_vdm(scopes, span))
        except SourceError as fault:
            faults.append(fault)
    try:
        listed = amazon.list_cloudwatch_sets() | set(figures.sets)
        scopes = [EVERYTHING, *(Scope(configuration_set=name) for name in sorted(listed))]
        answers[CLOUDWATCH] = (scopes, amazon.read_cloudwatch(scopes, span))
    except SourceError as fault:
        faults.append(fault)
    # 4
    lines = [
        line
        for authority, (scopes, series) in answers.items()
        for metric in _METRICS[authority]
        for line in _lay_beside(account, region, authority, metric, scopes, series, around)
    ]
    # 5
    if lines or posture is not None:
        found = Reconciliation((at or datetime.now(UTC)).astimezone(UTC), lines, posture)
        access.keep_reconciliation(found)
    return RegionReport(region, account, posture, lines, faults)


def _lay_beside(  # noqa: PLR0913, PLR0917 - what a figure is of
    account: str,
    region: str,
    authority: str,
    metric: Metric,
    scopes: Sequence[Scope],
    series: Series,
    around: Circumstances,
) -> list[Line]:
    """Return the lines of a metric, day by day; days on which nobody counted anything have none."""
    # CloudWatch has only what a set's CloudWatch destination sends it: no set needs one
    published = {scope for scope, _ in series}
    lines: list[Line] = []
    for day in around.span.days():
        of_day = []
        for scope in scopes:
            if authority == CLOUDWATCH and scope not in published:
                continue
            figure = around.figures.find(authority, day, scope, metric)
            theirs = _theirs(authority, series, scope, metric, day, around.span)
            if figure.ours or theirs:
                line = Line(
                    day,
                    account,
                    region,
                    scope.configuration_set,
                    scope.provider,
                    authority,
                    metric.name,
                    figure.ours,
                    theirs,
                )
                of_day.append(explain(line, metric, figure.parts, around))
        sets = [line for line in of_day if line.configuration_set is not None]
        for line in of_day:
            is_whole = (line.configuration_set, line.provider) == EVERYTHING
            lines.append(explain_whole(line, sets, metric, around.figures) if is_whole else line)
    return lines


def _theirs(  # noqa: PLR0913, PLR0917 - the same
    authority: str, series: Series, scope: Scope, metric: Metric, day: date, span: Span
) -> int | None:
    """Return AWS's figure; a day without a point is 0 where others of the series have one."""
    if authority == VDM and day < span.vdm_first:
        return None
    days = series.get((scope, metric.name))
    return None if days is None else days.get(day, 0)
