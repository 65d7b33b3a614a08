"""A dashboard before it is Grafana's: panels in rows, each with its question and its words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from consumer.dashboards.choices import Choice
from consumer.dashboards.thresholds import Line

Kind = Literal["stat", "series", "bars", "table", "gauge", "heatmap"]

PERCENT = "percentunit"
COUNT = "short"
BYTES = "bytes"
NOTHING = "nothing in this range"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        kind: ``series`` and ``heatmap`` are charts over time, whose SQL gives ``time``, a text
            ``metric`` where there are several lines, and one number a row. ``stat``, with
            ``changes``, shows the last of two such rows and how it differs from the first. The
            others show rows as they come.
        title: what it shows, in a few words.
        sql: the question, with Grafana's macros and variables.
        description: the definition of the figure; see `Definitions.explain`.
        unit: Grafana's name for the unit of every number.
        lines: thresholds, lowest first; the colour below the lowest is green. Columns of a table
            have those of their figures by themselves.
        units: of columns of a table that differ, by name.
        links: where a cell leads, by column.
        hidden: columns of a table that only a link needs.
        colors: of the lines of a chart that rows name.
        marks: a second question of the same shape, drawn as grey points.
        floor: where the axis of shares that are near 1 begins, unless one lies lower.
        is_shaded: whether the numbers of a table are the darker the greater they are.
        empty: what stands there when there is nothing to show.
    """

    kind: Kind
    title: str
    sql: str
    description: str
    unit: str = COUNT
    width: int = 8
    height: int = 8
    lines: tuple[Line, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    colors: Mapping[str, str] = field(default_factory=dict)
    marks: str = ""
    floor: float = 0
    changes: bool = False
    is_more_better: bool = True
    is_stacked: bool = False
    is_shaded: bool = False
    empty: str = NOTHING


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that answer one question together; they flow from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. ``uid`` is what links and a second push know it by."""

    uid: str
    title: str
    description: str
    choices: tuple[Choice, ...]
    rows: tuple[Row, ...]
    time_from: str = "now-7d"
