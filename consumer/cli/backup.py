"""`duckpost backup`: a consistent copy while the worker runs."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from consumer.cli.ctrl_c import told_on_ctrl_c
from consumer.cli.options import as_json, configured, opened
from consumer.cli.progress import show_progress


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@as_json
@configured
def backup(folder: Path, is_json: bool, config: Path | None, warehouse: Path | None) -> None:
    """Copy the warehouse, its key and its archive into DIR, which must be new or empty.

    To restore, start on the copy: sources are read on from the positions in it, and what comes
    again is recognised. The copy holds the key, so keep it as you keep the warehouse.
    """
    with opened(config, warehouse, create=False) as access:
        click.echo(f"backing up {access.estimates().backup}", err=True)
        with (
            told_on_ctrl_c(lambda: "nothing is left of the backup"),
            show_progress("backing up") as on_progress,
        ):
            result = access.back_up(folder, on_progress=on_progress)
    if is_json:
        click.echo(json.dumps(asdict(result)))
        return
    click.echo(
        f"{result.bytes / 1e6:,.1f} MB in {result.folder}: {result.batches:,} batches, "
        f"the last of {result.last_commit_at or 'none'}"
    )
    click.echo(
        f"{result.seconds:.1f} s, of which commits waited {result.paused_seconds:.1f} s; "
        f"restore: duckpost run --warehouse {Path(result.folder) / access.path.name}"
    )
