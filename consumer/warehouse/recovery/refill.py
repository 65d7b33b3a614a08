"""Batches out of the archive, written as they were the first time."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import structlog

from consumer.batch import Batch, BatchBuilder
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.errors import CommitOutcomeUnknown, WarehouseError
from consumer.frame import FrameReader, Head
from consumer.warehouse.archive import Segment, Torn, list_files, read_file
from consumer.warehouse.warehouse import Warehouse
from consumer.warehouse.writing.write import WriteResult

_ENDS = """
select archive_file as file, max(archive_offset + archive_bytes)::bigint as ends_at
from ledger where archive_file is not null group by archive_file
"""
_IDS = "select batch_id from ledger where archive_file is null or archive_file >= $1"


@dataclass(frozen=True, slots=True)
class Refill:
    """What a warehouse got back from its archive.

    Attributes:
        batches: written.
        payloads: in them.
        torn: stretches of the archive's last files that could not be read, ends left out.
        left: batches that could not be written; `rebuild` takes them in.
    """

    batches: int = 0
    payloads: int = 0
    torn: int = 0
    left: int = 0


def write_again(warehouse: Warehouse, segment: Segment, frame: bytes) -> WriteResult:
    """Decode an archived batch anew and commit it under its own id, source and positions."""
    batch, released = _build_again(frame, warehouse)
    return warehouse.write(batch, replaces=released, segment=segment)


def read_head(frame: bytes) -> Head:
    """Return what a frame says of its batch."""
    return FrameReader(io.BytesIO(frame)).head


def refill(warehouse: Warehouse, *, at_least: int = 1) -> Refill:
    """Write the batches that stand in the archive after all that the ledger knows.

    A kill leaves one there at most: synced, and killed before its commit. More than that, or any
    after a mended log, are commits that the file has lost. Nothing is written where there are
    fewer than ``at_least``.
    """
    missing, torn = _find_missing(warehouse)
    if len(missing) < at_least:
        return Refill(torn=torn)
    batches = payloads = 0
    for segment, frame in _read(warehouse, missing):
        try:
            payloads += write_again(warehouse, segment, frame).payloads
        except CommitOutcomeUnknown:
            raise
        except WarehouseError as error:
            structlog.get_logger().warning("archived batch not taken in", error=str(error))
        else:
            batches += 1
    return Refill(batches, payloads, torn, len(missing) - batches)


def _find_missing(warehouse: Warehouse) -> tuple[list[Segment], int]:
    """Return where frames lie that the ledger ought to name and does not, oldest first."""
    with warehouse.read(_ENDS) as reader:
        ends = {row["file"]: row["ends_at"] for row in reader.read_all().to_pylist()}
    files = list_files(warehouse.place.archive)
    # the newest file that the ledger names, and those after it
    begin = max((n for n, file in enumerate(files) if file.name in ends), default=0)
    found: list[tuple[UUID, Segment]] = []
    torn = 0
    for file in files[begin:]:
        for one in read_file(file, start=ends.get(file.name, 0)):
            if isinstance(one, Torn):
                torn += not one.is_end
            else:
                found.append((read_head(one[1]).batch_id, one[0]))
    if not found:
        return [], torn
    with warehouse.read(_IDS, [files[begin].name]) as reader:
        known = {UUID(str(row["batch_id"])) for row in reader.read_all().to_pylist()}
    missing = {batch_id: segment for batch_id, segment in found if batch_id not in known}
    return list(missing.values()), torn


def _read(warehouse: Warehouse, segments: list[Segment]) -> Iterator[tuple[Segment, bytes]]:
    for segment in segments:
        with (warehouse.place.archive / segment.file).open("rb") as file:
            file.seek(segment.offset)
            yield segment, file.read(segment.length)


def _build_again(frame: bytes, warehouse: Warehouse) -> tuple[Batch, frozenset[str]]:
    reader = FrameReader(io.BytesIO(frame))
    builder = BatchBuilder(
        reader.head.source,
        warehouse.secret,
        store_subject=warehouse.options.store_subject,
        archive=False,
        hide=warehouse.hider,
        batch_id=reader.head.batch_id,
    )
    for stored in reader.payloads():
        envelope = Envelope(
            stored.raw, None, stored.origin, stored.received_at, stored.region, stored.account
        )
        for decoded in decode(envelope):
            builder.add(decoded)
    batch = builder.finish(positions=reader.positions, positions_of=reader.positions_of)
    return batch, frozenset(reader.released)
