"""The program `duckpost`: its verbs, its options, and how it ends."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

import click
from rich.console import Console

from consumer.errors import EXIT_FAILED, DuckpostError

_PRIVATE_UMASK: Final = 0o077

# Verb → module that holds it, imported when it is called: a question in SQL needs no AWS client.
_VERBS: Final = {
    "run": "consumer.cli.run",
    "ingest": "consumer.cli.ingest",
    "demo": "consumer.cli.demo",
    "sql": "consumer.cli.sql",
    "report": "consumer.cli.report",
    "find": "consumer.cli.find",
    "reconcile": "consumer.cli.reconcile",
    "dashboards": "consumer.cli.dashboards",
    "check": "consumer.cli.check",
    "quarantine": "consumer.cli.quarantine",
    "suppression": "consumer.cli.suppression",
    "erase": "consumer.cli.erase",
    "prune": "consumer.cli.prune",
    "reclassify": "consumer.cli.reclassify",
    "rebuild": "consumer.cli.rebuild",
    "verify": "consumer.cli.rebuild",
    "backup": "consumer.cli.backup",
}


class Verbs(click.Group):
    """The verbs, in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the verbs."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Import a verb; None for a word that is none."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(_VERBS[cmd_name]), cmd_name)
        return command


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 transport denied, "
    "4 warehouse.",
)
@click.version_option(package_name="duckpost")
def duckpost() -> None:
    """Every Amazon SES event in DuckDB, counted once, with every figure defined."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code; a fault is one red line on stderr."""
    # rows hold addresses: whatever is written is its owner's alone
    os.umask(_PRIVATE_UMASK)
    try:
        # https://no-color.org; rich looks by itself, click does not
        color = False if os.environ.get("NO_COLOR") else None
        duckpost.main(arguments, prog_name="duckpost", color=color)
    except DuckpostError as error:
        console = Console(stderr=True, highlight=False)
        console.print("error:", str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read us has seen enough (`| head`). Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
