"""`/metrics` for Prometheus and `/health` for whoever supervises the worker."""

import socket
from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from consumer import listener
from consumer.settings import TelemetrySettings
from consumer.telemetry import Telemetry


def to_app(
    telemetry: Telemetry, *, find_broken_views: Callable[[], Mapping[str, str]] | None = None
) -> Starlette:
    """Make the application: `/metrics`, and `/health` with 200 or, when a source is ill, 503.

    ``find_broken_views`` names users' own views that cannot be asked, and why: `/health` tells
    them, and nothing is ill for it.
    """

    def show_metrics(_request: Request) -> Response:
        return Response(generate_latest(telemetry.registry), media_type=CONTENT_TYPE_LATEST)

    def show_health(_request: Request) -> Response:
        is_well, report = telemetry.health()
        if find_broken_views is not None:
            report["broken_views"] = dict(find_broken_views())
        return JSONResponse(report, status_code=200 if is_well else 503)

    return Starlette(routes=[Route("/metrics", show_metrics), Route("/health", show_health)])


def bind(settings: TelemetrySettings) -> socket.socket:
    """Bind the listening socket, localhost unless the settings say otherwise.

    Raises `SettingsError` when the port is taken or the address is not this machine's.
    """
    return listener.bind(
        settings.host,
        settings.port,
        what="/metrics and /health",
        advice="set telemetry.port to another port, or telemetry.enabled = false",
    )
