"""What clients send: all of it is here before anybody's turn is taken, and large ones on disk.

A client that stops half-way holds its own connection for as long as `LIMITS` says, and nothing
else. A hundred of them cost no memory: what is past a megabyte goes into a file without a name.
"""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from starlette.requests import Request

from consumer.errors import UsageError, WarehouseFull
from consumer.sources.http_protocol import ConnectionLimits

MAX_QUERY_BYTES: Final = 4 * 1024 * 1024
MAX_WRITE_BYTES: Final = 256 * 1024 * 1024
# On one machine a request comes at once; a loaded one is given time.
LIMITS: Final = ConnectionLimits(
    head_secs=30.0, body_secs=60.0, max_connections=400, max_connections_per_address=400
)
_IN_MEMORY_BYTES: Final = 1024 * 1024


@asynccontextmanager
async def received(
    request: Request, folder: Path, *, most_bytes: int = MAX_QUERY_BYTES
) -> AsyncGenerator[IO[bytes], None]:
    """Yield a request's body once all of it has come, as a file that is gone afterwards.

    Raises `UsageError` for one that is too large, `WarehouseFull` where ``folder`` has no room.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, dir=str(folder)) as body:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > most_bytes:
                raise UsageError(f"a request to the worker may have {most_bytes} bytes at most")
            try:
                body.write(chunk)  # some 64 KiB, to the system's cache: the loop can wait for it
            except OSError as error:
                raise WarehouseFull(
                    f"no room in {folder} for a request to the worker: {error.strerror}"
                ) from error
        body.seek(0)
        yield body
