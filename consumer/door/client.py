"""The other end of `consumer.door.server`: a warehouse reached through the worker that has it."""

import contextlib
import http.client
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from consumer import errors
from consumer.batch import Batch
from consumer.errors import DuckpostError, QueryError, WarehouseError
from consumer.warehouse import WriteResult
from consumer.warehouse.backup import BackupResult
from consumer.warehouse.erasure.erasing import ErasureResult
from consumer.warehouse.erasure.pending_rewrite import read_pending
from consumer.warehouse.estimates import Estimate, Estimates
from consumer.warehouse.place import Place
from consumer.warehouse.reconciliations import Reconciliation
from consumer.warehouse.recount import Finding
from consumer.warehouse.retention import PruneResult, Retention
from consumer.warehouse.rules.reclassification import Change, Reclassification
from consumer.warehouse.ses_suppressions import Listed

PROTOCOL = 5
# Which one a client speaks: each request says it.
PROTOCOL_HEADER = "Duckpost-Protocol"
CONNECT_SECS = 5.0
SLICE_ROWS = 5_000  # the worker's own batches wait for one of these at most

_LOOK_SECS = 0.2
_MOST_ABOUT_BYTES = 64 * 1024
_BUSY = (http.client.REQUEST_TIMEOUT, http.client.SERVICE_UNAVAILABLE)

