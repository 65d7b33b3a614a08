"""What the worker tells about itself: one log line a batch, and counters that add up.

The conservation law, true at every scrape, in payloads x recipients::

    received = inserted + superseded + duplicates + quarantined + ignored + returned + in_flight

``returned`` is what was handed back to its source and will be received again. No label, log
line or reply holds an address, a subject or a payload.
"""

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from types import MappingProxyType
from typing import Literal, TextIO

import pyarrow.compute as pc
import structlog
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from consumer.batch import Batch
from consumer.settings import LogSettings
from consumer.warehouse import WriteResult

WRITE_SECS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FATES = ("inserted", "superseded", "duplicates", "quarantined", "ignored")

# No queue keeps a message longer than SQS's fourteen days, so older events are a backfill: no sign
# that the live stream is there.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_LONGEST_WAIT_SECS = 14 * 86_400

State = Literal[
    "starting", "up", "silent", "unavailable", "denied", "warehouse_full", "failed", "done"
]
WELL: frozenset[State] = frozenset({"starting", "up", "done"})


def configure_logging(settings: LogSettings, *, out: TextIO | None = None) -> None:
    """Set structlog up for this process: JSON on stdout (or ``out``), pretty on a terminal."""
    out = out or sys.stdout
    is_pretty = settings.format == "pretty" or (settings.format == "auto" and out.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_pretty else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(() if is_pretty else (structlog.processors.format_exc_info,)),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(out),
    )


@dataclass(slots=True)
class SourceHealth:
    """How one source is, since when, and when it last brought an event.

    Attributes:
        since: epoch seconds at which `state` began.
        detail: for a person; empty while all is well.
        last_event_at: epoch seconds of the last commit that held an event of this source, be it
            a known one; what went to quarantine or was ignored is none.
        heard_at: monotonic seconds from which silence is counted: the last event's, or when the
            source was added or became well, since an outage is no silence.
    """

    state: State = "starting"
    since: float = 0.0
    detail: str = ""
    last_event_at: float | None = None
    heard_at: float = 0.0


@dataclass(slots=True)
class _Counts:
    received: int = 0
    returned: int = 0
    in_flight: int = 0
    batches: int = 0
    payloads: int = 0
    rows: int = 0
    newest_event_at: float | None = None
    lag: int | None = None
    skipped: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    recognised: Counter[str] = field(default_factory=Counter)


