"""Columns have names that people read, and look like what they hold."""

import json
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from consumer.dashboards import over_lines
from consumer.dashboards.colors import COLORS
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.fields import to_columns
from consumer.dashboards.thresholds import LINES, LINES_OF_RATES
from consumer.dashboards.words import to_words
from consumer.resources import dashboards_folder

Json = dict[str, Any]
Ask = Callable[[str], pa.Table]

PANELS: dict[str, Json] = {
    f"{file.stem} {panel['title']}": panel
    for file in sorted((dashboards_folder() / "json").glob("*.json"))
    for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]
}


def each(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "panel",
        [pytest.param(panel, id=name) for name, panel in PANELS.items() if kind == panel["type"]],
    )


def properties_of(panel: Json, column: str) -> Json:
    return {
        one["id"]: one["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"] == {"id": "byName", "options": column}
        for one in override["properties"]
    }


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("hard_bounces", "Hard bounces"),
        ("is_small_sample", "Small sample"),
        ("last_received_at", "Last received at"),
        ("max_wait_ms", "Max wait"),
        ("outgoing_ip", "Outgoing IP"),
        ("complaint_rate_fbl", "Complaints (FBL)"),
        ("07", "07"),
    ],
)
def test_a_column_is_called_what_people_call_it(column: str, words: str) -> None:
    assert words == to_words(column)


def test_the_columns_of_a_question_are_those_of_its_outermost_select() -> None:
    sql = 'select\n    m.account,\n    sum(m.sends)::bigint as sends,\n    1 as "07"\nfrom x as m'
    assert ["account", "sends", "07"] == to_columns(sql)
    assert [] == to_columns("select r.time, f.sends\nfrom x as r")


@each("table")
def test_no_two_columns_of_a_table_have_one_name(panel: Json) -> None:
    columns = to_columns(panel["targets"][0]["rawSql"])
    names = [properties_of(panel, column)["displayName"] for column in columns]
    assert len(names) == len(set(names)) > 0


@each("table")
def test_an_account_is_no_number_and_what_is_missing_is_a_dash(panel: Json) -> None:
    by_kind = {
        override["matcher"]["options"]: {one["id"]: one["value"] for one in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["id"] != "byName"
    }
    assert "string" == by_kind["string"]["unit"]
    assert "–" == by_kind["/.*/"]["noValue"]


@each("table")
def test_a_figure_with_lines_shows_them_in_a_table_too(panel: Json) -> None:
    for column in to_columns(panel["targets"][0]["rawSql"]):
        shown = properties_of(panel, column)
        if column == over_lines.COLUMN:
            continue
        has_lines = column in LINES and column not in LINES_OF_RATES
        assert has_lines == ("thresholds" in shown)
        if has_lines:
            values = [step["value"] for step in shown["thresholds"]["steps"]]
            assert [None, *(line.value for line in LINES[column])] == values


@each("table")
def test_a_table_of_rates_with_lines_says_which_they_are_over(panel: Json) -> None:
    """A cell knows its own value alone, and would be red for one bounce of three mails."""
    columns = to_columns(panel["targets"][0]["rawSql"])
    assert (set(columns) & set(LINES_OF_RATES) != set()) == (over_lines.COLUMN in columns)


@pytest.mark.parametrize(
    ("bounces", "complaints", "said", "color"),
    [
        ((0, 5_000), (0, 4_000), "none", None),
        ((1, 3), (1, 2), "too little mail", None),
        ((100, 1_999), (3, 999), "Hard bounces ≥ 5 %", "orange"),
        ((100, 1_999), (3, 3_000), "Hard bounces ≥ 5 %, Complaints (FBL) ≥ 0.1 %", "orange"),
        ((100, 1_000), (5, 1_000), "Hard bounces ≥ 10 %, Complaints (FBL) ≥ 0.5 %", "red"),
        ((20, 1_000), (0, 0), "Hard bounces ≥ 2 %", "dark-yellow"),
    ],
)
def test_a_rate_is_over_a_line_where_there_is_mail_enough(
    ask: Ask, bounces: tuple[int, int], complaints: tuple[int, int], said: str, color: str | None
) -> None:
    judged = {
        "hard_bounce_rate": (f"rate({bounces[0]}, {bounces[1]})", str(bounces[1])),
        "complaint_rate_fbl": (f"rate({complaints[0]}, {complaints[1]})", str(complaints[1])),
    }
    (row,) = ask(f"select {over_lines.to_column(judged)}").to_pylist()

    assert {"over_lines": said} == row
    colors = [
        mapping["options"]["result"]["color"]
        for mapping in over_lines.to_mappings()
        if re.search(mapping["options"]["pattern"].strip("/"), said)
    ]
    assert color == (colors[0] if colors else None)


@each("timeseries")
def test_a_figure_has_its_one_colour_in_every_chart(panel: Json) -> None:
    for column in to_columns(panel["targets"][0]["rawSql"]):
        if column in COLORS:
            assert COLORS[column] == properties_of(panel, column)["color"]["fixedColor"]


@each("stat")
def test_a_stat_has_the_colour_of_its_thresholds(panel: Json) -> None:
    """But not where there is too little mail for a rate to say much."""
    for override in panel["fieldConfig"]["overrides"]:
        assert {"id": "byName", "options": "too little mail"} == override["matcher"]
        assert [{"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}}] == (
            override["properties"]
        )
    has_lines = len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) > 1
    is_rate = panel["options"]["showPercentChange"]
    assert (has_lines and is_rate) == bool(panel["fieldConfig"]["overrides"])


@each("stat")
def test_a_stat_without_a_figure_says_so_in_plain_colour(panel: Json) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    (mapping,) = defaults["mappings"]
    result = {"text": defaults["noValue"], "color": "text"}
    assert {"match": "null+nan", "result": result} == mapping["options"]


@each("heatmap")
def test_a_heatmap_has_colours_to_draw_with(panel: Json) -> None:
    assert panel["options"]["color"]["steps"] > 1


def test_lines_are_of_figures_that_the_catalogues_know(definitions: Definitions) -> None:
    known = {name.split(".")[-1] for name in definitions.words}
    assert set(LINES) <= known
