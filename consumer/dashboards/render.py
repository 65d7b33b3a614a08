"""Makes Grafana's classic JSON (schemaVersion 42) of a dashboard, with Grafana's own models."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import bargauge, heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as grafana
from grafana_foundation_sdk.models import heatmap as heat

from consumer.dashboards.choices import ALL, Choice
from consumer.dashboards.fields import to_overrides, to_thresholds
from consumer.dashboards.names import DATA_SOURCE_TYPE, DATA_SOURCE_UID, SCHEMA_VERSION, TAG
from consumer.dashboards.panels import COUNT, PERCENT, Board, Kind, Panel

_COLUMNS: Final = 24
_POINTS_OF_RATES: Final = 30
_POINTS_OF_COUNTS: Final = 60
_ABOVE_THE_LINE: Final = 1.2

AnyPanel = (
    stat.Panel | timeseries.Panel | table.Panel | bargauge.Panel | heatmap.Panel
)  # what they share, the SDK has in no base class


@dataclass
class SqlQuery(Dataquery, Builder[Dataquery]):
    """A question to Grafana's PostgreSQL data source, which the SDK has no model of."""

    sql: str
    ref_id: str = "A"
    is_series: bool = False

    def build(self) -> Dataquery:
        """Return itself: it is its own model."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return what Grafana stores of it."""
        return {
            "refId": self.ref_id,
            "datasource": to_source().to_json(),
            "editorMode": "code",
            "format": "time_series" if self.is_series else "table",
            "rawQuery": True,
            "rawSql": self.sql,
        }


def to_source() -> common.DataSourceRef:
    """Return how panels name the data source: by the uid that provisioning and push give it."""
    return common.DataSourceRef(type_val=DATA_SOURCE_TYPE, uid=DATA_SOURCE_UID)


def to_json(board: Board) -> str:
    """Return a dashboard's JSON, the same text for the same dashboard."""
    model = grafana.Dashboard(
        uid=board.uid,
        title=board.title,
        description=board.description,
        tags=[TAG],
        timezone="utc",
        editable=True,
        graph_tooltip=grafana.DashboardCursorSync.CROSSHAIR,
        time=grafana.DashboardDashboardTime(from_val=board.time_from, to="now"),
        refresh="5m",
        schema_version=SCHEMA_VERSION,
        panels=list(_to_panels(board)),
        templating=grafana.DashboardDashboardTemplating(
            list_val=[_to_variable(choice) for choice in board.choices]
        ),
        annotations=grafana.AnnotationContainer(list_val=[]),
        links=[
            grafana.DashboardLink(
                title="SES dashboards",
                type_val=grafana.DashboardLinkType.DASHBOARDS,
                tags=[TAG],
                as_dropdown=True,
                include_vars=True,
                keep_time=True,
            )
        ],
    )
    return json.dumps(model, cls=JSONEncoder, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _to_panels(board: Board) -> Iterator[grafana.Panel | grafana.RowPanel]:
    """Lay panels out from left to right, a new line where there is no room."""
    number, top = 1, 0
    for row in board.rows:
        yield grafana.RowPanel(
            id_val=number,
            title=row.title,
            grid_pos=grafana.GridPos(h=1, w=_COLUMNS, x=0, y=top),
            panels=[],
        )
        number, top, left, tallest = number + 1, top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            yield _to_panel(
                panel, number, grafana.GridPos(h=panel.height, w=panel.width, x=left, y=top)
            )
            number, left, tallest = number + 1, left + panel.width, max(tallest, panel.height)
        top += tallest


def _to_panel(panel: Panel, number: int, place: grafana.GridPos) -> grafana.Panel:
    makers: dict[Kind, Callable[[Panel], AnyPanel]] = {
        "stat": _to_stat,
        "series": _to_series,
        "bars": _to_bars,
        "table": _to_table,
        "gauge": _to_gauge,
        "heatmap": _to_heatmap,
    }
    builder = makers[panel.kind](panel)
    is_chart = panel.kind in {"series", "bars", "heatmap"}
    is_series = is_chart or panel.changes
    builder.id(number).title(panel.title).description(panel.description).grid_pos(place)
    builder.datasource(to_source()).unit(_to_unit(panel)).no_value(panel.empty)
    builder.with_target(SqlQuery(panel.sql, is_series=is_series))
    if panel.marks:
        builder.with_target(SqlQuery(panel.marks, "B", is_series=True))
    if is_series:
        # rows are hours, or days: nothing lies between, and too little in each for a rate
        points = _POINTS_OF_RATES if panel.unit == PERCENT else _POINTS_OF_COUNTS
        builder.interval("1h").max_data_points(points)
    if panel.unit == PERCENT and not is_chart:
        builder.decimals(2)
    built: grafana.Panel = builder.build()
    assert built.field_config is not None  # noqa: S101 - each builder above has set a unit
    thresholds = grafana.ThresholdsConfig.from_json(to_thresholds(panel.lines))
    built.field_config.defaults.thresholds = thresholds
    built.field_config.overrides += to_overrides(panel)
    return built


def _to_unit(panel: Panel) -> str:
    """Return the unit of every number; a table has room for all digits of a count."""
    return "locale" if panel.kind == "table" and panel.unit == COUNT else panel.unit


def _to_stat(panel: Panel) -> stat.Panel:
    """Show the last row: not the last that has a value, or an old figure would stand for none."""
    reduce = options.ReduceDataOptions().calcs(["last"])
    colors = common.PercentChangeColorMode
    return (
        stat.Panel()
        .mappings([_to_grey(panel.empty)])
        .reduce_options(reduce if panel.changes else reduce.values(True).limit(1))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(
            common.BigValueColorMode.VALUE if panel.lines else common.BigValueColorMode.NONE
        )
        .text_mode(common.BigValueTextMode.VALUE)
        .show_percent_change(panel.changes)
        .percent_change_color_mode(colors.STANDARD if panel.is_more_better else colors.INVERTED)
    )


def _to_grey(words: str) -> grafana.ValueMapping:
    """Say in plain colour that there is no figure: below all lines it would be green."""
    return grafana.SpecialValueMap(
        options=grafana.DashboardSpecialValueMapOptions(
            match=grafana.SpecialValueMatch.NULL_AND_NAN,
            result=grafana.ValueMappingResult(text=words, color="text"),
        )
    )


def _to_series(panel: Panel) -> timeseries.Panel:
    chart = _to_chart(panel).draw_style(common.GraphDrawStyle.LINE).line_width(2)
    if panel.lines:
        dashed = options.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        chart.thresholds_style(dashed).axis_soft_max(panel.lines[0].value * _ABOVE_THE_LINE)
    if panel.floor:
        chart.axis_soft_min(panel.floor).max(1)
    else:
        chart.min(0)
    if panel.marks:
        chart.override_by_query(
            "B",
            [
                grafana.DynamicConfigValue("custom.drawStyle", "points"),
                grafana.DynamicConfigValue("custom.pointSize", 8),
                grafana.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "gray"}),
            ],
        )
    return chart