OnProgress = Callable[[int, int], None]

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
    """Speaks to the worker behind a warehouse's door; offers what `Access` asks for.

    Args:
        path: the warehouse file.

    Raises:
        ConnectionError: nobody is behind the door.
        WarehouseError: the socket is somebody else's, or the worker is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket_path = Place(path).socket
        owner = self._socket_path.stat().st_uid
        if owner != os.getuid():
            raise WarehouseError(f"{self._socket_path} belongs to user {owner}, not to you")
        about = self._ask_about()
        if about.get("protocol") != PROTOCOL:
            raise WarehouseError(
                f"the worker of {path} (PID {about.get('pid', 'unknown')}) is of another version "
                f"of duckpost than this command: it speaks protocol {about.get('protocol', '?')}, "
                f"this one {PROTOCOL}. Restart the worker after an upgrade, or use the duckpost it "
                "runs."
            )
        self.pid: int = about["pid"]
        self.secret = bytes.fromhex(about["secret"])
        self.store_subject: bool = about["store_subject"]
        self.archive: bool = about["archive"]
        self.is_hashed: bool = about["is_hashed"]
        self.max_rows = SLICE_ROWS

    @contextlib.contextmanager
    def read(self, sql: str, params: Sequence[object] = ()) -> Iterator[pa.RecordBatchReader]:
        """Ask the worker; rows are streamed. Parameters are what JSON has."""
        body = json.dumps({"sql": sql, "params": list(params)}).encode()
        connection = _UnixConnection(self._socket_path)
        try:
            response = self._request(connection, "POST", "/v1/query", body)
            with pa.ipc.open_stream(pa.PythonFile(response, mode="r")) as reader:
                yield reader
        except (http.client.HTTPException, pa.ArrowInvalid, OSError) as error:
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

    def drop_quarantined(
        self, sha256s: Collection[str] | None, *, on_progress: OnProgress | None = None
    ) -> int:
        """Have the worker forget payloads in quarantine, all of them for None."""
        listed = None if sha256s is None else sorted(sha256s)
        answer = self._follow("/v1/quarantine/drop", {"sha256s": listed}, on_progress)
        return int(answer["dropped"])

    def change_own(self, sql: str) -> str:
        """Have the worker make or drop something in the schema `my`."""
        return str(self._follow("/v1/own", {"sql": sql}, None)["name"])

    def verify(self, *, on_progress: OnProgress | None = None) -> list[Finding]:
        """Have the worker lay ledger, rows, marks and archive against each other."""
        answer = self._follow("/v1/verify", {}, on_progress)
        return [Finding(**one) for one in answer["findings"]]

    def back_up(self, folder: Path, *, on_progress: OnProgress | None = None) -> BackupResult:
        """Have the worker copy its warehouse; the folder is one of the worker's file system."""
        asked = {"folder": str(folder.absolute())}
        return BackupResult(**self._follow("/v1/backup", asked, on_progress))

    def erase(self, address: str, *, on_progress: OnProgress | None = None) -> ErasureResult:
        """Have the worker erase an address."""
        return ErasureResult(**self._follow("/v1/erase", {"address": address}, on_progress))

    def prune(
        self,
        retention: Retention,
        *,
        is_dry_run: bool = False,
        on_progress: OnProgress | None = None,
    ) -> PruneResult:
        """Have the worker delete what is older than it may be."""
        asked = {"retention": asdict(retention), "is_dry_run": is_dry_run}
        return PruneResult(**self._follow("/v1/prune", asked, on_progress))

    def reclassify(
        self, *, is_dry_run: bool = False, on_progress: OnProgress | None = None
    ) -> Reclassification:
        """Have the worker judge all events by the rules of its own settings, read anew."""
        told = self._follow("/v1/reclassify", {"is_dry_run": is_dry_run}, on_progress)
        return Reclassification(**{**told, "changes": [Change(**one) for one in told["changes"]]})

    def lift_suppression(self, recipient: str, note: str | None) -> None:
        """Have the worker note that a recipient may be mailed again."""
        asked = {"recipient": recipient, "note": note}
        self._ask("POST", "/v1/suppression/lift", json.dumps(asked).encode())

    def keep_ses_list(self, account: str, region: str, listed: Sequence[Listed]) -> None:
        """Have the worker keep SES's account suppression list."""
        rows = [(one.recipient, one.reason, one.updated_at.isoformat()) for one in listed]
        asked = {"account": account, "region": region, "listed": rows}
        self._ask("POST", "/v1/suppression/ses-list", json.dumps(asked).encode())

    def keep_reconciliation(self, found: Reconciliation) -> None:
        """Have the worker keep what AWS said beside our figures."""
        self._ask("POST", "/v1/reconciliations", json.dumps(found.to_json()).encode())

    def estimates(self) -> Estimates:
        """Ask the worker how long a backup and a rewrite would take."""
        told = self._ask("GET", "/v1/estimates")
        return Estimates(**{name: Estimate(**one) for name, one in told.items()})

    def rewrite(self) -> None:
        """Have the worker drain, rewrite its file and start anew; returns when it has rewritten it.

        It replaces its process by the same command, so that its number stays.
        """
        place = Place(self.path)
        self._ask("POST", "/v1/rewrite", b"{}")
        while (pending := read_pending(place)) is not None:
            if pending.why:
                raise WarehouseError(
                    f"the file was not rewritten: {pending.why} The worker goes on, and tries "
                    f"again from {pending.due_at:%F %R} UTC on, or when asked to."
                )
            if not _is_running(self.pid):
                raise WarehouseError(
                    f"the worker (PID {self.pid}) ended before the file was rewritten. Start it "
                    "again: it does so then."
                )
            time.sleep(_LOOK_SECS)

    def interrupt(self) -> bool:
        """Nothing runs here: the worker ends what is asked once its connection is gone."""
        return False

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _ask_about(self) -> dict[str, Any]:
        """Return what the worker says of itself, nothing where it does not know the question."""
        connection = _UnixConnection(self._socket_path)
        try:
            connection.request("GET", "/v1/about", headers={PROTOCOL_HEADER: str(PROTOCOL)})
            response = connection.getresponse()
            if response.status in _BUSY:
                raise _to_error(response)
            told = json.loads(response.read(_MOST_ABOUT_BYTES))
        except ValueError:
            return {}
        except http.client.HTTPException as error:
            raise self._went_away("/v1/about") from error
        finally:
            connection.close()
        return told if isinstance(told, dict) else {}

    def _ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        """Ask the worker that answered at the start; by now it may be gone."""
        try:
            return self._exchange(method, path, body)
        except OSError as error:
            raise self._went_away(path) from error

    def _exchange(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        connection = _UnixConnection(self._socket_path)
        try:
            answer: dict[str, Any] = json.loads(
                self._request(connection, method, path, body).read()
            )
        except http.client.HTTPException as error:
            raise self._went_away(path) from error
        finally:
            connection.close()
        return answer

    def _follow(
        self, path: str, asked: dict[str, Any], on_progress: OnProgress | None
    ) -> dict[str, Any]:
        """Ask for long work and hear of its progress; leaving early, as by Ctrl-C, cancels it."""
        connection = _UnixConnection(self._socket_path)
        try:
            response = self._request(connection, "POST", path, json.dumps(asked).encode())
            for line in response:
                told: dict[str, Any] = json.loads(line)
                if "fault" in told:
                    raise _to_fault(told["fault"])
                if "result" in told:
                    result: dict[str, Any] = told["result"]
                    return result
                if told and on_progress is not None:
                    on_progress(told["done"], told["total"])
        except (http.client.HTTPException, OSError) as error:
            raise self._went_away(path) from error
        finally:
            connection.close()
        raise self._went_away(path)

    def _went_away(self, path: str) -> WarehouseError:
        return WarehouseError(
            f"the worker of {self.path} went away before it answered {path}. What it committed "
            "stays; give the command again."
        )

    def _request(
        self, connection: _UnixConnection, method: str, path: str, body: bytes
    ) -> http.client.HTTPResponse:
        connection.request(method, path, body, headers={PROTOCOL_HEADER: str(PROTOCOL)})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise _to_error(response)
        return response


def _is_running(pid: int) -> bool:
    """Whether the worker is there; it runs as this user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _to_error(response: http.client.HTTPResponse) -> DuckpostError:
    body = response.read()
    try:
        return _to_fault(json.loads(body))
    except (ValueError, KeyError, TypeError):
        if response.status in _BUSY:
            return WarehouseError(
                "the worker has too much else to do: it took no more connections, or the command "
                "was too slow for it. Give it again."
            )
        return WarehouseError(f"the worker answered {response.status}: see its log")


def _to_fault(fault: dict[str, Any]) -> DuckpostError:
    kind = getattr(errors, fault["kind"], WarehouseError)
    is_ours = isinstance(kind, type) and issubclass(kind, DuckpostError)
    return kind(fault["message"]) if is_ours else WarehouseError(fault["message"])
