"""`duckpost report`: the metrics as a table."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumer.checks.own_views import find_broken_views
from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import (
    NOTHING,
    fits,
    iterate_rows,
    open_console,
    print_table,
    to_cell,
    to_plain,
    to_safe_text,
    write_json,
)
from consumer.dashboards.page import render_page
from consumer.door.access import Access
from consumer.errors import UsageError
from consumer.report import (
    DEFINITION_CHANGES,
    Axis,
    Figure,
    Group,
    build_report,
    parse_dimensions,
    parse_span,
    read_definitions_version,
)
from consumer.resources import dashboards_folder

_HINTS = {
    "event-time": "by event time: what happened in this span, whenever the mail was sent",
    "send-cohort": "by send cohort: what became of the mail sent in this span",
}


@click.command()
@click.option("--since", default="7d", show_default=True, help="How far back: 90m, 24h, 7d, 4w.")
@click.option("--until", default="0m", help="Where the span ends, so long ago.")
@click.option(
    "--by",
    default="configuration_set",
    show_default=True,
    help="Dimensions, comma separated: configuration_set, identity, provider, "
    "recipient_domain, from_domain, tenant, account, region, day, hour, tag:KEY.",
)
@click.option(
    "--axis",
    type=click.Choice(["event-time", "send-cohort"]),
    default="event-time",
    show_default=True,
    help="Whether time is when things happened, or when the mail was sent.",
)
@click.option(
    "--definitions", "is_about", is_flag=True, help="What changed in the definitions, and when."
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the Overview of the span into this file instead: one page, no script, no network.",
)
@as_json
@configured
def report(  # noqa: PLR0913, PLR0917 - a parameter an option, as click has it
    since: str,
    until: str,
    by: str,
    axis: str,
    is_about: bool,
    html: Path | None,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Show the metrics: every rate with its numerator and denominator.

    Where a rate is missing, a note says why. Definitions: docs/metrics.md.
    """
    if is_about:
        with opened(config, warehouse, create=False) as access:
            _print_definitions(access, is_json=is_json)
        return
    now = datetime.now(UTC).replace(tzinfo=None)
    starts_at, ends_at = now - parse_span(since), now - parse_span(until)
    dimensions = parse_dimensions(by)
    if html is not None:
        with opened(config, warehouse, create=False) as access:
            _write_page(access, html, starts_at, ends_at)
        return
    with opened(config, warehouse, create=False) as access:
        groups = build_report(
            access, since=starts_at, until=ends_at, by=dimensions, axis=cast("Axis", axis)
        )
        version = read_definitions_version(access)
        broken = find_broken_views(access)
    if is_json:
        head = {
            "since": f"{starts_at}Z",
            "until": f"{ends_at}Z",
            "axis": axis,
            "definitions_version": version,
            "broken_views": broken,
        }
        click.echo(json.dumps({**head, "groups": [_to_json(group) for group in groups]}))
        return
    for name, why in broken.items():
        text = f"your own view my.{name} does not work any more: {why}"
        click.secho(to_safe_text(text), fg="yellow", err=True)
    console = open_console()
    if not groups:
        console.print(f"no events between {starts_at:%F %R} and {ends_at:%F %R} UTC")
        return
    span = f"{starts_at:%F %R} to {ends_at:%F %R} UTC"
    console.print(f"{span}, {_HINTS[axis]} (definitions {version})", style="dim")
    _print_counts(console, groups)
    _print_rates(console, groups)


def _print_definitions(access: Access, *, is_json: bool) -> None:
    """Print what each version of the definitions changed, the newest first."""
    with access.read(DEFINITION_CHANGES) as reader:
        if is_json:
            write_json(reader, sys.stdout)
            return
        rows = [list(row.values()) for row in iterate_rows(reader)]
        print_table(open_console(), reader.schema.names, rows)


def _write_page(access: Access, file: Path, starts_at: datetime, ends_at: datetime) -> None:
    version = read_definitions_version(access)
    page = render_page(access, dashboards_folder(), since=starts_at, until=ends_at, version=version)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error}") from error
    click.echo(f"wrote {file}")


def _print_counts(console: Console, groups: list[Group]) -> None:
    """Print a row a group, or on a narrow terminal a column a group, as many as fit."""
    shown = [name for name in groups[0].counts if any(group.counts[name] for group in groups)]
    table = _start_table(groups)
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right")
    for group in groups:
        table.add_row(*_dimension_cells(groups, group), *(str(group.counts[n]) for n in shown))
    if fits(console, table):
        console.print(table)
        return
    dimensions = _shown_dimensions(groups)
    block: list[Group] = []
    for group in groups:
        if block and not fits(console, _to_count_block([*block, group], dimensions, shown)):
            console.print(_to_count_block(block, dimensions, shown))
            block = []
        block.append(group)
    console.print(_to_count_block(block, dimensions, shown))


