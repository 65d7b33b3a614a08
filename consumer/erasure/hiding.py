"""Takes every recipient out of what arrives, before anything of it is kept.

For warehouses that hold recipients as tokens alone. Payloads are rewritten and decoded again, so
that rows, quarantine and archive tell the same, and a rebuild gives the same rows. Senders stay.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from email.utils import getaddresses
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from consumer.addresses import Address, normalise, parse_address
from consumer.decode import decode
from consumer.decode.stretch import seal
from consumer.decoded import Decoded, Quarantined, Reason
from consumer.envelope import Envelope
from consumer.erasure.batch import erase_from_verdict
from consumer.erasure.payloads import TakesOut
from consumer.erasure.text import Eraser
from schemas.events import SesEvent

# Fields with one mailbox each, whatever it looks like: what rows name as recipient.
_RECIPIENTS: Final = frozenset({"destination", "emailaddress", "recipients"})
# Fields with a list of mailboxes in one text.
_LISTS: Final = frozenset({"bcc", "cc", "reply-to", "replyto", "to"})
# Fields of whoever sends, and texts that make an event itself: of these only recipients go.
_SENDERS: Final = frozenset({"from", "return-path", "returnpath", "sender", "source", "useragent"})
# Names of things, some with an @ in them.
_NAMES: Final = frozenset(
    {"calleridentity", "feedbackid", "message-id", "messageid", "ses:caller-identity", "sourcearn"}
)
_AT: Final = re.compile(r"@|%40")
_LOCAL_PART: Final = re.compile(r"[\w.!#$&*+^`{|}~%-]{1,64}\Z")
_LONGEST_LOCAL_PART: Final = 64
_DOMAIN: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_IS_TOKEN: Final = re.compile(r"~[0-9a-f]{32}\Z")
# What stands right before the address in a return path: `bounce+ann=example.com@…`.
_BEFORE_IN_PATH: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._")
# Bytes that nobody could look into, and that hold whole payloads for who mends them.
_OPAQUE: Final = frozenset(
    {Reason.BAD_COMPRESSION, Reason.DECOMPRESSION_BOMB, Reason.UNSUPPORTED_FORMAT}
)
_LEAST_TEXT_BYTE: Final = 9
# What may be the beginning of an address where a payload was cut.
_CUT_END: Final = re.compile(rb"[^\s\"'<>,;:()\[\]{}]+\Z")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{24,}")
_MOST_LOOKS: Final = 8


class Hider:
    """Replaces recipients, and whatever else looks like an address, by token and domain.

    Doing it twice changes nothing.

    Args:
        secret: the warehouse's key.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, decoded: Decoded) -> Iterator[Decoded]:
        """Yield what is to be kept in the place of one top-level value."""
        crowd = _Crowd(self._secret, decoded.events)
        origin = crowd.erase(decoded.origin)
        if len(decoded.quarantined) == 1 and not decoded.events:
            yield replace(_hide_quarantined(decoded, crowd), origin=origin)
            return
        raw = crowd.erase_content(decoded.raw)
        if raw == decoded.raw:
            yield replace(decoded, origin=origin)
            return
        yield from decode(
            Envelope(raw, None, origin, decoded.received_at, decoded.region, decoded.account)
        )

    def hide_text(self, text: str) -> str:
        """Replace what looks like an address in a text of any kind."""
        return _Crowd(self._secret, ()).erase(text)


