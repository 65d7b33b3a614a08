"""Which stored events other rules judge otherwise than is stored."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.rules.bounces import SAID, Bounces
from consumer.warehouse.rules.files import Rules
from consumer.warehouse.rules.machines import ACT, Machines
from consumer.warehouse.rules.mail_hosts import read_hosted

if TYPE_CHECKING:
    from consumer.warehouse.warehouse import Warehouse

_PROVIDERS: Final = """
with map as (select unnest($1::varchar []) as domain, unnest($2::varchar []) as provider)
select e.event_key::varchar as event_key, e.message_id, e.recipient, e.sent_at,
    e.provider as was, coalesce(m.provider, e.recipient_domain) as is_now, null::varchar as rule,
from events as e
left join map as m on m.domain = e.recipient_domain
where {within} and e.provider is distinct from coalesce(m.provider, e.recipient_domain)
"""
_MACHINES: Final = f"""
select e.event_key::varchar as event_key, e.message_id, e.recipient, e.sent_at,
    {", ".join(f"e.{name}" for name in ACT if name != "sent_at")},
    e.machine_rule as was,
from events as e
where {{within}} and e.event_type in ('Open', 'Click')
"""
_BOUNCES: Final = f"""
select e.event_key::varchar as event_key, e.message_id, e.recipient, e.sent_at, e.event_type,
    {", ".join(f"e.{name}" for name in SAID)},
    e.bounce_class as was, e.bounce_rule as rule_before,
from events as e
where {{within}} and e.event_type = 'Bounce'
"""


class Verdicts:
    """What rules say of the events of a warehouse, and what DNS said where they ask for it."""

    def __init__(self, warehouse: "Warehouse", rules: Rules) -> None:
        self._warehouse = warehouse
        self._bounces = Bounces(rules.bounce_rules)
        self._machines = Machines(rules.machine_rules)
        self._known = _to_map(warehouse, rules)

    def find_changed(self, start: datetime, end: datetime) -> dict[str, pa.Table]:
        """Return, by column, the rows sent between the two that are judged otherwise."""
        within = to_within("e", start, end)
        return {
            "provider": _read(self._warehouse, _PROVIDERS.format(within=within), *self._known),
            "machine_rule": _judge_acts(
                _read(self._warehouse, _MACHINES.format(within=within)), self._machines
            ),
            "bounce_class": _judge_bounces(
                _read(self._warehouse, _BOUNCES.format(within=within)), self._bounces
            ),
        }


def _judge_acts(stored: pa.Table, machines: Machines) -> pa.Table:
    """Return those whom another rule judges a machine's, or none any more."""
    is_now = machines.judge(stored)
    was = stored["was"].combine_chunks()
    is_same = pc.or_(
        pc.fill_null(pc.equal(was, is_now), False), pc.and_(pc.is_null(was), pc.is_null(is_now))
    )
    named = stored.select(["event_key", "message_id", "recipient", "sent_at", "was"])
    named = named.append_column("is_now", is_now)
    named = named.append_column("rule", pa.nulls(stored.num_rows, pa.string()))
    return named.filter(pc.invert(is_same))


def _judge_bounces(stored: pa.Table, bounces: Bounces) -> pa.Table:
    """Return those with another class or another rule."""
    judged = bounces.judge(stored)
    is_other = [
        (was, before) != (is_now, rule)
        for was, before, is_now, rule in zip(
            *(
                judged[name].to_pylist()
                for name in ("was", "rule_before", "bounce_class", "bounce_rule")
            ),
            strict=True,
        )
    ]
    named = judged.select(["event_key", "message_id", "recipient", "sent_at", "was"])
    named = named.append_column("is_now", judged["bounce_class"])
    named = named.append_column("rule", judged["bounce_rule"])
    return named.filter(pa.array(is_other, pa.bool_()))


def _to_map(warehouse: "Warehouse", rules: Rules) -> tuple[list[str], list[str]]:
    """Return domains, and their providers: by what DNS said, too, for those in no file."""
    hosted = read_hosted(warehouse, {row.mx_suffix: row.provider for row in rules.mx_providers})
    known = hosted | {row.domain: row.provider for row in rules.providers}
    return list(known), list(known.values())


def to_within(row: str, start: datetime, end: datetime) -> str:
    """Give the condition that a row was sent from ``start`` to before ``end``."""
    return f"{row}.sent_at >= timestamp '{start}' and {row}.sent_at < timestamp '{end}'"


def _read(warehouse: "Warehouse", sql: str, *params: Any) -> pa.Table:  # noqa: ANN401 - DuckDB's
    with warehouse.read(sql, params) as reader:
        found: pa.Table = reader.read_all()
    return found
