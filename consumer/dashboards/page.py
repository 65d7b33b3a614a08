"""The Overview as one HTML page, for people without Grafana: no script, no network, mailable.

It reads the same JSON that Grafana reads, asks the same questions, and draws the answers.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, Final

from consumer.dashboards.charts import draw, to_printable
from consumer.dashboards.expansion import Range, expand
from consumer.door.access import Access

Json = dict[str, Any]
Row = Mapping[str, Any]

_OVERVIEW: Final = "duckpost-overview"
_POINTS: Final = 120
_STEPS_SECS: Final = (3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)
_PERCENT: Final = "percentunit"
_STYLE: Final = """
body { font: 15px/1.4 system-ui, sans-serif; max-width: 1120px; margin: 2rem auto; padding: 0 1rem;
       color: #1f2328; background: #fff; }
h1 { margin-bottom: 0; } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
section { display: grid; grid-template-columns: repeat(24, 1fr); gap: 12px; }
article { border: 1px solid #d0d7de; border-radius: 6px; padding: 10px; overflow-x: auto; }
article h3 { margin: 0; font-size: .9rem; font-weight: 600; }
.figure { font-size: 1.6rem; } .change, .nothing, header p, footer { color: #57606a; }
.orange { color: #b35900; } .red { color: #c4162a; } .yellow { color: #8a6d00; }
table { border-collapse: collapse; width: 100%; } td, th { padding: 3px 8px; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr:nth-child(even) { background: #f6f8fa; } svg { max-width: 100%; height: auto; }
details { font-size: .8rem; color: #57606a; white-space: pre-line; }
@media (max-width: 800px) { article { grid-column: 1 / -1 !important; } }
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
    span = Range(since, until, _choose_step(until - since))
    everything = {one["name"]: None for one in board["templating"]["list"]}
    parts: list[str] = []
    for panel in board["panels"]:
        if panel["type"] == "row":
            parts.append(
                f"{'</section>' if parts else ''}<h2>{escape(panel['title'])}</h2><section>"
            )
            continue
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


def _choose_step(length: timedelta) -> int:
    wanted = length.total_seconds() / _POINTS
    return next((step for step in _STEPS_SECS if step >= wanted), _STEPS_SECS[-1])


def _to_article(panel: Json, answers: Sequence[Sequence[Row]]) -> str:
    return (
        f'<article style="grid-column: span {int(panel["gridPos"]["w"])}" '
        f'data-panel="{escape(panel["title"])}"><h3>{escape(panel["title"])}</h3>'
        f"{_to_body(panel, answers)}"
        "<details><summary>What this is</summary>"
        f"{escape(panel['description'])}</details></article>"
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
    before, now = (next(value for name, value in row.items() if name != "time") for row in rows)
    if now is None:
        return _to_nothing(panel)
    color = ""
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None and now >= step["value"]:
            color = f" {step['color']}"
    change = "" if not before else f'<div class="change">{(now - before) / before:+.1%}</div>'
    return f'<div class="figure{escape(color)}">{_to_text(now, defaults["unit"])}</div>{change}'


def _to_table(panel: Json, rows: Sequence[Row]) -> str:
    config = panel["fieldConfig"]
    units: dict[str, str] = {}
    hidden: set[str] = set()
    for override in config["overrides"]:
        for one in override["properties"]:
            if one["id"] == "unit":
                units[override["matcher"]["options"]] = one["value"]
            if one["id"] == "custom.hidden" and one["value"]:
                hidden.add(override["matcher"]["options"])
    names = [name for name in rows[0] if name not in hidden]
    numbers = {name for name in names if any(_is_number(row[name]) for row in rows)}
    head = "".join(
        f"<th{_number_class(name in numbers)}>{escape(name.replace('_', ' '))}</th>"
        for name in names
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_number_class(name in numbers)}>"
            f"{_to_text(row[name], units.get(name, config['defaults']['unit']))}</td>"
            for name in names
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number_class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _to_text(value: object, unit: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int | float):
        return (
            f"{value:.2%}"
            if unit == _PERCENT
            else f"{value:,.6g}"
            if value % 1
            else f"{value:,.0f}"
        )
    return escape(to_printable(str(value)))
