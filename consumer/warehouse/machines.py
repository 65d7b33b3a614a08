"""The rules that tell a machine's open or click from a person's, as one SQL expression.

Rules are rows of ``machine_rules``; their patterns must be constants in the statement, or the
engine would compile each pattern again for every row.
"""

import duckdb

from consumer.errors import WarehouseError

_SES = "ses_is_bot_event"


def to_machine_expression(connection: duckdb.DuckDBPyConnection, row: str) -> str:
    """Build the SQL that names the first rule which judges ``row`` a machine's, else NULL.

    SES's own verdict goes first, then the rules by name. All conditions of a rule must hold;
    ``within_secs`` is the time from the message's sending. Raises `WarehouseError` for a pattern
    the engine does not take.
    """
    rules = connection.execute(
        "select rule, event_type, user_agent_pattern, ip_prefix, within_secs "
        "from machine_rules order by rule"
    ).fetchall()
    cases = [f"when {row}.is_bot_event = 'Likely' then '{_SES}'"]
    for rule, event_type, pattern, ip_prefix, within_secs in rules:
        conditions = []
        if event_type is not None:
            conditions.append(f"{row}.event_type = {_quote(event_type)}")
        if pattern is not None:
            _check(connection, rule, pattern)
            conditions.append(f"regexp_matches({row}.user_agent, {_quote(pattern)})")
        if ip_prefix is not None:
            conditions.append(f"starts_with({row}.ip, {_quote(ip_prefix)})")
        if within_secs is not None:
            span = f"to_microseconds({round(within_secs * 1_000_000)})"
            conditions.append(f"{row}.event_at <= {row}.sent_at + {span}")
        if not conditions:
            raise WarehouseError(f"machine rule {rule!r} has no condition: it would judge everyone")
        cases.append(f"when {' and '.join(conditions)} then {_quote(rule)}")
    return f"case {' '.join(cases)} end"


def _check(connection: duckdb.DuckDBPyConnection, rule: str, pattern: str) -> None:
    try:
        connection.execute("select regexp_matches('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise WarehouseError(
            f"machine rule {rule!r} has a pattern that is no regular expression: {error}"
        ) from error


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
