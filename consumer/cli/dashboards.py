"""`duckpost dashboards`: Grafana dashboards and alert rules, from code into files or a Grafana."""

import json
import shutil
from pathlib import Path

import click
from rich.console import Console

from consumer.cli.options import as_json
from consumer.cli.output import open_console
from consumer.dashboards.build import build as build_files
from consumer.dashboards.definitions import load_definitions
from consumer.dashboards.grafana import Grafana
from consumer.dashboards.push import Change
from consumer.dashboards.push import push as push_all
from consumer.errors import EXIT_FAILED, UsageError
from consumer.resources import dashboards_folder
from consumer.settings import load_settings

_WORDS = {
    "new": ("made", "would make"),
    "changed": ("changed", "would change"),
    "same": ("same", "same"),
    "kept": ("kept", "kept"),
}


@click.group()
def dashboards() -> None:
    """Build, push or export the Grafana dashboards and alert rules."""


@dashboards.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write; else where they lie.",
)
def build(folder: Path | None) -> None:
    """Make the JSON anew from the code, for those who change it."""
    changed = build_files(folder or dashboards_folder())
    for path in changed:
        click.echo(f"wrote {path}")
    if not changed:
        click.echo("nothing changed")


@dashboards.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Copy JSON and provisioning files into FOLDER, for a Grafana that reads files."""
    source = dashboards_folder()
    for name in ("json", "provisioning", "optional"):
        shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
    click.echo(f"mount {folder / 'json'} at /var/lib/grafana/dashboards/duckpost")
    click.echo(f"and {folder / 'provisioning'} at /etc/grafana/provisioning")


@dashboards.command()
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would change.")
@click.option("--force", is_flag=True, help="Overwrite what a person changed.")
@as_json
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file; ./duckpost.toml when it is there.",
)
def push(dry_run: bool, force: bool, is_json: bool, config: Path | None) -> None:
    """Bring folder, data source, dashboards and alert rules into a Grafana.

    A second push changes nothing. What a person changed in Grafana is kept, unless --force; then
    the exit code is 1. Set grafana.url and grafana.token (DUCKPOST_GRAFANA_URL, …_TOKEN).
    """
    settings = load_settings(config).grafana
    if settings.url is None or settings.token is None:
        raise UsageError(
            "where to push: set grafana.url and grafana.token in duckpost.toml, or "
            "DUCKPOST_GRAFANA_URL and DUCKPOST_GRAFANA_TOKEN"
        )
    grafana = Grafana(settings.url, settings.token.get_secret_value())
    console = open_console()
    changes = []
    for change in push_all(
        grafana, dashboards_folder(), load_definitions(), settings, dry_run=dry_run, force=force
    ):
        changes.append(change)
        if not is_json:
            _print_change(console, change, dry_run=dry_run)
    if is_json:
        click.echo(json.dumps([{"name": one.name, "fate": one.fate} for one in changes]))
    if any(change.fate == "kept" for change in changes):
        raise click.exceptions.Exit(EXIT_FAILED)


def _print_change(console: Console, change: Change, *, dry_run: bool) -> None:
    console.print(f"{_WORDS[change.fate][dry_run]:>12}  {change.name}", markup=False)
    if change.fate == "kept":
        console.print(f"{'':14}a person changed it in Grafana; --force overwrites it")
    if dry_run and change.fate in {"changed", "kept"}:
        for line in change.diff:
            console.print(f"{'':14}{line}", markup=False, soft_wrap=True)
