"""The messages of protocol 3.0 as bytes: what clients send is parsed, what they get is built.

https://www.postgresql.org/docs/15/protocol-message-formats.html
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PROTOCOL_3 = 196_608
CANCEL_REQUEST = 80_877_102
SSL_REQUEST = 80_877_103
GSSENC_REQUEST = 80_877_104

TEXT, BINARY = 0, 1

_INT16 = struct.Struct("!h")
_COUNT16 = struct.Struct("!H")
_INT32 = struct.Struct("!i")
_UINT32 = struct.Struct("!I")


class Malformed(Exception):  # noqa: N818 - named for what the bytes are
    """The bytes are not the message that their type says."""


class Fields:
    """Reads a message's body field by field; whatever is missing or left over is `Malformed`."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self._at + count
        if count < 0 or end > len(self._body):
            raise Malformed("a message ends before its last field")
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def int16(self) -> int:
        """A signed 16-bit number."""
        number: int = _INT16.unpack(self.take(2))[0]
        return number

    def count(self) -> int:
        """How many fields follow: an unsigned 16-bit number."""
        number: int = _COUNT16.unpack(self.take(2))[0]
        return number

    def int32(self) -> int:
        """A signed 32-bit number."""
        number: int = _INT32.unpack(self.take(4))[0]
        return number

    def uint32(self) -> int:
        """An unsigned 32-bit number, as OIDs are."""
        number: int = _UINT32.unpack(self.take(4))[0]
        return number

    def text(self) -> str:
        """A text that ends with a zero byte."""
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise Malformed("a text in a message has no end")
        taken = self._body[self._at : end]
        self._at = end + 1
        try:
            return taken.decode()
        except UnicodeDecodeError as error:
            raise Malformed("a text in a message is not UTF-8") from error

    def value(self) -> bytes | None:
        """Bytes with their length before them; None for NULL."""
        length = self.int32()
        return None if length == -1 else self.take(length)

    def rest(self) -> bytes:
        """Whatever is left."""
        return self.take(len(self._body) - self._at)

    @property
    def has_more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._body)

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self.has_more:
            raise Malformed("a message is longer than its fields")


@dataclass(frozen=True, slots=True)
class Query:
    """One string of the simple protocol."""

    sql: str


@dataclass(frozen=True, slots=True)
class Parse:
    """Prepare a statement under a name, which may be empty; 0 is a type for us to find."""

    name: str
    sql: str
    type_oids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """Make a portal of a prepared statement and its parameters."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Describe:
    """Ask what a statement (``S``) or portal (``P``) returns."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a portal, or go on with it; 0 rows are all of them."""

    portal: str
    max_rows: int


@dataclass(frozen=True, slots=True)
class Close:
    """Forget a statement (``S``) or portal (``P``)."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Sync:
    """The end of an extended exchange."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Send what there is."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Goodbye."""


@dataclass(frozen=True, slots=True)
class Password:
    """An answer in an authentication: its bytes depend on the method."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message of COPY that has nothing to go with, and that PostgreSQL ignores too."""


Message = (
    Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Sync
    | Flush
    | Terminate
    | Password
    | Ignored
)


def parse_message(kind: bytes, body: bytes) -> Message:
    """Parse what a client sent after its start-up. Raises `Malformed`, whatever the bytes are."""
    fields = Fields(body)
    message: Message
    match kind:
        case b"Q":
            message = Query(fields.text())
        case b"P":
            name, sql = fields.text(), fields.text()
            message = Parse(name, sql, tuple(fields.uint32() for _ in range(fields.count())))
        case b"B":
            message = _parse_bind(fields)
        case b"D" | b"C":
            what = fields.take(1)
            if what not in (b"S", b"P"):
                raise Malformed(f"neither a statement nor a portal: {what!r}")
            make = Describe if kind == b"D" else Close
            message = make(what.decode(), fields.text())
        case b"E":
            message = Execute(fields.text(), fields.int32())
        case b"S":
            message = Sync()
        case b"H":
            message = Flush()
        case b"X":
            message = Terminate()
        case b"p":
            message = Password(fields.rest())
        case b"d" | b"c" | b"f":
            fields.rest()
            message = Ignored()
        case _:
            raise Malformed(f"there is no message of type {kind!r}")
    fields.end()
    return message


def _parse_bind(fields: Fields) -> Bind:
    portal, statement = fields.text(), fields.text()
    formats = tuple(fields.int16() for _ in range(fields.count()))
    values = tuple(fields.value() for _ in range(fields.count()))
    result_formats = tuple(fields.int16() for _ in range(fields.count()))
    if not {*formats, *result_formats} <= {TEXT, BINARY}:
        raise Malformed("a format is neither 0 (text) nor 1 (binary)")
    if len(formats) not in (0, 1, len(values)):
        raise Malformed("neither no format, nor one, nor one a parameter")
    return Bind(portal, statement, formats, values, result_formats)


