"""`duckpost ingest`: one-shot backfill of files and buckets."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from consumer.backfill.run import IngestResult
from consumer.backfill.run import ingest as take_in
from consumer.cli.options import Share, as_json, configured, opened
from consumer.cli.output import to_safe_text
from consumer.cli.progress import show_progress
from consumer.errors import EXIT_FAILED
from consumer.settings import LogSettings, SourceSettings, load_settings
from consumer.sources.files import FilesSource
from consumer.sources.one_shot import OneShotSource
from consumer.telemetry import configure_logging

_BUCKETS = "s3://"
# A batch is too little to be worth splitting: more threads cost CPU and save no time. There are no
# readers beside it, and DuckDB fills whatever it may have: more memory makes it no faster.
_SHARE = Share(threads=1, memory_limit="256MB")

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
    """Take in files, folders, globs, s3://BUCKET/PREFIX or `-` (standard input).

    Prints what was in them. Plain, gzip, zip, snappy or zstd, told by content. The same again is
    all duplicates. Goes through the worker when one runs. Fails when a file or object could not
    be read, or no object is where a URL says. Buckets of the settings are read as those say,
    others with the AWS SDKs' own credentials, region and endpoint (AWS_PROFILE, AWS_REGION,
    AWS_ENDPOINT_URL_S3, …).
    """
    # Standard output is for the figures; what cannot be read is listed after them.
    configure_logging(LogSettings(level="error"), out=sys.stderr)
    settings = load_settings(config, warehouse=warehouse)
    sources = _open_sources(paths, settings.sources)
    with (
        opened(config, warehouse, create=True, share=_SHARE, takes_rules=True) as access,
        show_progress("ingesting") as on_progress,
    ):
        result = take_in(sources, access, processes=processes, on_progress=on_progress)
    if is_json:
        click.echo(json.dumps(asdict(result)))
    else:
        _print_figures(result)
    for path, reason in result.failed.items():
        click.secho(to_safe_text(f"not read: {path}: {reason}"), fg="red", err=True)
    if result.failed:
        raise click.exceptions.Exit(EXIT_FAILED)


def _open_sources(
    paths: Sequence[str], configured: Sequence[SourceSettings]
) -> list[OneShotSource]:
    files = [path for path in paths if not path.startswith(_BUCKETS)]
    sources: list[OneShotSource] = [FilesSource(files)] if files else []
    if len(files) < len(paths):
        # boto3 takes long to import, and files don't need it
        from consumer.cli.buckets import open_objects  # noqa: PLC0415 - the same

        urls = (path for path in paths if path.startswith(_BUCKETS))
        sources += open_objects(urls, configured)
    return sources


def _print_figures(result: IngestResult) -> None:
    for name in FIGURES:
        value = getattr(result, name)
        text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
        click.echo(f"{name:<12}{text:>12}")
    if result.gone:
        click.echo(f"{result.gone:,} objects were deleted after they were listed, and skipped")
    if result.quarantined:
        click.echo("see `duckpost quarantine list` for what could not be understood")
