"""Writes the dashboards' JSON and the provisioning files."""

import json
from pathlib import Path

from consumer.dashboards.boards import all_boards
from consumer.dashboards.definitions import Definitions, load_definitions
from consumer.dashboards.rules import to_provisioning
from consumer.errors import UsageError


def render_all(definitions: Definitions | None = None) -> dict[str, str]:
    """Return the text of every generated file by its path below the folder of dashboards.

    Raises `UsageError` where grafana-foundation-sdk is not installed.
    """
    try:
        from consumer.dashboards.render import to_json  # noqa: PLC0415 - an optional package
    except ModuleNotFoundError as error:
        raise UsageError(
            "building dashboards needs Grafana's SDK: pip install 'duckpost[dashboards]'; pushing "
            "and exporting those that came with duckpost does not"
        ) from error
    definitions = definitions or load_definitions()
    files = {f"json/{board.uid}.json": to_json(board) for board in all_boards(definitions)}
    # JSON is YAML too, and Grafana reads it by this name
    files["provisioning/alerting/duckpost.yaml"] = _to_text(to_provisioning(definitions))
    return files


def _to_text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def build(folder: Path) -> list[Path]:
    """Write every generated file below ``folder``; returns those that changed."""
    changed = []
    for name, text in render_all().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
