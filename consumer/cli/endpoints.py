"""The HTTP listener that the sources share which are sent to."""

import socket
import ssl
from collections.abc import Sequence

from consumer import listener
from consumer.errors import SettingsError
from consumer.listener import Listener
from consumer.settings import FirehoseSettings, HttpSettings, SnsSettings
from consumer.sources.http_app import to_app
from consumer.sources.http_certificates import FolderFetcher
from consumer.sources.http_firehose import WAITS_SECS as FIREHOSE_WAITS_SECS
from consumer.sources.http_firehose import FirehoseOptions, FirehoseSource
from consumer.sources.http_protocol import (
    IDLE_SECS,
    MOST_HEADER_BYTES,
    ConnectionLimits,
    make_protocol,
)
from consumer.sources.http_sns import WAITS_SECS as SNS_WAITS_SECS
from consumer.sources.http_sns import SnsOptions, SnsSource
from consumer.sources.http_source import Bounds, HttpSource


def bind_http(settings: HttpSettings) -> socket.socket:
    """Bind the listener's socket; raises `SettingsError` when that cannot be."""
    return listener.bind(
        settings.host, settings.port, what="HTTP sources", advice="set http.host and http.port"
    )


def open_tls(settings: HttpSettings) -> ssl.SSLContext | None:
    """Read certificate and key; see `consumer.listener.open_tls`."""
    return listener.open_tls(settings.certificate_file, settings.key_file, section="http")


def listen(sources: Sequence[HttpSource], settings: HttpSettings, bound: socket.socket) -> Listener:
    """Make the listener that serves ``sources``; whoever enters it starts it."""
    limits = ConnectionLimits(
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
    )
    return Listener(
        to_app(sources),
        bound,
        protocol=make_protocol(limits),
        most_header_bytes=MOST_HEADER_BYTES,
        idle_secs=IDLE_SECS,
        tls=open_tls(settings),
    )


def open_firehose(settings: FirehoseSettings) -> FirehoseSource:
    """Make the endpoint; every setting is passed on."""
    return FirehoseSource(
        FirehoseOptions(
            path=settings.path,
            access_keys=tuple(key.get_secret_value() for key in settings.access_keys),
            bounds=Bounds(
                max_in_flight=settings.max_in_flight,
                max_in_flight_bytes=settings.max_in_flight_bytes,
                answer_secs=FIREHOSE_WAITS_SECS,
            ),
        )
    )


def open_sns(settings: SnsSettings) -> SnsSource:
    """Make the endpoint; every setting is passed on."""
    folder, secret = settings.certificate_folder, settings.raw_secret
    return SnsSource(
        SnsOptions(
            path=settings.path,
            topics=frozenset(settings.topics),
            confirms=settings.confirm,
            raw_secret=None if secret is None else secret.get_secret_value(),
            bounds=Bounds(
                max_in_flight=settings.max_in_flight,
                max_in_flight_bytes=settings.max_in_flight_bytes,
                answer_secs=SNS_WAITS_SECS,
            ),
        ),
        fetch_certificate=None if folder is None else FolderFetcher(folder),
    )


def probe_endpoint(settings: FirehoseSettings | SnsSettings) -> list[str]:
    """Say what an endpoint takes; raises `SettingsError` where its certificates are missing."""
    if isinstance(settings, FirehoseSettings):
        keys = len(settings.access_keys)
        return [f"{keys} access key{'s' * (keys != 1)}" if keys else "no access key: open to all"]
    folder = settings.certificate_folder
    if folder is not None and not any(folder.glob("*.pem")):
        raise SettingsError(
            f"{folder} holds no certificate (SimpleNotificationService-….pem): put SNS's there, "
            "or leave certificate_folder out and they are fetched"
        )
    confirms = "confirmed" if settings.confirm else "not confirmed"
    raw = "refused" if settings.raw_secret is None else "taken behind the secret"
    return [
        f"topics: {', '.join(settings.topics)}",
        f"subscriptions are {confirms}; raw messages are {raw}",
    ]
