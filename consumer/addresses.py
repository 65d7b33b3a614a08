"""An address as it is compared, and the token that stands for it in keys.

The same mailbox arrives as ``User@Example.com``, ``"User" <user@example.com>`` and
``user@example.com``; figures join on one spelling (docs/metrics.md, "Grain and axes").
"""

import re
from email.utils import parseaddr
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

_LOCAL_PART = re.compile(r"[\w.!#$&*+^`{|}~%-]{1,64}\Z")
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# What `erase` writes in place of an address: the token of its local part's owner, the domain kept.
_TOKEN = re.compile(r"^~([0-9a-f]{32})@")
# None of these occurs in a bare address: one means a display name, quotes or a comment.
_DECORATED = re.compile(r'[<>"\s,;()]')
# https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
_SIMULATOR_DOMAIN = "simulator.amazonses.com"


class Address(NamedTuple):
    """One mailbox.

    Attributes:
        text: lower-case, without display name or quotes.
        domain: what follows the last ``@``; None where there is none.
        token: keyed hash of ``text`` as 32 hex digits; of an erased address, the one it carries.
        as_written: what SES wrote, where it differs from ``text``.
        is_simulator: whether it is one of SES's mailbox simulator's.
    """

    text: str
    domain: str | None
    token: str
    as_written: str | None
    is_simulator: bool

    @property
    def hidden(self) -> str:
        """What stands in its place once it is erased: its token, and the domain."""
        return f"~{self.token}@{self.domain}" if self.domain is not None else f"~{self.token}@"


def normalise(written: str) -> str:
    """Reduce what SES wrote to the bare, lower-case address."""
    text = written.strip()
    if _DECORATED.search(text):
        _, bare = parseaddr(text)
        # of what is no address parseaddr gives one word or none: what was written is all there is
        text = (bare if "@" in bare else text).replace('"', "").strip()
    return text.lower()


def to_token(text: str, secret: bytes) -> str:
    """Hash a normalised address with the warehouse's secret: 32 hex digits, the same for ever."""
    known = _TOKEN.match(text)
    if known:
        return known.group(1)
    return blake2b(text.encode("utf-8", "surrogatepass"), key=secret, digest_size=16).hexdigest()


@lru_cache(maxsize=16_384)
def parse_address(written: str, secret: bytes) -> Address:
    """Take apart one address as SES wrote it; never fails, whatever it is."""
    text = normalise(written)
    local, at, domain = text.rpartition("@")
    return Address(
        text=text,
        domain=domain if at and local and domain else None,
        token=to_token(text, secret),
        as_written=written if written != text else None,
        is_simulator=domain == _SIMULATOR_DOMAIN,
    )


def find_addresses(text: str, *, most: int = 1_000) -> set[str]:
    """Find what looks like an address in a text of any kind, normalised; the first so many.

    Looks around each ``@`` alone: a pattern over all of a stranger's bytes could take for ever.
    """
    found: set[str] = set()
    at = -1
    for _ in range(most):
        at = text.find("@", at + 1)
        if at < 0:
            break
        local = _LOCAL_PART.search(text[max(0, at - 64) : at])
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            found.add(normalise(f"{local[0]}@{domain[0]}"))
    return found
