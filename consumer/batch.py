"""What is written at once: rows, quarantined payloads and the archive's frame, all or none."""

import json
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from consumer.addresses import find_addresses
from consumer.decoded import Decoded, Ignored, Quarantined
from consumer.frame import FrameBuilder, Head
from consumer.rows import RowBuilder

_MAGIC: Final = b"duckpost batch 1\n"

# What is to be kept in the place of one top-level value.
Hide = Callable[[Decoded], Iterable[Decoded]]
_HEADER = struct.Struct("<QQQ")

QUARANTINE_SCHEMA: Final = pa.schema(
    [
        ("sha256", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("origin", pa.string()),
        ("received_at", pa.timestamp("us")),
        ("payload", pa.binary()),
        ("payload_bytes", pa.int64()),
        ("payload_offset", pa.int64()),
        ("region", pa.string()),
        ("account", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything of one transaction, ready to be written and cheap to pass between processes.

    Attributes:
        batch_id: names the batch in ledger and archive.
        source: the source's name; one batch has one source.
        rows: `consumer.rows.ROW_SCHEMA`, one row per event and recipient; in the chunks in which
            they were built, as putting those together would be one more copy.
        quarantined: `QUARANTINE_SCHEMA`, one row per payload not understood.
        ignored: recognised non-events by kind.
        payloads: top-level values that went in.
        received: what the conservation law counts: payloads × recipients.
        first_received_at, last_received_at: of its envelopes; None when empty.
        positions: part of the source → where to read on, committed with the rows.
        expects: part → the position that must be the stored one, None for none yet; otherwise
            nothing of the batch is written. Parts not named here are not compared.
        positions_of: the name the positions are kept under, where several sources share them;
            empty for the batch's own source.
        frame: the archive's frame; empty when the archive is off.
        addresses: recipients that its payloads name, normalised: whoever was erased is among them
            or not in it.
        is_hashed: whether recipients stand in it as tokens alone.
    """

    batch_id: uuid.UUID
    source: str
    rows: pa.Table
    quarantined: pa.Table
    ignored: Mapping[str, int]
    payloads: int
    received: int
    first_received_at: datetime | None
    last_received_at: datetime | None
    positions: Mapping[str, str] = field(default_factory=dict)
    expects: Mapping[str, str | None] = field(default_factory=dict)
    positions_of: str = ""
    frame: bytes = b""
    addresses: frozenset[str] = frozenset()
    is_hashed: bool = False

    def to_bytes(self) -> bytes:
        """Write the batch as one string of bytes that `from_bytes` reads, without pickle."""
        about = {
            "batch_id": str(self.batch_id),
            "source": self.source,
            "ignored": dict(self.ignored),
            "payloads": self.payloads,
            "received": self.received,
            "first_received_at": _to_text(self.first_received_at),
            "last_received_at": _to_text(self.last_received_at),
            "positions": dict(self.positions),
            "expects": dict(self.expects),
            "positions_of": self.positions_of,
            "addresses": sorted(self.addresses),
            "is_hashed": self.is_hashed,
        }
        head = json.dumps(about).encode()
        rows, quarantined = _to_ipc(self.rows), _to_ipc(self.quarantined)
        sizes = _HEADER.pack(len(head), len(rows), len(quarantined))
        return b"".join([_MAGIC, sizes, head, rows, quarantined, self.frame])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Batch":
        """Read what `to_bytes` wrote. Raises ``ValueError`` for anything else."""
        start = len(_MAGIC) + _HEADER.size
        if not data.startswith(_MAGIC) or len(data) < start:
            raise ValueError("not a batch of this version of duckpost")
        view = memoryview(data)
        parts: list[memoryview] = []
        for size in _HEADER.unpack(view[len(_MAGIC) : start]):
            parts.append(view[start : start + size])
            start += size
        about: dict[str, Any] = json.loads(bytes(parts[0]))
        return cls(
            batch_id=uuid.UUID(about["batch_id"]),
            source=about["source"],
            rows=_from_ipc(parts[1]),
            quarantined=_from_ipc(parts[2]),
            ignored=about["ignored"],
            payloads=about["payloads"],
            received=about["received"],
            first_received_at=_from_text(about["first_received_at"]),
            last_received_at=_from_text(about["last_received_at"]),
            positions=about["positions"],
            expects=about["expects"],
            positions_of=about["positions_of"],
            frame=bytes(view[start:]),
            addresses=frozenset(about["addresses"]),
            is_hashed=about["is_hashed"],
        )


class BatchBuilder:
    """A batch in the making. Not thread-safe: one builder a source.

    Args:
        source: the source's name, for ledger and metrics.
        secret: the warehouse's key for recipients (`Warehouse.secret`).
        store_subject: whether the message's subject is kept.
        archive: whether the payloads are kept beside the rows.
        batch_id: of the first batch, when an archived one is built again; else a new one.
        hide: takes recipients out of what comes in, for a warehouse that has them hashed.
    """

    def __init__(  # noqa: PLR0913 - what a batch depends on, each by its name
        self,
        source: str,
        secret: bytes,
        *,
        store_subject: bool = True,
        archive: bool = True,
        batch_id: uuid.UUID | None = None,
        hide: Hide | None = None,
    ) -> None:
        self.source = source
        self._hide = hide
        self._row_builder = RowBuilder(secret=secret, store_subject=store_subject)
        self._archive = archive
        self._start(batch_id or uuid.uuid4())

    def _start(self, batch_id: uuid.UUID) -> None:
        self._batch_id = batch_id
        head = Head(self._batch_id, self.source, self._hide is not None)
        self._frame = FrameBuilder(head) if self._archive else None
        self._quarantined: list[tuple[Quarantined, Decoded]] = []
        self._ignored: Counter[Ignored] = Counter()
        self._received_at: tuple[datetime, datetime] | None = None
        self._addresses: set[str] = set()
        self.rows = 0
        self.payloads = 0
        self.payload_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added since the last `finish`."""
        return self.payloads == 0

    def add(self, decoded: Decoded) -> None:
        """Take one top-level value in, with all that was found in it."""
        if self._hide is None:
            self._keep(decoded)
            return
        for hidden in self._hide(decoded):
            self._keep(hidden)

    def _keep(self, decoded: Decoded) -> None:
        for event in decoded.events:
            self.rows += self._row_builder.add(
                event,
                received_at=decoded.received_at,
                region=decoded.region,
                account=decoded.account,
            )
        if decoded.quarantined:
            self._quarantined.extend((one, decoded) for one in decoded.quarantined)
        if decoded.ignored:
            self._ignored.update(decoded.ignored)
        if not decoded.events:
            self._addresses |= find_addresses(decoded.raw.decode("utf-8", "replace"))
        if self._frame is not None:
            self._frame.add(decoded)
        at = decoded.received_at
        first, last = self._received_at or (at, at)
        self._received_at = (min(first, at), max(last, at))
        self.payloads += 1
        self.payload_bytes += len(decoded.raw)

    def finish(
        self,
        *,
        positions: Mapping[str, str] | None = None,
        expects: Mapping[str, str | None] | None = None,
        positions_of: str = "",
    ) -> Batch:
        """Return what was added as one batch, and start anew.

        Args:
            positions: part of the source → where to read on once this batch is committed.
            expects: see `Batch`.
            positions_of: see `Batch`.
        """
        first, last = self._received_at or (None, None)
        frame = b""
        if self._frame is not None and self.payloads:
            frame = self._frame.finish(positions or {}, positions_of)
        addresses = frozenset(self._addresses | self._row_builder.addresses)
        batch = Batch(
            batch_id=self._batch_id,
            source=self.source,
            rows=self._row_builder.finish(),
            quarantined=_to_quarantine_rows(self._quarantined),
            ignored={str(kind): count for kind, count in self._ignored.items()},
            payloads=self.payloads,
            received=self.rows + len(self._quarantined) + self._ignored.total(),
            first_received_at=first,
            last_received_at=last,
            positions=positions or {},
            expects=expects or {},
            positions_of=positions_of,
            frame=frame,
            addresses=addresses,
            is_hashed=self._hide is not None,
        )
        self._start(uuid.uuid4())
        return batch


def _to_quarantine_rows(found: Sequence[tuple[Quarantined, Decoded]]) -> pa.Table:
    rows = [
        {
            "sha256": one.sha256,
            "reason": str(one.reason),
            "detail": one.detail,
            "origin": decoded.origin,
            "received_at": decoded.received_at.astimezone(UTC).replace(tzinfo=None),
            "payload": one.payload,
            "payload_bytes": one.length,
            "payload_offset": one.offset,
            "region": decoded.region,
            "account": decoded.account,
        }
        for one, decoded in found
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA)


def _to_ipc(rows: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def _from_ipc(data: memoryview) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def _to_text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
