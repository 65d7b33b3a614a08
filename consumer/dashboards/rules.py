"""Alert rules: each a view of ``sql/views/90_alert_*`` with a row a line and a level in it.

The views hold windows, minimum volumes and lines; a rule only asks whether the level is above 0
(warning) or above 1 (critical). They give a row where there is something to say and no other: in
Grafana a NULL fires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumer.dashboards.definitions import Definitions
from consumer.dashboards.names import (
    DATA_SOURCE_TYPE,
    DATA_SOURCE_UID,
    FOLDER_TITLE,
    FOLDER_UID,
)

UID_PREFIX: Final = "duckpost-"
_SETS: Final = ("account", "region", "configuration_set")
_SEVERITIES: Final = (("warning", 0), ("critical", 1))

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert, warning and critical.

    Attributes:
        view: the view it reads, without ``alert_``.
        title: what is wrong, in a few words.
        labels: the view's columns that tell its lines apart.
        board: the dashboard to look at.
        lasts: for how long it must hold before anybody is told, as Grafana writes it.
    """

    view: str
    title: str
    board: str
    labels: tuple[str, ...] = _SETS
    lasts: str = "0s"


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, every so many seconds."""

    title: str
    interval_secs: int
    rules: tuple[Rule, ...]


GROUPS: Final = (
    Group(
        "duckpost mail",
        300,
        (
            Rule("hard_bounces_fast", "Hard bounces, fast", "duckpost-bounces"),
            Rule("hard_bounces_slow", "Hard bounces, slow", "duckpost-bounces"),
            Rule("complaints_fast", "Complaints, fast", "duckpost-complaints"),
            Rule("complaints_slow", "Complaints, slow", "duckpost-complaints"),
            Rule("delays", "Delays", "duckpost-latency", lasts="15m"),
            Rule("latency", "Slow deliveries", "duckpost-latency", lasts="15m"),
            Rule("lost_mail", "Lost mail", "duckpost-latency"),
        ),
    ),
    Group(
        "duckpost pipeline",
        60,
        (
            Rule("silence", "A source is silent", "duckpost-pipeline", ("source",)),
            Rule("quarantine_growth", "Quarantine grows", "duckpost-pipeline", ("source",)),
            Rule("lag", "Events come late", "duckpost-pipeline", (), "15m"),
            Rule("disk", "The disk fills", "duckpost-pipeline", ()),
        ),
    ),
)


def question(rule: Rule) -> str:
    """Return the SQL of a rule: label columns and one number, in table format."""
    labels = ", ".join(f"a.{label}" for label in rule.labels)
    if not labels:
        return f"select a.level from alert_{rule.view} as a"  # noqa: S608 - our own names
    return f"select {labels}, a.level from alert_{rule.view} as a order by {labels}"  # noqa: S608 - our own names


def to_rules(group: Group, definitions: Definitions) -> list[Json]:
    """Return a group's rules as both a provisioning file and the HTTP API have them."""
    return [
        _to_rule(rule, severity, above, definitions)
        for rule in group.rules
        for severity, above in _SEVERITIES
    ]


def to_provisioning(definitions: Definitions) -> Json:
    """Return the content of the file that provisions all rules."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": group.title,
                "folder": FOLDER_TITLE,
                "interval": f"{group.interval_secs}s",
                "rules": to_rules(group, definitions),
            }
            for group in GROUPS
        ],
    }


def to_api_group(group: Group, definitions: Definitions) -> Json:
    """Return a group as the HTTP API takes it."""
    own: Mapping[str, Any] = {
        "folderUID": FOLDER_UID,
        "ruleGroup": group.title,
        "orgID": 1,
    }
    return {
        "title": group.title,
        "folderUid": FOLDER_UID,
        "interval": group.interval_secs,
        "rules": [{**rule, **own} for rule in to_rules(group, definitions)],
    }


def _to_rule(rule: Rule, severity: str, above: int, definitions: Definitions) -> Json:
    return {
        "uid": f"{UID_PREFIX}{rule.view.replace('_', '-')}-{severity}",
        "title": f"{rule.title} ({severity})",
        "condition": "C",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": DATA_SOURCE_UID,
                "model": {
                    "refId": "A",
                    "datasource": {"type": DATA_SOURCE_TYPE, "uid": DATA_SOURCE_UID},
                    "editorMode": "code",
                    "format": "table",
                    "rawQuery": True,
                    "rawSql": question(rule),
                },
            },
            {
                "refId": "C",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "C",
                    "datasource": {"type": "__expr__", "uid": "__expr__"},
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [above]}}],
                },
            },
        ],
        # no row is no mail, or too little to say: only a question that fails is a fault
        "noDataState": "OK",
        "execErrState": "Error",
        "for": rule.lasts,
        "annotations": {
            "summary": _to_summary(rule),
            "description": definitions.words[f"alert_{rule.view}"],
            "dashboard": f"/d/{rule.board}",
        },
        "labels": {"severity": severity, "team": "deliverability"},
        "isPaused": False,
    }


def _to_summary(rule: Rule) -> str:
    """Return the rule's title, and the line that it is about where there is one.

    A question that fails or finds nothing has no labels. A map's missing key is asked for with
    `index`, which no release of Grafana takes for a fault, and not as ``$labels``: a file's
    ``$name`` is an environment variable to older ones.
    """
    texts = (
        f'{{{{ with index .Labels "{label}" }}}}{mark} {{{{ . }}}}{{{{ end }}}}'
        for label, mark in zip(rule.labels, (":", *[","] * len(rule.labels)), strict=False)
    )
    return "".join((rule.title, *texts))
