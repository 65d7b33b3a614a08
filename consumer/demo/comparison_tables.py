"""The comparison as tables for a person: duckpost's figure, a mark, the simulator's."""

from collections.abc import Callable, Mapping
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumer.demo.comparison import Cell, Comparison
from consumer.demo.traffic.truth import StreamKey

_NAME_WIDTH, _COLUMN_WIDTH = 28, 20


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print every figure by send cohort, the pipeline, and how many of all are equal."""
    columns = iter(
        (stream, {**counts, **comparison.rates[stream]})
        for stream, counts in comparison.columns.items()
    )
    fitting = max(1, (console.width - _NAME_WIDTH) // _COLUMN_WIDTH)
    while part := dict(islice(columns, fitting)):
        console.print(_to_table({_to_heading(stream): cells for stream, cells in part.items()}))
    console.print(_to_table({"payloads x recipients": comparison.pipeline}))
    for stream in comparison.strangers:
        console.print(f"[red]duckpost reports {_to_heading(stream)}, which nobody used[/]")
    count, right = len(comparison.cells), comparison.equal_count
    style = "bold green" if comparison.is_equal else "bold red"
    console.print(
        f"[{style}]{right:,} of {count:,} figures equal[/] the simulator's own ledger: "
        "those above, and the same at the time of each event."
    )


def _to_table(columns: Mapping[str, Mapping[str, Cell]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("duckpost ✓ simulator")
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    names = next(iter(columns.values()))
    for name in names:
        to_text = _to_percent if name.endswith("_rate") else _to_count
        table.add_row(name, *(_to_text(cells[name], to_text) for cells in columns.values()))
    return table


def _to_text(cell: Cell, to_text: Callable[[float], str]) -> Text:
    figure, truth = ("-" if v is None else to_text(v) for v in (cell.figure, cell.truth))
    if cell.is_equal:
        return Text.assemble(figure, (" ✓ ", "green"), (truth, "dim"))
    return Text(f"{figure} ✗ {truth}", style="bold red")


def _to_count(value: float) -> str:
    return f"{value:,.0f}"


def _to_percent(value: float) -> str:
    return f"{value:.2%}"


def _to_heading(stream: StreamKey) -> str:
    return f"{stream.configuration_set or '(none)'}\n{stream.account}\n{stream.region}"
