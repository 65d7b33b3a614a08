"""Gives payloads in quarantine another try, with the schemas of today."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC

from consumer.batch import BatchBuilder
from consumer.decode import decode
from consumer.decoded import Decoded
from consumer.door.access import Access
from consumer.envelope import Envelope
from consumer.erasure import Hider

PAYLOADS_AT_ONCE = 500
SOURCE = "quarantine replay"

_NAMES = "select sha256 from quarantine where len($1) = 0 or sha256 in (select unnest($1))"
_PAYLOADS = """
select sha256, origin, received_at, payload, payload_bytes, region, account
from quarantine
where sha256 in (select unnest($1))
"""


@dataclass(slots=True)
class ReplayResult:
    """What became of the payloads: those that decoded left quarantine, the others stay.

    Attributes:
        tried: payloads looked at.
        left: payloads that decode now.
        cut: payloads that stay because only their beginning was kept.
        inserted, superseded, duplicates, ignored: what was in those that left.
    """

    tried: int = 0
    left: int = 0
    cut: int = 0
    inserted: int = 0
    superseded: int = 0
    duplicates: int = 0
    ignored: int = 0


def replay(access: Access, sha256s: list[str]) -> ReplayResult:
    """Decode payloads anew, all of them for an empty list.

    Each group of payloads that decode is written and leaves quarantine in one transaction.
    """
    result = ReplayResult()
    with access.read(_NAMES, [sha256s]) as reader:
        names = [str(row["sha256"]) for batch in reader for row in batch.to_pylist()]
    for start in range(0, len(names), PAYLOADS_AT_ONCE):
        _replay_some(access, names[start : start + PAYLOADS_AT_ONCE], result)
    return result


def _replay_some(access: Access, names: list[str], result: ReplayResult) -> None:
    builder = BatchBuilder(
        SOURCE,
        access.secret,
        store_subject=access.store_subject,
        archive=access.archive,
        hide=Hider(access.secret) if access.is_hashed else None,
    )
    leaving = []
    for sha256, is_cut, envelope in _read_payloads(access, names):
        result.tried += 1
        found = [] if is_cut else list(decode(envelope))
        result.cut += is_cut
        if _is_understood(found):
            leaving.append(sha256)
            for decoded in found:
                builder.add(decoded)
    if not leaving:
        return
    written = access.write(builder.finish(), replaces=leaving)
    result.left += len(leaving)
    result.inserted += written.inserted
    result.superseded += written.superseded
    result.duplicates += written.duplicates
    result.ignored += written.ignored


def _is_understood(found: list[Decoded]) -> bool:
    return any(one.events or one.ignored for one in found) and not any(
        one.quarantined for one in found
    )


def _read_payloads(access: Access, names: list[str]) -> Iterator[tuple[str, bool, Envelope]]:
    with access.read(_PAYLOADS, [names]) as reader:
        rows = [row for batch in reader for row in batch.to_pylist()]
    for row in rows:
        envelope = Envelope(
            body=row["payload"],
            receipt=None,
            origin=row["origin"],
            received_at=row["received_at"].replace(tzinfo=UTC),
            region=row["region"],
            account=row["account"],
        )
        yield row["sha256"], row["payload_bytes"] > len(row["payload"]), envelope
