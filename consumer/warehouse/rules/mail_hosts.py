"""What DNS said of recipient domains, and whose mailboxes they have by it.

A domain of the map of providers is whoever's the map says; any other is whoever's host takes its
mail. Such domains stand in ``providers`` like those of the map, so that everything that reads it
goes by them; ``mx_answers`` says which of its rows are learned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from consumer.warehouse.warehouse import Warehouse

_MOST_UNASKED: Final = 100_000
# One's own labels and addresses in brackets are nobody's to look up.
_NAME: Final = r"([^\s\[\]@:/.]+\.)+[^\s\[\]@:/.0-9][^\s\[\]@:/.]+"
_UNASKED: Final = f"""
select e.recipient_domain as domain
from events as e
where
    e.received_at >= ? and not e.is_simulator
    and regexp_full_match(e.recipient_domain, '{_NAME}')
    and e.recipient_domain not in (select domain from mx_answers where expires_at > ?)
    and e.recipient_domain not in (
        select p.domain from providers as p
        where p.domain not in (select domain from mx_answers where provider is not null)
    )
group by e.recipient_domain
order by count(*) desc, e.recipient_domain
limit {_MOST_UNASKED}
"""
_ANSWERS: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("domain", "outcome", "mx_host")),
        *((name, pa.timestamp("us")) for name in ("asked_at", "expires_at")),
    ]
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS said of a domain.

    Attributes:
        outcome: one of `consumer.mail_hosts.exchanges.Outcome`.
        mx_host: who takes its mail first; None where that is nobody, or unknown.
        asked_at: naive UTC, like ``expires_at``, when it is to be asked again.
    """

    domain: str
    outcome: str
    mx_host: str | None
    asked_at: datetime
    expires_at: datetime


def find_unasked(warehouse: "Warehouse", *, since: datetime, now: datetime) -> list[str]:
    """Return domains of events received from ``since`` on that nobody knows, most events first."""
    with warehouse.read(_UNASKED, [since, now]) as reader:
        found: list[str] = reader.read_all()["domain"].to_pylist()
    return found


def read_answers(rows: pa.Table) -> list[Answer]:
    """Return rows of ``mx_answers``, of another file maybe, as answers to keep."""
    answers: list[dict[str, Any]] = rows.select(_ANSWERS.names).to_pylist()
    return [Answer(**one) for one in answers]


def read_hosted(warehouse: "Warehouse", suffixes: Mapping[str, str]) -> dict[str, str]:
    """Return the provider of each domain whose host one of ``suffixes`` names."""
    with warehouse.read("select domain, mx_host from mx_answers where mx_host != ''") as reader:
        answered = reader.read_all().to_pylist()
    return {
        row["domain"]: provider
        for row in answered
        if (provider := _to_provider(row["mx_host"], suffixes)) is not None
    }


def keep_answers(connection: duckdb.DuckDBPyConnection, answers: Sequence[Answer]) -> int:
    """Put answers in the place of earlier ones, inside the caller's transaction.

    One without a host because DNS failed leaves the host that was known. Returns how many domains
    have another provider by it.
    """
    rows = pa.Table.from_pylist(
        [{name: getattr(one, name) for name in _ANSWERS.names} for one in answers], _ANSWERS
    )
    before = _read_learned(connection, rows["domain"])
    connection.register("answered", rows)
    connection.execute(
        """
        create or replace temp table answers as
        select n.*, was.mx_host as mx_host_before
        from answered as n
        left join mx_answers as was on was.domain = n.domain
        """
    )
    connection.execute(
        """
        delete from providers where domain in (
            select domain from mx_answers
            where provider is not null and domain in (select domain from answers)
        )
        """
    )
    connection.execute("delete from mx_answers where domain in (select domain from answers)")
    connection.execute(
        """
        insert into mx_answers by name
        select domain, outcome, asked_at, expires_at,
            if(
                outcome in ('failed', 'no_answer'), coalesce(mx_host, mx_host_before), mx_host
            ) as mx_host,
        from answers
        """
    )
    connection.execute("drop table answers")
    connection.unregister("answered")
    apply_answers(connection, rows["domain"])
    after = _read_learned(connection, rows["domain"])
    return len({domain for domain, _ in before ^ after})


def apply_answers(
    connection: duckdb.DuckDBPyConnection, domains: pa.ChunkedArray | None = None
) -> None:
    """Enter into ``providers`` what answers mean by the hosts that are known now.

    Inside the caller's transaction; ``providers`` holds none of those domains but by the map.
    ``domains`` names which, None is all.
    """
    suffixes = dict(connection.execute("select mx_suffix, provider from mx_providers").fetchall())
    known = connection.execute("select domain, mx_host from mx_answers").fetchall()
    asked = None if domains is None else set(domains.to_pylist())
    hosted = [
        {"domain": domain, "provider": host and _to_provider(host, suffixes)}
        for domain, host in known
        if asked is None or domain in asked
    ]
    schema = pa.schema([("domain", pa.string()), ("provider", pa.string())])
    connection.register("hosted", pa.Table.from_pylist(hosted, schema))
    connection.execute(
        """
        update mx_answers as a
        set provider = if(h.domain in (select domain from providers), null, h.provider)
        from hosted as h
        where h.domain = a.domain
        """
    )
    connection.execute(
        """
        insert into providers
        select a.domain, a.provider,
            a.provider in (select provider from providers where has_feedback_loop)
        from mx_answers as a
        where a.provider is not null and a.domain in (select domain from hosted)
        """
    )
    connection.unregister("hosted")


def _read_learned(
    connection: duckdb.DuckDBPyConnection, domains: pa.ChunkedArray
) -> set[tuple[str, str]]:
    return set(
        connection.execute(
            "select domain, provider from mx_answers "
            "where provider is not null and domain in (select unnest(?::varchar []))",
            [domains.to_pylist()],
        ).fetchall()
    )


def _to_provider(host: str, suffixes: Mapping[str, str]) -> str | None:
    """The longest name that is the host or above it says whose it is."""
    labels = host.split(".")
    names = (".".join(labels[start:]) for start in range(len(labels)))
    return next((suffixes[name] for name in names if name in suffixes), None)