class _Crowd(TakesOut):
    """Who is named in one payload, and how to take them out of it."""

    def __init__(self, secret: bytes, events: Iterable[SesEvent]) -> None:
        self._secret = secret
        self._senders: set[str] = set()
        named: dict[str, Address] = {}
        for event in events:
            mail: Mapping[str, Any] = event["mail"]
            self._senders.update(_list_senders(mail))
            for written in _list_recipients(event):
                address = parse_address(written, secret)
                if address.text != address.hidden:
                    named[address.text] = address
        self._named = frozenset(named)
        self._erasers = [_to_eraser(one) for one in named.values() if one.domain is not None]

    def erase(self, text: str) -> str:
        """Take out the named, in any form, and whatever else looks like an address.

        Until nothing is left to take out: of ``a@b@example.com`` the first look takes ``a@b``,
        and leaves what looks like another address behind it.
        """
        for _ in range(_MOST_LOOKS):
            erased = self._erase_any(self._erase_named(text))
            if erased == text:
                break
            text = erased
        return text

    def erase_unparsed(self, text: str) -> str:
        """Take them out of what is no JSON, and drop what may be a wrapping's base64 with one."""
        return self._erase_base64(self.erase(text))

    def erase_field(self, text: str, name: str) -> str:
        """Take them out of a field, by what it is to hold."""
        if name in _RECIPIENTS:
            is_mailbox = "@" in text or normalise(text) in self._named
            return parse_address(text, self._secret).hidden if is_mailbox else self.erase(text)
        if name in _LISTS:
            return self._erase_list(text)
        if name in _SENDERS:
            # who mails himself stays the sender that he is
            return text if normalise(text) in self._named else self._erase_named(text)
        return text if name in _NAMES else self.erase(text)

    def _erase_named(self, text: str) -> str:
        lower = text.lower()
        for eraser in self._erasers:
            if eraser.may_be_in(text, lower):
                text = _erase_from_path(eraser.erase(text), eraser.address)
        return text

    def _erase_any(self, text: str) -> str:
        parts, done = [], 0
        for at in _AT.finditer(text):
            earliest = max(done, at.start() - _LONGEST_LOCAL_PART)
            local = _LOCAL_PART.search(text, earliest, at.start())
            domain = _DOMAIN.match(text, at.end())
            if local is None or domain is None or _IS_TOKEN.search(local[0]):
                continue
            address = parse_address(f"{unquote(local[0])}@{domain[0]}", self._secret)
            if address.text in self._senders:
                continue
            parts += [text[done : local.start()], f"~{address.token}{at[0]}{domain[0]}"]
            done = domain.end()
        return "".join([*parts, text[done:]]) if parts else text

    def _erase_list(self, text: str) -> str:
        """Replace a list of mailboxes, display names and all."""
        found = [address for _, address in getaddresses([text])]
        if found and all("@" in address for address in found):
            return ", ".join(parse_address(address, self._secret).hidden for address in found)
        return self.erase(text)

    @staticmethod
    def _erase_base64(text: str) -> str:
        """Drop runs of base64 that may hold an address, of wrappings that were cut or torn."""

        def erase(run: re.Match[str]) -> str:
            plain = base64.b64decode(run[0][: len(run[0]) // 4 * 4])
            has_address = b"@" in plain and min(plain) >= _LEAST_TEXT_BYTE
            return "~" if has_address else run[0]

        return _BASE64.sub(erase, text)


def _hide_quarantined(decoded: Decoded, crowd: _Crowd) -> Decoded:
    """Sealed where it changes, so that the verdict stays the one that was given."""
    (verdict,) = decoded.quarantined
    hidden = erase_from_verdict(_trim_cut(verdict), crowd)
    if hidden == verdict and crowd.erase_content(decoded.raw) == decoded.raw:
        return decoded
    return replace(decoded, raw=seal(hidden), quarantined=[hidden])


def _trim_cut(verdict: Quarantined) -> Quarantined:
    """Leave out what cannot be looked into, and of a cut payload the last word.

    That may be half an address. Hash and length stay those of the whole.
    """
    if verdict.reason in _OPAQUE:
        return replace(verdict, payload=b"")
    if verdict.length == len(verdict.payload) and verdict.reason is not Reason.TRUNCATED:
        return verdict
    return replace(verdict, payload=_CUT_END.sub(b"", verdict.payload))


def _erase_from_path(text: str, address: Address) -> str:
    """Replace an address in the form that return paths have, after a ``+`` or ``-`` of theirs."""
    written = address.text.replace("@", "=")
    lower = text.lower()
    at = lower.rfind(written)
    while at >= 0 and len(lower) == len(text):
        if not at or lower[at - 1] not in _BEFORE_IN_PATH:
            hidden = f"~{address.token}={address.domain}"
            text = f"{text[:at]}{hidden}{text[at + len(written) :]}"
        at = lower.rfind(written, 0, at)
    return text


@lru_cache(maxsize=16_384)
def _to_eraser(address: Address) -> Eraser:
    return Eraser(address)


def _list_recipients(event: SesEvent) -> Iterator[str]:
    mail: Mapping[str, Any] = event["mail"]
    yield from mail.get("destination") or ()
    for thing in event.values():
        for key, listed in thing.items() if isinstance(thing, Mapping) else ():
            if key.lower().endswith("recipients"):
                for one in listed or ():
                    written = one.get("emailAddress") if isinstance(one, Mapping) else one
                    if written:
                        yield written


def _list_senders(mail: Mapping[str, Any]) -> Iterator[str]:
    headers = mail.get("commonHeaders") or {}
    _, _, identity = (mail.get("sourceArn") or "").partition(":identity/")
    for written in (mail.get("source"), headers.get("returnPath"), identity):
        if written:
            yield normalise(written)
    for written in headers.get("from") or ():
        yield normalise(written)
