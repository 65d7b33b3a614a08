"""From settings to a running endpoint."""

import socket
import ssl
from collections.abc import Callable

from consumer import listener
from consumer.endpoint.authentication import Doorkeeper, User
from consumer.endpoint.counts import Counts
from consumer.endpoint.queries import Limits
from consumer.endpoint.server import Endpoint, EndpointOptions
from consumer.endpoint.statements.admission import admit
from consumer.settings import EndpointSettings
from consumer.warehouse import Warehouse


def bind(settings: EndpointSettings) -> socket.socket:
    """Bind the listening socket. Raises `SettingsError` when that cannot be."""
    return listener.bind(
        settings.host,
        settings.port,
        what="the SQL endpoint",
        advice="set endpoint.host and endpoint.port, or endpoint.enabled = false",
    )


def open_tls(settings: EndpointSettings) -> ssl.SSLContext | None:
    """Read certificate and key; see `consumer.listener.open_tls`."""
    return listener.open_tls(settings.certificate_file, settings.key_file, section="endpoint")


def open_endpoint(
    settings: EndpointSettings,
    warehouse: Warehouse,
    bound: socket.socket,
    counts: Counts,
    *,
    on_broken: Callable[[], None],
) -> Endpoint:
    """Make the endpoint, every setting passed on; whoever enters it starts it.

    ``on_broken`` is called when a query finds the warehouse failed for good.
    """
    users = [
        User(user.name, user.password.get_secret_value(), user.role) for user in settings.users
    ]
    options = EndpointOptions(
        max_connections=settings.max_connections,
        max_active_queries=settings.max_active_queries,
        limits=Limits(
            statement_timeout_secs=settings.statement_timeout_secs,
            idle_timeout_secs=settings.idle_timeout_secs,
            most_rows=settings.max_result_rows,
        ),
        tls=open_tls(settings),
        is_writing=lambda: warehouse.is_taking_in,
    )
    return Endpoint(
        lambda: warehouse.publish(admit=admit, on_broken=on_broken),
        Doorkeeper(users),
        options,
        bound,
        counts,
    )
