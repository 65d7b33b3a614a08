"""docs/operations.md names what the code has, and nothing that it has not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from consumer.telemetry import State

LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")


def calls(name: str) -> Iterator[tuple[str, str]]:
    """Every call of a constructor or method, with its first argument where that is a text."""
    for path in (CHECKOUT / "consumer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            called = node.func.id if isinstance(node.func, ast.Name) else called
            first = node.args[0]
            if called and re.fullmatch(name, called) and isinstance(first, ast.Constant):
                yield called, str(first.value)


def metric_names() -> set[str]:
    """As Prometheus shows them: what the constructors are given, and telemetry's plain counters."""
    names = {
        f"{name}_total" if kind.startswith("Counter") else name
        for kind, name in calls(r"(Counter|Gauge)(MetricFamily)?|Histogram")
    }
    text = (CHECKOUT / "consumer" / "telemetry.py").read_text(encoding="utf-8")
    plain = re.findall(r'^            \(?"((?!duckpost_)\w+)"(?:: \(|, )"', text, re.MULTILINE)
    return names | {f"duckpost_{name}_total" for name in plain}


def test_the_search_finds_metrics_of_each_kind() -> None:
    assert metric_names() >= {
        "duckpost_received_total",
        "duckpost_refused_total",
        "duckpost_restarts_total",
        "duckpost_in_flight",
        "duckpost_write_seconds",
    }


def test_every_metric_is_explained_and_no_other() -> None:
    table = PAGE.split("| metric | means |")[1].split("\n\n")[0]
    explained = set(re.findall(r"`(duckpost_\w+)`", table))
    assert metric_names() == explained


def test_every_state_of_a_source_is_explained() -> None:
    table = PAGE.split("| state | means | what to do |")[1].split("\n\n")[0]
    assert set(get_args(State)) == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def log_events() -> Iterator[str | None]:
    """What every call of a logger says, None where that is put together first."""
    for path in (CHECKOUT / "consumer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            logger = ast.unparse(node.func.value)
            if node.func.attr in LEVELS and re.search(r"(^|[._])log$|get_logger\(", logger):
                first = node.args[0]
                yield str(first.value) if isinstance(first, ast.Constant) else None


def test_every_log_line_is_explained_and_no_other() -> None:
    table = PAGE.split("| line | means |")[1].split("\n\n")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    explained = {line for cell in first_cells for line in re.findall(r"`([^`]+)`", cell)}
    assert set(log_events()) == explained


@pytest.mark.parametrize("name", ["deploy/duckpost.service", "docs/aws.md", "docs/benchmarks.md"])
def test_what_the_pages_point_at_is_there(name: str) -> None:
    assert (CHECKOUT / name).is_file()


def test_the_unit_starts_again_whatever_happens_and_keeps_its_files_to_itself() -> None:
    unit = (CHECKOUT / "deploy" / "duckpost.service").read_text(encoding="utf-8")
    for line in ("Restart=always", "UMask=0077", "StateDirectory=duckpost", "User=duckpost"):
        assert re.search(f"^{line}$", unit, re.MULTILINE), line
