"""`duckpost sql`: one read-only question to the warehouse."""

import sys
from pathlib import Path

import click

from consumer.cli.options import configured, opened
from consumer.cli.output import WRITERS, iterate_rows, open_console, print_table
from consumer.errors import UsageError


@click.command()
@click.argument("query", required=False)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", *WRITERS]),
    default="table",
    show_default=True,
    help="How rows are written.",
)
@configured
def sql(query: str | None, shape: str, config: Path | None, warehouse: Path | None) -> None:
    """Answer QUERY, or what is piped in: one read-only statement.

    Asks the running worker, or opens the file when none runs. Tables and views are listed by
    `duckpost sql "show tables"`.
    """
    if query is None:
        if sys.stdin.isatty():
            raise UsageError("no query: give one as an argument or on stdin")
        query = sys.stdin.read()
    with opened(config, warehouse, create=False) as access, access.read(query) as reader:
        if shape == "table":
            rows = (row.values() for row in iterate_rows(reader))
            print_table(open_console(), reader.schema.names, rows)
        else:
            WRITERS[shape](reader, sys.stdout)
