"""`duckpost demo`: no account, no server, true figures."""

from pathlib import Path

import click
from rich.console import Console

from consumer.demo.run import run_demo


@click.command()
@click.option(
    "--messages",
    default=2_000,
    type=click.IntRange(min=1),
    show_default=True,
    help="Mails to simulate.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed, the same traffic.")
@click.option("--serve/--no-serve", default=True, help="Whether to stay up for queries afterwards.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the warehouse is made, and stays; else a temporary folder.",
)
def demo(messages: int, seed: int, serve: bool, directory: Path | None) -> None:
    """Simulate SES traffic over a queue on loopback, take it in, and show the figures.

    Beside them stands what the simulator knows it sent, so that you see that they are right.
    """
    code = run_demo(Console(), messages=messages, seed=seed, serve=serve, directory=directory)
    raise click.exceptions.Exit(code)
