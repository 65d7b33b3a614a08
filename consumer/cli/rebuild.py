"""`duckpost rebuild` and `duckpost verify`: the warehouse against its archive."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from consumer.cli.ctrl_c import told_on_ctrl_c
from consumer.cli.options import as_json, configured, opened, tell_recovery
from consumer.cli.output import open_console, print_table
from consumer.cli.progress import show_progress
from consumer.door.access import to_options
from consumer.errors import UsageError, WarehouseDamaged
from consumer.settings import load_settings
from consumer.warehouse.place import Place
from consumer.warehouse.recovery.opening import salvage as salvage_file
from consumer.warehouse.recovery.rebuild import rebuild as rebuild_file


@click.command()
@click.option("--new-key", is_flag=True, help="The key is lost: hash recipients with a new one.")
@click.option(
    "--salvage",
    is_flag=True,
    help="Without the archive: keep what can be read of the file, lose what cannot.",
)
@as_json
@configured
def rebuild(
    new_key: bool, salvage: bool, is_json: bool, config: Path | None, warehouse: Path | None
) -> None:
    """Make the warehouse anew from the archive beside it; the old file is put aside.

    Stop the worker first.
    """
    if new_key and salvage:
        raise UsageError("--new-key needs the archive, --salvage goes without: choose one")
    settings = load_settings(config, warehouse=warehouse)
    if salvage:
        recovery = salvage_file(settings.warehouse.path, to_options(settings.warehouse))
        if is_json:
            click.echo(json.dumps({**asdict(recovery), "kept": str(recovery.kept)}))
        else:
            tell_recovery(recovery)
        return
    with show_progress("rebuilding") as on_progress:
        result = rebuild_file(
            settings.warehouse.path,
            to_options(settings.warehouse, settings.classification),
            on_progress=on_progress,
            has_new_key=new_key,
        )
    if is_json:
        figures = asdict(result)
        click.echo(json.dumps({**figures, "kept": str(result.kept) if result.kept else None}))
        return
    click.echo(
        f"{result.batches} batches, {result.payloads} payloads: {result.rows} rows, "
        f"{result.quarantined} quarantined"
    )
    if result.torn:
        click.echo(
            f"{result.torn} places in archive files could not be read and were left out; a kill "
            "leaves one at a file's end, of what was never acknowledged"
        )
    if Place(settings.warehouse.path).gaps.exists():
        click.echo(
            "batches written while the archive was off, or whose files retention deleted, are not "
            "in it"
        )
    if result.kept is not None:
        click.echo(f"the old file is kept as {result.kept}")


@click.command()
@as_json
@configured
def verify(is_json: bool, config: Path | None, warehouse: Path | None) -> None:
    """Hold ledger, rows, marks and archive against each other; fails when two differ."""
    with (
        opened(config, warehouse, create=False) as access,
        told_on_ctrl_c(lambda: "nothing was changed"),
        show_progress("verifying", counts_bytes=False) as on_progress,
    ):
        findings = access.verify(on_progress=on_progress)
        path = access.path
    if is_json:
        click.echo(json.dumps([{**asdict(one), "is_well": one.is_well} for one in findings]))
    else:
        print_table(
            open_console(),
            ["", "check", "expected", "found", "note"],
            [
                ["ok" if one.is_well else "BAD", one.check, one.expected, one.found, one.note]
                for one in findings
            ],
        )
    faults = [one.check for one in findings if not one.is_well]
    if not faults:
        return
    checks = "1 check" if len(faults) == 1 else f"{len(faults)} checks"
    if all(check.startswith("archive") for check in faults):
        advice = (
            "the warehouse itself is whole, but could not be built again from this archive: "
            "restore it from a backup"
        )
    else:
        advice = f"stop the worker and run `duckpost rebuild --warehouse {path}`"
    raise WarehouseDamaged(f"{checks} of {path} failed; {advice}")
