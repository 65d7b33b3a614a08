"""The committed JSON is what the code builds, and a Grafana can draw it."""

import itertools
import json
import re
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import bargauge, common, heatmap, stat, table, timeseries
from grafana_foundation_sdk.models.alerting import RuleGroup
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from consumer.dashboards.build import build, render_all
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.rules import GROUPS, to_api_group, to_rules
from consumer.resources import dashboards_folder

Json = dict[str, Any]

BOARDS: dict[str, Json] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((dashboards_folder() / "json").glob("*.json"))
}
PANELS = [
    pytest.param(panel, id=f"{uid} {panel['title']}")
    for uid, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]
# Options and own field settings of each type of panel.
MODELS: dict[str, tuple[Any, Any]] = {
    "bargauge": (bargauge.Options, None),
    "heatmap": (heatmap.Options, heatmap.FieldConfig),
    "stat": (stat.Options, None),
    "table": (table.Options, common.TableFieldOptions),
    "timeseries": (timeseries.Options, timeseries.FieldConfig),
}
FIELDS_OF_A_FILE = {
    *("uid", "title", "condition", "data", "dashboardUid", "panelId", "noDataState"),
    *("execErrState", "for", "keepFiringFor", "missing_series_evals_to_resolve", "annotations"),
    *("labels", "isPaused", "notification_settings", "record"),
}
FIELDS_OF_A_QUERY = {"refId", "relativeTimeRange", "datasourceUid", "model"}
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
each_panel = pytest.mark.parametrize("panel", PANELS)


def test_the_files_are_what_the_code_builds(definitions: Definitions) -> None:
    built = render_all(definitions)
    folder = dashboards_folder()
    lying = {f"json/{file.name}" for file in (folder / "json").glob("*")}

    assert {name for name in built if name.startswith("json/")} == lying
    for name, text in built.items():
        assert text == (folder / name).read_text(encoding="utf-8"), (
            f"{name} differs: run `duckpost dashboards build`"
        )


