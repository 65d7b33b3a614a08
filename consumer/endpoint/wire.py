"""One client's connection: messages in, bytes out, and whether anybody is still there."""

import asyncio
import ssl
import struct
from collections.abc import Callable

from consumer.endpoint.messages import frontend
from consumer.endpoint.messages.fields import Malformed

MOST_STARTUP_BYTES = 10_000  # as PostgreSQL
MOST_MESSAGE_BYTES = 4 * 1024 * 1024
_LENGTH_BYTES = 4
_LEAST_STARTUP_BYTES = 8
READ_BYTES = 64 * 1024
WRITE_BYTES = 256 * 1024
STALL_SECS = 20.0


class Gone(Exception):  # noqa: N818 - named for what became of the client
    """The client went away, takes nothing any more, or has to."""


class WatchedProtocol(asyncio.StreamReaderProtocol):
    """asyncio's streams, and a word when the other side is gone while nobody reads."""

    on_lost: Callable[[], None] | None = None

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol`."""
        stays = super().eof_received()
        self._tell()
        return stays

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self._tell()

    def _tell(self) -> None:
        if self.on_lost is not None:
            self.on_lost()


class Wire:
    """Reads and writes messages.

    Args:
        reader: asyncio's.
        writer: asyncio's.
        stall_secs: how long a client may take nothing before it is cut off.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        stall_secs: float = STALL_SECS,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._stall_secs = stall_secs
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.is_encrypted = False

    async def read_startup(self) -> bytes:
        """Read the first message, which has no type. Raises `Gone` and `Malformed`."""
        (length,) = struct.unpack("!i", await self._take(4))
        if not _LEAST_STARTUP_BYTES <= length <= MOST_STARTUP_BYTES:
            raise Malformed(f"invalid length of startup packet: {length}")
        return await self._take(length - 4)

    async def read_message(self) -> frontend.Message:
        """Read one message. Raises `Gone` and `Malformed`."""
        kind, length = struct.unpack("!ci", await self._take(5))
        if not _LENGTH_BYTES <= length <= MOST_MESSAGE_BYTES:
            raise Malformed(
                f"invalid message length {length}: up to {MOST_MESSAGE_BYTES} bytes are taken"
            )
        return frontend.parse_message(kind, await self._take(length - 4))

    def send(self, data: bytes) -> None:
        """Put a message on its way; it leaves with the next `flush`."""
        self._held.append(data)
        self._held_bytes += len(data)

    async def send_much(self, data: bytes | memoryview) -> None:
        """Send what may be large, as fast as the client takes it. Raises `Gone`."""
        self._write_held()
        for at in range(0, len(data), WRITE_BYTES):
            self._writer.write(data[at : at + WRITE_BYTES])
            await self._drain()

    async def flush(self) -> None:
        """Send what is held, and wait while the client is slow to take it. Raises `Gone`."""
        self._write_held()
        await self._drain()

    async def flush_if_much(self) -> None:
        """The same once enough is held."""
        if self._held_bytes >= WRITE_BYTES:
            await self.flush()

    async def start_tls(self, context: ssl.SSLContext, *, handshake_secs: float) -> None:
        """Go on encrypted. Raises `Gone` when the client's handshake fails."""
        try:
            await self._writer.start_tls(context, ssl_handshake_timeout=handshake_secs)
        except (OSError, ssl.SSLError) as error:
            raise Gone(f"the TLS handshake failed: {error}") from error
        self.is_encrypted = True

    @property
    def has_buffered(self) -> bool:
        """Whether bytes came that nobody asked for yet."""
        return bool(self._reader._buffer)  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public tells

    async def close(self) -> None:
        """Send what is held if that is quick, and hang up."""
        try:
            self._write_held()
            async with asyncio.timeout(1.0):
                await self._writer.drain()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        self._writer.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()

    async def _take(self, count: int) -> bytes:
        try:
            return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Gone("the client hung up") from error

    def _write_held(self) -> None:
        if self._held:
            self._writer.write(b"".join(self._held))
            self._held.clear()
            self._held_bytes = 0

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._stall_secs):
                await self._writer.drain()
        except TimeoutError as error:
            self.abort()
            raise Gone(f"the client took nothing for {self._stall_secs:g} seconds") from error
        except OSError as error:
            raise Gone("the client hung up") from error
