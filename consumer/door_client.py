"""The other end of `consumer.door`: a warehouse reached through the worker that has it open."""

import contextlib
import http.client
import json
import os
import socket
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from consumer import errors
from consumer.batch import Batch
from consumer.errors import DuckpostError, QueryError, WarehouseError
from consumer.warehouse import WriteResult
from consumer.warehouse.place import Place
from consumer.warehouse.recount import Finding

CONNECT_SECS = 5.0

_MAX_SOCKET_PATH_BYTES = 100  # the kernel's limit is 108 on Linux, 104 elsewhere


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Yield an address for ``path`` that fits into a socket address, however deep it lies."""
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_SECS)
        with short_address(self._path) as address:
            self.sock.connect(address)
        self.sock.settimeout(None)  # a query may take long, and the worker is on this machine


class DoorClient:
    """Speaks to the worker behind a warehouse's door; offers what `consumer.access.Access` asks.

    Args:
        path: the warehouse file.

    Raises:
        ConnectionError: nobody is behind the door.
        WarehouseError: the socket is somebody else's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket_path = Place(path).socket
        owner = self._socket_path.stat().st_uid
        if owner != os.getuid():
            raise WarehouseError(f"{self._socket_path} belongs to user {owner}, not to you")
        about = self._ask("GET", "/v1/about")
        self.pid: int = about["pid"]
        self.secret = bytes.fromhex(about["secret"])
        self.store_subject: bool = about["store_subject"]
        self.archive: bool = about["archive"]

    @contextlib.contextmanager
    def read(self, sql: str, params: Sequence[object] = ()) -> Iterator[pa.RecordBatchReader]:
        """Ask the worker; rows are streamed. Parameters are what JSON has."""
        body = json.dumps({"sql": sql, "params": list(params)}).encode()
        connection = _UnixConnection(self._socket_path)
        try:
            response = self._request(connection, "POST", "/v1/query", body)
            with pa.ipc.open_stream(pa.PythonFile(response, mode="r")) as reader:
                yield reader
        except (http.client.HTTPException, pa.ArrowInvalid) as error:
            raise QueryError(
                "the worker broke the answer off half-way: out of memory or it was stopped"
            ) from error
        finally:
            connection.close()

    def write(self, batch: Batch, *, replaces: Collection[str] = ()) -> WriteResult:
        """Have the worker commit a batch."""
        head = json.dumps({"replaces": sorted(replaces)}).encode()
        answer = self._ask("POST", "/v1/write", b"\n".join([head, batch.to_bytes()]))
        return WriteResult(**{**answer, "batch_id": uuid.UUID(answer["batch_id"])})

    def drop_quarantined(self, sha256s: Collection[str] | None) -> int:
        """Have the worker forget payloads in quarantine, all of them for None."""
        listed = None if sha256s is None else sorted(sha256s)
        answer = self._ask("POST", "/v1/quarantine/drop", json.dumps({"sha256s": listed}).encode())
        dropped: int = answer["dropped"]
        return dropped

    def verify(self) -> list[Finding]:
        """Have the worker lay ledger, rows, marks and archive against each other."""
        return [Finding(**one) for one in self._ask("POST", "/v1/verify", b"{}")["findings"]]

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        connection = _UnixConnection(self._socket_path)
        try:
            answer: dict[str, Any] = json.loads(
                self._request(connection, method, path, body).read()
            )
        except http.client.HTTPException as error:
            raise WarehouseError(
                f"the worker of {self.path} went away before it answered {path}; try again"
            ) from error
        finally:
            connection.close()
        return answer

    def _request(
        self, connection: _UnixConnection, method: str, path: str, body: bytes
    ) -> http.client.HTTPResponse:
        connection.request(method, path, body)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise _to_error(response)
        return response


def _to_error(response: http.client.HTTPResponse) -> DuckpostError:
    body = response.read()
    try:
        fault = json.loads(body)
        kind = getattr(errors, fault["kind"], WarehouseError)
        message = fault["message"]
    except (ValueError, KeyError, TypeError):
        return WarehouseError(f"the worker answered {response.status}: see its log")
    is_ours = isinstance(kind, type) and issubclass(kind, DuckpostError)
    return kind(message) if is_ours else WarehouseError(message)
