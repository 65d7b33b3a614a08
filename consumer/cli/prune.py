"""`duckpost prune`: what is older than it may be goes."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from consumer.cli.ctrl_c import told_on_ctrl_c
from consumer.cli.options import as_json, configured, opened
from consumer.cli.progress import show_progress
from consumer.door.access import to_retention
from consumer.errors import UsageError
from consumer.settings import load_settings
from consumer.warehouse.retention import PruneResult


@click.command()
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would go; nothing does.")
@as_json
@configured
def prune(is_dry_run: bool, is_json: bool, config: Path | None, warehouse: Path | None) -> None:
    """Delete what is older than the settings under `retention` let it be.

    Events go with their message, by when it was sent; published figures stay, and what comes of
    such a message later is ignored. A running worker does the same once a day.
    """
    retention = to_retention(load_settings(config, warehouse=warehouse).retention)
    if not retention.is_set:
        raise UsageError(
            "nothing says how long to keep what: set retention.events_days, "
            "retention.archive_days or retention.quarantine_days"
        )
    with (
        opened(config, warehouse, create=False) as access,
        told_on_ctrl_c(lambda: "what went is gone, the rest as it was; give it again for that"),
        show_progress("pruning", counts_bytes=False) as on_progress,
    ):
        result = access.prune(retention, is_dry_run=is_dry_run, on_progress=on_progress)
    if is_json:
        click.echo(json.dumps(asdict(result)))
        return
    for line in _tell(result):
        click.echo(line)


def _tell(result: PruneResult) -> list[str]:
    went = "would go" if result.is_dry_run else "went"
    lines = []
    if result.events_before is not None:
        failures = (
            f", failures before {result.failure_events_before}"
            if result.failure_events_before != result.events_before
            else ""
        )
        lines.append(
            f"{result.events:,} events of messages sent before {result.events_before}{failures} "
            f"(UTC) {went}, and {result.others:,} rows that belong to them"
        )
    if result.archive_before is not None:
        lines.append(
            f"{result.archive_files:,} archive files from before {result.archive_before} {went}: "
            f"{result.archive_bytes / 1e6:,.1f} MB"
        )
    if result.quarantined_before is not None:
        lines.append(
            f"{result.quarantined:,} quarantined payloads from before {result.quarantined_before} "
            f"{went}"
        )
    return lines
