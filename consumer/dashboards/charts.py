"""A panel's rows as a picture: Vega-Lite, drawn to SVG here, so that a page needs no script."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from consumer.errors import UsageError

Json = dict[str, Any]
Row = Mapping[str, Any]

_GRAFANA_COLORS: Final = {"yellow": "#c29500", "orange": "#e0752d", "red": "#c4162a"}
_COLUMN_PIXELS: Final = 44  # of a page 1,080 wide in 24 columns
_ROW_PIXELS: Final = 26
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
    place = panel["gridPos"]
    layers = (
        [_to_bars(panel, answers[0])]
        if panel["type"] == "bargauge"
        else [*_to_lines(panel, answers), *_to_thresholds(panel)]
    )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": place["w"] * _COLUMN_PIXELS - 190,
        "height": place["h"] * _ROW_PIXELS,
        "background": "transparent",
        "config": {"font": "system-ui, sans-serif", "view": {"stroke": None}},
        "layer": layers,
    }


def _to_lines(panel: Json, answers: Sequence[Sequence[Row]]) -> list[Json]:
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    is_stacked = custom.get("stacking", {}).get("mode") == "normal"
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "stack": "zero" if is_stacked else None,
        "axis": {"format": _number_format(panel)},
    }
    x = {"field": "time", "type": "temporal", "title": None, "scale": {"type": "utc"}}
    mark = {"type": "area", "opacity": 0.7} if is_stacked else {"type": "line", "point": True}
    layers: list[Json] = [
        {
            "data": {"values": to_long(answers[0])},
            "mark": mark,
            "encoding": {
                "x": x,
                "y": y,
                "color": {"field": "metric", "type": "nominal", "title": None, "sort": None},
            },
        }
    ]
    layers += [
        {
            "data": {"values": to_long(marks)},
            "mark": {"type": "point", "filled": True, "color": "#888", "size": 60},
            "encoding": {"x": x, "y": {**y, "stack": None}},
        }
        for marks in answers[1:]
    ]
    return layers


def _to_thresholds(panel: Json) -> list[Json]:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [
        {
            "data": {"values": [{"value": step["value"]}]},
            "mark": {
                "type": "rule",
                "strokeDash": [4, 4],
                "color": _GRAFANA_COLORS.get(step["color"], step["color"]),
            },
            "encoding": {"y": {"field": "value", "type": "quantitative"}},
        }
        for step in steps
        if step["value"] is not None
    ]


def _to_bars(panel: Json, rows: Sequence[Row]) -> Json:
    values = [_to_bar(row, name) for row in rows for name in row if _is_number(row[name])]
    x = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "axis": {"format": _number_format(panel)},
    }
    return {
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "x": x,
            "y": {"field": "name", "type": "nominal", "title": None, "sort": None},
        },
    }


def _to_bar(row: Row, name: str) -> Json:
    """Name a bar by its column, after the row's words where it has any."""
    words = [to_printable(str(value)) for value in row.values() if isinstance(value, str)]
    return {"name": " ".join([*words, name]), "value": row[name]}


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