def parse_startup(body: bytes) -> tuple[int, Mapping[str, str]]:
    """Parse the untyped first message: its protocol or request number, and its parameters.

    A cancel request's are under ``pid`` and ``secret``, as decimal texts.
    """
    fields = Fields(body)
    number = fields.int32()
    if number == CANCEL_REQUEST:
        found = {"pid": str(fields.uint32()), "secret": str(fields.uint32())}
        fields.end()
        return number, found
    if number in (SSL_REQUEST, GSSENC_REQUEST):
        fields.end()
        return number, {}
    if number >> 16 != PROTOCOL_3 >> 16:
        raise Malformed(f"protocol {number >> 16}.{number & 0xFFFF} is not spoken here, 3.0 is")
    parameters = {}
    while name := fields.text():
        parameters[name] = fields.text()
    fields.end()
    return number, parameters


def build(kind: bytes, body: bytes = b"") -> bytes:
    """A message: its type, its length, its body."""
    return kind + _INT32.pack(len(body) + 4) + body


def to_text(text: str) -> bytes:
    """A text with the zero byte that ends it; one inside would end it early."""
    return text.replace("\0", "").encode("utf-8", "replace") + b"\0"


AUTHENTICATED = build(b"R", _INT32.pack(0))
PARSE_COMPLETE = build(b"1")
BIND_COMPLETE = build(b"2")
CLOSE_COMPLETE = build(b"3")
NO_DATA = build(b"n")
EMPTY_QUERY = build(b"I")
PORTAL_SUSPENDED = build(b"s")
COPY_DONE = build(b"c")


def sasl(mechanisms: Iterable[str]) -> bytes:
    """Ask for an authentication with one of these mechanisms."""
    return build(b"R", _INT32.pack(10) + b"".join(map(to_text, mechanisms)) + b"\0")


def sasl_continue(data: str) -> bytes:
    """The server's first word in SASL."""
    return build(b"R", _INT32.pack(11) + data.encode())


def sasl_final(data: str) -> bytes:
    """The server's last word in SASL."""
    return build(b"R", _INT32.pack(12) + data.encode())


def parse_sasl_initial(body: bytes) -> tuple[str, str]:
    """The mechanism that a client chose, and its first word."""
    fields = Fields(body)
    mechanism, first = fields.text(), fields.value()
    fields.end()
    return mechanism, (first or b"").decode("utf-8", "replace")


def parameter_status(name: str, value: str) -> bytes:
    """Tell a setting that clients want to know."""
    return build(b"S", to_text(name) + to_text(value))


def backend_key(pid: int, secret: int) -> bytes:
    """What a client needs to cancel."""
    return build(b"K", _UINT32.pack(pid) + _UINT32.pack(secret))


def negotiate_version(unknown: Sequence[str]) -> bytes:
    """Say that 3.0 is the newest protocol, and which of its options are not known."""
    return build(b"v", _INT32.pack(0) + _INT32.pack(len(unknown)) + b"".join(map(to_text, unknown)))


def ready(status: str) -> bytes:
    """Ready for the next query; ``I`` idle, ``T`` in a transaction, ``E`` in a failed one."""
    return build(b"Z", status.encode())


def complete(tag: str) -> bytes:
    """A statement ended as ``tag`` says."""
    return build(b"C", to_text(tag))


def parameter_description(oids: Sequence[int]) -> bytes:
    """The types of a statement's parameters."""
    return build(b"t", _COUNT16.pack(len(oids)) + b"".join(map(_UINT32.pack, oids)))


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
    parts = [_COUNT16.pack(len(fields))]
    for one in fields:
        numbers = struct.pack("!IhIhih", 0, 0, one.oid, one.size, one.modifier, one.format)
        parts += [to_text(one.name), numbers]
    return build(b"T", b"".join(parts))


def data_row(values: Sequence[bytes | None]) -> bytes:
    """A row of a result."""
    parts = [_COUNT16.pack(len(values))]
    for value in values:
        parts += [b"\xff\xff\xff\xff"] if value is None else [_INT32.pack(len(value)), value]
    return build(b"D", b"".join(parts))


def copy_out(columns: int) -> bytes:
    """What follows are lines of COPY, as text."""
    return build(b"H", b"\0" + _COUNT16.pack(columns) + b"\0\0" * columns)


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
