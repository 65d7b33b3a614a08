"""Every setting as a table: what the README shows."""

import json
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from consumer.settings.loading import ENV_PREFIX
from consumer.settings.model import section_fields, source_models, source_tags
from consumer.settings.sources import SHARED


def settings_table() -> str:
    """Render every setting as the Markdown table that the README shows."""
    lines = ["| setting | default | environment | meaning |", "|---|---|---|---|"]
    for section, key, field in section_fields():
        env = f"{ENV_PREFIX}{section}_{key}".upper()
        if (section, key) == ("warehouse", "path"):
            env = f"{ENV_PREFIX}WAREHOUSE"
        lines.append(f"| `{section}.{key}` | {_default(field)} | `{env}` | {field.description} |")
    for tag, model in zip(source_tags(), source_models(), strict=True):
        # what a source shares with others comes after its own
        fields = sorted(model.model_fields.items(), key=lambda item: item[0] in SHARED)
        for key, field in fields:
            meaning = f'`"{tag}"`' if key == "type" else field.description
            lines.append(f"| `sources[].{key}` ({tag}) | {_default(field)} | - | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(field: Any) -> str:  # noqa: ANN401 - pydantic's FieldInfo is no public annotation
    if field.default is None or field.default_factory is not None:
        return "-"
    if field.default is PydanticUndefined:
        return "required"
    value = str(field.default) if isinstance(field.default, Path) else field.default
    return f"`{json.dumps(value)}`"
