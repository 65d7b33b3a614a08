"""The Overview as one HTML page, for people without Grafana: no script, no network, mailable.

It reads the same JSON that Grafana reads, asks the same questions, and draws the answers.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, Final

from consumer.dashboards.charts import draw, to_looks, to_name, to_printable
from consumer.dashboards.expansion import Range, expand
from consumer.door.access import Access

Json = dict[str, Any]
Row = Mapping[str, Any]

_OVERVIEW: Final = "duckpost-overview"
_POINTS: Final = 60
_STEPS_SECS: Final = (3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)
_PERCENT: Final = "percentunit"
_NO_LINES: Final[Json] = {"steps": []}
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_STYLE: Final = """
body { font: 15px/1.4 system-ui, sans-serif; max-width: 1120px; margin: 2rem auto; padding: 0 1rem;
       color: #1f2328; background: #f6f8fa; }
h1 { margin: 0; } header p { margin: .2rem 0 0; } h2 { margin: 2rem 0 .6rem; font-size: 1.1rem; }
section { display: grid; grid-template-columns: repeat(24, 1fr); gap: 12px; }
article { border: 1px solid #d0d7de; border-radius: 6px; padding: 10px 12px; overflow-x: auto;
          background: #fff; display: flex; flex-direction: column; }
article h3 { margin: 0 0 .3rem; font-size: .85rem; font-weight: 600; color: #424a53; }
.figure { font-size: 1.6rem; font-variant-numeric: tabular-nums; }
.change, .nothing, header p, footer { color: #57606a; }
.orange { color: #b35900; } .red { color: #c4162a; } .yellow { color: #8a6d00; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; margin-bottom: .5rem; }
td, th { padding: 5px 8px; text-align: left; vertical-align: baseline; }
th { font-weight: 600; vertical-align: bottom; color: #57606a; border-bottom: 1px solid #d0d7de; }
td { border-bottom: 1px solid #eaeef2; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; } svg { max-width: 100%; height: auto; }
details { margin-top: auto; padding-top: .3rem; font-size: .8rem; color: #57606a;
          white-space: pre-line; }
@media (max-width: 800px) { article { grid-column: 1 / -1 !important; } }
@media print { body { background: #fff; } details { display: none; } }
"""


def render_page(
    access: Access, folder: Path, *, since: datetime, until: datetime, version: str
) -> str:
    """Return the page.

    Args:
        access: the warehouse.
        folder: with ``json/``.
        since: start of the range (UTC, naive).
        until: its end.
        version: of the definitions, for the footer.
    """
    board = json.loads((folder / "json" / f"{_OVERVIEW}.json").read_text(encoding="utf-8"))
    everything = {one["name"]: None for one in board["templating"]["list"]}
    parts: list[str] = []
    for panel in board["panels"]:
        if panel["type"] == "row":
            parts.append(
                f"{'</section>' if parts else ''}<h2>{escape(panel['title'])}</h2><section>"
            )
            continue
        span = Range(since, until, _choose_step(until - since, panel.get("maxDataPoints", _POINTS)))
        answers = []
        for target in panel["targets"]:
            with access.read(expand(target["rawSql"], span, everything)) as reader:
                answers.append(reader.read_all().to_pylist())
        parts.append(_to_article(panel, answers))
    head = f"{since:%F %R} to {until:%F %R} UTC"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>SES overview, {escape(head)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>SES overview</h1><p>{escape(head)}</p></header>"
        f"{''.join(parts)}</section>"
        f"<footer><p>duckpost, definitions {escape(to_printable(version))}</p></footer>"
        "</body></html>\n"
    )


def _choose_step(length: timedelta, points: int) -> int:
    wanted = length.total_seconds() / points
    return next((step for step in _STEPS_SECS if step >= wanted), _STEPS_SECS[-1])


def _to_article(panel: Json, answers: Sequence[Sequence[Row]]) -> str:
    definition = _BOLD.sub(r"<b>\1</b>", escape(panel["description"]))
    return (
        f'<article style="grid-column: span {int(panel["gridPos"]["w"])}" '
        f'data-panel="{escape(panel["title"])}"><h3>{escape(panel["title"])}</h3>'
        f"{_to_body(panel, answers)}"
        "<details><summary>What this is</summary>"
        f"{definition}</details></article>"
    )


def _to_body(panel: Json, answers: Sequence[Sequence[Row]]) -> str:
    if panel["type"] == "stat":
        return _to_figure(panel, answers[0])
    if not any(
        value is not None for row in answers[0] for name, value in row.items() if name != "time"
    ):
        return _to_nothing(panel)
    return _to_table(panel, answers[0]) if panel["type"] == "table" else draw(panel, answers)


def _to_nothing(panel: Json) -> str:
    return f'<p class="nothing">{escape(panel["fieldConfig"]["defaults"]["noValue"])}</p>'


def _to_figure(panel: Json, rows: Sequence[Row]) -> str:
    """Show the range's figure, and by how much it differs from that of the range before."""
    defaults = panel["fieldConfig"]["defaults"]
    before, now = (row["value"] for row in rows)
    if now is None:
        return _to_nothing(panel)
    # what has a colour of its own, as a rate of little mail has, has none of the lines'
    is_plain = "color" in to_looks(panel).get(str(rows[-1].get("metric")), {})
    color = "" if is_plain else _to_color(now, defaults["thresholds"])
    change = "" if not before else f'<div class="change">{(now - before) / before:+.1%}</div>'
    return f'<div class="figure {color}">{_to_text(now, defaults["unit"])}</div>{change}'


def _to_color(value: object, thresholds: Json) -> str:
    """Return the class of the highest line that a figure has reached; none below the lowest."""
    reached = [
        step["color"].removeprefix("dark-")
        for step in thresholds["steps"]
        if step["value"] is not None and _is_number(value) and value >= step["value"]
    ]
    return escape(reached[-1]) if reached else ""


def _to_mapped_color(value: object, mappings: Sequence[Json]) -> str:
    """Return the class of the first of Grafana's mappings of texts that fits; none else."""
    for mapping in mappings:
        pattern = mapping["options"]["pattern"].strip("/")
        if isinstance(value, str) and re.search(pattern, value):
            return escape(str(mapping["options"]["result"]["color"]).removeprefix("dark-"))
    return ""


def _to_table(panel: Json, rows: Sequence[Row]) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    looks = to_looks(panel)
    names = [name for name in rows[0] if not looks.get(name, {}).get("custom.hidden")]
    numbers = {name for name in names if any(_is_number(row[name]) for row in rows)}
    head = "".join(
        f'<th class="{_to_class(name in numbers)}">{escape(to_name(name, looks))}</th>'
        for name in names
    )
    body = "".join(
        "<tr>"
        + "".join(_to_cell(row[name], name in numbers, unit, looks.get(name, {})) for name in names)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _to_cell(value: object, is_number: bool, unit: str, looks: Json) -> str:
    color = _to_mapped_color(value, looks.get("mappings", ())) or _to_color(
        value, looks.get("thresholds", _NO_LINES)
    )
    classes = f"{_to_class(is_number)} {color}"
    return f'<td class="{classes}">{_to_text(value, looks.get("unit", unit))}</td>'


def _to_class(is_number: bool) -> str:
    return "number" if is_number else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _to_text(value: object, unit: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return (
            f"{value:.2%}"
            if unit == _PERCENT
            else f"{value:,.6g}"
            if value % 1
            else f"{value:,.0f}"
        )
    return escape(to_printable(str(value)))
