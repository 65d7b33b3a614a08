"""Takes addresses out of a batch, and out of the frames that an archive keeps."""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from consumer.batch import QUARANTINE_SCHEMA, Batch
from consumer.decode import decode
from consumer.decode.stretch import seal
from consumer.decoded import Decoded, Quarantined
from consumer.envelope import Envelope
from consumer.erasure.payloads import TakesOut
from consumer.erasure.rows import erase_from_rows
from consumer.erasure.text import Eraser
from consumer.frame import FrameBuilder, FrameReader, Stored, to_release_frame


def erase_from_batch(batch: Batch, erasers: Iterable[Eraser], secret: bytes) -> Batch:
    """Return the batch without the addresses: in its rows, its quarantine, its frame."""
    for eraser in erasers:
        frame = erase_from_frame(batch.frame, eraser, {}) if batch.frame else None
        batch = replace(
            batch,
            rows=erase_from_rows(batch.rows, eraser, secret),
            quarantined=_erase_from_quarantine(batch.quarantined, eraser),
            frame=frame or batch.frame,
            addresses=batch.addresses - {eraser.address.text},
        )
    return batch


def erase_from_frame(frame: bytes, eraser: Eraser, renamed: dict[str, str]) -> bytes | None:
    """Return the frame without the address; None where it is not in there.

    ``renamed`` takes the sha256 that quarantined payloads had and the one that they have now, and
    those that the frame releases are replaced by it.

    Raises what `FrameReader` does of a frame that is torn.
    """
    reader = FrameReader(io.BytesIO(frame))
    builder = FrameBuilder(reader.head)
    is_touched, payloads = False, 0
    for stored in reader.payloads():
        erased = _erase_from_stored(stored, eraser, renamed)
        is_touched |= erased != stored
        payloads += 1
        builder.add(
            Decoded(erased.raw, erased.origin, erased.received_at, erased.region, erased.account)
        )
    if not payloads and not renamed.keys().isdisjoint(reader.released):
        released = [renamed.get(sha256, sha256) for sha256 in reader.released]
        return to_release_frame(reader.head, released)
    if not is_touched:
        return None
    return builder.finish(reader.positions, reader.positions_of)


def erase_from_verdict(verdict: Quarantined, eraser: TakesOut) -> Quarantined:
    """Return a quarantined payload without the address, under the hash that it has then.

    The same payload coming again is erased before it is compared. Of one that was cut nobody knows
    the whole any more: it keeps hash and length.
    """
    payload, detail = eraser.erase_content(verdict.payload), eraser.erase(verdict.detail)
    if (payload, detail) == (verdict.payload, verdict.detail):
        return verdict
    if verdict.length > len(verdict.payload):
        return replace(verdict, payload=payload[: verdict.length - 1], detail=detail)
    sha256 = hashlib.sha256(payload).hexdigest()
    return replace(verdict, payload=payload, detail=detail, sha256=sha256, length=len(payload))


def _erase_from_stored(stored: Stored, eraser: Eraser, renamed: dict[str, str]) -> Stored:
    origin = eraser.erase(stored.origin)
    if not eraser.may_touch(stored.raw):
        return replace(stored, origin=origin)
    found = list(decode(Envelope(stored.raw, None, stored.origin, stored.received_at)))
    if len(found) == 1 and len(found[0].quarantined) == 1 and not found[0].events:
        # sealed, so that the verdict stays the one that was given
        (verdict,) = found[0].quarantined
        erased = erase_from_verdict(verdict, eraser)
        if erased == verdict:
            return replace(stored, origin=origin)
        renamed[verdict.sha256] = erased.sha256
        return replace(stored, origin=origin, raw=seal(erased))
    return replace(stored, origin=origin, raw=eraser.erase_content(stored.raw))


def _erase_from_quarantine(rows: pa.Table, eraser: Eraser) -> pa.Table:
    if not rows.num_rows:
        return rows
    erased = [erase_from_quarantined(row, eraser) for row in rows.to_pylist()]
    return pa.Table.from_pylist(erased, schema=QUARANTINE_SCHEMA)


def erase_from_quarantined(row: dict[str, Any], eraser: Eraser) -> dict[str, Any]:
    """Return a row of ``quarantine`` without the address; see `erase_from_verdict`."""
    verdict = erase_from_verdict(
        Quarantined(
            row["reason"],
            row["detail"],
            row["payload"],
            row["sha256"],
            row["payload_bytes"],
            row["payload_offset"],
        ),
        eraser,
    )
    return {
        **row,
        "payload": verdict.payload,
        "detail": verdict.detail,
        "sha256": verdict.sha256,
        "payload_bytes": verdict.length,
        "origin": eraser.erase(row["origin"]),
    }
