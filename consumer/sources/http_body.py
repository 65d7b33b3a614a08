"""A request's body, bounded on both sides of its compression."""

from collections.abc import Callable, Iterator

from isal import isal_zlib
from starlette.requests import Request

from consumer.sources.http_refusal import Refusal, Why

_GZIP = 16 + 15  # zlib's way to say: gzip, window of 32 KiB
_STEP_BYTES = 256 * 1024


async def read_body(request: Request, *, most_bytes: int, grow: Callable[[int], None]) -> bytes:
    """Read the body and undo its gzip, holding at most ``most_bytes`` of either.

    Args:
        request: its body not yet read.
        most_bytes: as sent, and decompressed.
        grow: called with each number of bytes about to be held; may refuse.

    Raises `Refusal`; Starlette's ``ClientDisconnect`` when the sender goes away.
    """
    _check_framing(request, most_bytes)
    inflate = _choose_inflater(request, most_bytes)
    body = bytearray()
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > most_bytes:
            raise _too_large(most_bytes)
        for piece in [chunk] if inflate is None else inflate.feed(chunk, len(body)):
            grow(len(piece))
            body += piece
    if inflate is not None:
        inflate.finish()
    return bytes(body)


def _check_framing(request: Request, most_bytes: int) -> None:
    length = request.headers.get("content-length", "")
    if length and "transfer-encoding" in request.headers:
        # h11 reads it as chunked; a proxy in front may not, and then both disagree for good.
        raise Refusal(Why.BAD_REQUEST, "Content-Length beside Transfer-Encoding")
    if length.isdecimal() and int(length) > most_bytes:
        raise _too_large(most_bytes)


def _choose_inflater(request: Request, most_bytes: int) -> "_Inflater | None":
    codings = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if codings in {"", "identity"}:
        return None
    if codings == "gzip":
        return _Inflater(most_bytes)
    raise Refusal(Why.BAD_ENCODING, "Content-Encoding: only gzip is understood")


class _Inflater:
    """Gunzips chunks as they come, in steps that never hold more than the bound."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._zlib = isal_zlib.decompressobj(wbits=_GZIP)

    def feed(self, chunk: bytes, held: int) -> Iterator[bytes]:
        is_full = False  # the last step may have left output behind, though no input
        while chunk or is_full:
            if self._zlib.eof:
                raise Refusal(Why.BAD_REQUEST, "gzip: something follows the data")
            try:
                piece = self._zlib.decompress(chunk, _STEP_BYTES)
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub says instance, not class
                raise Refusal(Why.BAD_REQUEST, f"gzip: {error}") from error
            held += len(piece)
            if held > self._most_bytes:
                raise _too_large(self._most_bytes)
            yield piece
            chunk = self._zlib.unused_data or self._zlib.unconsumed_tail
            is_full = len(piece) == _STEP_BYTES and not self._zlib.eof

    def finish(self) -> None:
        if not self._zlib.eof:
            raise Refusal(Why.BAD_REQUEST, "gzip: the data ends before its end mark")


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(Why.TOO_LARGE, f"a body may have {most_bytes} bytes, decompressed too")