def _to_count_block(block: list[Group], dimensions: list[str], shown: list[str]) -> Table:
    """A row a count, a column a group."""
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("\n".join(to_safe_text(name.replace("_", " ")) for name in dimensions))
    for group in block:
        heads = [to_safe_text(_name(group.dimensions[name])) for name in dimensions]
        table.add_column(Text("\n".join(heads)), justify="right", overflow="fold")
    for name in shown:
        table.add_row(name.replace("_", " "), *(str(group.counts[name]) for group in block))
    return table


def _print_rates(console: Console, groups: list[Group]) -> None:
    """Print the rates that are known, as wide as there is room, and why others are missing."""
    missing: dict[str, list[str]] = {}
    for index, figure in enumerate(groups[0].figures):
        if all(group.figures[index].value is None for group in groups):
            missing.setdefault(figure.reason, []).append(figure.rate.label)
    left_out = {label for labels in missing.values() for label in labels}
    notes: dict[str, str] = {}
    wide = _to_wide_table(groups, left_out, notes)
    is_wide_enough = fits(console, wide)
    console.print(wide if is_wide_enough else _to_long_table(groups, left_out, notes))
    for reason, mark in notes.items():
        console.print(f"{NOTHING}{mark} {reason}", style="dim", markup=False)
    for reason, labels in missing.items():
        console.print(f"{NOTHING} {', '.join(labels)}: {reason}", style="dim", markup=False)
    _print_bases(console, groups)


def _print_bases(console: Console, groups: list[Group]) -> None:
    """Say of whom bounce rates have another denominator than what was attempted."""
    named: dict[str, list[str]] = {}
    shown = _shown_dimensions(groups)
    for group in groups:
        if group.basis_in_words:
            values = [to_safe_text(_name(group.dimensions[name])) for name in shown]
            named.setdefault(group.basis_in_words, []).append(" ".join(values))
    for words, names in named.items():
        whose = "" if len(names) == len(groups) else f" of {', '.join(names)}"
        console.print(f"bounce rates{whose} are {words}", style="dim", markup=False)


def _to_wide_table(groups: list[Group], left_out: set[str], notes: dict[str, str]) -> Table:
    """A row a group, a column a rate."""
    table = _start_table(groups)
    for figure in groups[0].figures:
        if figure.rate.label not in left_out:
            table.add_column(figure.rate.label, justify="right", no_wrap=True)
    for group in groups:
        cells = [
            f"{_percent(figure, notes)}\n{_fraction(figure)}"
            for figure in group.figures
            if figure.rate.label not in left_out
        ]
        table.add_row(*_dimension_cells(groups, group), *cells)
    return table


def _to_long_table(groups: list[Group], left_out: set[str], notes: dict[str, str]) -> Table:
    """A row a rate of a group, for narrow terminals."""
    table = _start_table(groups)
    table.add_column("rate")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("of", justify="right", no_wrap=True)
    for group in groups:
        cells = _dimension_cells(groups, group)
        for figure in group.figures:
            if figure.rate.label not in left_out:
                table.add_row(*cells, figure.rate.label, _percent(figure, notes), _fraction(figure))
                cells = [Text("") for _ in cells]
    return table


def _percent(figure: Figure, notes: dict[str, str]) -> str:
    if figure.value is None:
        return f"{NOTHING}{notes.setdefault(figure.reason, chr(ord('a') + len(notes) % 26))}"
    return f"{figure.value:.2%}"


def _fraction(figure: Figure) -> str:
    return "" if figure.value is None else f"{figure.numerator}/{figure.denominator}"


def _start_table(groups: list[Group]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in _shown_dimensions(groups):
        table.add_column(to_safe_text(name.replace("_", " ")))
    return table


def _shown_dimensions(groups: list[Group]) -> list[str]:
    """Leave account and region out while there is one of each: nobody has to be told apart."""
    names = list(groups[0].dimensions)
    implied = {"account", "region"} if set(names) - {"account", "region"} else set()
    return [
        name
        for name in names
        if name not in implied or len({group.dimensions[name] for group in groups}) > 1
    ]


def _dimension_cells(groups: list[Group], group: Group) -> list[Text]:
    shown = _shown_dimensions(groups)
    return [Text(to_safe_text(_name(group.dimensions[name]))) for name in shown]


def _name(value: object) -> str:
    return "(none)" if value is None else to_cell(value)


def _to_json(group: Group) -> dict[str, object]:
    return {
        "dimensions": to_plain(group.dimensions),
        "counts": group.counts,
        "rates": {
            figure.rate.name: {
                "value": figure.value,
                "numerator": figure.numerator,
                "numerator_is": figure.rate.numerator,
                "denominator": figure.denominator,
                "denominator_is": figure.rate.denominator,
                "low": figure.low,
                "high": figure.high,
                "reason": figure.reason or None,
            }
            for figure in group.figures
        },
        "denominator_basis": group.denominator_basis,
        "basis_in_words": group.basis_in_words or None,
        "is_small_sample": group.is_small_sample,
    }
