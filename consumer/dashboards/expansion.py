"""Grafana's macros and variables, put into a statement as its PostgreSQL data source does."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumer.dashboards.choices import ALL
from consumer.errors import UsageError

_MACRO: Final = re.compile(r"\$(__[_a-zA-Z0-9]+)\(([^)]*)\)")
_VARIABLE: Final = re.compile(r"\$\{(\w+):sqlstring\}")
_INTERVAL: Final = re.compile(r"\$__interval(_ms)?\b")
_COMMENT: Final = re.compile(r"--.*?$|/\*.*?\*/", re.MULTILINE | re.DOTALL)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Range:
    """What a dashboard shows: from, to (UTC, naive), and the step between points."""

    starts_at: datetime
    ends_at: datetime
    interval_secs: int = 3600


def expand(sql: str, span: Range, chosen: Mapping[str, Sequence[str] | None]) -> str:
    """Return the statement as the warehouse gets it.

    Args:
        sql: with macros and variables.
        span: the range of time.
        chosen: the values of each variable; None is *All*.

    Raises `UsageError` for a macro or a variable that there is not.
    """
    sql = _INTERVAL.sub(
        lambda f: str(span.interval_secs * 1000) if f[1] else f"{span.interval_secs}s",
        _COMMENT.sub("", sql),
    )
    sql = _MACRO.sub(lambda found: _to_sql(found, span), sql)
    # Grafana puts values in first, and takes `--` in one for a comment; here it is a value.
    return _VARIABLE.sub(lambda found: _to_list(found[1], chosen), sql)


def _to_list(name: str, chosen: Mapping[str, Sequence[str] | None]) -> str:
    if name not in chosen:
        raise UsageError(f"the variable {name} has no value")
    values = chosen[name]
    if values is None:
        return ALL
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


def _to_sql(found: re.Match[str], span: Range) -> str:
    macros: dict[str, Callable[..., str]] = {
        "__timeFilter": lambda column: f"{column} BETWEEN {starts} AND {ends}",
        "__timeFrom": lambda *_: starts,
        "__timeTo": lambda *_: ends,
        "__timeGroup": _to_group,
        "__timeGroupAlias": lambda *parts: f'{_to_group(*parts)} AS "time"',
        "__time": lambda column: f'{column} AS "time"',
    }
    starts, ends = f"'{span.starts_at.isoformat()}Z'", f"'{span.ends_at.isoformat()}Z'"
    if found[1] not in macros:
        raise UsageError(f"Grafana has no macro ${found[1]}")
    return macros[found[1]](*(part.strip() for part in found[2].split(",")))


def _to_group(column: str, interval: str, *_: str) -> str:
    text = interval.strip("'\"")
    secs = int(text[:-1]) * _UNITS[text[-1]]
    return f"floor(extract(epoch from {column})/{secs})*{secs}"
