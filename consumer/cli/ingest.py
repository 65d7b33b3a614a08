"""`duckpost ingest`: one-shot backfill of files."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from consumer.backfill import IngestResult
from consumer.backfill import ingest as ingest_files
from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import to_safe_text
from consumer.errors import EXIT_FAILED
from consumer.settings import LogSettings
from consumer.sources.files import FilesSource
from consumer.telemetry import configure_logging

FIGURES = (
    "files",
    "payloads",
    "inserted",
    "duplicates",
    "superseded",
    "quarantined",
    "ignored",
    "seconds",
)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--processes",
    type=click.IntRange(min=0),
    help="Processes that decode; one a core by default, 0 decodes in this one.",
)
@as_json
@configured
def ingest(
    paths: tuple[str, ...],
    processes: int | None,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Take in files, folders, globs or `-` (standard input), and print what was in them.

    Plain, gzip, zip or snappy, told by content. The same files again are all duplicates. Goes
    through the worker when one runs. Fails when a file could not be read.
    """
    # Standard output is for the figures; what cannot be read is listed after them.
    configure_logging(LogSettings(level="error"), out=sys.stderr)
    source = FilesSource(paths)
    with opened(config, warehouse, create=True) as access, _progress() as on_progress:
        result = ingest_files(source, access, processes=processes, on_progress=on_progress)
    if is_json:
        click.echo(json.dumps(asdict(result)))
    else:
        _print_figures(result)
    for path, reason in result.failed.items():
        click.secho(to_safe_text(f"not read: {path}: {reason}"), fg="red", err=True)
    if result.failed:
        raise click.exceptions.Exit(EXIT_FAILED)


def _print_figures(result: IngestResult) -> None:
    for name in FIGURES:
        value = getattr(result, name)
        text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
        click.echo(f"{name:<12}{text:>12}")
    if result.quarantined:
        click.echo("see `duckpost quarantine list` for what could not be understood")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("ingesting"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("ingesting", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
