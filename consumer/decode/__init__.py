"""Envelope in, events out: compression, wrapping, validation. Total, in bounded memory."""

from collections.abc import Callable, Generator, Iterator, Sequence

from pydantic import ValidationError

from consumer.decode.compression import Format, detect_format, open_members
from consumer.decode.intake import DamageError
from consumer.decode.limits import DEFAULT, Limits
from consumer.decode.stretch import SEAL_MAGIC, quarantine, seal, unseal
from consumer.decode.unwrap import LEAST_RECIPIENT_BYTES, Unwrapper
from consumer.decode.values import split_values
from consumer.decoded import Decoded, Ignored, Quarantined, Reason
from consumer.envelope import Bundle, Envelope
from schemas.events import parse_event

__all__ = ["DEFAULT", "Limits", "decode", "refuse"]

_PIECE_BYTES = 1024 * 1024

_Decoding = Generator[Decoded, None, int]
"""What a body holds, and in the end how many bytes it was decompressed to."""


def decode(envelope: Envelope, *, limits: Limits = DEFAULT) -> Iterator[Decoded]:
    """Find every event in an envelope, and say what the rest is.

    Total: whatever the bytes, nothing raises, and every byte that could have been an event ends
    as one, in quarantine or as something recognised. An envelope that holds nothing gives one
    `Decoded` that says so. Lazy, and flat in memory whatever the body's size. Decoding a
    `Decoded.raw` again gives the same events and verdicts.

    Raises only `SourceError`, from a streaming body; what came before stays good.
    """
    body = envelope.body
    if isinstance(body, Bundle):
        return _decode_bundle(envelope, body, limits)
    if not isinstance(body, bytes):
        return _decode_stream(envelope, body.chunks(), limits)
    return _decode_bytes(envelope, body, limits)


def _decode_bundle(envelope: Envelope, bundle: Bundle, limits: Limits) -> Iterator[Decoded]:
    """Decode each payload by itself; nearly always it is one event and a newline.

    They share what an envelope may be decompressed to: ten thousand small bombs are one large one.
    """
    attempt = _reader(envelope, limits)
    is_empty = True
    for payload in bundle.payloads:
        is_empty = False
        found = _read_alone(payload, attempt, limits)
        if found is not None:
            yield found
        else:
            limits = limits.after((yield from _decode_with_care(envelope, payload, limits)))
    if is_empty:
        yield _say_empty(envelope)


def _decode_bytes(envelope: Envelope, body: bytes, limits: Limits) -> Iterator[Decoded]:
    alone = _read_alone(body, _reader(envelope, limits), limits)
    if alone is not None:
        yield alone
    else:
        yield from _decode_with_care(envelope, body, limits)


def _decode_with_care(envelope: Envelope, body: bytes, limits: Limits) -> _Decoding:
    if body.startswith(SEAL_MAGIC) and (sealed := unseal(body)) is not None:
        yield _give(envelope, sealed, raw=body)
        return 0
    if len(body) <= _PIECE_BYTES:
        return (yield from _decode_stream(envelope, iter((body,)), limits))
    pieces = (body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES))
    return (yield from _decode_stream(envelope, pieces, limits))


def _read_alone(
    body: bytes, attempt: Callable[[bytes, int], Decoded | None], limits: Limits
) -> Decoded | None:
    """Read a body that is one object on one line, as nearly every message and record is.

    None for any other, which has to be looked at with care: no compressed format's first bytes
    are an object's all the way to its end.
    """
    if not body.startswith(b"{") or len(body) > limits.max_payload_bytes:
        return None
    raw = body.rstrip(b" \t\r\n")
    return attempt(raw, 0) if raw.endswith(b"}") and b"\n" not in raw else None


def refuse(envelope: Envelope, reason: Reason, detail: str, evidence: bytes) -> Decoded:
    """Quarantine an envelope that can never be read: what is kept of it is ``evidence``.

    The archive keeps the verdict with it, so that a rebuild refuses it again.
    """
    verdict = quarantine(reason, detail, evidence)
    return _give(envelope, verdict, raw=seal(verdict))


def _decode_stream(envelope: Envelope, pieces: Iterator[bytes], limits: Limits) -> _Decoding:
    attempt = _reader(envelope, limits)
    is_empty = True
    passed_bytes = 0
    for member in open_members(pieces, limits):
        stream = _Guarded(member)
        for found in split_values(stream, attempt, limits):
            is_empty = False
            yield _give(envelope, found) if isinstance(found, Quarantined) else found
        if stream.damage is not None:
            is_empty = False
            evidence = stream.damage.evidence[: limits.kept_bytes]
            damaged = quarantine(
                stream.damage.reason, str(stream.damage), evidence, stream.passed_bytes
            )
            yield _give(envelope, damaged, raw=seal(damaged))
        passed_bytes += stream.passed_bytes
    if is_empty:
        yield _say_empty(envelope)
    return passed_bytes


def _say_empty(envelope: Envelope) -> Decoded:
    return _start(envelope, b"", ignored=[Ignored.EMPTY])


def _reader(envelope: Envelope, limits: Limits) -> Callable[[bytes, int], Decoded | None]:
    """Make the function that reads one value: the hot path, so a closure over locals."""
    origin, received_at = envelope.origin, envelope.received_at
    region, account = envelope.region, envelope.account
    least_bytes = LEAST_RECIPIENT_BYTES * limits.max_recipients

    def read(raw: bytes, offset: int) -> Decoded | None:
        found = Decoded(raw, origin, received_at, region, account)
        # neither an SNS envelope nor EventBridge's, and too short to name too many recipients
        is_plain = raw.find(b'"Type"', 0, 64) < 0 and raw.find(b'"version"', 0, 64) < 0
        if is_plain and len(raw) <= least_bytes:
            try:
                found.events.append(parse_event(raw))
            except ValidationError:
                pass
            else:
                return found
        if not Unwrapper(found, limits, offset).read(raw):
            return None
        if raw.startswith(b"[") and found.quarantined:
            # an array inside an array: alone it would be taken apart
            found.raw = seal(found.quarantined[0])
        return found

    return read


def _give(envelope: Envelope, stretch: Quarantined, *, raw: bytes | None = None) -> Decoded:
    """Pass a stretch on; sealed where its bytes alone would be read as something else."""
    if raw is None:
        raw = stretch.payload
        is_whole = len(raw) == stretch.length
        is_taken = raw.startswith((b"[", SEAL_MAGIC)) or detect_format(raw) is not Format.PLAIN
        if is_taken or not is_whole:
            raw = seal(stretch)
    return _start(envelope, raw, quarantined=[stretch])


def _start(
    envelope: Envelope,
    raw: bytes,
    *,
    quarantined: Sequence[Quarantined] = (),
    ignored: Sequence[Ignored] = (),
) -> Decoded:
    return Decoded(
        raw,
        envelope.origin,
        envelope.received_at,
        envelope.region,
        envelope.account,
        quarantined=[*quarantined],
        ignored=[*ignored],
    )


class _Guarded:
    """A stream that ends where the damage is, and remembers it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.passed_bytes = 0
        self.damage: DamageError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                self.passed_bytes += len(piece)
                yield piece
        except DamageError as damage:
            self.damage = damage
