"""A panel's rows as a picture: Vega-Lite, drawn to SVG here, so that a page needs no script."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from consumer.dashboards.hues import PALETTE, to_hue
from consumer.errors import UsageError

Json = dict[str, Any]
Row = Mapping[str, Any]

_COLUMN_PIXELS: Final = 44  # of a page 1,080 wide in 24 columns
_ROW_PIXELS: Final = 26
_MARGIN_PIXELS: Final = 66  # of an article, and of the axis on the left
_LEGEND_PIXELS: Final = 125
_DAYS_NAMED: Final = 8
_CONFIG: Final[Json] = {
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"gridColor": "#eaeef2", "domain": False, "ticks": False, "labelPadding": 6},
    "legend": {"orient": "bottom", "labelLimit": 0, "symbolType": "square"},
}
_LINE: Final[Json] = {"type": "line", "point": {"size": 14}, "strokeWidth": 1.6}
_PERCENT: Final = "percentunit"
# What XML has no place for, and what turns text around: the library that draws ends the process
# over the first, and people read the second wrongly.
_UNPRINTABLE: Final = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    r"|[\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def to_printable(text: str) -> str:
    """Return text with a question mark in a box for every character that can't be shown."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def draw(panel: Json, answers: Sequence[Sequence[Row]]) -> str:
    """Return an SVG of a panel of time series or bars; what strangers wrote is text in it.

    Args:
        panel: Grafana's JSON of it.
        answers: rows for each of its questions.

    Raises `UsageError` where vl-convert-python is not installed.
    """
    try:
        import vl_convert  # noqa: PLC0415 - an optional package
    except ModuleNotFoundError as error:
        raise UsageError("a page needs charts: pip install 'duckpost[html]'") from error
    svg: str = vl_convert.vegalite_to_svg(to_spec(panel, answers), vl_version="5.20")
    return svg


def to_spec(panel: Json, answers: Sequence[Sequence[Row]]) -> Json:
    """Return the Vega-Lite specification of a panel."""
    layers = (
        [_to_bars(panel, answers[0])]
        if panel["type"] == "bargauge"
        else [*_to_lines(panel, answers), *_to_thresholds(panel, answers)]
    )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": _to_pixels(panel),
        "height": panel["gridPos"]["h"] * _ROW_PIXELS,
        "background": "transparent",
        "config": _CONFIG,
        "layer": layers,
    }


