"""The rules in force, as tables of the file: providers, machine rules, bounce rules.

They are loaded whole, in one transaction, and apply to what comes in from then on. What is there
already keeps its verdicts until `consumer.warehouse.rules.reclassification` goes over it; two facts
say which rules are in force and which ones all of history was judged by.
"""

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from consumer.warehouse.facts import put_fact
from consumer.warehouse.rules.files import Rules
from consumer.warehouse.rules.mail_hosts import apply_answers
from consumer.warehouse.rules.rows import BounceRule, MachineRule, Row

IN_FORCE: Final = "rules_sha256"
JUDGED_BY: Final = "classified_sha256"

_TEXT: Final = pa.string()
_PROVIDERS: Final = pa.schema(
    [("domain", _TEXT), ("provider", _TEXT), ("has_feedback_loop", pa.bool_())]
)
_MX_PROVIDERS: Final = pa.schema([("mx_suffix", _TEXT), ("provider", _TEXT)])
_MACHINE_RULES: Final = pa.schema(
    [
        ("precedence", pa.int32()),
        *((name, _TEXT) for name in ("rule", "event_type", "user_agent_pattern", "ip_prefix")),
        ("within_secs", pa.float64()),
        ("note", _TEXT),
    ]
)
_BOUNCE_RULES: Final = pa.schema(
    [
        ("precedence", pa.int32()),
        *((name, _TEXT) for name in ("rule", "bounce_class", "bounce_type", "bounce_sub_type")),
        *((name, _TEXT) for name in ("status_pattern", "diagnostic_pattern", "note")),
    ]
)
_BOUNCE_CLASSES: Final = pa.schema(
    [(n, _TEXT) for n in ("bounce_class", "description", "sisimai_reasons", "sparkpost_codes")]
)

# Providers that get a line of their own by the hour; those that had one keep it.
_NEW_LINES: Final = """
insert into rollup_providers
select provider from (select provider from providers union select provider from mx_providers)
where provider not in (select provider from rollup_providers)
"""


def load_rules(connection: duckdb.DuckDBPyConnection, rules: Rules) -> None:
    """Replace the rules in force, inside the caller's transaction."""
    _replace(connection, "providers", rules.providers, _PROVIDERS)
    _replace(connection, "mx_providers", rules.mx_providers, _MX_PROVIDERS)
    connection.execute(_NEW_LINES)
    apply_answers(connection)
    _replace(connection, "machine_rules", rules.machine_rules, _MACHINE_RULES)
    _replace(connection, "bounce_rules", rules.bounce_rules, _BOUNCE_RULES)
    _replace(connection, "bounce_classes", rules.bounce_classes, _BOUNCE_CLASSES)
    put_fact(connection, IN_FORCE, rules.digest)


def read_looped(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the providers that tell SES who complained, by the rules in force."""
    found = connection.execute("select distinct provider from providers where has_feedback_loop")
    return frozenset(provider for (provider,) in found.fetchall())


def read_lines(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the providers that have a line of their own in rollups by the hour."""
    found = connection.execute("select provider from rollup_providers").fetchall()
    return [provider for (provider,) in found]


def read_machine_rules(connection: duckdb.DuckDBPyConnection) -> list[MachineRule]:
    """Return the rules in force, the first to try first."""
    return [MachineRule.model_construct(**row) for row in _read(connection, "machine_rules")]


def read_bounce_rules(connection: duckdb.DuckDBPyConnection) -> list[BounceRule]:
    """Return the rules in force, the first to try first."""
    return [BounceRule.model_construct(**row) for row in _read(connection, "bounce_rules")]


def _replace(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row], schema: pa.Schema
) -> None:
    said = [{"precedence": number, **row.model_dump()} for number, row in enumerate(rows, 1)]
    connection.register("rules", pa.Table.from_pylist(said, schema))
    connection.execute(f"delete from {table}")
    connection.execute(f"insert into {table} by name select * from rules")
    connection.unregister("rules")


def _read(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    found = connection.sql(f"select * exclude (precedence) from {table} order by precedence")
    rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return rows
