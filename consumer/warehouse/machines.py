"""The rules that tell a machine's open or click from a person's, as one SQL statement.

Rules are rows of ``machine_rules``. Their patterns are constants in the statement, or the engine
would compile each again for every row, and are tried once for each distinct user agent.
"""

from collections.abc import Sequence
from typing import Final

from consumer.warehouse.rule_rows import SES_BOT, MachineRule

# grain: one row per open or click; machine_rule is NULL for a person's
_VERDICTS: Final = """
with acts as (
    select
        {key}, event_type, event_at, sent_at, ip, is_bot_event,
        -- a missing user agent is an empty one, which rules can name
        coalesce(user_agent, '') as user_agent,
    from {rows}
    where event_type in ('Open', 'Click')
),
agents as (
    select a.user_agent, [{patterns}]::boolean [] as fits
    from (select distinct user_agent from acts) as a
)
select i.{key}, case {cases} end as machine_rule
from acts as i
left join agents as a on a.user_agent = i.user_agent
"""


def to_machine_verdicts(rules: Sequence[MachineRule], *, rows: str, key: str) -> str:
    """Give the question who of the opens and clicks among ``rows`` is a machine.

    SES's own verdict goes first, then the first rule that fits. All conditions of a rule must
    hold; ``within_secs`` is the time from the message's sending.

    Args:
        rules: the first to try first; each has a condition.
        rows: a relation with the columns of ``events``, conditions behind it included.
        key: the column of it that names a row.
    """
    cases = [f"when i.is_bot_event = 'Likely' then {quote(SES_BOT)}"]
    patterns = []
    for rule in rules:
        conditions = []
        if rule.event_type is not None:
            conditions.append(f"i.event_type = {quote(rule.event_type)}")
        if rule.ip_prefix is not None:
            conditions.append(f"starts_with(i.ip, {quote(rule.ip_prefix)})")
        if rule.within_secs is not None:
            span = f"to_microseconds({round(rule.within_secs * 1_000_000)})"
            conditions.append(f"i.event_at <= i.sent_at + {span}")
        if rule.user_agent_pattern is not None:
            patterns.append(f"regexp_matches(a.user_agent, {quote(rule.user_agent_pattern)})")
            conditions.append(f"a.fits[{len(patterns)}]")
        cases.append(f"when {' and '.join(conditions)} then {quote(rule.rule)}")
    return _VERDICTS.format(rows=rows, key=key, patterns=", ".join(patterns), cases=" ".join(cases))


def to_verdicts_statement(rules: Sequence[MachineRule]) -> str:
    """Build the statement that fills ``verdicts`` from the rows registered as ``staying``."""
    verdicts = to_machine_verdicts(rules, rows="staying", key="ordinal")
    return f"create or replace temp table verdicts as {verdicts}"


def quote(text: str) -> str:
    """Write a text as SQL does."""
    return "'" + text.replace("'", "''") + "'"
