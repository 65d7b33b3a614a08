"""Serves an ASGI application from a thread of its own, over TCP or a Unix socket."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

START_SECS = 10.0


class Listener:
    """A running server; a context manager.

    Args:
        app: the application.
        bound: a socket that is bound already, so that failing to bind is the caller's to report.
    """

    def __init__(self, app: Starlette, bound: socket.socket) -> None:
        self._socket = bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                loop="asyncio",
                http="h11",
                ws="none",
                timeout_graceful_shutdown=2,
            )
        )
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
