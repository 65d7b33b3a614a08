"""Accepts connections, from a thread of its own, and keeps them from hurting one another."""

import asyncio
import contextlib
import itertools
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from consumer.endpoint.authentication import Doorkeeper
from consumer.endpoint.counts import Counts
from consumer.endpoint.execution import Turns
from consumer.endpoint.messages import backend
from consumer.endpoint.messages.fields import Malformed
from consumer.endpoint.precedence import Precedence
from consumer.endpoint.queries import Limits, Queries
from consumer.endpoint.session import Session
from consumer.endpoint.startup import Cancel, Client, Rejected, greet
from consumer.endpoint.wire import READ_BYTES, STALL_SECS, WRITE_BYTES, Gone, WatchedProtocol, Wire
from consumer.warehouse.reading.publication import Publication

GREET_SECS: Final = 10.0
TURN_SECS: Final = 30.0
_STOP_SECS: Final = 10.0
_BACKLOG: Final = 128
# Strangers may hold so many sockets beyond the connections that are let in, for GREET_SECS each.
_MOST_GREETED: Final = 64


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """How the endpoint behaves.

    Attributes:
        max_connections: let in at once.
        max_active_queries: run at once.
        limits: of each session.
        tls: for everybody, where it is given.
        stall_secs: how long a client may take nothing.
        turn_secs: how long a statement waits for its turn.
        is_writing: whether a batch is being written just now; it goes first.
        most_beside_writer: steps of statements that may begin meanwhile; None leaves a processor.
    """

    max_connections: int
    max_active_queries: int
    limits: Limits
    tls: ssl.SSLContext | None = None
    stall_secs: float = STALL_SECS
    turn_secs: float = TURN_SECS
    is_writing: Callable[[], bool] = lambda: False
    most_beside_writer: int | None = None


class Endpoint:
    """The running server; a context manager.

    Args:
        publish: makes what is served; called once, before the first connection is accepted. Whoever
            connects meanwhile waits.
        doorkeeper: who may come in.
        options: how it behaves.
        bound: a listening socket, so that failing to bind is the caller's to report.
        counts: told of everything that is counted.
    """

    def __init__(
        self,
        publish: Callable[[], Publication],
        doorkeeper: Doorkeeper,
        options: EndpointOptions,
        bound: socket.socket,
        counts: Counts,
    ) -> None:
        self._publish = publish
        self._doorkeeper = doorkeeper
        self._options = options
        self._socket = bound
        self._counts = counts
        self._sessions: dict[tuple[int, int], Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._greeted = 0
        self._pids = itertools.count(1)
        self._loop = asyncio.SelectorEventLoop()
        self._is_up = False
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def state(self) -> Literal["starting", "up", "failed"]:
        """Whether clients are let in; from any thread."""
        if not self._thread.is_alive():
            return "failed"
        return "up" if self._is_up else "starting"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_STOP_SECS)
        self._socket.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        publication = await self._loop.run_in_executor(None, self._publish)
        self._turns = Turns(
            publication,
            Precedence(self._options.is_writing, most_beside=self._options.most_beside_writer),
            most=self._options.max_active_queries,
            wait_secs=self._options.turn_secs,
        )
        server = await self._loop.create_server(
            self._make_protocol, sock=self._socket, backlog=_BACKLOG
        )
        self._is_up = True
        await self._ended.wait()
        server.close()
        for session in list(self._sessions.values()):
            session.cancel("shutdown")
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_SECS / 2)
        self._turns.close()

    def _make_protocol(self) -> WatchedProtocol:
        reader = asyncio.StreamReader(limit=READ_BYTES, loop=self._loop)
        return WatchedProtocol(reader, self._accept, loop=self._loop)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._attend(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See a client from its first byte to its last."""
        writer.transport.set_write_buffer_limits(high=WRITE_BYTES)
        # asyncio does so only for sockets that name their protocol, and `create_server`'s do not
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(reader, writer, stall_secs=self._options.stall_secs)
        try:
            with self._greeting():
                async with asyncio.timeout(GREET_SECS):
                    client = await greet(wire, self._doorkeeper, tls=self._options.tls)
            if isinstance(client, Cancel):
                self._cancel(client)
            else:
                await self._talk(wire, writer, client)
        except Rejected as rejected:
            self._counts.rejected(rejected.reason)
            wire.send(backend.error(str(rejected), rejected.state, severity="FATAL"))
        except Malformed as malformed:
            self._counts.rejected("malformed")
            wire.send(backend.error(str(malformed), "08P01", severity="FATAL"))
        except TimeoutError:
            self._counts.rejected("slow_start")
        except Gone:
            pass  # nobody is there to be told
        except asyncio.CancelledError:
            text = "terminating connection due to administrator command"
            wire.send(backend.error(text, "57P01", severity="FATAL"))
            await wire.close()
            wire.abort()  # TLS would wait for the client's own goodbye
            raise
        finally:
            await wire.close()

    @contextlib.contextmanager
    def _greeting(self) -> Iterator[None]:
        if self._greeted >= _MOST_GREETED:
            raise Rejected("53300", "too many clients are connecting", reason="too_many")
        self._greeted += 1
        try:
            yield
        finally:
            self._greeted -= 1

    async def _talk(self, wire: Wire, writer: asyncio.StreamWriter, client: Client) -> None:
        if len(self._sessions) >= self._options.max_connections:
            raise Rejected(
                "53300",
                f"sorry, too many clients already: {self._options.max_connections} "
                "(endpoint.max_connections)",
                reason="too_many",
            )
        key = (next(self._pids), secrets.randbits(32))
        limits = self._options.limits
        queries = Queries(
            self._turns,
            user=client.user,
            role=client.role,
            variables=client.variables,
            limits=limits,
        )
        session = Session(
            wire,
            queries,
            client.variables,
            idle_timeout_secs=limits.idle_timeout_secs,
            on_query=self._counts.queried,
        )
        self._sessions[key] = session
        self._counts.connections = len(self._sessions)
        protocol = writer.transport.get_protocol()
        assert isinstance(protocol, WatchedProtocol)  # noqa: S101 - as `_make_protocol` made it
        protocol.on_lost = lambda: session.cancel("gone")
        wire.send(backend.backend_key(*key))
        try:
            await session.run()
        finally:
            del self._sessions[key]
            self._counts.connections = len(self._sessions)

    def _cancel(self, request: Cancel) -> None:
        """Stop a query, where both numbers are right; either way nothing is answered."""
        session = self._sessions.get((request.pid, request.secret))
        if session is not None:
            session.cancel("request")
