"""What is listed next, and what of it is new: nothing is missed, in whatever order keys come."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from consumer.sources.s3_bucket import Page, S3Object
from consumer.sources.s3_listing import Listing, Stretch, find_head, to_position

POLL_SECS = 60.0
SWEEP_SECS = 3_600.0
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_object(key: str, *, etag: str = "one", minutes: float = 0) -> S3Object:
    return S3Object(key, etag, 10, NOON + timedelta(minutes=minutes))


def make_listing() -> Listing:
    return Listing("", poll_secs=POLL_SECS, sweep_secs=SWEEP_SECS, look_back=timedelta(hours=24))


class Bucket:
    """Objects in key order, a page at a time; counts the pages."""

    def __init__(self, page_keys: int = 2) -> None:
        self.objects: dict[str, S3Object] = {}
        self.page_keys = page_keys
        self.pages = 0

    def put(self, one: S3Object) -> None:
        self.objects[one.key] = one

    def list_page(self, stretch: Stretch, token: str | None) -> Page:
        self.pages += 1
        after = token or stretch.start_after
        keys = [key for key in sorted(self.objects) if key > after]
        keys = [key for key in keys if key.startswith(stretch.prefix)]
        found = [self.objects[key] for key in keys[: self.page_keys]]
        return Page(found, found[-1].key if len(keys) > len(found) else None)


def poll(listing: Listing, bucket: Bucket, now: float) -> Iterator[S3Object]:
    """Do what is due and commit what is new."""
    while (planned := listing.next_stretch(now)) is not None:
        page = bucket.list_page(*planned)
        for found in listing.take(page, now):
            yield found
            listing.note_committed(found)


def poll_keys(listing: Listing, bucket: Bucket, now: float) -> list[str]:
    return [found.key for found in poll(listing, bucket, now)]


def make_large(listing: Listing, bucket: Bucket, *, streams: str = "a") -> list[str]:
    """A bucket of more pages than are cheap, all taken in at second 0."""
    for stream in streams:
        for n in range(60):
            key = f"{stream}/2026/11/22/{n:03}"
            bucket.put(make_object(key, minutes=n - 60))
    return poll_keys(listing, bucket, 0)


def test_everything_there_is_comes_in_key_order() -> None:
    listing, bucket = make_listing(), Bucket()
    assert [f"a/2026/11/22/{n:03}" for n in range(60)] == make_large(listing, bucket)


def test_nothing_is_listed_before_the_next_poll_is_due() -> None:
    listing, bucket = make_listing(), Bucket()
    bucket.put(make_object("k"))
    assert ["k"] == poll_keys(listing, bucket, 0)
    assert listing.next_stretch(POLL_SECS - 1) is None
    assert listing.next_stretch(POLL_SECS) is not None


def test_a_small_bucket_is_listed_whole_at_every_poll() -> None:
    listing, bucket = make_listing(), Bucket()
    bucket.put(make_object("m"))
    poll_keys(listing, bucket, 0)
    bucket.put(make_object("a"))
    assert ["a"] == poll_keys(listing, bucket, POLL_SECS)


def test_an_object_written_anew_under_its_key_is_new() -> None:
    listing, bucket = make_listing(), Bucket()
    make_large(listing, bucket)
    bucket.put(make_object("a/2026/11/22/059", etag="two", minutes=1))
    assert ["a/2026/11/22/059"] == poll_keys(listing, bucket, POLL_SECS)
    assert [] == poll_keys(listing, bucket, 2 * POLL_SECS)


def test_a_large_bucket_is_read_on_from_its_last_hours() -> None:
    listing = Listing(
        "", poll_secs=POLL_SECS, sweep_secs=SWEEP_SECS, look_back=timedelta(minutes=5)
    )
    bucket = Bucket()
    make_large(listing, bucket)
    bucket.pages = 0
    bucket.put(make_object("a/2026/11/23/000", minutes=2))
    assert ["a/2026/11/23/000"] == poll_keys(listing, bucket, POLL_SECS)
    assert bucket.pages <= 7  # of 31


def test_a_late_key_that_sorts_before_the_last_one_is_found_by_the_next_poll() -> None:
    listing, bucket = make_listing(), Bucket()
    make_large(listing, bucket)
    bucket.put(make_object("a/2026/11/22/030-late", minutes=1))
    assert ["a/2026/11/22/030-late"] == poll_keys(listing, bucket, POLL_SECS)


def test_several_streams_under_one_prefix_are_each_read_on() -> None:
    listing, bucket = make_listing(), Bucket()
    make_large(listing, bucket, streams="ab")
    new = ["a/2026/11/22/061", "b/2026/11/22/061"]
    for key in new:
        bucket.put(make_object(key, minutes=1))
    assert new == poll_keys(listing, bucket, POLL_SECS)


@pytest.mark.parametrize("key", ["0-a-new-stream/2026/11/22/000", "a/2020/01/01/000", "no-date"])
def test_what_polls_cannot_expect_the_next_sweep_finds(key: str) -> None:
    listing, bucket = make_listing(), Bucket()
    make_large(listing, bucket)
    bucket.put(make_object(key, minutes=1))
    found = [poll_keys(listing, bucket, n * POLL_SECS) for n in range(1, 62)]
    assert [key] in found


def test_keys_without_dates_are_left_to_sweeps_where_there_are_many() -> None:
    listing, bucket = make_listing(), Bucket()
    for n in range(60):
        bucket.put(make_object(f"{n:03}"))
    assert 60 == len(poll_keys(listing, bucket, 0))
    bucket.put(make_object("000-new"))
    assert [] == poll_keys(listing, bucket, POLL_SECS)
    assert ["000-new"] == poll_keys(listing, bucket, SWEEP_SECS)


def test_a_listing_that_broke_off_goes_on_behind_the_last_key() -> None:
    listing, bucket = make_listing(), Bucket()
    for key in "abcdef":
        bucket.put(make_object(key))
    planned = listing.next_stretch(0)
    assert planned is not None
    listing.take(bucket.list_page(*planned), 0)
    listing.forget_token()
    assert (Stretch("", "b", is_sweep=True), None) == listing.next_stretch(0)
    assert list("cdef") == poll_keys(listing, bucket, 0)


def test_what_was_committed_by_an_earlier_run_is_not_new() -> None:
    first, second, bucket = make_listing(), make_listing(), Bucket()
    make_large(first, bucket)
    second.restore({one.key: to_position(one) for one in bucket.objects.values()})
    assert [] == poll_keys(second, bucket, 0)
    bucket.put(make_object("a/2026/11/22/059", etag="two"))
    assert ["a/2026/11/22/059"] == poll_keys(second, bucket, POLL_SECS)


def test_memory_follows_what_is_in_the_bucket() -> None:
    listing, bucket = make_listing(), Bucket()
    make_large(listing, bucket)
    bucket.objects = {"a/2026/11/22/000": bucket.objects["a/2026/11/22/000"]}
    poll_keys(listing, bucket, SWEEP_SECS)
    assert 1 == len(listing.known)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_missed_whatever_the_order_of_keys(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - repeatable
    listing, bucket, found = make_listing(), Bucket(), []
    put = set()
    now = 0.0
    for step in range(300):
        for _ in range(rng.randrange(3)):
            at = NOON + timedelta(minutes=step - rng.choice([0, 0, 1, 30, 3_000]))
            key = rng.choice(["a/{:%Y/%m/%d/%H}/x-{}", "b-{:%Y-%m-%d}-{}", "{:%S}-{}"])
            one = make_object(
                key.format(at, rng.randrange(100)), etag=str(rng.randrange(3)), minutes=step
            )
            # what is replaced before anybody saw it need not be found
            replaced = bucket.objects.get(one.key)
            if replaced is not None and (replaced.key, replaced.etag) not in found:
                continue
            bucket.put(one)
            put.add((one.key, one.etag))
        found += [(one.key, one.etag) for one in poll(listing, bucket, now)]
        now += POLL_SECS
    found += [(one.key, one.etag) for one in poll(listing, bucket, now + SWEEP_SECS)]
    assert put == set(found)


@pytest.mark.parametrize(
    ("key", "head"),
    [
        ("2026/11/22/13/stream-1-2026-11-22-13-00-00-uuid.gz", ""),
        ("ses/2026/11/22/13/x", "ses/"),
        ("ses/year=2026/month=11/x", "ses/year="),
        ("ses/processing-failed2026/11/22/13/x", "ses/processing-failed"),
        ("dt=2026-11-22/x", "dt="),
        ("123456/x", None),
        ("20261122/x", None),
        ("", None),
    ],
)
def test_the_head_of_a_key_is_what_comes_before_its_date(key: str, head: str | None) -> None:
    assert head == find_head(key)