def _to_lines(panel: Json, answers: Sequence[Sequence[Row]]) -> list[Json]:
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    is_stacked = custom.get("stacking", {}).get("mode") == "normal"
    scale: Json = {"zero": False, "domainMax": 1} if custom.get("axisSoftMin") else {}
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "stack": "zero" if is_stacked else None,
        "axis": {"format": _number_format(panel)},
        "scale": scale,
    }
    values = to_long(answers[0])
    times = sorted({datetime.fromisoformat(value["time"]) for value in values})
    x = {
        "field": "time",
        "type": "temporal",
        "title": None,
        "scale": {"type": "utc"},
        "axis": _to_axis(times),
    }
    looks = to_looks(panel)
    names = list(dict.fromkeys(value["metric"] for value in values))
    for value in values:
        value["metric"] = to_name(value["metric"], looks)
    color = {
        "field": "metric",
        "type": "nominal",
        "title": None,
        "scale": {
            "domain": [to_name(name, looks) for name in names],
            "range": _to_colors(names, looks),
        },
        "legend": {"columns": max(1, _to_pixels(panel) // _LEGEND_PIXELS)},
    }
    is_of_bars = custom.get("drawStyle") == "bars"
    layers: list[Json] = [
        {
            "data": {"values": values},
            "mark": _to_bar_mark(panel, times) if is_of_bars else _LINE,
            "encoding": {"x": x, "y": y, "color": color},
        }
    ]
    layers += [
        {
            "data": {"values": to_long(marks)},
            "mark": {"type": "point", "filled": True, "color": "#888", "size": 40},
            "encoding": {"x": x, "y": {**y, "stack": None}},
        }
        for marks in answers[1:]
    ]
    return layers


def _to_pixels(panel: Json) -> int:
    pixels: int = panel["gridPos"]["w"] * _COLUMN_PIXELS - _MARGIN_PIXELS
    return pixels


def _to_axis(times: Sequence[datetime]) -> Json:
    """Name days, eight at most, where there are several; hours else."""
    length = times[-1] - times[0] if times else timedelta()
    if length < timedelta(days=2):
        return {"format": "%H:%M", "labelOverlap": True}
    days = math.ceil(length.days / _DAYS_NAMED)
    return {"format": "%-d %b", "tickCount": {"interval": "day", "step": days}}


def _to_bar_mark(panel: Json, times: Sequence[datetime]) -> Json:
    """Make a bar as wide as the time it stands for, less a little air, from its start on."""
    step = min((b - a for a, b in itertools.pairwise(times)), default=timedelta(hours=1))
    length = times[-1] - times[0] if times else timedelta()
    width = max(1.0, _to_pixels(panel) * step / (length + step) * 0.85)
    return {"type": "bar", "width": width, "xOffset": width / 2}


def to_looks(panel: Json) -> dict[str, Json]:
    """Return what a panel says of each column or line by its name: Grafana's overrides."""
    return {
        override["matcher"]["options"]: {one["id"]: one["value"] for one in override["properties"]}
        for override in panel["fieldConfig"].get("overrides", [])
        if override["matcher"]["id"] == "byName"
    }


def to_name(name: str, looks: Mapping[str, Json]) -> str:
    """Return what people read in place of a column's name."""
    return to_printable(str(looks.get(name, {}).get("displayName", name)))


def _to_colors(names: Sequence[str], looks: Mapping[str, Json]) -> list[str]:
    others = itertools.cycle(PALETTE)
    fixed = [looks.get(name, {}).get("color", {}).get("fixedColor") for name in names]
    return [to_hue(color) if color else next(others) for color in fixed]


def _to_thresholds(panel: Json, answers: Sequence[Sequence[Row]]) -> list[Json]:
    """Draw the lowest line, and those above it that figures come near."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    lines = [step for step in steps if step["value"] is not None]
    highest = max((one["value"] or 0 for one in to_long(answers[0])), default=0)
    return [
        {
            "data": {"values": [{"value": line["value"]}]},
            "mark": {"type": "rule", "strokeDash": [4, 4], "color": to_hue(line["color"])},
            "encoding": {"y": {"field": "value", "type": "quantitative"}},
        }
        for number, line in enumerate(lines)
        if number == 0 or line["value"] <= highest
    ]


def _to_bars(panel: Json, rows: Sequence[Row]) -> Json:
    looks = to_looks(panel)
    bars = [_to_bar(row, name, looks) for row in rows for name in row if _is_number(row[name])]
    x = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "axis": {"format": _number_format(panel), "tickCount": 4},
    }
    return {
        "data": {"values": bars},
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "x": x,
            "y": {"field": "name", "type": "nominal", "title": None, "sort": None},
            "color": {"field": "color", "type": "nominal", "scale": None},
        },
    }


def _to_bar(row: Row, name: str, looks: Mapping[str, Json]) -> Json:
    """Name a bar by its column, after the row's words where it has any."""
    words = [to_printable(str(value)) for value in row.values() if isinstance(value, str)]
    (color,) = _to_colors([name], looks)
    return {
        "name": " ".join([*words, to_name(name, looks)]),
        "value": row[name],
        "color": color,
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def to_long(rows: Sequence[Row]) -> list[Json]:
    """Return a row a line and instant, of rows with a ``metric`` or with a column a line."""
    long = []
    for row in rows:
        time = _to_instant(row["time"])
        if "metric" in row:
            metric = to_printable(str(row["metric"]))
            long.append({"time": time, "metric": metric, "value": row["value"]})
        else:
            long += [
                {"time": time, "metric": name, "value": value}
                for name, value in row.items()
                if name != "time"
            ]
    return long


def _to_instant(value: datetime | float) -> str:
    """Write an instant for Vega; Grafana's macros give seconds since 1970."""
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")


def _number_format(panel: Json) -> str:
    return ".2~%" if panel["fieldConfig"]["defaults"]["unit"] == _PERCENT else "~s"