def test_building_again_writes_nothing(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    assert 11 == len(build(tmp_path))
    assert [] == build(tmp_path)


def test_there_are_ten_dashboards_with_the_overview_first() -> None:
    titles = sorted(board["title"] for board in BOARDS.values())  # as Grafana sorts them
    numbered = [f"SES {number:02}" for number in range(1, 11)]
    assert numbered == [title.split(" · ")[0] for title in titles]
    assert "duckpost-overview" in BOARDS


@each_board
def test_a_dashboard_is_one_that_grafana_takes(board: Json) -> None:
    assert 42 == board["schemaVersion"]
    assert len(board["uid"]) <= 40
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", board["uid"])
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


@each_board
def test_panels_lie_inside_the_grid_and_on_no_other(board: Json) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@each_board
def test_grafana_s_own_models_read_it_and_write_the_same(board: Json) -> None:
    read = Dashboard.from_json(board)
    assert board == json.loads(json.dumps(read, cls=JSONEncoder))
    for panel in board["panels"]:
        if panel["type"] != "row":
            assert Panel.from_json(panel).title == panel["title"]


@each_panel
def test_a_panel_says_what_it_shows(panel: Json) -> None:
    assert panel["title"]
    assert panel["description"].startswith("**")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    steps = [step["value"] for step in defaults["thresholds"]["steps"]]
    assert steps[0] is None
    assert sorted(steps[1:]) == steps[1:]


@each_panel
def test_a_panel_asks_the_one_data_source_about_views(panel: Json) -> None:
    refs = [target["refId"] for target in panel["targets"]]
    assert len(refs) == len(set(refs))
    for target in panel["targets"]:
        assert "duckpost" == target["datasource"]["uid"]
        sql = target["rawSql"]
        assert not re.search(r"\b(from|join) (events|marks|ledger|quarantine)\b", sql)
        assert [] == re.findall(r"\$\{?\w+\}?(?!:sqlstring)", _without_macros(sql))


def _without_macros(sql: str) -> str:
    return re.sub(r"\$__\w+|\$\{\w+:sqlstring\}", "", sql)


@each_panel
def test_a_panel_uses_only_variables_that_its_dashboard_has(panel: Json) -> None:
    (board,) = (board for board in BOARDS.values() if panel in board["panels"])
    known = {one["name"] for one in board["templating"]["list"]}
    text = json.dumps(panel["targets"])
    assert set(re.findall(r"\$\{(\w+):sqlstring\}", text)) <= known


@each_panel
def test_a_panel_is_of_a_type_that_grafana_still_has_with_its_options(panel: Json) -> None:
    """What a type has no model of is lost on the way through it; `graph` is no type any more."""
    options, custom = MODELS[panel["type"]]
    assert panel["options"] == written(options.from_json(panel["options"]))
    own = panel["fieldConfig"]["defaults"].get("custom")
    assert (own is not None) == (custom is not None)
    if custom is not None:
        assert own == written(custom.from_json(own))


def written(model: object) -> Json:
    made: Json = json.loads(json.dumps(model, cls=JSONEncoder))
    return made


def test_links_lead_to_dashboards_that_there_are() -> None:
    text = json.dumps(list(BOARDS.values()))
    assert set(re.findall(r"/d/([\w-]+)", text)) <= set(BOARDS)


def test_every_rule_reads_its_alert_view_and_leads_to_a_dashboard(
    definitions: Definitions,
) -> None:
    rules = [rule for group in GROUPS for rule in to_rules(group, definitions)]
    views = {name for name in definitions.words if re.fullmatch(r"alert_\w+", name)}
    asked = {re.search(r"from (\w+)", rule["data"][0]["model"]["rawSql"])[1] for rule in rules}  # type: ignore[index]  # a missing match is a failure

    assert views == asked
    assert len(rules) == len({rule["uid"] for rule in rules}) == 2 * len(views)
    for rule in rules:
        assert len(rule["uid"]) <= 40
        assert rule["annotations"]["dashboard"].removeprefix("/d/") in BOARDS
        assert "$__" not in rule["data"][0]["model"]["rawSql"]


def test_rules_are_what_the_http_api_and_a_file_take(definitions: Definitions) -> None:
    """By the SDK's model, and by AlertRuleV1 of Grafana's pkg/services/provisioning/alerting."""
    for group in GROUPS:
        made = to_api_group(group, definitions)
        assert made == written(RuleGroup.from_json(made))
        for rule in to_rules(group, definitions):
            assert set(rule) <= FIELDS_OF_A_FILE
            assert {"uid", "title", "condition", "data", "for", "annotations", "labels"} <= set(
                rule
            )
            assert rule["noDataState"] in {"Alerting", "NoData", "OK", "KeepLast"}
            assert rule["execErrState"] in {"Alerting", "Error", "OK", "KeepLast"}
            assert re.fullmatch(r"\d+[smh]", rule["for"])
            assert all(isinstance(text, str) for text in rule["annotations"].values())
            assert rule["condition"] in {query["refId"] for query in rule["data"]}
            for query in rule["data"]:
                assert FIELDS_OF_A_QUERY == set(query)
                assert {"from", "to"} == set(query["relativeTimeRange"])


def test_a_rule_without_labels_has_a_summary_all_the_same(definitions: Definitions) -> None:
    """A question that fails has no labels, and a file's ``$labels`` is a variable to Grafana."""
    for group in GROUPS:
        for rule, made in zip(group.rules, to_rules(group, definitions)[::2], strict=True):
            texts = made["annotations"].values()
            assert not [text for text in texts if "$" in text]
            summary = made["annotations"]["summary"]
            asked = re.findall(r"\{\{ with index \.Labels \"(\w+)\" \}\}", summary)
            assert list(rule.labels) == asked
            parts = r"\{\{ with [^}]*\}\}[:,] \{\{ \. \}\}\{\{ end \}\}"
            assert rule.title == re.sub(parts, "", summary)
