"""`duckpost erase`: one address out of everything."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from consumer.addresses import normalise
from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import to_safe_text
from consumer.cli.progress import show_progress
from consumer.errors import WarehouseError
from consumer.settings import load_settings
from consumer.warehouse.erased import ErasedList
from consumer.warehouse.place import Place

_REWRITE_SECS: Final = 3_600.0
_LOOK_SECS: Final = 0.2


@click.command()
@click.argument("address")
@click.option("--now", "is_now", is_flag=True, help="Rewrite the file at once, not within days.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@configured
def erase(  # noqa: PLR0913, PLR0917 - a parameter an option, as click has it
    address: str,
    is_now: bool,
    yes: bool,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Replace ADDRESS by a token in every table, in quarantine and in the archive, for good.

    Its domain, all rows and all figures stay, and later events of it are stored under the token.
    Interrupted, it is to be given again. The last bytes leave the file when it is rewritten: the
    worker does so within privacy.erase_rewrite_days, or at once with --now, pausing meanwhile.
    """
    settings = load_settings(config, warehouse=warehouse)
    shown = to_safe_text(normalise(address))
    if not yes:
        click.confirm(f"Erase {shown} for good?", abort=True)
    with opened(config, warehouse, create=False) as access:
        place = Place(access.path)
        with show_progress("erasing") as on_progress:
            result = access.erase(address, on_progress=on_progress)
        if is_now:
            access.rewrite()
            _wait_for_rewrite(place, access.secret)
        since = ErasedList(place.erased, access.secret).pending_since
    copies = sorted(str(path) for path in place.file.parent.glob(f"{place.file.name}.before-*"))
    due = since and since + timedelta(days=settings.privacy.erase_rewrite_days)
    if is_json:
        told = {
            **asdict(result),
            "rewrite_due_at": due.isoformat() if due else None,
            "copies": copies,
        }
        click.echo(json.dumps(told))
        return
    click.echo(
        f"{result.hidden} stands in its place: {result.events} events, {result.others} other rows, "
        f"{result.frames} batches in {result.files} archive files"
    )
    if due is None:
        click.echo("the file was rewritten: the address is in it no more")
    else:
        click.echo(
            "no query finds it; its last bytes leave the file when a running worker rewrites it, "
            f"from {max(due, datetime.now(UTC)):%F %R} UTC on, or with --now"
        )
    if result.unread:
        click.echo(f"{result.unread} places in the archive could not be read, nor looked into")
    for copy in copies:
        click.echo(f"left as it is, and may hold it: {copy}")
    click.echo("backups hold it as well; so may the sources (queues, buckets) and SES itself")


def _wait_for_rewrite(place: Place, secret: bytes) -> None:
    """Wait until a worker has rewritten its file; without one it is done already."""
    deadline = time.monotonic() + _REWRITE_SECS
    while ErasedList(place.erased, secret).pending_since is not None:
        if time.monotonic() >= deadline:
            raise WarehouseError(
                f"the worker has not rewritten {place.file} within an hour: its log says why"
            )
        time.sleep(_LOOK_SECS)
