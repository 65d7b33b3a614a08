"""Brings folder, data source, dashboards and alert rules into a Grafana, and says what changes.

A second push changes nothing. What a person changed since the last push is not overwritten unless
told: a dashboard says so by its newest version not being ours, a data source and a group of rules
by not being what the last push noted there.
"""

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from consumer.dashboards.definitions import Definitions
from consumer.dashboards.grafana import Grafana, Json
from consumer.dashboards.names import (
    DATA_SOURCE_TYPE,
    DATA_SOURCE_UID,
    FOLDER_TITLE,
    FOLDER_UID,
)
from consumer.dashboards.rules import GROUPS, to_api_group
from consumer.settings import GrafanaSettings

Fate = Literal["new", "changed", "same", "kept"]

_MESSAGE: Final = "duckpost "
_DIGEST: Final = "duckpostSha256"


@dataclass(frozen=True, slots=True)
class Change:
    """What a push did, or would do, to one thing.

    Attributes:
        name: what it is.
        fate: ``kept`` is something that a person changed and that was left alone.
        diff: lines of a unified diff from what is there to what is pushed.
    """

    name: str
    fate: Fate
    diff: Sequence[str] = ()


def push(  # noqa: PLR0913 - where to, what, and how
    grafana: Grafana,
    folder: Path,
    definitions: Definitions,
    settings: GrafanaSettings,
    *,
    dry_run: bool,
    force: bool,
) -> Iterator[Change]:
    """Yield each change as it is made.

    Args:
        grafana: where to.
        folder: with ``json/``.
        definitions: the words of the alert rules.
        settings: how Grafana reaches the worker's SQL endpoint.
        dry_run: whether nothing is written.
        force: whether what a person changed is overwritten.
    """
    writes = _Writes(grafana, dry_run=dry_run, force=force)
    yield writes.folder()
    yield writes.data_source(settings)
    for file in sorted((folder / "json").glob("*.json")):
        yield writes.dashboard(json.loads(file.read_text(encoding="utf-8")))
    for group in GROUPS:
        yield writes.rules(to_api_group(group, definitions))


class _Writes:
    """Each kind of thing: look, compare, and write unless it is the same or not ours."""

    def __init__(self, grafana: Grafana, *, dry_run: bool, force: bool) -> None:
        self._grafana = grafana
        self._dry_run = dry_run
        self._force = force

    def folder(self) -> Change:
        name = f"folder {FOLDER_TITLE}"
        if self._grafana.get(f"/folders/{FOLDER_UID}") is not None:
            return Change(name, "same")
        if not self._dry_run:
            self._grafana.post("/folders", {"uid": FOLDER_UID, "title": FOLDER_TITLE})
        return Change(name, "new")

    def data_source(self, settings: GrafanaSettings) -> Change:
        name, ours = "data source duckpost", _to_data_source(settings)
        digest = _to_digest(ours)
        noted = {**ours, "jsonData": {**ours["jsonData"], _DIGEST: digest}}
        if settings.sql_password is not None:
            noted["secureJsonData"] = {"password": settings.sql_password.get_secret_value()}
        there = self._grafana.get(f"/datasources/uid/{DATA_SOURCE_UID}")
        if there is None:
            if not self._dry_run:
                self._grafana.post("/datasources", noted)
            return Change(name, "new", _diff(None, ours))
        now = _pick(there, ours)
        if now == ours and not self._force:
            return Change(name, "same")
        if there.get("jsonData", {}).get(_DIGEST) != _to_digest(now) and not self._force:
            return Change(name, "kept", _diff(now, ours))
        if not self._dry_run:
            self._grafana.put(f"/datasources/uid/{DATA_SOURCE_UID}", noted)
        return Change(name, "changed", _diff(now, ours))

    def dashboard(self, ours: Json) -> Change:
        name, uid = f"dashboard {ours['title']}", ours["uid"]
        message = f"{_MESSAGE}{_to_digest(ours)}"
        found = self._grafana.get(f"/dashboards/uid/{uid}")
        there = None if found is None else found["dashboard"]
        if there is not None:
            newest = self._newest_message(uid)
            now = _pick(there, ours)
            if newest == message:
                return Change(name, "same")
            if now == ours and newest.startswith(_MESSAGE):
                return Change(name, "same")
            if not newest.startswith(_MESSAGE) and not self._force:
                return Change(name, "kept", _diff(now, ours))
        if not self._dry_run:
            body = {
                "dashboard": {**ours, "id": None, "version": (there or {}).get("version", 0)},
                "folderUid": FOLDER_UID,
                "message": message,
                "overwrite": self._force,
            }
            self._grafana.post("/dashboards/db", body)
        fate: Fate = "new" if there is None else "changed"
        return Change(name, fate, _diff(None if there is None else _pick(there, ours), ours))

    def _newest_message(self, uid: str) -> str:
        found = self._grafana.get(f"/dashboards/uid/{uid}/versions?limit=1") or []
        # a list before Grafana 11, an object with `versions` since
        versions = found["versions"] if isinstance(found, dict) else found
        return str(versions[0].get("message", "")) if versions else ""

    def rules(self, ours: Json) -> Change:
        name = f"alert rules {ours['title']}"
        path = f"/v1/provisioning/folder/{FOLDER_UID}/rule-groups/{ours['title']}".replace(
            " ", "%20"
        )
        there = self._grafana.get(path)
        if there is None or not there.get("rules"):
            if not self._dry_run:
                self._grafana.put(path, ours)
            return Change(name, "new", _diff(None, ours))
        now = _pick(there, ours)
        if now == ours:
            return Change(name, "same")
        # `api` says that nobody can have changed a rule in Grafana's pages
        is_ours = all(rule.get("provenance") == "api" for rule in there["rules"])
        if not is_ours and not self._force:
            return Change(name, "kept", _diff(now, ours))
        if not self._dry_run:
            self._grafana.put(path, ours)
        return Change(name, "changed", _diff(now, ours))


def _to_data_source(settings: GrafanaSettings) -> Json:
    return {
        "uid": DATA_SOURCE_UID,
        "name": "duckpost",
        "type": DATA_SOURCE_TYPE,
        "access": "proxy",
        "url": settings.sql_address,
        "user": settings.sql_user,
        "jsonData": {
            "database": "duckpost",
            "sslmode": settings.sql_sslmode,
            "postgresVersion": 1500,
            "timescaledb": False,
            "maxOpenConns": 8,
            "maxIdleConns": 4,
            "connMaxLifetime": 14_400,
        },
    }


def _pick(there: Any, ours: Any) -> Any:  # noqa: ANN401 - JSON is any
    """Return of ``there`` what ``ours`` has too: Grafana adds ids, versions and defaults."""
    if isinstance(there, dict) and isinstance(ours, dict):
        return {key: _pick(there[key], ours[key]) for key in ours if key in there}
    if isinstance(there, list) and isinstance(ours, list):
        paired = [_pick(a, b) for a, b in zip(there, ours, strict=False)]
        return paired + there[len(ours) :]
    return there


def _to_digest(value: Json) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _diff(there: Json | None, ours: Json) -> list[str]:
    before = [] if there is None else _to_lines(there)
    return list(difflib.unified_diff(before, _to_lines(ours), "in Grafana", "pushed", lineterm=""))


def _to_lines(value: Json) -> list[str]:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
