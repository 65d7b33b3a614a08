"""Options that verbs share, and what follows from them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from consumer.cli.ctrl_c import ctrl_c_ends
from consumer.door.access import Access, open_access
from consumer.errors import UsageError
from consumer.settings import Settings, WarehouseSettings, load_settings
from consumer.warehouse import Recovery

_Command = TypeVar("_Command", bound=Callable[..., Any])


def configured(command: _Command) -> _Command:
    """Give a verb ``-c`` and ``--warehouse``."""
    config = click.option(
        "-c",
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Settings file; ./duckpost.toml when it is there.",
    )
    warehouse = click.option(
        "--warehouse",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Warehouse file, before every setting; also DUCKPOST_WAREHOUSE.",
    )
    return config(warehouse(command))


def in_account(command: _Command) -> _Command:
    """Give a verb that asks AWS the choice of another account: a profile, or a role to assume."""
    profile = click.option(
        "--profile", help="Profile of the shared AWS configuration, for another account."
    )
    role = click.option("--role-arn", help="Role to assume, for another account.")
    external_id = click.option("--role-external-id", help="What that role's trust policy asks for.")
    return profile(role(external_id(command)))


as_json = click.option("--json", "is_json", is_flag=True, help="For programs: JSON on stdout.")


class Share(NamedTuple):
    """What a verb takes of the machine: DuckDB's threads at most, its memory where none is set."""

    threads: int
    memory_limit: str

    def of(self, settings: WarehouseSettings) -> WarehouseSettings:
        """The settings with this share in them."""
        taken: dict[str, object] = {"threads": min(self.threads, settings.threads)}
        if "memory_limit" not in settings.model_fields_set:
            taken["memory_limit"] = self.memory_limit
        return settings.model_copy(update=taken)


@contextlib.contextmanager
def opened(
    config: Path | None,
    warehouse: Path | None,
    *,
    create: bool,
    share: Share | None = None,
    takes_rules: bool = False,
) -> Iterator[Access]:
    """Yield the warehouse that the options mean, through the worker where one runs.

    ``create`` says whether a file that is not there is made; verbs that only read refuse.
    ``share`` is what the verb takes of the machine where it opens the file itself. ``takes_rules``
    says whether the rules that the settings name are put into force, or those stay that are.
    """
    settings = load_settings(config, warehouse=warehouse)
    require_file(settings, create=create)
    options = settings.warehouse if share is None else share.of(settings.warehouse)
    access = open_access(
        options, settings.classification, takes_rules=takes_rules, on_recovery=tell_recovery
    )
    try:
        with ctrl_c_ends(access.interrupt):
            yield access
    finally:
        access.close()


def tell_recovery(recovery: Recovery) -> None:
    """Say on stderr that the warehouse was mended or upgraded, and what that came to."""
    kept = f"; as it was it is kept as {recovery.kept}" if recovery.kept else ""
    done = "upgraded" if recovery.is_upgrade else "mended"
    text = f"warehouse {done} in {recovery.seconds:.1f} s: {recovery.what}{kept}"
    click.secho(text, fg="yellow" if recovery.is_whole else "red", err=True)


def require_file(settings: Settings, *, create: bool) -> None:
    """Raise `UsageError` when a verb that only reads names a warehouse that is not there."""
    path = settings.warehouse.path
    if not create and not path.exists():
        raise UsageError(
            f"there is no warehouse {path}; name it with --warehouse or DUCKPOST_WAREHOUSE, "
            "or make one with `duckpost ingest` or `duckpost run`"
        )
