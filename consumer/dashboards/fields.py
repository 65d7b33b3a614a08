"""How the columns of a panel are named, coloured, measured and written: Grafana's overrides."""

import re
from collections.abc import Iterator
from typing import Any, Final

from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DynamicConfigValue,
    MatcherConfig,
)

from consumer.dashboards import over_lines
from consumer.dashboards.colors import COLORS
from consumer.dashboards.panels import PERCENT, Panel
from consumer.dashboards.thresholds import LINES, LINES_OF_RATES, Line
from consumer.dashboards.words import to_words

Json = dict[str, Any]

# A question has a column a line; an expression has its name at the end.
_COLUMN: Final = re.compile(r'^    (?:\w+\.|.* as )"?(\w+)"?,?$', re.MULTILINE)
_DAY: Final = re.compile(r"_(day|date)$")
_NOTHING: Final = "–"
_LETTER_PIXELS: Final = 8
_MARGIN_PIXELS: Final = 30
_WIDE: Final = {
    "attempt": 110,
    "bounce_class": 140,
    "bounce_sub_type": 150,
    "configuration_set": 200,
    "description": 600,
    "detail": 360,
    "identity": 150,
    "kind": 105,
    "link": 420,
    "message_id": 220,
    "missing_event_types": 230,
    "over_lines": 220,
    "provider": 140,
    "reason": 170,
    "reasons": 300,
    "recipient": 220,
    "response": 460,
    "source": 140,
    "subject": 200,
    "tag_value": 180,
    "weekday": 110,
}
_INSTANT_PIXELS: Final = 190
_LEAST_PIXELS: Final = 85
_HOUR_PIXELS: Final = 40


def to_overrides(panel: Panel) -> list[DashboardFieldConfigSourceOverrides]:
    """Return the overrides of a panel, those of kinds of columns before those of one column."""
    if panel.kind == "stat":
        return _to_overrides_of_stat(panel)
    of_kinds = list(_to_kinds(panel)) if panel.kind == "table" else []
    of_columns = [
        _override("byName", column, list(_to_properties(panel, column)))
        for column in (*to_columns(panel.sql), *to_columns(panel.marks))
    ]
    of_rows = [
        _override("byName", name, [_property("color", _fixed(color))])
        for name, color in panel.colors.items()
    ]
    return [*of_kinds, *of_columns, *of_rows]


def _to_overrides_of_stat(panel: Panel) -> list[DashboardFieldConfigSourceOverrides]:
    """Take the colour of thresholds from a rate of little mail; its name is that of the panel."""
    if not (panel.lines and panel.changes):
        return []
    plain = [_property("color", _fixed("text"))]
    return [_override("byName", over_lines.TOO_LITTLE, plain)]


def to_columns(sql: str) -> list[str]:
    """Return the names of the columns that a question gives, without the time of a chart."""
    columns, _, _ = sql.partition("\nfrom ")
    return _COLUMN.findall(columns)


def _to_kinds(panel: Panel) -> Iterator[DashboardFieldConfigSourceOverrides]:
    """Say how text, numbers and what is missing look in a table."""
    yes_or_no = {
        "type": "value",
        "options": {"true": {"text": "yes", "index": 0}, "false": {"text": "no", "index": 1}},
    }
    yield _override("byRegexp", "/.*/", [_property("noValue", _NOTHING)])
    # An account's number is none to count with.
    text = [_property("unit", "string"), _property("custom.filterable", not panel.is_shaded)]
    yield _override("byType", "string", text)
    yield _override("byType", "boolean", [_property("mappings", [yes_or_no])])
    if panel.is_shaded:
        shade = {"type": "color-background", "mode": "basic"}
        yield _override(
            "byType",
            "number",
            [
                _property("color", {"mode": "continuous-blues"}),
                _property("custom.cellOptions", shade),
                _property("custom.align", "center"),
            ],
        )


def _to_properties(panel: Panel, column: str) -> Iterator[DynamicConfigValue]:
    yield _property("displayName", to_words(column))
    if panel.kind != "table":
        if column in COLORS:
            yield _property("color", _fixed(COLORS[column]))
        return
    if column in panel.hidden:
        yield _property("custom.hidden", True)
    yield _property("custom.minWidth", _to_width(column))
    unit = panel.units.get(column, "time:YYYY-MM-DD" if _DAY.search(column) else "")
    if unit:
        yield _property("unit", unit)
    if unit == PERCENT:
        yield _property("decimals", 2)
    if column in panel.links:
        yield _property("links", [{"title": "Look closer", "url": panel.links[column]}])
    if column in LINES and column not in LINES_OF_RATES:
        yield _property("thresholds", to_thresholds(LINES[column], below="text"))
        yield _property("custom.cellOptions", {"type": "color-text"})
    if column == over_lines.COLUMN:  # rates have no colour of their own: see there
        yield _property("mappings", over_lines.to_mappings())
        yield _property("thresholds", to_thresholds((), below="text"))
        yield _property("custom.cellOptions", {"type": "color-text"})


def _to_width(column: str) -> int:
    if column.isdigit():  # an hour
        return _HOUR_PIXELS
    if column in _WIDE:
        return _WIDE[column]
    if column.endswith("_at"):
        return _INSTANT_PIXELS
    return max(_LEAST_PIXELS, len(to_words(column)) * _LETTER_PIXELS + _MARGIN_PIXELS)


def to_thresholds(lines: tuple[Line, ...], below: str = "green") -> Json:
    """Return Grafana's thresholds; ``below`` is the colour under the lowest line."""
    steps: list[Json] = [{"value": None, "color": below}]
    steps += [{"value": line.value, "color": line.color} for line in lines]
    return {"mode": "absolute", "steps": steps}


def _fixed(color: str) -> Json:
    return {"mode": "fixed", "fixedColor": color}


def _property(name: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(name, value)


def _override(
    matcher: str, what: str, properties: list[DynamicConfigValue]
) -> DashboardFieldConfigSourceOverrides:
    return DashboardFieldConfigSourceOverrides(
        matcher=MatcherConfig(id_val=matcher, options=what), properties=properties
    )
