"""HTTP on a connection, with absolute deadlines and a bound on how many there are.

uvicorn waits for a request as long as its sender likes, and a byte now and then holds a socket
for minutes: https://github.com/xorbitsai/inference/issues/5213 is one that met it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from consumer.sources.http_source import RETRY_AFTER_SECS

# Firehose's common attributes alone may have 50 x (256 + 1,024) characters, in one header.
MOST_HEADER_BYTES = 128 * 1024
# An idle connection outlives the 60 s of AWS's load balancers: the side that sends should be the
# one to close.
IDLE_SECS = 75
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
) % RETRY_AFTER_SECS
_SLOW_BODY = b"the body did not come in time\n"

# Errors are ours and worth a line; uvicorn's warnings are one for each line of nonsense sent.
_log = logging.getLogger(__name__)
_log.setLevel(logging.ERROR)

_Phase = Literal["head", "body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one listener puts up with.

    Attributes:
        head_secs: from connecting, or from a later request's first byte, to the end of its
            headers.
        body_secs: from there to the end of its body.
        max_connections: at once; an idle one makes room for a new one.
        max_connections_per_address: the same of one address.
    """

    head_secs: float = 5.0
    body_secs: float = 60.0
    max_connections: int = 800
    max_connections_per_address: int = 600


def make_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Make the class of one listener's connections."""
    return type("_BoundedProtocol", (BoundedProtocol,), {"limits": limits, "counts": Counter()})


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with deadlines; a subclass for each listener holds what they share.

    Attributes:
        counts: connections by address.
    """

    limits: ClassVar[ConnectionLimits]
    counts: ClassVar[Counter[str]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's to choose
        super().__init__(*args, **kwargs)
        self.logger = _log
        self._address: str | None = None  # None: not counted in
        self._phase: _Phase | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count the connection in, or turn it away."""
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._make_room(address):
            self.transport = transport
            transport.write(_FULL)
            transport.close()
            return
        self._address = address
        self.counts[address] += 1
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        if self._address is None:
            return
        self.counts[self._address] -= 1
        if not self.counts[self._address]:
            del self.counts[self._address]
        self._address = None
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and see which deadline holds then."""
        if self._address is not None and not self.transport.is_closing():
            super().data_received(data)
            self._watch()

    def eof_received(self) -> None:
        """End as uvicorn does: the transport closes itself."""

    def on_response_complete(self) -> None:
        """Go on to the next request, which may have begun already."""
        super().on_response_complete()
        self._watch()

    @property
    def is_idle(self) -> bool:
        """Whether it has had its answer and nothing of another request has come."""
        return (
            self._address is not None
            and not self._is_new
            and self.conn.their_state is h11.IDLE
            and self._phase is None
        )

    @property
    def _is_new(self) -> bool:
        """Whether no request has come yet."""
        cycle: object = self.cycle  # uvicorn says it is always there, and starts with None
        return cycle is None

    def _make_room(self, address: str) -> bool:
        limits = self.limits
        if self.counts[address] >= limits.max_connections_per_address:
            return self._close_idle(lambda other: other._address == address)  # noqa: SLF001 - of its own class
        if self.counts.total() >= limits.max_connections:
            return self._close_idle(lambda _: True)
        return True

    def _close_idle(self, is_meant: Callable[["BoundedProtocol"], bool]) -> bool:
        for other in self.connections:
            if isinstance(other, BoundedProtocol) and other.is_idle and is_meant(other):
                other.transport.close()
                other.connection_lost(None)  # now; the transport's own call finds it done
                return True
        return False

    def _watch(self) -> None:
        """Start the deadline of the phase the connection is in, unless it runs already."""
        phase = self._find_phase()
        if phase == self._phase:
            return
        self._phase = phase
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if phase is not None:
            secs = self.limits.head_secs if phase == "head" else self.limits.body_secs
            self._deadline = self.loop.call_later(secs, self._cut_off)

    def _find_phase(self) -> _Phase | None:
        their_state = self.conn.their_state
        if their_state is h11.SEND_BODY:
            return "body"
        if their_state is h11.IDLE and (self._is_new or self.conn.trailing_data[0]):
            return "head"
        return None  # with the worker, idle until uvicorn's own timer, or at its end

    def _cut_off(self) -> None:
        if self.transport.is_closing():
            return
        if self._phase == "body" and self.conn.our_state is h11.SEND_RESPONSE:
            headers = [("content-length", str(len(_SLOW_BODY))), ("connection", "close")]
            for event in (
                h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"),
                h11.Data(data=_SLOW_BODY),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
