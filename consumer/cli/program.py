"""The program `duckpost`: its verbs, its options, and how it ends."""

import os
import sys
from collections.abc import Sequence
from importlib import metadata

import click
from rich.console import Console

from consumer.cli.check import check
from consumer.cli.demo import demo
from consumer.cli.ingest import ingest
from consumer.cli.quarantine import quarantine
from consumer.cli.rebuild import rebuild, verify
from consumer.cli.report import report
from consumer.cli.run import run
from consumer.cli.sql import sql
from consumer.errors import EXIT_FAILED, DuckpostError


def _find_version() -> str:
    try:
        return metadata.version("duckpost")
    except metadata.PackageNotFoundError:
        return "of a checkout that is not installed"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 transport denied, "
    "4 warehouse.",
)
@click.version_option(_find_version())
def duckpost() -> None:
    """Every Amazon SES event in DuckDB, counted once, with every figure defined."""


for verb in (run, ingest, demo, sql, report, check, quarantine, rebuild, verify):
    duckpost.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code; a fault is one red line on stderr."""
    try:
        duckpost.main(arguments, prog_name="duckpost")
    except DuckpostError as error:
        console = Console(stderr=True, highlight=False)
        console.print("error:", str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read us has seen enough (`| head`). Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
