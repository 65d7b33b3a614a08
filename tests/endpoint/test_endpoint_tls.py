"""TLS: verified by clients, required of them, and needed to be reached from other machines."""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from certificates import Authority
from consumer.endpoint.opening import open_tls
from consumer.errors import SettingsError
from consumer.settings import EndpointSettings

USER = {"name": "grafana", "password": "a password for tests"}
SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)


@dataclass(frozen=True)
class Files:
    """An authority's certificate, and a server's for 127.0.0.1 with its key."""

    authority: Path
    certificate: Path
    key: Path
    other_key: Path

    def settings(self, **more: object) -> EndpointSettings:
        files = {"certificate_file": self.certificate, "key_file": self.key}
        return EndpointSettings.model_validate({"users": [USER], **files, **more})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.found("An authority for tests")
    issued, other = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")
    found = Files(*(folder / name for name in ("ca.pem", "server.pem", "key.pem", "other.pem")))
    found.authority.write_bytes(authority.certificate_pem)
    found.certificate.write_bytes(issued.certificate_pem)
    found.key.write_bytes(issued.key_pem())
    found.other_key.write_bytes(other.key_pem())
    return found


@pytest.fixture(scope="module")
def secure(start: Any, files: Files) -> Iterator[Any]:
    with start(tls=open_tls(files.settings())) as server:
        yield server


def test_a_client_that_verifies_everything_is_let_in(secure: Any, files: Files) -> None:
    dsn = secure.dsn(sslmode="verify-full", sslrootcert=files.authority)
    with psycopg.connect(dsn) as connection:
        assert (1,) == connection.execute("select 1").fetchone()
        assert connection.pgconn.ssl_in_use


def test_a_client_that_trusts_another_authority_leaves(secure: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.found("Another").certificate_pem)

    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(secure.dsn(sslmode="verify-full", sslrootcert=other))


def test_a_client_without_tls_is_told_to_use_it(secure: Any) -> None:
    with pytest.raises(psycopg.OperationalError, match="sslmode=require"):
        psycopg.connect(secure.dsn(sslmode="disable"))


def test_a_query_is_cancelled_over_tls_too(secure: Any) -> None:
    with psycopg.connect(secure.dsn(sslmode="require"), autocommit=True) as connection:
        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(
                "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b"
            )
        timer.join()


def test_clients_are_told_that_the_server_stops(start: Any, files: Files) -> None:
    with start(tls=open_tls(files.settings())) as server:
        connection = psycopg.connect(server.dsn(sslmode="require"), autocommit=True)

    with pytest.raises(psycopg.errors.AdminShutdown):
        connection.execute("select 1")
    connection.close()


@pytest.mark.parametrize("after", [b"", b"\x16\x03\x01\x00", b"no handshake at all, but text"])
def test_half_a_handshake_hurts_nobody(secure: Any, after: bytes) -> None:
    with secure.connect() as client:
        client.sendall(SSL_REQUEST)
        assert b"S" == client.recv(1)
        client.sendall(after)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass

    with psycopg.connect(secure.dsn(sslmode="require")) as connection:
        assert (1,) == connection.execute("select 1").fetchone()


def test_what_comes_in_the_clear_before_the_handshake_is_never_taken_as_encrypted(
    secure: Any,
) -> None:
    with secure.connect() as client:
        startup = struct.pack("!i", 196_608) + b"user\0reader\0\0"
        client.sendall(SSL_REQUEST + struct.pack("!i", len(startup) + 4) + startup)
        answer = client.recv(4096)

    assert b"unencrypted data after SSL request" in answer


def test_no_older_tls_than_1_2_is_spoken(secure: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with secure.connect() as client:
        client.sendall(SSL_REQUEST)
        client.recv(1)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(client)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "duckpost.example.com"])  # noqa: S104 - what is refused
def test_other_machines_are_served_with_tls_or_by_express_wish(files: Files, host: str) -> None:
    with pytest.raises(ValueError, match="insecure = true where the network is trusted"):
        EndpointSettings.model_validate({"users": [USER], "host": host})

    assert host == files.settings(host=host).host
    trusted = {"users": [USER], "host": host, "insecure": True}
    assert EndpointSettings.model_validate(trusted).is_open


def test_a_key_of_another_certificate_is_refused_before_anybody_connects(files: Files) -> None:
    with pytest.raises(SettingsError, match=r"endpoint\.key_file .*other\.pem"):
        open_tls(files.settings(key_file=files.other_key))


def test_a_certificate_that_is_not_there_is_named(files: Files, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.pem.*No such file"):
        open_tls(files.settings(certificate_file=tmp_path / "gone.pem"))
