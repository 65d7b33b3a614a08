"""`duckpost suppression`: who must not be mailed, and why."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import (
    WRITERS,
    iterate_rows,
    open_console,
    print_table,
    to_safe_text,
    write_json,
)
from consumer.suppression import REASONS, read_suppressed
from consumer.suppression import lift as lift_suppression

_SHOWN = ("recipient", "reasons", "suppressed_at", "last_event_at", "events", "last_detail")

by_reason = click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice(REASONS),
    help="Only with this reason; may be given several times.",
)


@click.group()
def suppression() -> None:
    """Who must not be mailed, and why: list, export, lift."""


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

    This is duckpost's own list: what SES keeps in its account list stays there.
    """
    with opened(config, warehouse, create=False) as access:
        lifted = lift_suppression(access, address, note=note)
    if is_json:
        click.echo(json.dumps([asdict(one) for one in lifted]))
        return
    for one in lifted:
        click.echo(f"{to_safe_text(one.recipient)} may be mailed again (was: {_join(one.reasons)})")


def _to_shown(value: object) -> object:
    return _join(value) if isinstance(value, list) else value


def _join(texts: list[str]) -> str:
    return ", ".join(texts)
