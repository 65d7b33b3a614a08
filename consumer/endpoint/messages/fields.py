"""A message's body, field by field.

https://www.postgresql.org/docs/15/protocol-message-formats.html
"""

import struct
from typing import Final

TEXT: Final = 0
BINARY: Final = 1

INT16: Final = struct.Struct("!h")
COUNT16: Final = struct.Struct("!H")
INT32: Final = struct.Struct("!i")
UINT32: Final = struct.Struct("!I")


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
        number: int = INT16.unpack(self.take(2))[0]
        return number

    def count(self) -> int:
        """How many fields follow: an unsigned 16-bit number."""
        number: int = COUNT16.unpack(self.take(2))[0]
        return number

    def int32(self) -> int:
        """A signed 32-bit number."""
        number: int = INT32.unpack(self.take(4))[0]
        return number

    def uint32(self) -> int:
        """An unsigned 32-bit number, as OIDs are."""
        number: int = UINT32.unpack(self.take(4))[0]
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
