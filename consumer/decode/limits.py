"""How much of anything decoding takes on before it says no."""

from dataclasses import dataclass, replace
from typing import Final

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep memory flat whatever arrives.

    Attributes:
        max_payload_bytes: of one JSON value; a larger one is quarantined by its head and hash.
        kept_bytes: of a value past its limit, or of damaged data, how much is kept.
        max_recipients: that one event may name.
        max_wrappings: of each other, from the outermost to the event.
        max_decompressed_bytes: of one envelope.
        max_ratio: of decompressed to compressed bytes, once `ratio_floor_bytes` are out.
        ratio_floor_bytes: of one envelope; below this any ratio is fine: the same event over and
            over shrinks well.
        max_block_bytes: of data that can be decompressed only in one piece (raw Snappy).
        max_spooled_bytes: of a zip file, whose directory is at its end.
    """

    max_payload_bytes: int = 8 * _MIB
    kept_bytes: int = 64 * 1024
    max_recipients: int = 10_000
    max_wrappings: int = 8
    max_decompressed_bytes: int = 64 * 1024 * _MIB
    max_ratio: int = 200  # gzip itself ends at about 1,030
    ratio_floor_bytes: int = 256 * _MIB
    max_block_bytes: int = 128 * _MIB
    max_spooled_bytes: int = 2048 * _MIB

    def after(self, decompressed_bytes: int) -> "Limits":
        """Return what is left for the rest of an envelope that holds several bodies."""
        if not decompressed_bytes:
            return self
        return replace(
            self,
            max_decompressed_bytes=max(0, self.max_decompressed_bytes - decompressed_bytes),
            ratio_floor_bytes=max(0, self.ratio_floor_bytes - decompressed_bytes),
        )


DEFAULT: Final = Limits()
