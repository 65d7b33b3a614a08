"""`duckpost sql`: one read-only question to the warehouse."""

import sys
from pathlib import Path

import click

from consumer.cli.options import configured, opened
from consumer.cli.output import WRITERS, iterate_rows, open_console, print_table, to_safe_text
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
@click.option(
    "--write",
    "is_write",
    is_flag=True,
    help="QUERY creates or drops a view, table or macro of your own, in the schema my.",
)
@configured
def sql(
    query: str | None, shape: str, is_write: bool, config: Path | None, warehouse: Path | None
) -> None:
    """Answer QUERY, or what is piped in: one read-only statement.

    Asks the running worker, or opens the file when none runs. Tables and views are listed by
    `duckpost sql "show tables"`.

    With --write: "create or replace view my.NAME as select …" and the like. What is in the schema
    my outlives upgrades, rebuilds and backups.
    """
    if query is None:
        if sys.stdin.isatty():
            raise UsageError("no query: give one as an argument or on stdin")
        query = sys.stdin.read()
    if is_write:
        with opened(config, warehouse, create=False) as access:
            click.echo(f"done: my.{to_safe_text(access.change_own(query))}")
        return
    with opened(config, warehouse, create=False) as access, access.read(query) as reader:
        if shape == "table":
            rows = (row.values() for row in iterate_rows(reader))
            print_table(open_console(), reader.schema.names, rows)
        else:
            WRITERS[shape](reader, sys.stdout)
