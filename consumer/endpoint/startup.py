"""Setting up a connection: encryption, who is there, and what clients are told at first.

https://www.postgresql.org/docs/15/protocol-flow.html#id-1.10.6.7.3
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from consumer.endpoint.authentication import MECHANISM, Denied, Doorkeeper
from consumer.endpoint.messages import backend, frontend
from consumer.endpoint.messages.fields import Malformed
from consumer.endpoint.statements.rewriting import DATABASE
from consumer.endpoint.variables import REPORTED, Variables
from consumer.endpoint.wire import Gone, Wire
from consumer.warehouse.reading.published import Role

TLS_HANDSHAKE_SECS: Final = 5.0
_MOST_REQUESTS: Final = 2  # for TLS and for GSSAPI, once each


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants a query of another connection stopped, and hangs up."""

    pid: int
    secret: int


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who proved who they are."""

    user: str
    role: Role
    variables: Variables


class Rejected(Exception):  # noqa: N818 - named for what became of the client
    """The client is told why, and hung up on.

    Attributes:
        state: the SQLSTATE.
        reason: one of a few words, for counting.
    """

    def __init__(self, state: str, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.state = state
        self.reason = reason


async def greet(
    wire: Wire, doorkeeper: Doorkeeper, *, tls: ssl.SSLContext | None
) -> Client | Cancel:
    """Let a client in, or learn what it wants stopped. With ``tls`` nobody comes in without.

    Raises `Rejected`, `Gone` and `Malformed`.
    """
    number, parameters = await _read_request(wire, tls)
    if number == frontend.CANCEL_REQUEST:
        return Cancel(int(parameters["pid"]), int(parameters["secret"]))
    if tls is not None and not wire.is_encrypted:
        raise Rejected(
            "28000",
            "this server takes connections with TLS alone: sslmode=require",
            reason="no_tls",
        )
    extensions = [name for name in parameters if name.startswith("_pq_.")]
    if number & 0xFFFF or extensions:
        wire.send(backend.negotiate_version(extensions))
    user = parameters.get("user", "")
    if not user:
        raise Rejected("28000", "no user name is given in the startup packet", reason="no_user")
    if "replication" in parameters and parameters["replication"] not in ("false", "off", "no", "0"):
        raise Rejected("0A000", "there is no replication from here", reason="replication")
    role = await _authenticate(wire, doorkeeper, user)
    database = parameters.get("database", user)
    if database not in (DATABASE, user, "postgres"):
        raise Rejected(
            "3D000", f'database "{database}" does not exist; "{DATABASE}" does', reason="database"
        )
    variables = Variables(user, parameters)
    wire.send(backend.AUTHENTICATED)
    for name in REPORTED:
        wire.send(backend.parameter_status(name, variables.show(name)))
    return Client(user, role, variables)


async def _read_request(wire: Wire, tls: ssl.SSLContext | None) -> tuple[int, Mapping[str, str]]:
    for _ in range(_MOST_REQUESTS + 1):
        number, parameters = frontend.parse_startup(await wire.read_startup())
        if number == frontend.SSL_REQUEST and not wire.is_encrypted:
            if wire.has_buffered:
                # what came before the handshake would be taken for what came encrypted
                raise Malformed("received unencrypted data after SSL request")
            await wire.send_much(b"N" if tls is None else b"S")
            if tls is not None:
                await wire.start_tls(tls, handshake_secs=TLS_HANDSHAKE_SECS)
        elif number == frontend.GSSENC_REQUEST:
            await wire.send_much(b"N")
        elif number == frontend.SSL_REQUEST:
            break
        else:
            return number, parameters
    raise Malformed("the same request again")


async def _authenticate(wire: Wire, doorkeeper: Doorkeeper, user: str) -> Role:
    wire.send(backend.sasl([MECHANISM]))
    await wire.flush()
    mechanism, first = frontend.parse_sasl_initial(await _read_password(wire))
    denied = Rejected(
        "28P01", f'password authentication failed for user "{user}"', reason="password"
    )
    if mechanism != MECHANISM:
        raise Rejected("28000", f"{mechanism} is not spoken here", reason="password")
    exchange = doorkeeper.begin(user)
    try:
        wire.send(backend.sasl_continue(exchange.answer_first(first)))
        await wire.flush()
        last = (await _read_password(wire)).decode("utf-8", "replace")
        answer, role = exchange.answer_last(last)
    except Denied as error:
        raise denied from error
    wire.send(backend.sasl_final(answer))
    return role


async def _read_password(wire: Wire) -> bytes:
    message = await wire.read_message()
    if isinstance(message, frontend.Terminate):
        raise Gone("the client left before it said who it is")
    if not isinstance(message, frontend.Password):
        raise Malformed("expected an answer to the authentication")
    return message.body
