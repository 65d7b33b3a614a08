"""Senders that are slow, many, or no senders at all, over real sockets."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from consumer import listener
from consumer.errors import SettingsError
from consumer.listener import Listener
from consumer.sources.http_app import to_app
from consumer.sources.http_firehose import FirehoseOptions, FirehoseSource
from consumer.sources.http_protocol import ConnectionLimits, make_protocol

if TYPE_CHECKING:
    from tests.sources.conftest import Acker, Eventually, HttpSender, Serve

Acking = Callable[[FirehoseSource], "Acker"]
HEADERS = {"X-Amz-Firehose-Protocol-Version": "1.0"}
BODY = b'{"requestId": "request-1", "records": [{"data": "cXVhY2s="}]}'
HEAD = b"POST /firehose HTTP/1.1\r\nHost: example.com\r\nX-Amz-Firehose-Protocol-Version: 1.0\r\n"


def make_source() -> FirehoseSource:
    return FirehoseSource(FirehoseOptions(path="/firehose", access_keys=()))


@contextlib.contextmanager
def connect(sender: "HttpSender") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", sender.port), timeout=10) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def trickle(connection: socket.socket, piece: bytes, *, pause_secs: float = 0.02) -> float:
    """Send ``piece`` over and over until the other side hangs up; return how long it took."""
    started = time.monotonic()
    connection.settimeout(pause_secs)
    while time.monotonic() - started < 10:
        try:
            connection.sendall(piece)
            if connection.recv(65_536) == b"":
                break
        except TimeoutError:
            continue  # nothing said yet
        except OSError:
            break
    return time.monotonic() - started


def test_headers_that_trickle_in_are_cut_off_by_an_absolute_deadline(serve: "Serve") -> None:
    sender = serve(make_source(), head_secs=0.4)
    with connect(sender) as connection:
        connection.sendall(b"POST /firehose HTTP/1.1\r\n")
        took_secs = trickle(connection, b"X: y\r\n")
    assert 0.3 < took_secs < 2


def test_a_connection_that_says_nothing_is_closed(serve: "Serve") -> None:
    sender = serve(make_source(), head_secs=0.2)
    with connect(sender) as connection:
        started = time.monotonic()
        assert b"" == read_all(connection)
        assert 0.1 < time.monotonic() - started < 2


def test_a_body_that_trickles_in_is_cut_off_by_an_absolute_deadline(
    serve: "Serve", eventually: "Eventually"
) -> None:
    source = make_source()
    sender = serve(source, body_secs=0.4)
    with connect(sender) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        took_secs = trickle(connection, b" ")
    assert 0.3 < took_secs < 2
    eventually(lambda: source.in_flight == (0, 0))


def test_a_slow_body_is_told_so(serve: "Serve") -> None:
    sender = serve(make_source(), body_secs=0.2)
    with connect(sender) as connection:
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\nhalf")
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_nobody_reads_any_more_has_the_same_deadline(serve: "Serve") -> None:
    sender = serve(make_source(), body_secs=0.4)
    with connect(sender) as connection:
        # No protocol version: refused at once, while the body is still to come.
        connection.sendall(b"POST /firehose HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
        assert b" 400 " in connection.recv(65_536)
        took_secs = trickle(connection, b" ")
    assert took_secs < 2


def test_the_second_requests_headers_have_a_deadline_too(serve: "Serve", acking: Acking) -> None:
    source = make_source()
    sender = serve(source, head_secs=0.4)
    acking(source)
    with connect(sender) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HEAD)
        assert trickle(connection, b"X: y\r\n") < 2


def test_waiting_for_the_commit_takes_as_long_as_it_takes(serve: "Serve") -> None:
    source = make_source()
    sender = serve(source, head_secs=0.2, body_secs=0.2)
    with connect(sender) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        (envelope,) = source.receive(limit=1, wait_secs=10)
        connection.settimeout(0.6)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        source.ack([envelope])
        connection.settimeout(10)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_one_connection_carries_many_requests(serve: "Serve", acking: Acking) -> None:
    source = make_source()
    sender = serve(source)
    acking(source)
    connection = http.client.HTTPConnection("127.0.0.1", sender.port, timeout=10)
    for _ in range(5):
        connection.request("POST", "/firehose", BODY, HEADERS)
        response = connection.getresponse()
        response.read()
        assert 200 == response.status
    connection.close()


def test_requests_sent_without_waiting_are_answered_in_order(
    serve: "Serve", acking: Acking
) -> None:
    source = make_source()
    sender = serve(source)
    acking(source)
    bodies = [b'{"requestId": "%d", "records": []}' % number for number in range(3)]
    with connect(sender) as connection:
        requests = [HEAD + b"Content-Length: %d\r\n" % len(body) for body in bodies]
        requests[-1] += b"Connection: close\r\n"
        connection.sendall(b"".join(h + b"\r\n" + b for h, b in zip(requests, bodies, strict=True)))
        told = read_all(connection)
    assert [b"0", b"1", b"2"] == [part.split(b'"')[2] for part in told.split(b"requestId")[1:]]


# --- many --------------------------------------------------------------------------------------


def test_one_connection_more_than_the_bound_is_turned_away(serve: "Serve") -> None:
    sender = serve(make_source(), max_connections=2)
    with connect(sender) as first, connect(sender) as second:
        first.sendall(HEAD)
        second.sendall(HEAD)
        with connect(sender) as third:
            told = read_all(third)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in told


def test_one_address_has_a_bound_of_its_own(serve: "Serve") -> None:
    sender = serve(make_source(), max_connections_per_address=1)
    with connect(sender) as first:
        first.sendall(HEAD)
        with connect(sender) as second:
            assert read_all(second).startswith(b"HTTP/1.1 503 ")


def test_a_connection_that_ends_makes_room(serve: "Serve", eventually: "Eventually") -> None:
    sender = serve(make_source(), max_connections=1)
    with connect(sender) as first:
        first.sendall(HEAD)

    def is_let_in() -> bool:
        return sender.post("/firehose", b"", {}).status == 400

    eventually(is_let_in)


def test_an_idle_connection_makes_room_for_a_new_one(serve: "Serve", acking: Acking) -> None:
    source = make_source()
    sender = serve(source, max_connections=1)
    acking(source)
    started = time.monotonic()
    with connect(sender) as idle:
        idle.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        assert idle.recv(65_536).startswith(b"HTTP/1.1 200 ")
        assert 200 == sender.post("/firehose", BODY, HEADERS).status
        read_all(idle)
    assert time.monotonic() - started < 4  # closed, and not because 5 s of idling were over


def test_a_sender_is_served_while_five_hundred_sockets_trickle(
    serve: "Serve", acking: Acking
) -> None:
    source = make_source()
    sender = serve(source, head_secs=5.0)
    acking(source)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(sender)) for _ in range(500)]
        for connection in slow:
            connection.sendall(b"POST /firehose HTTP/1.1\r\n")
        took_secs = []
        for number in range(100):
            for connection in slow[number * 5 : number * 5 + 5]:
                connection.sendall(b"X: y\r\n")
            started = time.monotonic()
            assert 200 == sender.post("/firehose", BODY, HEADERS).status
            took_secs.append(time.monotonic() - started)
    assert sorted(took_secs)[98] < 1


# --- no senders --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /firehose HTTP/1.1\r\n\r\n", 400),  # no Host
        (HEAD + b"Content-Length: x\r\n\r\n", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n", 400),
        (HEAD + b" folded: header\r\nContent-Length : 3\r\n\r\n", 400),
        (HEAD + b"X: " + b"y" * 200_000 + b"\r\n\r\n", 400),
        (b"GET /firehose HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"DELETE /firehose HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST /other HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"POST /firehose/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"POST /firehose/../firehose HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"POST //firehose HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ],
)
def test_what_is_no_proper_request_is_refused(
    serve: "Serve",
    acking: Acking,
    capfd: pytest.CaptureFixture[str],
    request_bytes: bytes,
    status: int,
) -> None:
    source = make_source()
    sender = serve(source, head_secs=1.0, body_secs=1.0)
    worker = acking(source)
    with connect(sender) as connection:
        connection.sendall(request_bytes)
        told = connection.recv(65_536)
    assert b" %d " % status in told.split(b"\r\n")[0]
    assert b"uvicorn" not in told
    assert not worker.taken
    assert "Invalid HTTP request" not in capfd.readouterr().err


def test_a_chunked_body_needs_no_length(serve: "Serve", acking: Acking) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY)
    with connect(sender) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert [b"quack\n"] == worker.bodies()


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture
def certificate_files(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey, certify: Callable[..., bytes]
) -> tuple[Path, Path]:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(certify(name="localhost"))
    key.write_bytes(
        rsa_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key


@pytest.fixture
def secure_port(
    certificate_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, acking: Acking
) -> Iterator[int]:
    monkeypatch.setattr(listener, "HANDSHAKE_SECS", 0.3)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate_files)
    source = make_source()
    bound = listener.bind("127.0.0.1", 0, what="a test", advice="")
    port: int = bound.getsockname()[1]
    with Listener(to_app([source]), bound, protocol=make_protocol(ConnectionLimits()), tls=context):
        acking(source)
        yield port
        source.close()


def test_over_tls_the_same_answers_come(
    secure_port: int, certificate_files: tuple[Path, Path]
) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", secure_port, timeout=10, context=context)
    connection.request("POST", "/firehose", BODY, HEADERS)
    response = connection.getresponse()
    assert (200, "request-1") == (response.status, json.loads(response.read())["requestId"])
    connection.close()


def test_a_handshake_that_takes_its_time_is_cut_off(secure_port: int) -> None:
    with socket.create_connection(("127.0.0.1", secure_port), timeout=10) as connection:
        started = time.monotonic()
        assert b"" == read_all(connection)
        assert 0.1 < time.monotonic() - started < 3


def test_a_port_that_is_taken_is_told_with_what_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=r"for HTTP sources: .*; set http\.port"):
            listener.bind("127.0.0.1", port, what="HTTP sources", advice="set http.port")


def test_no_thread_is_left_behind(serve: "Serve") -> None:
    before = threading.active_count()
    source = make_source()
    bound = listener.bind("127.0.0.1", 0, what="a test", advice="")
    with Listener(to_app([source]), bound):
        pass
    assert before == threading.active_count()
