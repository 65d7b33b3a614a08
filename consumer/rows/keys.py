"""The identity of an event, as a 128-bit key, and of the groups that count once, as 64 bits.

What makes an event itself is in docs/metrics.md, "Identity of an event": the same event through
two transports has one key, two clicks on two links have two. Recipients enter as tokens, so that
an erased address keeps its keys.
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SEPARATOR = "\x1f"


def to_micros(instant: datetime) -> int:
    """Count microseconds since 1970 in UTC; a naive instant is UTC already."""
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // _MICROSECOND


def to_event_key(*parts: str) -> bytes:
    """Hash what makes an event itself: 16 bytes.

    At most the last part may hold text from outside that could contain the separator; `bounded`
    makes any other safe.
    """
    return blake2b(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def to_group_key(*parts: str) -> int:
    """Hash what makes a group that counts once: an unsigned 64-bit number."""
    text = _SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def bounded(text: str | None) -> str:
    """Mark where a text from outside ends, so that two texts cannot be cut elsewhere."""
    return f"{len(text)}:{text}" if text is not None else "-"
