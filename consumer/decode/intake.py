"""Compressed input in measured helpings, and the fault that says where it stops making sense."""

from collections.abc import Iterable, Iterator
from typing import Final

from consumer.decode.limits import Limits
from consumer.decoded import Reason

BLOCK_BYTES: Final = 64 * 1024
_TAIL_BYTES: Final = 1024


class DamageError(Exception):
    """A stream can't be read from here on; never leaves `consumer.decode`.

    Attributes:
        reason: what kind of damage.
        evidence: the stored bytes at that place, for the quarantine: never empty.
    """

    def __init__(self, reason: Reason, detail: str, evidence: bytes) -> None:
        super().__init__(detail)
        self.reason = reason
        self.evidence = evidence


class Intake:
    """A stream of stored bytes that can be read by count, and remembers where it stands.

    Whatever pieces the transport made of it, `block` and `read` fall in the same places, so the
    same object always breaks at the same byte.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._pending = b""
        self._at = 0
        self._recent = b""
        self.taken = 0

    def peek(self, size: int) -> bytes:
        """Look at the next ``size`` bytes, or all that are left, without taking them."""
        have = len(self._pending) - self._at
        if have < size:
            parts = [self._pending[self._at :]]
            while have < size:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                parts.append(piece)
                have += len(piece)
            self._pending, self._at = b"".join(parts), 0
        return self._pending[self._at : self._at + size]

    def read(self, size: int) -> bytes:
        """Take the next ``size`` bytes; fewer only at the end."""
        data = self.peek(size)
        self._at += len(data)
        self._recent = (self._recent + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        self.taken += len(data)
        return data

    def blocks(self) -> Iterator[bytes]:
        """Take all that is left in blocks of 64 KiB."""
        while block := self.read(BLOCK_BYTES):
            yield block

    def rest(self) -> Iterator[bytes]:
        """Take all that is left in the pieces it came in."""
        pending, self._pending = self._pending[self._at :], b""
        if pending:
            yield pending
        yield from self._pieces

    def damage(self, detail: str, evidence: bytes = b"") -> DamageError:
        """Make the fault for this place; without evidence, by the last bytes taken."""
        return DamageError(Reason.BAD_COMPRESSION, detail, evidence or self._recent)


def bound_output(pieces: Iterable[bytes], intake: Intake, limits: Limits) -> Iterator[bytes]:
    """Pass decompressed pieces on until there are more of them than an honest object holds."""
    written = 0
    head = intake.peek(BLOCK_BYTES)
    for piece in pieces:
        written += len(piece)
        is_bomb = written > limits.max_decompressed_bytes or (
            written > limits.ratio_floor_bytes and written > limits.max_ratio * intake.taken
        )
        if is_bomb:
            detail = f"{intake.taken} bytes had become {written} when reading stopped"
            raise DamageError(Reason.DECOMPRESSION_BOMB, detail, head)
        yield piece
