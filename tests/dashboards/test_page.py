"""The Overview as a page: the views' figures, and nothing that a stranger wrote runs in it."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
from click.testing import CliRunner

from consumer.cli import duckpost
from consumer.dashboards.charts import draw, to_long, to_spec
from consumer.dashboards.hues import to_hue
from consumer.dashboards.page import render_page
from consumer.door.access import OpenedWarehouse
from consumer.errors import UsageError
from consumer.resources import dashboards_folder
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

UNTIL = datetime.now(UTC).replace(tzinfo=None)
SINCE = UNTIL - timedelta(days=8)
HOSTILE = "</td></svg><script>alert(1)</script>\"' onload=alert(2) \x1b[31m"


class Reader(HTMLParser):
    """Figures and table cells by panel, and every tag there is."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.panel = ""
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))
        self.panel = dict(attrs).get("data-panel") or self.panel

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.panel, []).append(data)


@pytest.fixture(scope="module")
def page(warehouse: Warehouse) -> str:
    access = OpenedWarehouse(warehouse)
    return render_page(access, dashboards_folder(), since=SINCE, until=UNTIL, version="1")


def test_its_figures_are_the_views_figures(page: str, warehouse: Warehouse) -> None:
    sql = """
        select sum(sends) as sends, sum(deliveries) as deliveries,
            sum(hard_bounces) / sum(attempted_or_outcomes) as hard_bounce_rate
        from configuration_sets_hourly_by_send_cohort
        where cohort_hour between ?::timestamp and ?::timestamp
    """
    with warehouse.read(sql, [SINCE.isoformat(), UNTIL.isoformat()]) as reader:
        (row,) = reader.read_all().to_pylist()

    texts = Reader(page).texts
    assert f"{row['sends']:,.0f}" in texts["Sends"]
    assert f"{row['deliveries']:,.0f}" in texts["Deliveries"]
    assert f"{row['hard_bounce_rate']:.2%}" in texts["Hard bounces"]


def test_it_has_a_line_for_each_configuration_set_and_for_mail_without(page: str) -> None:
    cells = Reader(page).texts["Configuration sets"]
    for name in ("newsletter", "marketing", "(none)", "transactional · 444455556666 · eu-west-1"):
        assert name in cells


def test_its_columns_are_called_what_they_are_called_in_grafana(page: str) -> None:
    cells = Reader(page).texts["Configuration sets"]
    assert ["Configuration set", "Sends", "Deliveries", "Accepted", "Hard bounces"] == cells[1:6]
    assert "hard_bounce_rate" not in page.split("<details>", maxsplit=1)[0]


def test_a_definition_has_its_names_in_bold(page: str) -> None:
    assert "<b>sends</b>:" in page
    assert "**" not in page


def test_it_asks_nothing_of_the_network_and_runs_nothing(page: str) -> None:
    tags = Reader(page).tags
    names = {name for name, _ in tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    attributes = {name for _, attrs in tags for name, _ in attrs}
    assert not {name for name in attributes if name.startswith("on") or name == "src"}
    assert "default-src 'none'" in page
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


class HostileAccess(OpenedWarehouse):
    """Answers every question with what its panel can draw, and text that wants to run."""

    @contextmanager
    def read(self, sql: str, *_: Any, **__: Any) -> Iterator[pa.RecordBatchReader]:  # noqa: ANN401 - a double
        is_table = "configuration_set,\n" in sql and "over_lines" in sql
        rows: list[dict[str, Any]] = [{"configuration_set": HOSTILE, "sends": 3}]
        if not is_table:
            rows = [{"time": 1.7e9 + n, "metric": HOSTILE, "value": n} for n in range(2)]
        if "r.time" in sql:
            rows = [{"time": SINCE, "value": 1}, {"time": UNTIL, "value": 3}]
        yield pa.Table.from_pylist(rows).to_reader()


def test_what_a_stranger_wrote_is_text_and_no_more(warehouse: Warehouse) -> None:
    page = render_page(
        HostileAccess(warehouse), dashboards_folder(), since=SINCE, until=UNTIL, version=HOSTILE
    )
    assert "<script" not in page
    reader = Reader(page)
    assert not {name for _, attrs in reader.tags for name, _ in attrs if name.startswith("on")}
    assert any("</td></svg><script>" in text for text in reader.texts["Configuration sets"])


def test_a_figure_is_shown_beside_its_change(warehouse: Warehouse) -> None:
    page = render_page(
        HostileAccess(warehouse), dashboards_folder(), since=SINCE, until=UNTIL, version="1"
    )
    assert ["Sends", "3", "+200.0%"] == Reader(page).texts["Sends"][:3]


def test_nothing_sent_is_said_and_no_old_figure_shown(warehouse: Warehouse) -> None:
    # what was sent up to today's midnight is opened and delayed for days after it
    since = UNTIL + timedelta(days=30)
    page = render_page(
        OpenedWarehouse(warehouse),
        dashboards_folder(),
        since=since,
        until=since + timedelta(days=2),
        version="1",
    )
    texts = Reader(page).texts
    assert "none sent" in texts["Sends"]
    assert "nothing attempted" in texts["Hard bounces"]
    assert "nothing in this range" in texts["Mail and its readers"]


PANEL = {
    "type": "timeseries",
    "gridPos": {"w": 12, "h": 8},
    "fieldConfig": {
        "defaults": {
            "unit": "percentunit",
            "thresholds": {
                "steps": [{"color": "green", "value": None}, {"color": "red", "value": 0.1}]
            },
        }
    },
}
ROWS = [
    {"time": datetime.fromisoformat("2026-03-01 10:00"), "a": 0.01, "b": None},
    {"time": datetime.fromisoformat("2026-03-01 11:00"), "a": 0.2, "b": 0.3},
]


def test_a_column_is_a_line_of_the_chart() -> None:
    assert [
        {"time": "2026-03-01T10:00:00Z", "metric": "a", "value": 0.01},
        {"time": "2026-03-01T10:00:00Z", "metric": "b", "value": None},
        {"time": "2026-03-01T11:00:00Z", "metric": "a", "value": 0.2},
        {"time": "2026-03-01T11:00:00Z", "metric": "b", "value": 0.3},
    ] == to_long(ROWS)


def test_a_chart_has_its_thresholds_and_marks() -> None:
    lines, marks, threshold = to_spec(PANEL, [ROWS, ROWS[:1]])["layer"]
    assert "line" == lines["mark"]["type"]
    assert "point" == marks["mark"]["type"]
    assert [{"value": 0.1}] == threshold["data"]["values"]


def test_a_chart_draws_its_lowest_line_and_those_that_figures_reach() -> None:
    steps = [{"color": "red", "value": value} for value in (0.02, 0.25, 0.5)]
    panel = {
        **PANEL,
        "fieldConfig": {"defaults": {"unit": "short", "thresholds": {"steps": steps}}},
    }
    layers = to_spec(panel, [ROWS])["layer"]
    assert [0.02, 0.25] == [one["data"]["values"][0]["value"] for one in layers[1:]]


def test_a_line_has_the_name_and_the_colour_that_grafana_gives_it() -> None:
    looks = [
        {"id": "displayName", "value": "Hard bounces"},
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}},
    ]
    override = {"matcher": {"id": "byName", "options": "b"}, "properties": looks}
    config = {**PANEL["fieldConfig"], "overrides": [override]}  # type: ignore[dict-item]  # JSON
    (lines, _) = to_spec({**PANEL, "fieldConfig": config}, [ROWS])["layer"]

    assert {"a", "Hard bounces"} == {value["metric"] for value in lines["data"]["values"]}
    scale = lines["encoding"]["color"]["scale"]
    assert ["a", "Hard bounces"] == scale["domain"]
    assert to_hue("red") == scale["range"][1]


