"""Who may come in: SCRAM-SHA-256, so that no password crosses the wire, and roles.

Written out here because the exchange is short and scramp, the library for it, refuses the empty
user name that PostgreSQL's clients send (the one that counts is in the startup packet).

https://www.rfc-editor.org/rfc/rfc5802#section-3 and
https://www.postgresql.org/docs/15/sasl-authentication.html
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from consumer.warehouse.reading.published import Role

MECHANISM: Final = "SCRAM-SHA-256"
ITERATIONS: Final = 4096  # PostgreSQL's own
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 18
_PARTS_OF_FIRST: Final = 4
# Neither of them binds to the TLS channel: no mechanism with -PLUS is offered.
_HEADERS: Final = ("n", "y")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may connect."""

    name: str
    password: str
    role: Role


class Denied(Exception):  # noqa: N818 - named for what became of the user
    """The password is wrong, there is no such user, or it is no SCRAM: nobody is told which."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a password is verified with, and cannot be had back from."""

    salt: bytes
    stored_key: bytes
    server_key: bytes


def make_verifier(password: str, salt: bytes) -> Verifier:
    """Derive the keys of a password: `RFC 5802 <https://www.rfc-editor.org/rfc/rfc5802>`_, 3."""
    prepared = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, ITERATIONS)
    client_key = _hmac(salted, b"Client Key")
    return Verifier(salt, hashlib.sha256(client_key).digest(), _hmac(salted, b"Server Key"))


class Doorkeeper:
    """Knows the users; keeps no password, only what verifies one."""

    def __init__(self, users: Iterable[User]) -> None:
        self._known = {
            user.name: (make_verifier(user.password, secrets.token_bytes(_SALT_BYTES)), user.role)
            for user in users
        }
        self._secret = secrets.token_bytes(32)

    def begin(self, user: str) -> "Exchange":
        """Start the exchange with somebody who says to be ``user``.

        A stranger meets the same exchange, with a salt that stays the same for a name as a real
        user's does, and keys that no password has.
        """
        verifier, role = self._known.get(user, (None, None))
        if verifier is None:
            salt = _hmac(self._secret, user.encode())[:_SALT_BYTES]
            verifier = Verifier(salt, secrets.token_bytes(32), secrets.token_bytes(32))
        return Exchange(verifier, role)


class Exchange:
    """One client's authentication: two messages from it, two answers.

    Args:
        verifier: of the user that it says to be.
        role: what that user may see; None for a stranger, who is denied at the end.
        nonce: ours; random unless a test says so.
    """

    def __init__(self, verifier: Verifier, role: Role | None, *, nonce: str = "") -> None:
        self._verifier = verifier
        self._role = role
        self._nonce = nonce or secrets.token_urlsafe(_NONCE_BYTES)
        self._header = self._first = self._answer = ""

    def answer_first(self, data: str) -> str:
        """Answer the client's first word, ``n,,n=,r=NONCE``. Raises `Denied`."""
        parts = data.split(",")
        if len(parts) != _PARTS_OF_FIRST or parts[0] not in _HEADERS or parts[1]:
            raise Denied("no first message of SCRAM, or one that asks for channel binding")
        if not parts[2].startswith("n=") or not parts[3].startswith("r=") or not parts[3][2:]:
            raise Denied("a first message of SCRAM without user or nonce")
        self._header = f"{parts[0]},,"
        self._first = f"{parts[2]},{parts[3]}"
        self._nonce = parts[3][2:] + self._nonce
        salt = base64.b64encode(self._verifier.salt).decode()
        self._answer = f"r={self._nonce},s={salt},i={ITERATIONS}"
        return self._answer

    def answer_last(self, data: str) -> tuple[str, Role]:
        """Answer the client's proof, ``c=…,r=NONCE,p=PROOF``, and say its role. Raises `Denied`."""
        said, _, proof = data.rpartition(",p=")
        header = base64.b64encode(self._header.encode()).decode()
        if not hmac.compare_digest(said.encode(), f"c={header},r={self._nonce}".encode()):
            raise Denied("the channel or the nonce is another one")
        signed = f"{self._first},{self._answer},{said}".encode()
        signature = _hmac(self._verifier.stored_key, signed)
        try:
            found = base64.b64decode(proof, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Denied("the proof is not base64") from error
        if len(found) != len(signature):
            raise Denied("the proof has another length")
        client_key = bytes(one ^ other for one, other in zip(found, signature, strict=True))
        is_right = hmac.compare_digest(
            hashlib.sha256(client_key).digest(), self._verifier.stored_key
        )
        if not is_right or self._role is None:
            raise Denied("the proof is wrong")
        answer = base64.b64encode(_hmac(self._verifier.server_key, signed)).decode()
        return f"v={answer}", self._role


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
