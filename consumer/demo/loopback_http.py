"""Just enough HTTP/1.1 to serve an AWS JSON API on loopback: POST, keep-alive, known length.

`http.server` parses headers with the e-mail package and would cost more than the queue behind it.
"""

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from consumer.demo.loopback_messages import QueueFault

MAX_REQUEST_BYTES = 8 * 1_048_576

# action and request in, answer out; raises QueueFault for a refusal
Api = Callable[[str, dict[str, Any]], dict[str, Any]]


class LoopbackServer(socketserver.ThreadingTCPServer):
    """Serve ``api`` on a free port of 127.0.0.1, a thread a connection."""

    daemon_threads = True
    block_on_close = False
    # A demo started again within a minute must get its sockets.
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, api: Api) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.api = api
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        # The interval only bounds how long `stop` waits.
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def endpoint_url(self) -> str:
        """Where it listens, as clients take it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        """Begin to answer, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End serving and hang up on every client, long polls included."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def note_open(self, connection: socket.socket) -> None:
        """Remember a connection for `stop`."""
        with self._lock:
            self._open.add(connection)

    def note_closed(self, connection: socket.socket) -> None:
        """Forget a connection that ended by itself."""
        with self._lock:
            self._open.discard(connection)


class _Connection(socketserver.StreamRequestHandler):
    """One client's requests, one after the other."""

    disable_nagle_algorithm = True
    server: LoopbackServer

    def setup(self) -> None:
        super().setup()
        self.server.note_open(self.connection)

    def handle(self) -> None:
        # A client that leaves in the middle of a long poll is nothing to report.
        with contextlib.suppress(ConnectionError):
            while self._answer_one():
                pass

    def finish(self) -> None:
        self.server.note_closed(self.connection)
        with contextlib.suppress(ConnectionError):
            super().finish()

    def _answer_one(self) -> bool:
        if not self.rfile.readline(65_537):  # the request line: every path is the same API
            return False
        length, action, keep = 0, "", True
        while (line := self.rfile.readline(65_537)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.partition(b":")
            key = name.lower()
            if key == b"content-length":
                length = int(value) if value.strip().isdigit() else 0
            elif key == b"x-amz-target":
                action = value.strip().decode("latin-1").rpartition(".")[2]
            elif key == b"connection":
                keep = value.strip().lower() != b"close"
        if length > MAX_REQUEST_BYTES:
            self._send(*_refuse(QueueFault("RequestEntityTooLarge", "Too large.", status=413)))
            return False
        body = self.rfile.read(length)
        try:
            request = json.loads(body or b"{}")
            answer = self.server.api(action, request)
        except QueueFault as fault:
            self._send(*_refuse(fault))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            unfit = QueueFault("SerializationException", f"The request does not fit: {error!r}")
            self._send(*_refuse(unfit))
        else:
            self._send(HTTPStatus.OK, "", answer)
        return keep

    def _send(self, status: int, extra_headers: str, answer: dict[str, Any]) -> None:
        body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(
            errors="surrogatepass"
        )
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "x-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            f"{extra_headers}Content-Length: {len(body)}\r\n\r\n"
        )
        self.wfile.write(head.encode("latin-1") + body)


def _refuse(fault: QueueFault) -> tuple[int, str, dict[str, Any]]:
    blame = "Sender" if fault.is_sender_fault else "Receiver"
    header = f"x-amzn-query-error: {fault.query_code};{blame}\r\n"
    answer = {"__type": f"com.amazonaws.sqs#{fault.code}", "message": fault.message}
    return fault.status, header, answer