class Telemetry:
    """Counters and states of one worker; every method may be called from any thread.

    Also a Prometheus collector: a scrape sees one instant, so the conservation law holds in it.

    Args:
        restarts: how often the worker has replaced its own process, since somebody started it.
        silence_secs: by source, after how long without an event a source that is up counts as
            silent; never for those that are not named or have 0.
        clock: wall time, epoch seconds.
        monotonic: seconds that no change of the wall clock moves, for silence.
    """

    def __init__(
        self,
        *,
        restarts: int = 0,
        silence_secs: Mapping[str, float] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._silence_secs = silence_secs
        self._clock = clock
        self._monotonic = monotonic
        self._restarts = restarts
        self._lock = threading.Lock()
        self._counts: dict[str, _Counts] = {}
        self._health: dict[str, SourceHealth] = {}
        self._parts: dict[str, Callable[[], State]] = {}
        self._log = structlog.get_logger()
        self.registry = CollectorRegistry(auto_describe=False)
        self._write_secs = Histogram(
            "duckpost_write_seconds",
            "Time one batch took to be committed.",
            ["source"],
            buckets=WRITE_SECS_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(self)

    def add_source(self, name: str) -> None:
        """Make the source known, all its counters at zero: a rate needs a first value."""
        with self._lock:
            self._counts[name] = _Counts()
            self._health[name] = SourceHealth(since=self._clock(), heard_at=self._monotonic())

    def add_part(self, name: str, state: Callable[[], State]) -> None:
        """Make a part that is no source known to `health`, which asks ``state`` each time."""
        self._parts[name] = state

    def set_state(self, source: str, state: State, detail: str = "") -> None:
        """Note how the source is now and log the change; the same state again logs nothing.

        "up" becomes "silent" here: a source tells that it is up with every receive, so silence
        is noticed within a second of its beginning, and over with the next event's commit.
        """
        with self._lock:
            health = self._health[source]
            if state == "up":
                state, detail = self._tell_silence(source, health)
            if health.state == state:
                return
            previous, health.state = health.state, state
            health.since, health.detail = self._clock(), detail
        if state not in WELL:
            self._log.warning("source ill", source=source, state=state, detail=detail)
        elif previous not in WELL:
            self._log.info("source well again", source=source, state=state)

    def _tell_silence(self, source: str, health: SourceHealth) -> tuple[State, str]:
        now = self._monotonic()
        if health.state not in WELL and health.state != "silent":
            health.heard_at = now  # what waited meanwhile comes only now
        limit_secs = self._silence_secs.get(source, 0.0)
        if not limit_secs or now - health.heard_at < limit_secs:
            return "up", ""
        last = _to_iso(health.last_event_at)
        since = f"since {last}" if last else "since the worker started"
        return "silent", f"no event {since}, and silence_secs is {limit_secs:g}"

    def set_progress(self, source: str, *, lag: int | None, skipped: int) -> None:
        """Note how much of a source waits to be read, and how much was gone before it was."""
        with self._lock:
            counts = self._counts[source]
            counts.lag, counts.skipped = lag, skipped

    def batch_closed(self, batch: Batch) -> None:
        """Count a batch as received and in flight: it is about to be written."""
        with self._lock:
            counts = self._counts[batch.source]
            counts.received += batch.received
            counts.in_flight += batch.received

    def batch_returned(self, batch: Batch) -> None:
        """Count a batch whose write failed: its envelopes are nacked and come again."""
        with self._lock:
            counts = self._counts[batch.source]
            counts.in_flight -= batch.received
            counts.returned += batch.received

    def batch_committed(
        self,
        batch: Batch,
        result: WriteResult,
        *,
        payload_bytes: int,
        decode_secs: float,
        write_secs: float,
    ) -> None:
        """Count what became of a batch, and write its canonical line."""
        now = self._clock()
        newest = _newest_event_at(batch)
        with self._lock:
            counts = self._counts[batch.source]
            counts.in_flight -= batch.received
            counts.batches += 1
            counts.payloads += result.payloads
            counts.rows += result.rows
            for fate in FATES:
                counts.fates[fate] += getattr(result, fate)
            counts.refused.update(_count_reasons(batch))
            counts.recognised.update(batch.ignored)
            # What the writer found older than the retention horizon, no batch can know.
            counts.recognised["expired"] += result.ignored - sum(batch.ignored.values())
            if newest is not None:
                counts.newest_event_at = max(newest, counts.newest_event_at or newest)
            is_live = newest is None or newest >= now - _LONGEST_WAIT_SECS
            if is_live and (result.inserted or result.superseded or result.duplicates):
                health = self._health[batch.source]
                health.last_event_at, health.heard_at = now, self._monotonic()
        self._write_secs.labels(batch.source).observe(write_secs)
        self._log.info(
            "batch committed",
            source=batch.source,
            batch_id=str(batch.batch_id),
            payloads=result.payloads,
            received=result.received,
            inserted=result.inserted,
            superseded=result.superseded,
            duplicates=result.duplicates,
            quarantined=result.quarantined,
            ignored=result.ignored,
            rows=result.rows,
            bytes=payload_bytes,
            decode_secs=round(decode_secs, 4),
            write_secs=round(write_secs, 4),
            lag_secs=None if newest is None else round(max(0.0, now - newest), 3),
        )

    def health(self) -> tuple[bool, dict[str, object]]:
        """Whether every source and part is well, and the same in detail, ready to become JSON."""
        parts = {name: state() for name, state in self._parts.items()}
        with self._lock:
            states = [*parts.values(), *(health.state for health in self._health.values())]
            is_well = WELL.issuperset(states)
            sources = {
                name: {
                    "state": health.state,
                    "since": _to_iso(health.since),
                    "detail": health.detail,
                    "last_event_at": _to_iso(health.last_event_at),
                }
                for name, health in self._health.items()
            }
        status = "up" if is_well else "ill"
        report = {"status": status, "restarts": self._restarts, **parts, "sources": sources}
        return is_well, report

    def collect(self) -> Iterable[Metric]:
        """All counters of one instant, as Prometheus asks for them."""
        with self._lock:
            return list(self._collect())

    def _collect(self) -> Iterable[Metric]:
        plain: dict[str, tuple[str, Callable[[_Counts], int]]] = {
            "received": ("Payloads x recipients received.", lambda c: c.received),
            "inserted": ("Of these, new events.", lambda c: c.fates["inserted"]),
            "superseded": ("Replaced their poorer copy.", lambda c: c.fates["superseded"]),
            "duplicates": ("Were in the warehouse already.", lambda c: c.fates["duplicates"]),
            "quarantined": ("Of these, newly in quarantine.", lambda c: c.fates["quarantined"]),
            "ignored": ("Of these, no sending events.", lambda c: c.fates["ignored"]),
            "returned": ("Handed back, to be received anew.", lambda c: c.returned),
            "batches": ("Batches committed.", lambda c: c.batches),
            "payloads": ("Payloads committed.", lambda c: c.payloads),
            "rows": ("Rows added to events.", lambda c: c.rows),
            "skipped": ("Gone from the source before they were read.", lambda c: c.skipped),
        }
        for name, (text, value) in plain.items():
            family = CounterMetricFamily(f"duckpost_{name}", text, labels=["source"])
            for source, counts in self._counts.items():
                family.add_metric([source], value(counts))
            yield family
        for name, text in (
            ("refused", "Payloads no schema accepted, repeats among them, by reason."),
            ("recognised", "Payloads that are no sending event, by what they are."),
        ):
            family = CounterMetricFamily(f"duckpost_{name}", text, labels=["source", "reason"])
            for source, counts in self._counts.items():
                for reason, count in sorted(getattr(counts, name).items()):
                    family.add_metric([source, reason], count)
            yield family
        yield from self._collect_gauges()

    def _collect_gauges(self) -> Iterable[Metric]:
        in_flight = GaugeMetricFamily(
            "duckpost_in_flight", "Payloads x recipients being written.", labels=["source"]
        )
        newest = GaugeMetricFamily(
            "duckpost_newest_event_timestamp_seconds",
            "When the newest event of the source happened.",
            labels=["source"],
        )
        lag = GaugeMetricFamily(
            "duckpost_lag",
            "Envelopes that wait in the source, where it can tell.",
            labels=["source"],
        )
        up = GaugeMetricFamily(
            "duckpost_source_up", "1 while the source is well.", labels=["source"]
        )
        silent = GaugeMetricFamily(
            "duckpost_source_silent",
            "1 while the source is up and has brought no event for its silence_secs.",
            labels=["source"],
        )
        heard = GaugeMetricFamily(
            "duckpost_last_event_received_timestamp_seconds",
            "When an event of the source was last committed.",
            labels=["source"],
        )
        for source, counts in self._counts.items():
            health = self._health[source]
            in_flight.add_metric([source], counts.in_flight)
            up.add_metric([source], health.state in WELL)
            silent.add_metric([source], health.state == "silent")
            if health.last_event_at is not None:
                heard.add_metric([source], health.last_event_at)
            if counts.lag is not None:
                lag.add_metric([source], counts.lag)
            if counts.newest_event_at is not None:
                newest.add_metric([source], counts.newest_event_at)
        restarts = CounterMetricFamily(
            "duckpost_restarts", "Times the worker replaced its own process.", self._restarts
        )
        yield from (in_flight, newest, heard, lag, up, silent, restarts)


def _newest_event_at(batch: Batch) -> float | None:
    newest = pc.max(batch.rows.column("event_at")).as_py()
    return None if newest is None else newest.replace(tzinfo=UTC).timestamp()


def _count_reasons(batch: Batch) -> Counter[str]:
    return Counter(str(reason) for reason in batch.quarantined.column("reason").to_pylist())


def _to_iso(epoch_secs: float | None) -> str | None:
    if epoch_secs is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_secs))