def _to_bars(panel: Panel) -> timeseries.Panel:
    bars = _to_chart(panel).draw_style(common.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
    return bars.min(0).bar_alignment(common.BarAlignment.AFTER)


def _to_chart(panel: Panel) -> timeseries.Panel:
    legend = (
        options.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    tooltip = (
        options.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )
    chart = (
        timeseries.Panel().legend(legend).tooltip(tooltip).show_points(common.VisibilityMode.AUTO)
    )
    if panel.is_stacked:
        chart.stacking(options.StackingConfig().mode(common.StackingMode.NORMAL)).fill_opacity(30)
    return chart


def _to_table(_: Panel) -> table.Panel:
    return table.Panel().cell_height(common.TableCellHeight.SM)


def _to_gauge(_: Panel) -> bargauge.Panel:
    return (
        bargauge.Panel()
        .reduce_options(options.ReduceDataOptions().calcs(["last"]).values(True).limit(50))
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .text(options.VizTextDisplayOptions().title_size(14).value_size(15))
        .min(0)
    )


def _to_heatmap(_: Panel) -> heatmap.Panel:
    return (
        heatmap.Panel()
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heat.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .scale(heat.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .fill("dark-orange")
            .steps(64)  # with the SDK's 0 nothing is drawn
        )
        .y_axis(heatmap.YAxisConfig().axis_placement(common.AxisPlacement.LEFT))
        .cell_gap(1)
        .rows_frame(heatmap.RowsHeatmapOptions().layout(common.HeatmapCellLayout.AUTO))
    )


def _to_variable(choice: Choice) -> grafana.VariableModel:
    model = grafana.VariableModel(name=choice.name, label=choice.label)
    if choice.kind == "text":
        model.type_val = grafana.VariableType.TEXTBOX
        model.query = ""
        model.current = grafana.VariableOption(text="", value="")
        return model
    if choice.kind == "list":
        model.type_val = grafana.VariableType.CUSTOM
        model.query = ",".join(choice.values)
        model.current = grafana.VariableOption(text=choice.values[0], value=choice.values[0])
        model.options = [
            grafana.VariableOption(text=value, value=value, selected=value == choice.values[0])
            for value in choice.values
        ]
        return model
    model.type_val = grafana.VariableType.QUERY
    model.datasource = to_source()
    model.query = choice.sql
    model.definition = choice.sql
    model.refresh = (
        grafana.VariableRefresh.ON_TIME_RANGE_CHANGED
        if choice.by_range
        else grafana.VariableRefresh.ON_DASHBOARD_LOAD
    )
    if choice.is_many:
        model.multi = True
        model.include_all = True
        model.all_value = ALL
        model.current = grafana.VariableOption(text="All", value="$__all")
    return model
