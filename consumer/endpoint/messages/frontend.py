"""What clients send: PostgreSQL's frontend messages, parsed.

https://www.postgresql.org/docs/15/protocol-message-formats.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from consumer.endpoint.messages.fields import BINARY, TEXT, Fields, Malformed

PROTOCOL_3: Final = 196_608
CANCEL_REQUEST: Final = 80_877_102
SSL_REQUEST: Final = 80_877_103
GSSENC_REQUEST: Final = 80_877_104


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


def parse_sasl_initial(body: bytes) -> tuple[str, str]:
    """The mechanism that a client chose, and its first word."""
    fields = Fields(body)
    mechanism, first = fields.text(), fields.value()
    fields.end()
    return mechanism, (first or b"").decode("utf-8", "replace")
