"""The rules that tell a machine's open or click from a person's, as one SQL statement.

Rules are rows of ``machine_rules``. Their patterns are constants in the statement, or the engine
would compile each again for every row, and are tried once for each distinct user agent.
"""

from typing import Final

import duckdb

from consumer.errors import WarehouseError

_SES: Final = "ses_is_bot_event"

# grain: one row per arriving open or click; machine_rule is NULL for a person's
_STATEMENT: Final = """
create or replace temp table verdicts as
with acts as (
    select
        ordinal, event_type, event_at, sent_at, ip, is_bot_event,
        -- a missing user agent is an empty one, which rules can name
        coalesce(user_agent, '') as user_agent,
    from staying
    where event_type in ('Open', 'Click')
),
agents as (
    select a.user_agent, [{patterns}]::boolean [] as fits
    from (select distinct user_agent from acts) as a
)
select i.ordinal, case {cases} end as machine_rule
from acts as i
left join agents as a on a.user_agent = i.user_agent
"""


def to_verdicts_statement(connection: duckdb.DuckDBPyConnection) -> str:
    """Build the statement that fills ``verdicts`` from the rows registered as ``staying``.

    SES's own verdict goes first, then the first rule by name. All conditions of a rule must hold;
    ``within_secs`` is the time from the message's sending. Raises `WarehouseError` for a pattern
    the engine does not take, and for a rule without a condition.
    """
    rules = connection.execute(
        "select rule, event_type, user_agent_pattern, ip_prefix, within_secs "
        "from machine_rules order by rule"
    ).fetchall()
    cases = [f"when i.is_bot_event = 'Likely' then '{_SES}'"]
    patterns = []
    for rule, event_type, pattern, ip_prefix, within_secs in rules:
        conditions = []
        if event_type is not None:
            conditions.append(f"i.event_type = {_quote(event_type)}")
        if ip_prefix is not None:
            conditions.append(f"starts_with(i.ip, {_quote(ip_prefix)})")
        if within_secs is not None:
            span = f"to_microseconds({round(within_secs * 1_000_000)})"
            conditions.append(f"i.event_at <= i.sent_at + {span}")
        if pattern is not None:
            _check(connection, rule, pattern)
            patterns.append(f"regexp_matches(a.user_agent, {_quote(pattern)})")
            conditions.append(f"a.fits[{len(patterns)}]")
        if not conditions:
            raise WarehouseError(f"machine rule {rule!r} has no condition: it would judge everyone")
        cases.append(f"when {' and '.join(conditions)} then {_quote(rule)}")
    return _STATEMENT.format(patterns=", ".join(patterns), cases=" ".join(cases))


def _check(connection: duckdb.DuckDBPyConnection, rule: str, pattern: str) -> None:
    try:
        connection.execute("select regexp_matches('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise WarehouseError(
            f"machine rule {rule!r} has a pattern that is no regular expression: {error}"
        ) from error


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
