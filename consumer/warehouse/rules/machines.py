"""The rules that tell a machine's open or click from a person's.

Rules are rows of ``machine_rules``, their patterns RE2's. A user agent is held against them once,
for few there are that open nearly all mail; a statement with so many patterns took as long to plan
as a small batch to write.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.pieces import whole
from consumer.warehouse.rules.rows import SES_BOT, MachineRule

# What a verdict rests on.
ACT: Final = ("event_type", "event_at", "sent_at", "ip", "user_agent", "is_bot_event")
_ACTS: Final = ("Open", "Click")
# User agents are short, and anybody writes them: so many are a megabyte.
_MOST_REMEMBERED: Final = 4096


class Machines:
    """Judges opens and clicks: SES's own verdict goes first, then the first rule that fits.

    All conditions of a rule must hold; ``within_secs`` is the time from the message's sending.

    Args:
        rules: the first to try first; each has a condition.
    """

    def __init__(self, rules: Sequence[MachineRule]) -> None:
        self._rules = rules
        # by act and user agent, the rules that its time and address may still decide
        self._open: dict[tuple[str, str], list[MachineRule]] = {}

    def judge(self, rows: pa.Table) -> pa.Array:
        """Return the ``machine_rule`` of each row: NULL for a person's act, and for no act."""
        nothing = pa.nulls(rows.num_rows, pa.string())
        is_act = pc.is_in(whole(rows["event_type"]), value_set=pa.array(_ACTS))
        if not is_act.true_count:
            return nothing
        acts = rows.select(ACT).filter(is_act)
        kinds = acts["event_type"].to_pylist()
        # a missing user agent is an empty one, which rules can name
        agents = pc.fill_null(acts["user_agent"], "").to_pylist()
        self._learn(agents)
        after = pc.subtract(acts["event_at"].cast(pa.int64()), acts["sent_at"].cast(pa.int64()))
        verdicts = [
            SES_BOT if said == "Likely" else _find(self._open[kind, agent], micros, ip)
            for kind, agent, micros, ip, said in zip(
                kinds,
                agents,
                after.to_pylist(),
                acts["ip"].to_pylist(),
                acts["is_bot_event"].to_pylist(),
                strict=True,
            )
        ]
        if len(self._open) > _MOST_REMEMBERED:
            self._open.clear()
        return pc.replace_with_mask(nothing, is_act, pa.array(verdicts, pa.string()))

    def _learn(self, agents: Iterable[str]) -> None:
        """Hold user agents that are new against all patterns."""
        unknown = [agent for agent in set(agents) if (_ACTS[0], agent) not in self._open]
        if not unknown:
            return
        column = pa.array(unknown, pa.string())
        patterns = {rule.user_agent_pattern for rule in self._rules} - {None}
        fits = {
            pattern: pc.match_substring_regex(column, pattern).to_pylist() for pattern in patterns
        }
        for place, agent in enumerate(unknown):
            for kind in _ACTS:
                self._open[kind, agent] = [
                    rule
                    for rule in self._rules
                    if rule.event_type in {None, kind}
                    and (rule.user_agent_pattern is None or fits[rule.user_agent_pattern][place])
                ]


def _find(rules: Iterable[MachineRule], micros: int, ip: str | None) -> str | None:
    """Give the first rule whose other conditions hold; ``micros`` is the time from sending."""
    for rule in rules:
        if rule.within_secs is not None and micros > round(rule.within_secs * 1_000_000):
            continue
        if rule.ip_prefix is not None and (ip is None or not ip.startswith(rule.ip_prefix)):
            continue
        return rule.rule
    return None
