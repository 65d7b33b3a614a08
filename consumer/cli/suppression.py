"""`duckpost suppression`: who must not be mailed, and why."""

import json
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import click

from consumer.cli.options import as_json, configured, in_account, opened
from consumer.cli.output import (
    WRITERS,
    iterate_rows,
    open_console,
    print_table,
    to_safe_text,
    write_json,
)
from consumer.errors import UsageError
from consumer.sources.aws import AwsAccess
from consumer.suppression.recipients import REASONS, read_suppressed
from consumer.suppression.recipients import lift as lift_suppression
from consumer.suppression.sync import Direction, RegionSync, SesList, find_regions, sync_region

_SHOWN = ("recipient", "reasons", "suppressed_at", "last_event_at", "events", "last_detail")
_SHOWN_CHANGES = 50
_SIGNS = {
    "put": ("+ SES", "happened"),
    "delete": ("- SES", "lifted here"),
    "learn": ("+ duckpost", "listed by SES"),
    "forget": ("- duckpost", "no more listed by SES, was"),
}

by_reason = click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice(REASONS),
    help="Only with this reason; may be given several times.",
)


@click.group()
def suppression() -> None:
    """Who must not be mailed, and why: list, export, lift, sync."""


@suppression.command("list")
@by_reason
@click.option("--limit", default=100, show_default=True, help="The latest so many.")
@as_json
@configured
def list_suppressed(
    reasons: tuple[str, ...],
    limit: int,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """List who must not be mailed, the latest first.

    Hard bounces, complaints that name one complainer, those who unsubscribed from everything, and
    those to whom SES refuses to deliver.
    """
    with (
        opened(config, warehouse, create=False) as access,
        read_suppressed(access, reasons=reasons, limit=limit) as reader,
    ):
        if is_json:
            write_json(reader, sys.stdout)
            return
        rows = [[_to_shown(row[name]) for name in _SHOWN] for row in iterate_rows(reader)]
    if not rows:
        click.echo("nobody is suppressed")
        return
    print_table(open_console(), list(_SHOWN), rows)
    if len(rows) == limit:
        click.echo(f"the latest {limit}; --limit shows more, `duckpost suppression export` all")


@suppression.command()
@by_reason
@click.option(
    "--format",
    "shape",
    type=click.Choice(list(WRITERS)),
    default="csv",
    show_default=True,
    help="How rows are written.",
)
@configured
def export(
    reasons: tuple[str, ...], shape: str, config: Path | None, warehouse: Path | None
) -> None:
    """Write all of them to standard output, for another system to import."""
    with (
        opened(config, warehouse, create=False) as access,
        read_suppressed(access, reasons=reasons) as reader,
    ):
        WRITERS[shape](reader, sys.stdout)


@suppression.command()
@click.argument("address")
@click.option("--note", help="Why, for whoever asks later.")
@as_json
@configured
def lift(
    address: str, note: str | None, is_json: bool, config: Path | None, warehouse: Path | None
) -> None:
    """Let ADDRESS be mailed again, until its next hard bounce or complaint.

    This is duckpost's own list; `duckpost suppression sync` tells SES's account list.
    """
    with opened(config, warehouse, create=False) as access:
        lifted = lift_suppression(access, address, note=note)
    if is_json:
        click.echo(json.dumps([asdict(one) for one in lifted]))
        return
    for one in lifted:
        click.echo(f"{to_safe_text(one.recipient)} may be mailed again (was: {_join(one.reasons)})")


@suppression.command()
@click.option(
    "--region",
    "regions",
    multiple=True,
    help="AWS region; may be given several times. Otherwise all that suppressed somebody.",
)
@click.option(
    "--direction",
    type=click.Choice(["from-ses", "to-ses", "both"]),
    default="both",
    show_default=True,
    help="Who learns from whom.",
)
@click.option("--apply", "is_applied", is_flag=True, help="Do it; otherwise only say what differs.")
@in_account
@as_json
@configured
def sync(  # noqa: PLR0913, PLR0917 - a parameter an option, as click has it
    regions: tuple[str, ...],
    direction: Direction,
    is_applied: bool,
    profile: str | None,
    role_arn: str | None,
    role_external_id: str | None,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Lay our list against SES's account list, region by region, and settle it with --apply.

    Hard bounces and complaints go to SES, what SES lists comes to us. From SES's list only that is
    taken which was lifted here after SES listed it. A run that was broken off is run again.
    """
    aws = AwsAccess(profile=profile, role_arn=role_arn, role_external_id=role_external_id)
    with opened(config, warehouse, create=False) as access:
        asked = list(dict.fromkeys(regions)) or find_regions(access)
        if not asked:
            raise UsageError("nobody is suppressed yet, so no region is known: give --region")
        syncs = [
            sync_region(
                access,
                partial(SesList, aws, region),
                region,
                direction=direction,
                is_applied=is_applied,
            )
            for region in asked
        ]
    if is_json:
        click.echo(json.dumps([_to_told(one) for one in syncs]))
    else:
        for one in syncs:
            _show_sync(one, is_applied=is_applied)
    faults = [fault for one in syncs for fault in one.faults]
    if faults and (is_applied or all(one.faults for one in syncs)):
        raise faults[0]


def _to_told(one: RegionSync) -> dict[str, object]:
    changes = [{**asdict(change), "at": str(change.at)} for change in one.changes]
    faults = [str(fault) for fault in one.faults]
    return {**asdict(replace(one, changes=[], faults=[])), "changes": changes, "refusals": faults}


def _show_sync(one: RegionSync, *, is_applied: bool) -> None:
    click.secho(f"{one.region}, account {one.account or 'unknown'}", bold=True)
    for change in one.changes[:_SHOWN_CHANGES]:
        sign, words = _SIGNS[change.action]
        address = to_safe_text(change.address)
        click.echo(f"  {sign} {address}  {change.reason}, {words} {change.at:%Y-%m-%d %H:%M}")
    if len(one.changes) > _SHOWN_CHANGES:
        click.echo(f"  and {len(one.changes) - _SHOWN_CHANGES} more; --json shows all")
    if one.erased:
        click.echo(f"  {one.erased} are known by tokens alone: SES cannot be told their addresses")
    for fault in one.faults:
        click.secho(f"  refused: {to_safe_text(str(fault))}", fg="yellow")
    if is_applied:
        click.echo(f"  {one.done} of {len(one.changes)} differences settled")
    elif one.changes:
        click.echo(f"  {len(one.changes)} differences; --apply settles them")
    elif not one.faults:
        click.echo("  no difference")


def _to_shown(value: object) -> object:
    return _join(value) if isinstance(value, list) else value


def _join(texts: list[str]) -> str:
    return ", ".join(texts)
