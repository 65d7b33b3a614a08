"""The worker's door: how other commands reach a warehouse that the worker has open.

HTTP over a Unix socket beside the file (``events.sock`` for ``events.duckdb``), for the file's
owner alone. Paths are versioned; `consumer.door.client` is the other end. A fault comes back
as ``{"kind": …, "message": …}``, ``kind`` naming a class of `consumer.errors`.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from consumer.batch import Batch
from consumer.door.access import OpenedWarehouse
from consumer.door.bodies import LIMITS, MAX_QUERY_BYTES, MAX_WRITE_BYTES, received
from consumer.door.client import PROTOCOL, PROTOCOL_HEADER, short_address
from consumer.door.query import Query
from consumer.door.work import OnProgress, PatientStream, stream_work
from consumer.errors import (
    CommitOutcomeUnknown,
    DuckpostError,
    QueryError,
    UsageError,
    WarehouseError,
)
from consumer.listener import Listener
from consumer.sources.http_protocol import make_protocol
from consumer.warehouse.reconciliations import Reconciliation
from consumer.warehouse.retention import Retention
from consumer.warehouse.ses_suppressions import Listed

MOST_READERS = 4  # readers and the writer share DuckDB's memory limit
READER_WAIT_SECS = 30.0
MOST_WRITERS = 2  # batches held in memory at once; one is committed while the next is read
ARROW_STREAM = "application/vnd.apache.arrow.stream"
_MOST_SHOWN = 40  # of what a stranger says


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


def listen(app: Starlette, path: Path) -> Listener:
    """Make the listener of the door at ``path``; whoever enters it starts it."""
    return Listener(app, bind(path), protocol=make_protocol(LIMITS))


def to_app(
    opened: OpenedWarehouse,
    *,
    on_broken: Callable[[], None],
    on_rewrite: Callable[[], None] | None = None,
) -> Starlette:
    """Make the application that serves ``opened``.

    ``on_broken`` is called when a request finds the warehouse failed for good, ``on_rewrite`` when
    one asks for the file to be rewritten; without it that is refused.
    """
    door = _Door(opened, on_broken, on_rewrite)
    return Starlette(
        routes=[
            Route("/v1/about", door.about),
            Route("/v1/estimates", door.estimates),
            Route("/v1/query", door.query, methods=["POST"]),
            Route("/v1/write", door.write, methods=["POST"]),
            Route("/v1/quarantine/drop", door.drop, methods=["POST"]),
            Route("/v1/own", door.change_own, methods=["POST"]),
            Route("/v1/verify", door.verify, methods=["POST"]),
            Route("/v1/backup", door.back_up, methods=["POST"]),
            Route("/v1/erase", door.erase, methods=["POST"]),
            Route("/v1/prune", door.prune, methods=["POST"]),
            Route("/v1/reclassify", door.reclassify, methods=["POST"]),
            Route("/v1/suppression/lift", door.lift_suppression, methods=["POST"]),
            Route("/v1/suppression/ses-list", door.keep_ses_list, methods=["POST"]),
            Route("/v1/reconciliations", door.keep_reconciliation, methods=["POST"]),
            Route("/v1/rewrite", door.rewrite, methods=["POST"]),
        ],
        exception_handlers={
            DuckpostError: door.answer_fault,
            ValueError: _answer_misuse,
            KeyError: _answer_misuse,
            ClientDisconnect: _hang_up,
            HTTPStatus.NOT_FOUND: _refuse_unknown,
        },
        middleware=[Middleware(_OneVersion)],
    )


class _OneVersion:
    """Refuses what a client of another version asks, before any of it is read.

    Only what a worker is may be asked by all of them: it says by which protocol it goes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/v1/about":
            spoken = Headers(scope=scope).get(PROTOCOL_HEADER, "an older one")
            if spoken != str(PROTOCOL):
                await _refuse_version(spoken[:_MOST_SHOWN])(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Door:
    """What is behind each path."""

    def __init__(
        self,
        opened: OpenedWarehouse,
        on_broken: Callable[[], None],
        on_rewrite: Callable[[], None] | None,
    ) -> None:
        self._opened = opened
        self._on_broken = on_broken
        self._on_rewrite = on_rewrite
        self._readers = asyncio.Semaphore(MOST_READERS)
        self._writers = asyncio.Semaphore(MOST_WRITERS)

    async def about(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "protocol": PROTOCOL,
                "pid": os.getpid(),
                "path": str(self._opened.path),
                # The same user may read it beside the file: the socket gives nothing away.
                "secret": self._opened.secret.hex(),
                "store_subject": self._opened.store_subject,
                "archive": self._opened.archive,
                "is_hashed": self._opened.is_hashed,
            }
        )

    async def query(self, request: Request) -> Response:
        asked = await self._receive(request)
        try:
            async with asyncio.timeout(READER_WAIT_SECS):
                await self._readers.acquire()
        except TimeoutError:
            raise QueryError(f"{MOST_READERS} queries are running already; try again") from None
        query = Query(self._opened, asked["sql"], asked.get("params", []), self._readers.release)
        # Most queries fail before their first rows: those get a proper answer.
        first = await query.first(request)
        return PatientStream(query.answer(first), media_type=ARROW_STREAM)

    async def write(self, request: Request) -> Response:
        async with self._turn_to_write(request) as body:
            result = await run_in_threadpool(_write, self._opened, body)
        return JSONResponse(result)

    async def drop(self, request: Request) -> Response:
        sha256s = (await self._receive(request, most_bytes=MAX_WRITE_BYTES))["sha256s"]

        def work(on_progress: OnProgress) -> dict[str, Any]:
            return {"dropped": self._opened.drop_quarantined(sha256s, on_progress=on_progress)}

        return stream_work(work, on_fault=self._note_fault)

    async def change_own(self, request: Request) -> Response:
        sql = (await self._receive(request))["sql"]

        def work(_on_progress: OnProgress) -> dict[str, Any]:
            return {"name": self._opened.change_own(sql)}

        return stream_work(work, on_fault=self._note_fault)

    async def verify(self, _request: Request) -> Response:
        def work(on_progress: OnProgress) -> dict[str, Any]:
            findings = self._opened.verify(on_progress=on_progress)
            return {"findings": [asdict(one) for one in findings]}

        return stream_work(work, on_fault=self._note_fault)

    async def back_up(self, request: Request) -> Response:
        folder = Path((await self._receive(request))["folder"])

        def work(on_progress: OnProgress) -> dict[str, Any]:
            return asdict(self._opened.back_up(folder, on_progress=on_progress))

        return stream_work(work, on_fault=self._note_fault)

    async def erase(self, request: Request) -> Response:
        address = (await self._receive(request))["address"]

        def work(on_progress: OnProgress) -> dict[str, Any]:
            return asdict(self._opened.erase(address, on_progress=on_progress))

        return stream_work(work, on_fault=self._note_fault)

    async def prune(self, request: Request) -> Response:
        asked = await self._receive(request)
        retention, is_dry_run = Retention(**asked["retention"]), asked["is_dry_run"]

        def work(on_progress: OnProgress) -> dict[str, Any]:
            return asdict(
                self._opened.prune(retention, is_dry_run=is_dry_run, on_progress=on_progress)
            )

        return stream_work(work, on_fault=self._note_fault)

    async def reclassify(self, request: Request) -> Response:
        is_dry_run = (await self._receive(request))["is_dry_run"]

        def work(on_progress: OnProgress) -> dict[str, Any]:
            done = self._opened.reclassify(is_dry_run=is_dry_run, on_progress=on_progress)
            return asdict(done)

        return stream_work(work, on_fault=self._note_fault)

    async def lift_suppression(self, request: Request) -> Response:
        async with self._turn_to_write(request) as body:
            asked = json.load(body)
            await run_in_threadpool(
                self._opened.lift_suppression, asked["recipient"], asked["note"]
            )
        return JSONResponse({})

    async def keep_ses_list(self, request: Request) -> Response:
        async with self._turn_to_write(request) as body:
            asked = json.load(body)
            listed = [
                Listed(recipient, reason, datetime.fromisoformat(updated_at))
                for recipient, reason, updated_at in asked["listed"]
            ]
            await run_in_threadpool(
                self._opened.keep_ses_list, asked["account"], asked["region"], listed
            )
        return JSONResponse({})

    async def keep_reconciliation(self, request: Request) -> Response:
        async with self._turn_to_write(request) as body:
            found = Reconciliation.parse(json.load(body))
            await run_in_threadpool(self._opened.keep_reconciliation, found)
        return JSONResponse({})

    async def estimates(self, _request: Request) -> Response:
        return JSONResponse(asdict(await run_in_threadpool(self._opened.estimates)))

    async def rewrite(self, _request: Request) -> Response:
        if self._on_rewrite is None:
            raise UsageError("this worker does not rewrite its file; stop it and try again")
        await run_in_threadpool(self._opened.prepare_rewrite)
        self._on_rewrite()
        return JSONResponse({})

    async def _receive(
        self, request: Request, *, most_bytes: int = MAX_QUERY_BYTES
    ) -> dict[str, Any]:
        folder = self._opened.path.parent
        async with received(request, folder, most_bytes=most_bytes) as body:
            asked: dict[str, Any] = json.load(body)
        return asked

    @asynccontextmanager
    async def _turn_to_write(self, request: Request) -> AsyncGenerator[IO[bytes], None]:
        """Yield the request's body when it is its turn, which it waits for once it has all come."""
        folder = self._opened.path.parent
        async with received(request, folder, most_bytes=MAX_WRITE_BYTES) as body, self._writers:
            yield body

    async def answer_fault(self, _request: Request, error: Exception) -> Response:
        self._note_fault(error)
        fault = {"kind": type(error).__name__, "message": str(error)}
        return JSONResponse(fault, status_code=HTTPStatus.CONFLICT)

    def _note_fault(self, error: Exception) -> None:
        if isinstance(error, CommitOutcomeUnknown):
            self._on_broken()


