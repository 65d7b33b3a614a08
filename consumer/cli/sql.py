"""`duckpost sql`: one read-only question to the warehouse."""

import sys
from pathlib import Path

import click

from consumer.cli.ctrl_c import told_on_ctrl_c
from consumer.cli.options import configured, opened
from consumer.cli.output import WRITERS, iterate_rows, open_console, print_table, to_safe_text
from consumer.cli.progress import show_elapsed
from consumer.cli.row_files import SHAPES, require_free, to_shape, write_rows
from consumer.errors import UsageError


@click.command()
@click.argument("query", required=False)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", *WRITERS, "parquet"]),
    help="How rows are written: a table, or what the name of --out ends in.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"Write the rows into this file instead: {', '.join(SHAPES)}.",
)
@click.option("--force", "is_forced", is_flag=True, help="Replace a file that --out names.")
@click.option(
    "--write",
    "is_write",
    is_flag=True,
    help="QUERY creates or drops a view, table or macro of your own, in the schema my.",
)
@configured
def sql(  # noqa: PLR0913, PLR0917 - a parameter an option, as click has it
    query: str | None,
    shape: str | None,
    out: Path | None,
    is_forced: bool,
    is_write: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Answer QUERY, or what is piped in: one read-only statement.

    Asks the running worker, or opens the file when none runs. Tables and views are listed by
    `duckpost sql "show tables"`.

    With --out, all rows go into a file that is there whole or not at all:
    duckpost sql "from suppressed_recipients" --out suppressed.parquet

    With --write: "create or replace view my.NAME as select …" and the like. What is in the schema
    my outlives upgrades, rebuilds and backups.
    """
    if query is None:
        if sys.stdin.isatty():
            raise UsageError("no query: give one as an argument or on stdin")
        query = sys.stdin.read()
    if is_write:
        if out is not None:
            raise UsageError("--write gives no rows, so there is nothing for --out")
        with (
            opened(config, warehouse, create=False) as access,
            told_on_ctrl_c(lambda: "nothing was made, changed or dropped"),
            show_elapsed("working"),
        ):
            name = access.change_own(query)
        click.echo(f"done: my.{to_safe_text(name)}")
        return
    if out is not None:
        _write_file(query, out, shape, is_forced, config, warehouse)
        return
    if shape == "parquet":
        raise UsageError("parquet is for files: name one with --out")
    with opened(config, warehouse, create=False) as access, access.read(query) as reader:
        if shape in WRITERS:
            WRITERS[shape](reader, sys.stdout)
        else:
            rows = (row.values() for row in iterate_rows(reader))
            print_table(open_console(), reader.schema.names, rows)


def _write_file(  # noqa: PLR0913, PLR0917 - the verb's own options
    query: str,
    out: Path,
    shape: str | None,
    is_forced: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    if shape == "table":
        raise UsageError(f"a table is for reading; a file is one of {', '.join(SHAPES)}")
    written = to_shape(out, shape)
    require_free(out, is_forced=is_forced)
    with opened(config, warehouse, create=False) as access, access.read(query) as reader:
        rows = write_rows(reader, out, written, is_forced=is_forced)
    click.echo(f"{rows} rows in {to_safe_text(str(out))}", err=True)
