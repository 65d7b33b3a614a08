"""What the HTTP listener serves, and what it tells about it."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.applications import Starlette
from starlette.routing import Route

from consumer.sources.http_source import HttpSource


def to_app(sources: Sequence[HttpSource]) -> Starlette:
    """Make the application that hands each request to the source of its path; all are POSTs."""
    served = [(path, source) for source in sources for path in source.paths]
    # A path with a secret in it would answer for a fixed one of the same shape.
    served.sort(key=lambda pair: "{" in pair[0])
    app = Starlette(
        routes=[Route(path, source.answer, methods=["POST"]) for path, source in served]
    )
    app.router.redirect_slashes = False  # neither sender follows a redirect
    return app


class HttpCounts:
    """A Prometheus collector: answers by status and reason, and what is in flight."""

    def __init__(self, sources: Sequence[HttpSource]) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        """See ``prometheus_client.registry.Collector``."""
        answers = CounterMetricFamily(
            "duckpost_http_requests",
            "Requests answered, by status and by what decided it.",
            labels=["source", "status", "reason"],
        )
        requests = GaugeMetricFamily(
            "duckpost_http_in_flight", "Requests received and not answered.", labels=["source"]
        )
        sizes = GaugeMetricFamily(
            "duckpost_http_in_flight_bytes", "Bytes of their bodies.", labels=["source"]
        )
        for source in self._sources:
            for (status, reason), count in sorted(source.count_answers().items()):
                answers.add_metric([source.name, str(status), reason], count)
            in_flight, size = source.in_flight
            requests.add_metric([source.name], in_flight)
            sizes.add_metric([source.name], size)
        return (answers, requests, sizes)
