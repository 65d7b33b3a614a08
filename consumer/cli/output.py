"""Rows on a terminal, or as CSV, JSON and NDJSON for programs.

Addresses, subjects and links are written by strangers: on a terminal no control character of
theirs takes effect, and in CSV no cell of theirs starts a formula.
"""

import csv
import datetime as dt
import decimal
import itertools
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

import pyarrow as pa
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

NOTHING = "-"
PIPE_COLUMNS = 100_000  # `duckpost sql … | less -S`: nothing is cut or folded
TABLE_ROWS = 1_000  # a table is for reading; --format csv has no end

# C0 without newline and tab, DEL, C1, and the bidirectional overrides that reorder text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_safe_text(text: str) -> str:
    r"""Show control characters as escapes (``\x1b``) instead of letting a terminal obey them."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def to_plain(value: object) -> Any:  # noqa: ANN401, C901, PLR0911 - what JSON can hold, a line a type
    """Return a value of a row as JSON has it: times in ISO 8601, numbers as numbers."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - NaN
        case decimal.Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dt.datetime():
            return value.isoformat(sep=" ", timespec="auto")
        case dt.date() | dt.time() | dt.timedelta() | uuid.UUID():
            return str(value)
        case pa.MonthDayNano():
            return _to_interval(value)
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case dict():
            return {str(key): to_plain(inner) for key, inner in value.items()}
        case list():
            is_map = value and all(isinstance(one, tuple) and len(one) == 2 for one in value)  # noqa: PLR2004 - a pair
            if is_map:
                return {str(key): to_plain(inner) for key, inner in value}
            return [to_plain(inner) for inner in value]
    return str(value)


def _to_interval(value: pa.MonthDayNano) -> str:
    """Write an interval as DuckDB does: ``1 month 2 days 00:00:02.5``."""
    words = [
        f"{count} {unit}{'' if abs(count) == 1 else 's'}"
        for count, unit in ((value.months, "month"), (value.days, "day"))
        if count
    ]
    if value.nanoseconds or not words:
        secs, nanoseconds = divmod(abs(value.nanoseconds), 1_000_000_000)
        clock = f"{secs // 3600:02}:{secs // 60 % 60:02}:{secs % 60:02}"
        fraction = f".{nanoseconds:09}".rstrip("0.")
        words.append(f"{'-' if value.nanoseconds < 0 else ''}{clock}{fraction}")
    return " ".join(words)


def to_cell(value: object) -> str:
    """Return a value as a person reads it in a table."""
    plain = to_plain(value)
    if plain is None:
        return NOTHING
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, int):
        return str(plain)
    if isinstance(plain, float):
        # six digits, and more rather than an exponent
        return f"{plain:.6g}" if abs(plain) < 1e6 else f"{plain:.15g}"  # noqa: PLR2004 - six digits
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def number_repeats(given: Iterable[str]) -> list[str]:
    """Return columns' names with those numbered that occur again: ``n``, ``n_1``."""
    names: list[str] = []
    for name in given:
        taken = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(1)))
        names.append(next(free for free in taken if free not in names))
    return names


def iterate_rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, object]]:
    """Yield rows one by one, holding one record batch at a time; names that repeat are numbered."""
    names = number_repeats(reader.schema.names)
    for batch in reader:
        yield from batch.rename_columns(names).to_pylist()


def open_console() -> Console:
    """Return a console as wide as the terminal, or wide enough for anything where none is."""
    width = None if sys.stdout.isatty() else PIPE_COLUMNS
    return Console(width=width, highlight=False)


def fits(console: Console, table: Table) -> bool:
    """Whether the table is shown without folding a cell."""
    unbounded = console.options.update(max_width=PIPE_COLUMNS)
    return Measurement.get(console, unbounded, table).maximum <= console.width


def print_table(console: Console, names: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table, numbers to the right, at most `TABLE_ROWS` rows.

    Where a terminal is so narrow that words would be broken, a line a value instead.
    """
    shown: list[list[object]] = []
    has_more = False
    for row in rows:
        if len(shown) == TABLE_ROWS:
            has_more = True
            break
        shown.append(list(row))
    table = _to_table(names, shown)
    unbounded = console.options.update(max_width=PIPE_COLUMNS)
    if Measurement.get(console, unbounded, table).minimum <= console.width:
        console.print(table)
    else:
        _print_records(console, names, shown)
    if has_more:
        console.print(f"first {TABLE_ROWS} rows; --format csv, json or ndjson shows all")


def _to_table(names: list[str], rows: list[list[object]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    cells = [[to_safe_text(to_cell(value)) for value in row] for row in rows]
    for index, name in enumerate(names):
        is_number = any(isinstance(row[index], int | float | decimal.Decimal) for row in rows)
        justify: JustifyMethod = "right" if is_number else "left"
        has_words = any(len(row[index].split()) > 1 for row in cells)
        table.add_column(
            to_safe_text(name), justify=justify, overflow="fold", no_wrap=not has_words
        )
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _print_records(console: Console, names: list[str], rows: list[list[object]]) -> None:
    for number, row in enumerate(rows, 1):
        record = Table(box=None, show_header=False, pad_edge=False)
        record.add_column(style="bold", no_wrap=True)
        record.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            record.add_row(to_safe_text(name), Text(to_safe_text(to_cell(value))))
        console.print(f"row {number}", style="dim")
        console.print(record)


def write_csv(reader: pa.RecordBatchReader, out: TextIO) -> None:
    """Write CSV with a header; text that a spreadsheet would run gets a quote in front."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(reader.schema.names)
    is_terminal = out.isatty()
    for row in iterate_rows(reader):
        writer.writerow([_to_csv_cell(value, is_terminal=is_terminal) for value in row.values()])


def _to_csv_cell(value: object, *, is_terminal: bool) -> object:
    plain = to_plain(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, int | float):
        return plain
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    if is_terminal:
        text = to_safe_text(text)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_json(reader: pa.RecordBatchReader, out: TextIO) -> None:
    """Write one JSON array, row by row."""
    separator = "["
    for row in iterate_rows(reader):
        out.write(f"{separator}\n{_to_json(row)}")
        separator = ","
    out.write("[]\n" if separator == "[" else "\n]\n")


def write_ndjson(reader: pa.RecordBatchReader, out: TextIO) -> None:
    """Write one JSON object a line."""
    out.writelines(f"{_to_json(row)}\n" for row in iterate_rows(reader))


def _to_json(row: dict[str, object]) -> str:
    # ASCII only: JSON's own escapes keep a terminal from obeying what is in there.
    return json.dumps(to_plain(row))


WRITERS: dict[str, Callable[[pa.RecordBatchReader, TextIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "ndjson": write_ndjson,
}
