"""What clients get: PostgreSQL's backend messages, built.

https://www.postgresql.org/docs/15/protocol-message-formats.html
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumer.endpoint.messages.fields import COUNT16, INT32, TEXT, UINT32


def build(kind: bytes, body: bytes = b"") -> bytes:
    """A message: its type, its length, its body."""
    return kind + INT32.pack(len(body) + 4) + body


def to_text(text: str) -> bytes:
    """A text with the zero byte that ends it; one inside would end it early."""
    return text.replace("\0", "").encode("utf-8", "replace") + b"\0"


AUTHENTICATED = build(b"R", INT32.pack(0))
PARSE_COMPLETE = build(b"1")
BIND_COMPLETE = build(b"2")
CLOSE_COMPLETE = build(b"3")
NO_DATA = build(b"n")
EMPTY_QUERY = build(b"I")
PORTAL_SUSPENDED = build(b"s")
COPY_DONE = build(b"c")


def sasl(mechanisms: Iterable[str]) -> bytes:
    """Ask for an authentication with one of these mechanisms."""
    return build(b"R", INT32.pack(10) + b"".join(map(to_text, mechanisms)) + b"\0")


def sasl_continue(data: str) -> bytes:
    """The server's first word in SASL."""
    return build(b"R", INT32.pack(11) + data.encode())


def sasl_final(data: str) -> bytes:
    """The server's last word in SASL."""
    return build(b"R", INT32.pack(12) + data.encode())


def parameter_status(name: str, value: str) -> bytes:
    """Tell a setting that clients want to know."""
    return build(b"S", to_text(name) + to_text(value))


def backend_key(pid: int, secret: int) -> bytes:
    """What a client needs to cancel."""
    return build(b"K", UINT32.pack(pid) + UINT32.pack(secret))


def negotiate_version(unknown: Sequence[str]) -> bytes:
    """Say that 3.0 is the newest protocol, and which of its options are not known."""
    return build(b"v", INT32.pack(0) + INT32.pack(len(unknown)) + b"".join(map(to_text, unknown)))


def ready(status: str) -> bytes:
    """Ready for the next query; ``I`` idle, ``T`` in a transaction, ``E`` in a failed one."""
    return build(b"Z", status.encode())


def complete(tag: str) -> bytes:
    """A statement ended as ``tag`` says."""
    return build(b"C", to_text(tag))


def parameter_description(oids: Sequence[int]) -> bytes:
    """The types of a statement's parameters."""
    return build(b"t", COUNT16.pack(len(oids)) + b"".join(map(UINT32.pack, oids)))


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a result; ``size`` is -1 where values have any length."""

    name: str
    oid: int
    size: int = -1
    modifier: int = -1
    format: int = TEXT


def row_description(fields: Sequence[Field]) -> bytes:
    """The columns of a result."""
    parts = [COUNT16.pack(len(fields))]
    for one in fields:
        numbers = struct.pack("!IhIhih", 0, 0, one.oid, one.size, one.modifier, one.format)
        parts += [to_text(one.name), numbers]
    return build(b"T", b"".join(parts))


def data_row(values: Sequence[bytes | None]) -> bytes:
    """A row of a result."""
    parts = [COUNT16.pack(len(values))]
    for value in values:
        parts += [b"\xff\xff\xff\xff"] if value is None else [INT32.pack(len(value)), value]
    return build(b"D", b"".join(parts))


def copy_out(columns: int) -> bytes:
    """What follows are lines of COPY, as text."""
    return build(b"H", b"\0" + COUNT16.pack(columns) + b"\0\0" * columns)


def copy_data(data: bytes) -> bytes:
    """Some of COPY's lines."""
    return build(b"d", data)


def error(
    text: str, state: str, *, severity: str = "ERROR", hint: str = "", position: int = 0
) -> bytes:
    """An error with its SQLSTATE; ``position`` counts characters of the query from 1, 0 is none.

    https://www.postgresql.org/docs/15/protocol-error-fields.html
    """
    return build(b"E", _to_fault(text, state, severity, hint, position))


def notice(text: str, *, severity: str = "NOTICE", state: str = "00000") -> bytes:
    """Something worth knowing that is no error."""
    return build(b"N", _to_fault(text, state, severity, "", 0))


def _to_fault(text: str, state: str, severity: str, hint: str, position: int) -> bytes:
    fields = [("S", severity), ("V", severity), ("C", state), ("M", text)]
    if hint:
        fields.append(("H", hint))
    if position:
        fields.append(("P", str(position)))
    return b"".join(key.encode() + to_text(value) for key, value in fields) + b"\0"
