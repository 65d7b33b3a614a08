"""The worker's door: how other commands reach a warehouse that the worker has open.

HTTP over a Unix socket beside the file (``events.sock`` for ``events.duckdb``), for the file's
owner alone. Paths are versioned; `consumer.door_client` is the other end. A fault comes back
as ``{"kind": …, "message": …}``, ``kind`` naming a class of `consumer.errors`.
"""

import io
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path

import pyarrow as pa
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from typing_extensions import Buffer

from consumer.access import OpenedWarehouse
from consumer.batch import Batch
from consumer.door_client import short_address
from consumer.errors import CommitOutcomeUnknown, DuckpostError, QueryError, UsageError

MOST_READERS = 4  # readers and the writer share DuckDB's memory limit
READER_WAIT_SECS = 30.0
MAX_WRITE_BYTES = 256 * 1024 * 1024
MAX_QUERY_BYTES = 4 * 1024 * 1024
ARROW_STREAM = "application/vnd.apache.arrow.stream"


def bind(path: Path) -> socket.socket:
    """Bind the door's socket, mode 0600, over whatever a killed worker left there.

    The caller has the warehouse open, so no other worker can be behind an old socket.
    """
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_mask = os.umask(0o177)
    try:
        with short_address(path) as address:
            bound.bind(address)
        bound.listen()  # from here on whoever knocks waits, however long the server takes to start
    except OSError as error:
        bound.close()
        raise UsageError(f"cannot make the worker's socket {path}: {error.strerror}") from error
    finally:
        os.umask(old_mask)
    return bound


def to_app(opened: OpenedWarehouse, *, on_broken: Callable[[], None]) -> Starlette:
    """Make the application that serves ``opened``.

    ``on_broken`` is called when a request finds the warehouse failed for good.
    """
    readers = threading.BoundedSemaphore(MOST_READERS)

    def about(_request: Request) -> Response:
        return JSONResponse(
            {
                "pid": os.getpid(),
                "path": str(opened.path),
                # The same user may read it beside the file: the socket gives nothing away.
                "secret": opened.secret.hex(),
                "store_subject": opened.store_subject,
                "archive": opened.archive,
            }
        )

    async def query(request: Request) -> Response:
        asked = json.loads(await _read_body(request, MAX_QUERY_BYTES))
        stream = _stream_query(opened, readers, asked["sql"], asked.get("params", []))
        # Most queries fail before their first rows: those get a proper answer.
        first = await run_in_threadpool(next, stream)
        return StreamingResponse(_prepend(first, stream), media_type=ARROW_STREAM)

    async def write(request: Request) -> Response:
        body = await _read_body(request, MAX_WRITE_BYTES)
        head, _, rest = body.partition(b"\n")
        replaces = json.loads(head)["replaces"]
        result = await run_in_threadpool(_write, opened, rest, replaces)
        return JSONResponse(result)

    async def drop(request: Request) -> Response:
        asked = json.loads(await _read_body(request, MAX_WRITE_BYTES))
        dropped = await run_in_threadpool(opened.drop_quarantined, asked["sha256s"])
        return JSONResponse({"dropped": dropped})

    def verify(_request: Request) -> Response:
        return JSONResponse({"findings": [asdict(one) for one in opened.verify()]})

    def answer_fault(_request: Request, error: Exception) -> Response:
        if isinstance(error, CommitOutcomeUnknown):
            on_broken()
        fault = {"kind": type(error).__name__, "message": str(error)}
        return JSONResponse(fault, status_code=HTTPStatus.CONFLICT)

    return Starlette(
        routes=[
            Route("/v1/about", about),
            Route("/v1/query", query, methods=["POST"]),
            Route("/v1/write", write, methods=["POST"]),
            Route("/v1/quarantine/drop", drop, methods=["POST"]),
            Route("/v1/verify", verify, methods=["POST"]),
        ],
        exception_handlers={
            DuckpostError: answer_fault,
            ValueError: _answer_misuse,
            KeyError: _answer_misuse,
        },
    )


def _write(opened: OpenedWarehouse, data: bytes, replaces: list[str]) -> dict[str, object]:
    result = opened.write(Batch.from_bytes(data), replaces=replaces)
    return {**asdict(result), "batch_id": str(result.batch_id)}


def _stream_query(
    opened: OpenedWarehouse, readers: threading.BoundedSemaphore, sql: str, params: list[object]
) -> Iterator[bytes]:
    """Yield the answer as an Arrow IPC stream, a record batch at a time."""
    if not readers.acquire(timeout=READER_WAIT_SECS):
        raise QueryError(f"{MOST_READERS} queries are running already; try again")
    try:
        with opened.read(sql, params) as reader:
            sink = _Drain()
            with pa.ipc.new_stream(sink, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
                    yield sink.drain()
            yield sink.drain()
    finally:
        readers.release()


class _Drain(io.RawIOBase):
    """A file that pyarrow writes to and whose content is taken out as it comes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def drain(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts = []
        return whole


def _prepend(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


async def _read_body(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise UsageError(f"a request to the worker may have {most_bytes} bytes at most")
    return bytes(body)


def _answer_misuse(_request: Request, error: Exception) -> Response:
    message = f"the worker does not understand the request: {error}"
    return JSONResponse(
        {"kind": "UsageError", "message": message}, status_code=HTTPStatus.BAD_REQUEST
    )
