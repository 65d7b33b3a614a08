"""Whatever bytes come, before and after the password: parsed or hung up on, and nobody else cares.

Hypothesis shrinks what it finds; https://www.postgresql.org/docs/15/protocol-message-formats.html
has what the valid ones are made of.
"""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

import contextlib
import logging
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.endpoint.messages import frontend
from consumer.endpoint.messages.fields import Malformed

KINDS = b"QPBDCESHXpdcfRZ\x00\xff"
SQL = st.sampled_from(
    [
        "select 1", "select $1::integer", "select count(*) from events", "begin", "rollback",
        "declare c cursor for select 1", "fetch 1 from c", "close c", "copy (select 1) to stdout",
        "show all", "set application_name = 'x'", "deallocate all", "selec", "", "select * from x",
        "explain select 1", "select 'é", "select $2", "discard all", "\ufeff;",
    ]
)  # fmt: skip
NAMES = st.sampled_from(["", "a", "b", "c"])


def to_message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def to_text(text: str) -> bytes:
    return text.encode() + b"\0"


def counted(code: str, values: list[int]) -> bytes:
    return struct.pack(f"!H{len(values)}{code}", len(values), *values)


FORMATS = st.lists(st.integers(0, 1), max_size=3)
VALUE = st.binary(max_size=9).map(lambda data: struct.pack("!i", len(data)) + data)
NULL = st.just(struct.pack("!i", -1))
BIND = st.builds(
    lambda portal, name, formats, values, wanted: (
        to_text(portal)
        + to_text(name)
        + counted("h", formats)
        + struct.pack("!H", len(values))
        + b"".join(values)
        + counted("h", wanted)
    ),
    NAMES, NAMES, FORMATS, st.lists(VALUE | NULL, max_size=3), FORMATS,
)  # fmt: skip
MESSAGE = st.one_of(
    SQL.map(lambda sql: to_message(b"Q", to_text(sql))),
    st.builds(
        lambda name, sql, oids: to_message(b"P", to_text(name) + to_text(sql) + counted("I", oids)),
        NAMES,
        SQL,
        st.lists(st.sampled_from([0, 23, 25, 1700, 1114, 99_999]), max_size=2),
    ),
    BIND.map(lambda body: to_message(b"B", body)),
    st.builds(
        lambda kind, what, name: to_message(kind, what + to_text(name)),
        st.sampled_from([b"D", b"C"]), st.sampled_from([b"S", b"P"]), NAMES,
    ),
    st.builds(
        lambda name, rows: to_message(b"E", to_text(name) + struct.pack("!i", rows)),
        NAMES, st.sampled_from([0, 1, -1, 2**31 - 1]),
    ),
    st.sampled_from([to_message(b"S", b""), to_message(b"H", b""), to_message(b"c", b"")]),
)  # fmt: skip


@given(kind=st.sampled_from([KINDS[at : at + 1] for at in range(len(KINDS))]), body=st.binary())
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_a_message_or_malformed(kind: bytes, body: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(frontend.parse_message(kind, body), frontend.Message)


@given(kind=st.sampled_from([b"B", b"P", b"E", b"D"]), body=BIND, cut=st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_a_message_that_ends_early_is_malformed(kind: bytes, body: bytes, cut: int) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(frontend.parse_message(kind, body[:-cut]), frontend.Message)


@given(body=st.binary() | st.binary().map(lambda rest: struct.pack("!i", 196_608) + rest))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_start_up_or_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        number, parameters = frontend.parse_startup(body)
        assert isinstance(number, int)
        assert all(isinstance(value, str) for value in parameters.values())


@given(body=st.binary())
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_first_word_of_sasl_or_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        mechanism, first = frontend.parse_sasl_initial(body)
        assert (str, str) == (type(mechanism), type(first))


@pytest.fixture
def bystander(server: Any) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        yield connection


class Errors(logging.Handler):
    """What asyncio logs when something escapes a task."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def escaped() -> Iterator[list[str]]:
    handler = Errors()
    logging.getLogger("asyncio").addHandler(handler)
    yield handler.texts
    logging.getLogger("asyncio").removeHandler(handler)


def talk(server: Any, data: bytes) -> None:
    """Log in, say that, and take whatever comes until the server hangs up."""
    connection = psycopg.connect(server.dsn())
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as client:
            client.settimeout(20)
            with contextlib.suppress(ConnectionError):
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass
    finally:
        connection.close()


@given(data=st.binary(min_size=1, max_size=200))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_garbage_after_the_password_ends_that_session_alone(
    server: Any, bystander: psycopg.Connection, escaped: list[str], data: bytes
) -> None:
    talk(server, data)

    assert (1,) == bystander.execute("select 1").fetchone()
    assert [] == escaped


@given(said=st.lists(MESSAGE, min_size=1, max_size=12), tail=st.binary(max_size=6))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_messages_in_any_order_are_answered_or_refused(
    server: Any, bystander: psycopg.Connection, escaped: list[str], said: list[bytes], tail: bytes
) -> None:
    talk(server, b"".join(said) + tail)

    assert (1,) == bystander.execute("select 1").fetchone()
    assert [] == escaped
