"""`duckpost reconcile`: our daily figures beside AWS's own."""

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from consumer.cli.options import as_json, configured, in_account, opened
from consumer.cli.output import open_console, print_table, to_plain, to_safe_text
from consumer.errors import SourceDenied, SourceUnavailable, UsageError
from consumer.reconciliation import (
    WORDS,
    Amazon,
    RegionReport,
    Span,
    find_regions,
    reconcile_region,
)
from consumer.report import parse_span
from consumer.sources.aws import AwsAccess

_SHOWN = 40
_COLUMNS = ("day", "of", "whose", "metric", "ours", "theirs", "reasons")


@click.command()
@click.option(
    "--since", default="7d", show_default=True, help="How far back, in whole UTC days: 7d, 4w."
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    help="AWS region; may be given several times. Those that mail was sent in otherwise.",
)
@in_account
@as_json
@configured
def reconcile(  # noqa: PLR0913, PLR0917 - a parameter an option, as click has it
    since: str,
    regions: tuple[str, ...],
    profile: str | None,
    role_arn: str | None,
    role_external_id: str | None,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Lay our daily figures beside AWS's own, and say why they differ.

    VDM (SESv2 BatchGetMetricData) by configuration set and mailbox provider, CloudWatch (AWS/SES)
    by configuration set. What is found stays in the view `reconciliation`, and how the account
    stands in `reconciliation_posture`. Permissions: docs/aws.md.
    """
    now = datetime.now(UTC)
    span = Span((now - parse_span(since)).date(), now.date(), now.date())
    aws = AwsAccess(profile=profile, role_arn=role_arn, role_external_id=role_external_id)
    with opened(config, warehouse, create=False) as access:
        asked = list(dict.fromkeys(regions)) or find_regions(access, span.first)
        if not asked:
            raise UsageError(
                f"no mail since {span.first} names a region: give one with --region, or reach "
                "further back with --since"
            )
        reports = [
            reconcile_region(access, partial(Amazon, aws, region), region, span) for region in asked
        ]
    if is_json:
        click.echo(json.dumps([_to_json(report) for report in reports]))
    else:
        for report in reports:
            _show(report)
    _raise_if_refused(reports)


def _to_json(report: RegionReport) -> dict[str, object]:
    return {
        "region": report.region,
        "account": report.account,
        "posture": asdict(report.posture) if report.posture is not None else None,
        "lines": [
            {name: to_plain(_to_list(value)) for name, value in asdict(line).items()}
            for line in report.lines
        ],
        "refusals": report.refusals,
    }


def _to_list(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _show(report: RegionReport) -> None:
    click.secho(f"{report.region}, account {report.account or 'unknown'}", bold=True)
    for refusal in report.refusals:
        click.secho(f"  not asked or not answered: {to_safe_text(refusal)}", fg="yellow")
    if report.posture is not None:
        click.echo(f"  {_describe_posture(report)}")
    if not report.lines:
        return
    different = [line for line in report.lines if not line.is_equal]
    unexplained = sum("unexplained" in line.reasons for line in different)
    click.echo(
        f"  {len(report.lines)} figures, {len(report.lines) - len(different)} the same, "
        f"{len(different)} different, of which {unexplained} unexplained"
    )
    # what nobody can explain first, then the latest
    different.sort(key=lambda line: line.event_date, reverse=True)
    different.sort(key=lambda line: "unexplained" not in line.reasons)
    rows = [
        [
            line.event_date,
            line.configuration_set or line.provider or "(all mail)",
            line.authority,
            line.metric,
            line.ours,
            line.theirs,
            ", ".join(line.reasons),
        ]
        for line in different[:_SHOWN]
    ]
    if rows:
        print_table(open_console(), list(_COLUMNS), rows)
    if len(different) > _SHOWN:
        click.echo(f"  the first {_SHOWN}; all of them are in the view reconciliation")
    for reason, count in Counter(one for line in different for one in line.reasons).most_common():
        click.echo(f"  {reason} ({count}): {WORDS[reason]}")


def _describe_posture(report: RegionReport) -> str:
    posture = report.posture
    if posture is None:
        return ""
    status = posture.enforcement_status or "unknown"
    sending = "may send" if posture.is_sending_enabled else "may not send"
    sandbox = "" if posture.has_production_access else ", in the sandbox"
    quota = (
        f"; {posture.sends_24h or 0:.0f} of {posture.max_sends_24h:.0f} recipients in the last "
        f"24 hours, {posture.max_sends_per_sec or 0:g} a second at most"
        if posture.max_sends_24h is not None
        else ""
    )
    return f"account {status}, {sending}{sandbox}{quota}"


def _raise_if_refused(reports: list[RegionReport]) -> None:
    """Raise when nothing was answered anywhere; one region that did answer is enough."""
    if not all(report.is_refused for report in reports):
        return
    text = "AWS answered nothing in " + ", ".join(report.region for report in reports)
    if any(isinstance(fault, SourceDenied) for report in reports for fault in report.faults):
        raise SourceDenied(f"{text}; first: {reports[0].refusals[0]}")
    raise SourceUnavailable(f"{text}; first: {reports[0].refusals[0]}")
