"""`duckpost erase`: one address out of everything."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from consumer.addresses import normalise
from consumer.cli.ctrl_c import told_on_ctrl_c
from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import to_safe_text
from consumer.cli.progress import show_progress
from consumer.errors import WarehouseError
from consumer.settings import load_settings
from consumer.warehouse.erased import ErasedList
from consumer.warehouse.erasure.erasing import ErasureResult
from consumer.warehouse.estimates import Estimate
from consumer.warehouse.place import Place

_BROKEN_OFF: Final = (
    "what comes in from now on is stored under the token; of what is there, some may still have "
    "the address. Give the command again to finish it"
)


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
    failed: WarehouseError | None = None
    with opened(config, warehouse, create=False) as access:
        place = Place(access.path)
        with told_on_ctrl_c(lambda: _BROKEN_OFF), show_progress("erasing") as on_progress:
            result = access.erase(address, on_progress=on_progress)
        estimate = access.estimates().rewrite
        if is_now:
            click.echo(f"rewriting {estimate}", err=True)
            try:
                access.rewrite()
            except WarehouseError as error:
                failed = error  # what was erased is told first
        since = ErasedList(place.erased, access.secret).pending_since
    copies = sorted(str(path) for path in place.file.parent.glob(f"{place.file.name}.before-*"))
    due = since and since + timedelta(days=settings.privacy.erase_rewrite_days)
    if is_json:
        told = {
            **asdict(result),
            "rewrite_due_at": due.isoformat() if due else None,
            "rewrite_failed": str(failed) if failed else None,
            "copies": copies,
        }
        click.echo(json.dumps(told))
    else:
        _tell(result, due, estimate, copies, is_now=is_now)
    if failed is not None:
        raise failed


def _tell(
    result: ErasureResult,
    due: datetime | None,
    estimate: Estimate,
    copies: list[str],
    *,
    is_now: bool,
) -> None:
    click.echo(
        f"{result.hidden} stands in its place: {result.events} events, {result.others} other rows, "
        f"{result.frames} batches in {result.files} archive files"
    )
    if due is None:
        click.echo("the file was rewritten: the address is in it no more")
    elif is_now:
        click.echo("no query finds it; its last bytes are in the file until that is rewritten")
    else:
        click.echo(
            "no query finds it; its last bytes leave the file when a running worker rewrites it, "
            f"from {max(due, datetime.now(UTC)):%F %R} UTC on, or with --now: {estimate}"
        )
    if result.unread:
        click.echo(f"{result.unread} places in the archive could not be read, nor looked into")
    for name in result.left:
        click.echo(
            f"still names it: my.{to_safe_text(name)}, which could not be made anew without it. "
            "Drop it (duckpost sql --write), and make it without the address"
        )
    for copy in copies:
        click.echo(f"left as it is, and may hold it: {copy}")
    click.echo("backups hold it as well; so may the sources (queues, buckets) and SES itself")
