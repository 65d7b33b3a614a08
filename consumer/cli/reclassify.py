"""`duckpost reclassify`: all of history by the rules as they are now."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from consumer.cli.ctrl_c import told_on_ctrl_c
from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import open_console, print_table, to_safe_text
from consumer.cli.progress import show_progress

_BROKEN_OFF: Final = (
    "new events go by the rules as they are now, and some of those that are there. Give the "
    "command again to finish it: until then figures may be those of the rules before"
)


@click.command()
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would change; nothing does.")
@as_json
@configured
def reclassify(
    is_dry_run: bool, is_json: bool, config: Path | None, warehouse: Path | None
) -> None:
    """Judge all events by the rules of duckpost and of the files under `classification`.

    Says whose mailbox, which opens and clicks are a machine's and what bounces are about. Rules
    apply to new events from the start that reads them, and to those already there by this. Figures
    go over to them at its end. Interrupted, it is to be given again. A running worker reads the
    files of its own settings. With classification.mx_lookups, DNS is asked first about domains
    that are in no file.
    """
    with (
        opened(config, warehouse, create=False, takes_rules=not is_dry_run) as access,
        told_on_ctrl_c(lambda: "nothing was changed" if is_dry_run else _BROKEN_OFF),
        show_progress("reclassifying", counts_bytes=False) as on_progress,
    ):
        result = access.reclassify(is_dry_run=is_dry_run, on_progress=on_progress)
    if is_json:
        click.echo(json.dumps(asdict(result)))
        return
    if result.changes:
        print_table(
            open_console(),
            ["column", "before", "after", "events"],
            [
                [
                    one.column,
                    *(to_safe_text(text or "-") for text in (one.before, one.after)),
                    one.rows,
                ]
                for one in result.changes
            ],
        )
    changed = sum(one.rows for one in result.changes)
    what = "would get" if is_dry_run else "got"
    if result.asked:
        mute = f", {result.unanswered:,} without an answer" * bool(result.unanswered)
        click.echo(f"asked DNS about {result.asked:,} domains{mute}")
    click.echo(f"of {result.events:,} events {changed:,} verdicts {what} another value")
