"""The objects under a prefix, once: what `duckpost ingest s3://bucket/prefix` reads."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from consumer.envelope import Envelope
from consumer.sources.one_shot import Unit
from consumer.sources.s3_bucket import SCHEME, S3Bucket, S3Place
from consumer.sources.s3_read_ahead import AheadBody, ReadAhead

# In each process: enough to hide a round trip, little enough to hold.
_OBJECTS_AT_ONCE: Final = 4
# One this large takes long enough to decode; the next is better left to an idle process.
_BYTES_AHEAD: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class S3Objects:
    """The place as a `consumer.sources.one_shot.OneShotSource`; its units are keys.

    Folder markers and empty objects are units too: decoding says that they are empty. A place
    without any has most likely been mistyped, and is among `failed`.
    """

    place: S3Place
    failed: dict[str, str] = field(default_factory=dict)
    is_bound: bool = False

    @property
    def name(self) -> str:
        """``s3:`` and bucket and prefix."""
        return self.place.name

    def units(self) -> Iterator[Unit]:
        """List the objects in key order, a request a thousand of them."""
        bucket = S3Bucket(self.place)
        is_empty = True
        try:
            for found in bucket.list_objects():
                is_empty = False
                yield Unit(f"{SCHEME}{self.place.bucket}/{found.key}", found.size)
        finally:
            bucket.close()
        if is_empty:
            begins = (
                f"whose key begins with {self.place.prefix!r}" if self.place.prefix else "at all"
            )
            url = f"{SCHEME}{self.place.bucket}/{self.place.prefix}"
            self.failed[url] = f"the bucket has no object {begins}: check bucket and prefix"

    def reader(self) -> "S3Reader":
        """Return what reads the objects, in any process."""
        return S3Reader(self.place)


@dataclass(frozen=True, slots=True)
class S3Reader:
    """Reads objects by their URLs, the next few while one is decoded."""

    place: S3Place

    def read(self, units: Iterable[Unit]) -> Iterator[Envelope]:
        """Give an envelope an object, in order, with the next on their way if they are small."""
        bucket = S3Bucket(self.place)
        read_ahead = ReadAhead(_OBJECTS_AT_ONCE)
        under_way: deque[tuple[Unit, AheadBody]] = deque()
        start = len(f"{SCHEME}{self.place.bucket}/")

        def is_enough() -> bool:
            size = sum(unit.size for unit, _ in under_way)
            return len(under_way) >= _OBJECTS_AT_ONCE or size >= _BYTES_AHEAD

        def give() -> Iterator[Envelope]:
            unit, body = under_way[0]
            region = self.place.access.region
            yield Envelope(body, unit.name, unit.name, datetime.now(UTC), region)
            under_way.popleft()

        try:
            for unit in units:
                under_way.append((unit, read_ahead.open(bucket.open_body(unit.name[start:]))))
                while is_enough():
                    yield from give()
            while under_way:
                yield from give()
        finally:
            for _, body in under_way:
                body.cancel()
            read_ahead.close()
            bucket.close()
