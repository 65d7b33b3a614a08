"""What the endpoint counts, for `/metrics`."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Classes of SQLSTATE, as labels come from closed sets.
_OUTCOMES: Final = {
    "42": "refused",
    "25": "refused",
    "0A": "refused",
    "57": "cancelled",
    "53": "no_room",
    "54": "too_large",
}
_REASONS: Final = (
    "password", "no_tls", "no_user", "replication", "database", "too_many", "malformed",
    "slow_start",
)  # fmt: skip


class Counts:
    """Counters of one endpoint, changed from its thread alone."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._queries = Counter(
            "duckpost_sql_queries",
            "Statements of the SQL endpoint, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "duckpost_sql_query_seconds",
            "Time a statement of the SQL endpoint took, its rows sent.",
            buckets=_SECS_BUCKETS,
            registry=registry,
        )
        self._rejected = Counter(
            "duckpost_sql_rejected",
            "Connections to the SQL endpoint that were not let in, or hung up on, by reason.",
            ["reason"],
            registry=registry,
        )
        self._connections = Gauge(
            "duckpost_sql_connections", "Connections to the SQL endpoint.", registry=registry
        )
        for outcome in ("done", "failed", *dict.fromkeys(_OUTCOMES.values())):
            self._queries.labels(outcome)
        for reason in self.reasons():
            self._rejected.labels(reason)

    @staticmethod
    def reasons() -> Iterable[str]:
        """Why connections are rejected."""
        return _REASONS

    def queried(self, secs: float, state: str | None) -> None:
        """Count a statement; ``state`` is the SQLSTATE it failed with, None when it did not."""
        outcome = "done" if state is None else _OUTCOMES.get(state[:2], "failed")
        self._queries.labels(outcome).inc()
        self._seconds.observe(secs)

    def rejected(self, reason: str) -> None:
        """Count a connection that was hung up on."""
        self._rejected.labels(reason).inc()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return self._open

    @connections.setter
    def connections(self, number: int) -> None:
        self._open = number
        self._connections.set(number)

    _open = 0
