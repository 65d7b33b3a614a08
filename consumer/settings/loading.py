"""`duckpost.toml`, overridden by ``DUCKPOST_…``."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from consumer.errors import SettingsError
from consumer.settings.faults import describe_fault
from consumer.settings.model import Settings, section_fields
from consumer.settings.section import suggest

DEFAULT_FILE = Path("duckpost.toml")
ENV_PREFIX = "DUCKPOST_"

_Tables = dict[str, Any]


def load_settings(
    file: Path | None = None,
    *,
    warehouse: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read the file, lay the environment over it, then the command line's ``warehouse``.

    Without ``file``, `./duckpost.toml` is read when it is there. Raises `SettingsError` with
    one line for every fault.
    """
    tables = _read_file(file)
    faults = _lay_environment_over(tables, environ)
    if warehouse is not None:
        tables.setdefault("warehouse", {})["path"] = warehouse
    try:
        settings = Settings.model_validate(tables)
    except ValidationError as error:
        faults += [describe_fault(fault) for fault in error.errors()]
    if faults:
        origin = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else "the environment")
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(f"{origin}: {len(faults)} fault{'s' * (len(faults) > 1)}\n{lines}")
    return settings


def _read_file(file: Path | None) -> _Tables:
    if file is None:
        if not DEFAULT_FILE.exists():
            return {}
        file = DEFAULT_FILE
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8: {error}") from error
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error


def _lay_environment_over(tables: _Tables, environ: Mapping[str, str]) -> list[str]:
    """Write what ``DUCKPOST_…`` says into ``tables``; return a line for each that says nothing."""
    known = dict(_environment_names())
    faults = []
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX):
            continue
        value: object = environ[name]
        if name == f"{ENV_PREFIX}SOURCES":
            try:
                tables["sources"] = json.loads(environ[name])
            except ValueError as error:
                faults.append(f"{name}: not valid JSON: {error}")
        elif name in known:
            section, key = known[name]
            table = tables.setdefault(section, {})
            if isinstance(table, dict):  # else the file is wrong there, and validation says so
                table[key] = value
        else:
            faults.append(f"{name}: unknown setting{suggest(name, known)}")
    return faults


def _environment_names() -> Iterator[tuple[str, tuple[str, str]]]:
    yield f"{ENV_PREFIX}WAREHOUSE", ("warehouse", "path")
    for section, key, _ in section_fields():
        yield f"{ENV_PREFIX}{section}_{key}".upper(), (section, key)
