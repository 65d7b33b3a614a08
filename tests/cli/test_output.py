"""Tables on terminals too narrow for them, and values that JSON has no type for."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from consumer.cli.output import print_table

Duckpost = Callable[..., Any]


def make_console(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def read(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_table_folds_long_text_between_words_while_there_is_room_for_them() -> None:
    console = make_console(30)
    print_table(console, ["key", "text"], [["0123456789abcdef", "one two three four five"]])
    assert [
        "key               text",
        "0123456789abcdef  one two",
        "                  three four",
        "                  five",
    ] == read(console)


def test_a_table_that_would_break_words_becomes_a_line_a_value() -> None:
    console = make_console(30)
    print_table(console, ["first_column", "second_column", "third"], [["a", 1, None], ["b", 2, 3]])
    assert [
        "row 1",
        "first_column   a",
        "second_column  1",
        "third          -",
        "row 2",
        "first_column   b",
        "second_column  2",
        "third          3",
    ] == read(console)


def test_a_report_on_a_narrow_terminal_has_a_column_a_group(
    duckpost: Duckpost, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = make_console(40)
    monkeypatch.setattr("consumer.cli.report.open_console", lambda: console)
    duckpost("report", "--by", "tag:color", "--warehouse", warehouse)
    lines = read(console)
    head = next(n for n, line in enumerate(lines) if line.startswith("tag:color"))
    assert ["tag:color", "blue", "red"] == lines[head].split()
    assert ["sends", "2", "2"] == lines[head + 1].split()


def test_columns_of_one_name_keep_each_their_value(duckpost: Duckpost, warehouse: Path) -> None:
    query = "select 1 as a, 2 as a, 3 as a"
    table = duckpost("sql", query, "--warehouse", warehouse)
    assert (0, ["a", "a", "a", "1", "2", "3"]) == (table.code, table.out.split())
    csv = duckpost("sql", query, "--format", "csv", "--warehouse", warehouse)
    assert "a,a,a\n1,2,3\n" == csv.out
    ndjson = duckpost("sql", query, "--format", "ndjson", "--warehouse", warehouse)
    assert {"a": 1, "a_1": 2, "a_2": 3} == json.loads(ndjson.out)


@pytest.mark.parametrize(
    ("interval", "shown"),
    [
        ("interval 2500 milliseconds", "00:00:02.5"),
        ("interval 0 seconds", "00:00:00"),
        ("-interval 90 minutes", "-01:30:00"),
        ("interval '1 month 2 days 25 hours'", "1 month 2 days 25:00:00"),
    ],
)
def test_an_interval_is_written_as_duckdb_writes_it(
    interval: str, shown: str, duckpost: Duckpost, warehouse: Path
) -> None:
    answer = duckpost("sql", f"select {interval} as i", "--format", "csv", "--warehouse", warehouse)
    assert f"i\n{shown}\n" == answer.out.replace("'", "")


def test_large_numbers_are_shown_without_an_exponent(duckpost: Duckpost, warehouse: Path) -> None:
    answer = duckpost("sql", "select 12345678.9::double as x, 1/3 as y", "--warehouse", warehouse)
    assert ["x", "y", "12345678.9", "0.333333"] == answer.out.split()