def _write(opened: OpenedWarehouse, body: IO[bytes]) -> dict[str, object]:
    replaces = json.loads(body.readline())["replaces"]
    result = opened.write(Batch.from_bytes(body.read()), replaces=replaces)
    return {**asdict(result), "batch_id": str(result.batch_id)}


def _refuse_version(spoken: str) -> Response:
    message = (
        f"this command is of another version of duckpost than the worker (PID {os.getpid()}): it "
        f"speaks protocol {spoken}, the worker {PROTOCOL}. Restart the worker after an upgrade, or "
        "use the duckpost it runs."
    )
    fault = {"kind": WarehouseError.__name__, "message": message}
    return JSONResponse(fault, status_code=HTTPStatus.UPGRADE_REQUIRED)


async def _refuse_unknown(request: Request, _error: Exception) -> Response:
    fault = {
        "kind": WarehouseError.__name__,
        "message": f"the worker does not know {request.url.path[:_MOST_SHOWN]}: it is of another "
        "version of duckpost than this command",
    }
    return JSONResponse(fault, status_code=HTTPStatus.NOT_FOUND)


async def _hang_up(_request: Request, _error: Exception) -> Response:
    """The client went away before it had said all: nobody is there to answer."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _answer_misuse(_request: Request, error: Exception) -> Response:
    message = f"the worker does not understand the request: {error}"
    return JSONResponse(
        {"kind": "UsageError", "message": message}, status_code=HTTPStatus.BAD_REQUEST
    )
