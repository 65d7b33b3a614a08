"""A stream of bytes cut into its top-level JSON values, whatever separates them.

Newlines, nothing, commas, carriage returns, byte order marks, a surrounding array: all are found
in objects that Firehose, Lambda transforms and people write. What is no value becomes a stretch,
and reading goes on at the next line that begins one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from pydantic_core import from_json

from consumer.decode.limits import Limits
from consumer.decode.stretch import Collector, quarantine
from consumer.decoded import Quarantined, Reason

T = TypeVar("T")

# Published by SES to a topic when an event destination is made; not JSON, documented nowhere.
TOPIC_VALIDATION: Final = b"Successfully validated SNS topic for Amazon SES event publishing."

_MAX_DEPTH: Final = 200  # jiter's own bound
_PIECE_BYTES: Final = 256 * 1024
_GUESSED_BYTES: Final = 16 * 1024
_LONGEST_TOKEN: Final = 512

_BETWEEN: Final = re.compile(rb"(?:[ \t\r\n,\x1e]|\xef\xbb\xbf)*")
_SCALAR: Final = re.compile(rb"(?:-?[0-9][0-9.eE+-]{0,400}|true|false|null)(?=[\s,\[\]{]|\Z)")
_STRUCTURE: Final = re.compile(rb'"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*("?)|[{\[]|[}\]]')
_LINE_THAT_BEGINS: Final = re.compile(rb"\n(?=[{\[])")
_OPENING: Final = frozenset(b"{[")
_CLOSING: Final = frozenset(b"}]")
_BRACE, _BRACKET, _END_BRACKET, _QUOTE, _BACKSLASH = b'{[]"\\'


def split_values(
    pieces: Iterable[bytes], attempt: Callable[[bytes, int], T | None], limits: Limits
) -> Iterator[T | Quarantined]:
    """Cut a stream into values, handing each to ``attempt`` with its offset.

    ``attempt`` gets the verbatim bytes of what looks like one value and returns what it makes of
    them, or None where they are no JSON. Yields those results in order, and a `Quarantined` for
    each stretch between. The result doesn't depend on how the stream falls into pieces. Holds
    at most one value (`Limits.max_payload_bytes`), doubled while it grows, and a piece.
    """
    return _Splitter(pieces, attempt, limits).split()


class _Splitter(Generic[T]):
    def __init__(
        self,
        pieces: Iterable[bytes],
        attempt: Callable[[bytes, int], T | None],
        limits: Limits,
    ) -> None:
        self._pieces = iter(pieces)
        self._attempt = attempt
        self._limits = limits
        self._buffer = b""
        self._at = 0  # where reading stands in the buffer
        self._base = 0  # the buffer's own offset in the stream
        self._ended = False
        self._in_array = False
        self._has_tried_whole = False
        # Up to this offset a scan has shown that nothing closes the brackets left open: a value
        # that starts before it ends at the next line that begins one, or each would scan anew.
        self._unclosed_until = 0

    def split(self) -> Iterator[T | Quarantined]:
        found: T | Quarantined | None
        while self._skip_between():
            yield from self._read_lines()
            if not self._skip_between():
                return
            found = self._read_whole() or self._read_one()
            if found is not None:
                yield found

    def _read_lines(self) -> Iterator[T]:
        """Read on while there is one object a line, as nearly always: the hot loop."""
        buffer, at, attempt = self._buffer, self._at, self._attempt
        max_bytes = self._limits.max_payload_bytes
        while buffer.startswith(b"{", at):
            line_end = buffer.find(b"\n", at)
            if not 0 <= line_end - at <= max_bytes:
                return
            line = buffer[at:line_end]
            if not line.endswith(b"}"):
                line = line.rstrip(b" \t\r")
                if not line.endswith(b"}"):
                    return
            result = attempt(line, self._base + at)
            if result is None:
                return
            self._at = at = line_end + 1
            yield result

    def _read_whole(self) -> T | None:
        """Try all of a short stream as one object, pretty-printed or not: a queue's message."""
        if self._base + self._at > _LONGEST_TOKEN or not self._ended or self._has_tried_whole:
            return None
        self._has_tried_whole = True
        raw = self._buffer[self._at :].rstrip(b" \t\r\n")
        is_object = raw.startswith(b"{") and raw.endswith(b"}")
        if not is_object or len(raw) > self._limits.max_payload_bytes:
            return None
        result = self._attempt(raw, self._base + self._at)
        if result is not None:
            self._at = len(self._buffer)
        return result

    def _fill(self, wanted: int) -> None:
        """Have at least ``wanted`` bytes from here on, or all that are left."""
        rest = self._buffer[self._at :]
        parts, size = [rest], len(rest)
        while size < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            parts.append(piece)
            size += len(piece)
        self._buffer = b"".join(parts)
        self._base += self._at
        self._at = 0

    def _fill_window(self) -> None:
        """Have twice as much as now, up to a window: so that looking again costs no more."""
        have = len(self._buffer) - self._at
        self._fill(min(2 * have, self._limits.max_payload_bytes + 1))

    def _skip_between(self) -> bool:
        """Go to where the next value begins; False at the end of the stream."""
        while True:
            between = _BETWEEN.match(self._buffer, self._at)
            self._at = between.end() if between else self._at
            if self._ended or len(self._buffer) - self._at >= _LONGEST_TOKEN:
                return self._at < len(self._buffer)
            self._fill(_PIECE_BYTES)

    def _read_one(self) -> T | Quarantined | None:
        buffer, at = self._buffer, self._at
        first = buffer[at]
        if first == _BRACKET and not self._in_array:
            self._in_array = True
            self._at += 1
            return None
        if first == _END_BRACKET and self._in_array:
            self._in_array = False
            self._at += 1
            return None
        if first in _OPENING or first == _QUOTE:
            return self._read_value()
        if buffer.startswith(TOPIC_VALIDATION, at):
            end = at + len(TOPIC_VALIDATION)
        elif scalar := _SCALAR.match(buffer, at):
            end = scalar.end()
        else:
            return self._cut_stretch(Reason.NOT_JSON, "no JSON value begins here")
        return self._take(end)

    def _take(self, end: int) -> T | Quarantined:
        raw = self._buffer[self._at : end]
        offset = self._base + self._at
        self._at = end
        result = self._attempt(raw, offset)
        if result is None:
            return quarantine(*_judge(raw), raw, offset)
        return result

    def _read_value(self) -> T | Quarantined | None:
        buffer, at = self._buffer, self._at
        # objects one after the other on a line: a guess that validation confirms or not
        most = min(_GUESSED_BYTES, self._limits.max_payload_bytes)
        guess = buffer.find(b'}{"', at, at + most + 2) + 1
        if guess:
            result = self._attempt(buffer[at:guess], self._base + at)
            if result is not None:
                self._at = guess
                return result
        stop, is_final = self._window()
        if self._base + at < self._unclosed_until:
            line = _LINE_THAT_BEGINS.search(buffer, at, stop)
            if line:
                stop, is_final = line.start(), True
        scan = _Scan(buffer, at, stop)
        if scan.end is not None:
            return self._take(scan.end)
        if not (scan.is_broken or is_final):
            self._fill_window()
            return None
        if not scan.is_broken:
            self._unclosed_until = max(self._unclosed_until, self._base + stop)
        where = "inside a string" if scan.is_broken else "before its brackets close"
        return self._cut_stretch(Reason.TRUNCATED, f"the JSON value ends {where}")

    def _window(self) -> tuple[int, bool]:
        """Return where the next value must have ended, and whether the buffer reaches that."""
        limit = self._at + self._limits.max_payload_bytes
        if len(self._buffer) > limit:
            return limit, True
        return len(self._buffer), self._ended

    def _cut_stretch(self, reason: Reason, detail: str) -> Quarantined | None:
        """Take all up to the next line that begins a value; None when more has to be read."""
        buffer, at = self._buffer, self._at
        stop, is_final = self._window()
        line = _LINE_THAT_BEGINS.search(buffer, at, stop)
        if line is None and not is_final:
            self._fill_window()
            return None
        if line is None and stop < len(buffer):
            return self._skip_stretch()
        end = line.start() if line else stop
        raw = buffer[at:end].rstrip(b" \t\r\n")
        self._at = end
        if reason is Reason.NOT_JSON:
            reason, detail = _judge(raw)
        elif _Scan(raw, 0, len(raw)).depth > _MAX_DEPTH:
            reason, detail = Reason.TOO_DEEP, f"nested deeper than {_MAX_DEPTH}"
        return quarantine(reason, detail, raw, self._base + at)

    def _skip_stretch(self) -> Quarantined:
        """Take a stretch that is too large to hold, by its head and hash."""
        offset = self._base + self._at
        collector = Collector(self._limits.kept_bytes)
        while (line := _LINE_THAT_BEGINS.search(self._buffer, self._at)) is None:
            if self._ended:
                end = len(self._buffer)
                break
            # the last byte may be the line break that the next piece's first one follows
            end = len(self._buffer) - 1
            collector.add(self._buffer[self._at : end])
            self._at = end
            self._fill(_PIECE_BYTES)
        else:
            end = line.start()
        collector.add(self._buffer[self._at : end])
        self._at = end
        limit = self._limits.max_payload_bytes
        detail = f"{collector.length} bytes, at most {limit} are read as one value"
        return collector.close(Reason.TOO_LARGE, detail, offset)


class _Scan:
    """A walk over brackets and strings: where the value ends, or why it doesn't."""

    __slots__ = ("depth", "end", "is_broken")

    def __init__(self, buffer: bytes, start: int, stop: int) -> None:
        self.end: int | None = None
        self.depth = 0
        self.is_broken = False
        depth = 0
        for token in _STRUCTURE.finditer(buffer, start, stop):
            first = buffer[token.start()]
            if first in _OPENING:
                depth += 1
                self.depth = max(self.depth, depth)
            elif first in _CLOSING:
                depth -= 1
            elif not token[1]:
                # it stops at a line break, which no JSON string may hold, or at the window's end
                rest = buffer[token.end() : min(token.end() + 2, stop)]
                self.is_broken = rest not in (b"", b"\\")
                return
            if depth <= 0:
                self.end = token.end()
                return


def _judge(raw: bytes) -> tuple[Reason, str]:
    """Say why bytes are no JSON."""
    try:
        from_json(raw)
    except ValueError as error:
        detail = str(error)
        if "recursion limit" in detail:
            return Reason.TOO_DEEP, f"nested deeper than {_MAX_DEPTH}"
        return Reason.NOT_JSON, f"not JSON: {detail}"
    return Reason.NOT_JSON, "not JSON"
