"""A run of bytes that holds no readable value, and how the archive keeps what it can't redo.

Most bad stretches are kept verbatim and decode to the same verdict again. Some can't: of a value
past its limit only the head is kept, and the damaged end of a gzip file is no gzip file. Those
are sealed: a Zstandard skippable frame (RFC 8878, 3.1.2), which every Zstandard tool steps over,
holding the verdict as one line of JSON and then the bytes.
"""

import hashlib
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consumer.decoded import Quarantined, Reason

SEAL_MAGIC: Final = b"\x5d\x2a\x4d\x18"
_HEADER_BYTES: Final = 8


class _Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    duckpost: Annotated[int, Field(ge=1, le=1)] = 1
    reason: Reason
    detail: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    length: Annotated[int, Field(ge=0, lt=2**63)]
    offset: Annotated[int, Field(ge=0, lt=2**63)]


class Collector:
    """Counts and hashes a stretch of any length, and keeps its head."""

    def __init__(self, kept_bytes: int) -> None:
        self.length = 0
        self._kept_bytes = kept_bytes
        self._head = bytearray()
        self._hash = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        """Take the stretch's next bytes."""
        self.length += len(piece)
        self._hash.update(piece)
        room = self._kept_bytes - len(self._head)
        if room > 0:
            self._head += piece[:room]

    def close(self, reason: Reason, detail: str, offset: int) -> Quarantined:
        """Pass the verdict on what was taken."""
        return Quarantined(
            reason, detail, bytes(self._head), self._hash.hexdigest(), self.length, offset
        )


def quarantine(reason: Reason, detail: str, payload: bytes, offset: int = 0) -> Quarantined:
    """Quarantine a payload that is there whole."""
    return Quarantined(
        reason, detail, payload, hashlib.sha256(payload).hexdigest(), len(payload), offset
    )


def seal(stretch: Quarantined) -> bytes:
    """Write a verdict and what was kept as bytes that `unseal` gives back."""
    verdict = _Verdict(
        reason=stretch.reason,
        detail=stretch.detail,
        sha256=stretch.sha256,
        length=stretch.length,
        offset=stretch.offset,
    )
    content = verdict.model_dump_json().encode() + b"\n" + stretch.payload
    return SEAL_MAGIC + len(content).to_bytes(4, "little") + content


def unseal(body: bytes) -> Quarantined | None:
    """Read a sealed stretch; None where the bytes are not one, whole and alone."""
    if len(body) < _HEADER_BYTES or not body.startswith(SEAL_MAGIC):
        return None
    if int.from_bytes(body[4:_HEADER_BYTES], "little") != len(body) - _HEADER_BYTES:
        return None
    line, _, payload = body[_HEADER_BYTES:].partition(b"\n")
    try:
        verdict = _Verdict.model_validate_json(line)
    except ValidationError:
        return None
    # anybody may send such bytes: what can be checked must be true
    is_whole = verdict.length == len(payload)
    if verdict.length < len(payload) or (
        is_whole and hashlib.sha256(payload).hexdigest() != verdict.sha256
    ):
        return None
    return Quarantined(
        verdict.reason, verdict.detail, payload, verdict.sha256, verdict.length, verdict.offset
    )