def test_a_bar_is_as_wide_as_the_time_it_stands_for() -> None:
    defaults = {**PANEL["fieldConfig"]["defaults"], "custom": {"drawStyle": "bars"}}  # type: ignore[index]  # JSON
    panel = {**PANEL, "fieldConfig": {"defaults": defaults}}
    spec = to_spec(panel, [ROWS])
    mark = spec["layer"][0]["mark"]

    assert "bar" == mark["type"]
    assert 2 * mark["width"] == pytest.approx(0.85 * spec["width"])
    assert "bar" == to_spec(panel, [[]])["layer"][0]["mark"]["type"]


def test_a_chart_is_svg_with_its_values_in_words() -> None:
    svg = ET.fromstring(draw(PANEL, [ROWS]))  # noqa: S314 - our own
    labels = [label for element in svg.iter() if (label := element.get("aria-label"))]
    assert any("value: 20%" in label and "metric: a" in label for label in labels)


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "\ufffe", "\x85", "\u202eabc", "😀", ""])
def test_no_character_ends_the_process_that_draws(text: str) -> None:
    at = ROWS[0]["time"]
    assert "</svg>" in draw(PANEL, [[{"time": at, "metric": text, "value": 1.0}]])


def test_without_the_package_that_draws_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match=r"duckpost\[html\]"):
        draw(PANEL, [ROWS])


def test_the_overview_is_the_one_that_grafana_shows(page: str) -> None:
    file = dashboards_folder() / "json" / "duckpost-overview.json"
    panels = json.loads(file.read_text(encoding="utf-8"))["panels"]
    titles = {panel["title"] for panel in panels if panel["type"] != "row"}
    shown = {dict(attrs)["data-panel"] for name, attrs in Reader(page).tags if name == "article"}
    assert titles == shown


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.duckdb"
    open_warehouse(path, WarehouseOptions(min_free_bytes=0, archive=False)).close()
    return path


def test_the_command_writes_the_page_even_of_nothing(empty: Path, tmp_path: Path) -> None:
    file = tmp_path / "overview.html"
    arguments = ["report", "--warehouse", str(empty), "--since", "30d", "--html", str(file)]
    result = CliRunner().invoke(duckpost, arguments, catch_exceptions=False)

    assert (0, f"wrote {file}\n") == (result.exit_code, result.output)
    assert "none sent" in Reader(file.read_text(encoding="utf-8")).texts["Sends"]


def test_a_page_that_cannot_be_written_is_said_to_be_so(empty: Path, tmp_path: Path) -> None:
    file = tmp_path / "no such folder" / "overview.html"
    result = CliRunner().invoke(
        duckpost, ["report", "--warehouse", str(empty), "--html", str(file)]
    )

    assert isinstance(result.exception, UsageError)
    assert "cannot write" in str(result.exception)
