"""Serves an ASGI application from a thread of its own, over TCP or a Unix socket."""

import asyncio
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn
from starlette.applications import Starlette

from consumer.errors import SettingsError

START_SECS = 10.0
HANDSHAKE_SECS = 5.0  # asyncio waits a minute, in which a socket costs its opener nothing
BACKLOG = 128


class Loop(asyncio.SelectorEventLoop):
    """asyncio's loop, which cuts off a TLS handshake that takes its time."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:  # noqa: ANN401 - passed on as they come
        """See `asyncio.loop.create_server`."""
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", HANDSHAKE_SECS)
        return await super().create_server(*args, **kwargs)


def bind(host: str, port: int, *, what: str, advice: str) -> socket.socket:
    """Bind a listening socket.

    Raises `SettingsError` when the port is taken or the address is not this machine's;
    ``what`` would have listened there, and ``advice`` says which settings to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        text = f"cannot listen on {host}:{port} for {what}: {error.strerror}; {advice}"
        raise SettingsError(text) from error


def open_tls(
    certificate_file: Path | None, key_file: Path | None, *, section: str
) -> ssl.SSLContext | None:
    """Read a certificate and its key; None where there are none, so that nothing is encrypted.

    Raises `SettingsError` naming the files, as settings of ``section``, when they cannot be read
    or do not fit each other.
    """
    if certificate_file is None or key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate_file, key_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"{section}.certificate_file {certificate_file} and {section}.key_file "
            f"{key_file}: {error.strerror or error}"
        ) from error
    return context


class Listener:
    """A running server; a context manager.

    Args:
        app: the application.
        bound: a socket that is bound already, so that failing to bind is the caller's to report.
        protocol: what speaks HTTP on a connection; uvicorn's own unless strangers come in.
        most_header_bytes: of one request.
        idle_secs: how long a connection stays open between two requests.
        tls: for HTTPS.
    """

    def __init__(  # noqa: PLR0913 - all but two for others to put in
        self,
        app: Starlette,
        bound: socket.socket,
        *,
        protocol: type[asyncio.Protocol] | Literal["h11"] = "h11",
        most_header_bytes: int | None = None,
        idle_secs: int = 5,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._socket = bound
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            loop="consumer.listener:Loop",
            http=protocol,
            ws="none",
            backlog=BACKLOG,
            h11_max_incomplete_event_size=most_header_bytes,
            timeout_keep_alive=idle_secs,
            timeout_graceful_shutdown=2,
        )
        config.load()
        config.ssl = tls  # made by the caller, who can say what is wrong with its files
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [bound]}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(START_SECS)
        self._socket.close()
