"""`duckpost quarantine`: what no schema accepted, and what to do about it."""

import json
import sys
from collections.abc import Sized
from dataclasses import asdict
from pathlib import Path

import click

from consumer.cli.ctrl_c import told_on_ctrl_c
from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import (
    iterate_rows,
    open_console,
    print_table,
    to_plain,
    to_safe_text,
    write_json,
)
from consumer.cli.progress import show_progress
from consumer.door.access import Access
from consumer.errors import UsageError
from consumer.replay import replay

_LIST = """
select left(sha256, 12) as id, reason, detail, origin, received_at, payload_bytes
from quarantine where $1 is null or reason = $1 order by received_at desc, sha256 limit $2
"""
_FIND = "select * from quarantine where starts_with(sha256, $1) order by sha256"


@click.group()
def quarantine() -> None:
    """Payloads that could not be understood: look at them, try them again, drop them."""


@quarantine.command("list")
@click.option("--reason", help="Only this reason.")
@click.option("--limit", default=100, show_default=True, help="The newest so many.")
@as_json
@configured
def list_payloads(
    reason: str | None, limit: int, is_json: bool, config: Path | None, warehouse: Path | None
) -> None:
    """List what is in quarantine, newest first."""
    with (
        opened(config, warehouse, create=False) as access,
        access.read(_LIST, [reason, limit]) as reader,
    ):
        if is_json:
            write_json(reader, sys.stdout)
            return
        rows = [list(row.values()) for row in iterate_rows(reader)]
        if rows:
            print_table(open_console(), reader.schema.names, rows)
            if len(rows) == limit:
                click.echo(f"the newest {limit}; --limit shows more")
        else:
            click.echo("quarantine is empty")


@quarantine.command()
@click.argument("sha256")
@as_json
@configured
def show(sha256: str, is_json: bool, config: Path | None, warehouse: Path | None) -> None:
    """Show the payload whose SHA256, or the beginning of it, is given."""
    with opened(config, warehouse, create=False) as access:
        row = _find(access, sha256)
    if is_json:
        click.echo(json.dumps(to_plain(row)))
        return
    payload = row.pop("payload")
    for name, value in row.items():
        click.echo(f"{name}: {to_safe_text(str(to_plain(value)))}")
    click.echo()
    click.echo(to_safe_text(str(to_plain(payload))))


@quarantine.command("replay")
@click.argument("sha256s", metavar="[SHA256]...", nargs=-1)
@as_json
@configured
def replay_payloads(
    sha256s: tuple[str, ...], is_json: bool, config: Path | None, warehouse: Path | None
) -> None:
    """Decode payloads anew, all of them or those named; what decodes leaves quarantine.

    For after an upgrade, or a correction of a topic's settings.
    """
    with opened(config, warehouse, create=False) as access:
        names = [str(_find(access, prefix)["sha256"]) for prefix in sha256s]
        result = replay(access, names)
    if is_json:
        click.echo(json.dumps(asdict(result)))
        return
    click.echo(
        f"{result.tried} tried, {result.left} left quarantine: {result.inserted} inserted, "
        f"{result.superseded} superseded, {result.duplicates} duplicates, {result.ignored} ignored"
    )
    if result.cut:
        click.echo(f"{result.cut} stay: they were too large and only their beginning was kept")


@quarantine.command()
@click.argument("sha256s", metavar="[SHA256]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Everything in quarantine.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@configured
def drop(
    sha256s: tuple[str, ...],
    is_all: bool,
    yes: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Delete payloads from quarantine for good, those named or --all."""
    if bool(sha256s) == is_all:
        raise UsageError("name the payloads to drop, or say --all")
    with opened(config, warehouse, create=False) as access:
        names = None if is_all else [str(_find(access, one)["sha256"]) for one in sha256s]
        what = "everything in quarantine" if names is None else _count(names)
        if not yes:
            click.confirm(f"Drop {what} for good?", abort=True)
        done, total = 0, None if names is None else len(names)

        def note(dropped: int, of: int) -> None:
            nonlocal done, total
            done, total = dropped, of
            on_progress(dropped, of)

        def say() -> str:
            of = "" if total is None else f" of {total}"
            return f"{done}{of} or more are dropped, the others are as they were; give it again"

        with told_on_ctrl_c(say), show_progress("dropping", counts_bytes=False) as on_progress:
            dropped = access.drop_quarantined(names, on_progress=note)
    click.echo(f"{dropped} dropped")


def _find(access: Access, prefix: str) -> dict[str, object]:
    with access.read(_FIND, [prefix]) as reader:
        rows = list(iterate_rows(reader))
    if len(rows) != 1:
        found = "nothing in quarantine begins" if not rows else f"{_count(rows)} begin"
        raise UsageError(f"{found} with {prefix!r}; see `duckpost quarantine list`")
    return rows[0]


def _count(payloads: Sized) -> str:
    return f"{len(payloads)} payload{'' if len(payloads) == 1 else 's'}"
