"""Macros and variables become what Grafana's PostgreSQL data source makes of them.

https://grafana.com/docs/grafana/latest/datasources/postgres/ (macros)
"""

from datetime import datetime

import pytest

from consumer.dashboards.expansion import Range, expand
from consumer.errors import UsageError

SPAN = Range(
    datetime.fromisoformat("2026-11-15"), datetime.fromisoformat("2026-11-20T00:00:00.123456")
)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (
            "$__timeFilter(m.at)",
            "m.at BETWEEN '2026-11-15T00:00:00Z' AND '2026-11-20T00:00:00.123456Z'",
        ),
        ("$__timeFrom()::timestamp", "'2026-11-15T00:00:00Z'::timestamp"),
        ("$__timeTo()", "'2026-11-20T00:00:00.123456Z'"),
        ("$__timeGroup(m.at,'1h')", "floor(extract(epoch from m.at)/3600)*3600"),
        (
            "$__timeGroupAlias(m.at, $__interval)",
            'floor(extract(epoch from m.at)/3600)*3600 AS "time"',
        ),
        ("$__time(m.at)", 'm.at AS "time"'),
        ("$__interval_ms", "3600000"),
        ("a -- b\n+ 1 /* c */", "a \n+ 1 "),
    ],
)
def test_a_macro_becomes_sql(written: str, sent: str) -> None:
    assert sent == expand(written, SPAN, {})


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        (["a"], "'a'"),
        (["o'neil", "b"], "'o''neil','b'"),
        ([], ""),
        (None, "'__all__'"),
        (["-- $__timeFrom()"], "'-- $__timeFrom()'"),
    ],
)
def test_values_are_quoted_and_never_taken_for_macros(values: list[str] | None, sent: str) -> None:
    assert f"in ({sent})" == expand("in (${set:sqlstring})", SPAN, {"set": values})


@pytest.mark.parametrize("sql", ["$__timeShift(at)", "${unknown:sqlstring}"])
def test_what_grafana_would_refuse_is_refused(sql: str) -> None:
    with pytest.raises(UsageError):
        expand(sql, SPAN, {})
