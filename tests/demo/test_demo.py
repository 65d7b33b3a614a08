"""`duckpost demo` from end to end: another process, a real queue, and every figure right."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from consumer.demo.comparison import Cell, Comparison
from consumer.demo.comparison_tables import print_comparison
from consumer.demo.run import run_demo
from consumer.demo.traffic.truth import StreamKey
from consumer.errors import UsageError

# A user's AWS configuration that would break anything that looked at it.
HOSTILE = {"AWS_PROFILE": "no-such-profile", "HTTP_PROXY": "http://127.0.0.1:1"}


def run_duckpost(
    *arguments: str, warehouse: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **HOSTILE, "COLUMNS": "160"}
    if warehouse is not None:
        environ["DUCKPOST_WAREHOUSE"] = str(warehouse)
    return subprocess.run(
        [sys.executable, "-m", "consumer", *arguments],
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    done = run_duckpost("demo", "--messages", "500", "--no-serve", "--directory", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "demo.duckdb", done.stdout


def test_all_figures_equal_the_simulators_own(demo: tuple[Path, str]) -> None:
    found = re.search(r"([\d,]+) of ([\d,]+) figures equal", demo[1])

    assert found is not None, demo[1]
    assert found[1] == found[2]
    assert int(found[2]) > 200


def test_it_notes_what_its_disk_has_free(demo: tuple[Path, str]) -> None:
    sql = "select count(*) as looks from disk_hourly where free_bytes > 0 and file_bytes > 0"
    answer = run_duckpost("sql", "--format", "json", sql, warehouse=demo[0])

    assert [{"looks": 1}] == json.loads(answer.stdout)


def test_it_says_how_to_ask_on_and_that_works(demo: tuple[Path, str]) -> None:
    path, shown = demo
    assert f"duckpost sql --warehouse {path}" in " ".join(shown.split())

    answer = run_duckpost(
        "sql", "--format", "json", "select count(*) as n from events", warehouse=path
    )

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)[0]["n"] > 1_000


def test_a_second_demo_in_the_same_folder_is_refused(demo: tuple[Path, str]) -> None:
    with pytest.raises(UsageError, match="figures only compare in a new warehouse"):
        run_demo(Console(), messages=1, seed=1, serve=False, directory=demo[0].parent)


def make_comparison(figure: int, *, truth: int, is_strange: bool = False) -> Comparison:
    stream = StreamKey("111122223333", "us-east-1", "newsletter")
    stranger = StreamKey("111122223333", "us-east-1", None)
    return Comparison(
        columns={stream: {"sends": Cell(figure, truth)}},
        by_event_time={stream: {"sends": Cell(truth, truth)}},
        rates={stream: {"delivery_rate": Cell(0.5, 0.5), "delay_rate": Cell(None, None)}},
        pipeline={"received": Cell(2, 2)},
        strangers=frozenset({stranger} if is_strange else ()),
    )


def show(comparison: Comparison) -> str:
    console = Console(width=100, file=io.StringIO())
    with console.capture() as captured:
        print_comparison(comparison, console)
    return captured.get()


def test_a_wrong_figure_is_marked_and_not_counted_as_equal() -> None:
    comparison = make_comparison(7_000, truth=7_001)

    assert not comparison.is_equal
    assert "7,000 ✗ 7,001" in show(comparison)
    assert "4 of 5 figures equal" in show(comparison)


def test_a_configuration_set_that_nobody_used_spoils_the_result() -> None:
    comparison = make_comparison(7, truth=7, is_strange=True)

    assert not comparison.is_equal
    assert "which nobody used" in show(comparison)


def test_equal_figures_are_shown_side_by_side() -> None:
    comparison = make_comparison(7_001, truth=7_001)

    assert comparison.is_equal
    assert "7,001 ✓ 7,001" in show(comparison)
    assert "50.00% ✓ 50.00%" in show(comparison)
