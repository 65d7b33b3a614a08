"""A bucket that is polled, with S3's accidents one by one; the transport is moto's S3."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from consumer.envelope import Envelope
from consumer.errors import SourceDenied, SourceUnavailable
from consumer.settings import BatchSettings
from consumer.sources.s3_read_ahead import AheadBody
from consumer.sources.s3_source import ListedBody, S3Source
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse
from consumer.worker import Worker

if TYPE_CHECKING:
    from tests.sources.conftest import HandClock
    from tests.sources.s3.conftest import Store

Open = Callable[..., S3Source]
Eventually = Callable[[Callable[[], object]], None]

KEYS = [
    "2026/11/22/13/ses-1-2026-11-22-13-00-00-0f1e.gz",
    "noog nork.gz",
    "noog+nork.gz",
    "noog%2Bnork.gz",
    "noog%20nork.gz",
    "événements ünïcödé 日本.gz",
    "a=b&c;d@e:f,g?h#i.gz",
    "../../etc/passwd",
    "..",
    "//double//slashes//",
    "x" * 1_000,
]


def read(envelope: Envelope) -> bytes:
    body = envelope.body
    return body if isinstance(body, bytes) else b"".join(body.chunks())


def take(source: S3Source, count: int) -> list[Envelope]:
    taken: list[Envelope] = []
    deadline = time.monotonic() + 5
    while len(taken) < count and time.monotonic() < deadline:
        taken += source.receive(limit=count - len(taken), wait_secs=0.1)
    assert count == len(taken)
    return taken


def query(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    with warehouse.read(sql) as reader:
        rows: list[dict[str, Any]] = reader.read_all().to_pylist()
        return rows


def count_events(warehouse: Warehouse) -> int:
    return int(query(warehouse, "select count(*) as n from events")[0]["n"])


@contextmanager
def working(source: S3Source, warehouse: Warehouse) -> Iterator[Telemetry]:
    """A worker over the source, stopped in the end."""
    telemetry = Telemetry()
    limits = BatchSettings(flush_secs=0.1)
    worker = Worker([source], warehouse, limits=limits, telemetry=telemetry)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield telemetry
    finally:
        worker.stop()
        thread.join()


def test_objects_come_in_key_order_byte_for_byte(store: "Store", open_source: Open) -> None:
    for n in range(20):
        store.put_bytes(f"{n:02}", b"%d" % n * 1_000)
    taken = take(open_source(), 20)
    assert [f"s3://{store.bucket}/{n:02}" for n in range(20)] == [one.origin for one in taken]
    assert [b"%d" % n * 1_000 for n in range(20)] == [read(one) for one in taken]


def test_only_keys_with_the_prefix_come(store: "Store", open_source: Open) -> None:
    for key in ("ses/1", "ses-other/1", "other/ses/1"):
        store.put(key, 1)
    (envelope,) = take(open_source("ses/"), 1)
    assert f"s3://{store.bucket}/ses/1" == envelope.origin


def test_more_than_a_page_of_keys_comes_whole(store: "Store", open_source: Open) -> None:
    for n in range(1_050):
        store.put_bytes(f"{n:04}", b"")
    taken = take(open_source(), 1_050)
    assert 1_050 == len({one.origin for one in taken})


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_read_under_its_own_name(store: "Store", open_source: Open, key: str) -> None:
    store.put_bytes(key, b"this one")
    source = open_source()
    (envelope,) = take(source, 1)
    assert f"s3://{store.bucket}/{key}" == envelope.origin
    assert b"this one" == read(envelope)
    assert [key] == list(source.positions([envelope]))


# RELIABILITY S13
def test_no_file_is_made_of_a_key(store: "Store", open_source: Open, warehouse: Warehouse) -> None:
    key = "../../../escape"
    store.put(key, 1)
    folder = warehouse.path.parent
    before = {path.relative_to(folder) for path in folder.parent.rglob("*escape*")}
    source = open_source()
    with working(source, warehouse):
        pass
    assert before == {path.relative_to(folder) for path in folder.parent.rglob("*escape*")}


def test_folder_markers_and_empty_objects_count_as_empty_and_are_not_asked_for(
    store: "Store", open_source: Open, warehouse: Warehouse, eventually: Eventually
) -> None:
    store.put_bytes("2026/", b"")
    store.put_bytes("2026/empty", b"")
    store.put("2026/full", 1)
    with working(open_source(), warehouse):
        eventually(lambda: count_events(warehouse) == 1)
    assert ["2026/full"] == store.reads()
    counted = query(warehouse, "select ignored, ignored_reasons from ledger")
    assert 2 == sum(row["ignored"] for row in counted)
    assert 3 == len(warehouse.positions(f"s3:{store.bucket}/"))


def test_a_failed_transformation_s_records_are_unwrapped(
    store: "Store", open_source: Open, warehouse: Warehouse, eventually: Eventually
) -> None:
    """Firehose's error prefix; docs.aws.amazon.com/firehose/latest/dev/data-transformation.html."""
    send = {
        "eventType": "Send",
        "mail": {
            "timestamp": "2026-03-01T11:59:00.000Z",
            "messageId": "m",
            "destination": ["reader@example.net"],
        },
        "send": {},
    }
    record = {
        "attemptsMade": 4,
        "arrivalTimestamp": 1_772_366_340_000,
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "The Lambda function was successfully invoked but it returned an error",
        "attemptEndingTimestamp": 1_772_366_400_000,
        "rawData": base64.b64encode(json.dumps(send).encode()).decode(),
        "lambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:transform",
    }
    store.put_bytes("ses/processing-failed/2026/061/12/part", json.dumps(record).encode())
    with working(open_source(), warehouse):
        eventually(lambda: count_events(warehouse) == 1)


def test_what_is_committed_is_not_read_again_by_the_next_worker(
    store: "Store", open_source: Open, warehouse: Warehouse, eventually: Eventually
) -> None:
    store.put("2026/11/22/a", 1)
    with working(open_source(), warehouse):
        eventually(lambda: count_events(warehouse) == 1)
    store.put("2026/11/22/b", 2)
    store.put("2026/11/21/late", 3)
    with working(open_source(), warehouse):
        eventually(lambda: count_events(warehouse) == 3)
    assert ["2026/11/21/late", "2026/11/22/a", "2026/11/22/b"] == sorted(store.reads())


def test_an_object_handed_out_and_not_acked_comes_again_from_the_next(
    store: "Store", open_source: Open
) -> None:
    store.put("k", 1)
    first, second = open_source(), open_source()
    take(first, 1)
    first.close()
    second.restore({})
    assert f"s3://{store.bucket}/k" == take(second, 1)[0].origin


# RELIABILITY 24: Firehose may write a key anew after a partial failure
def test_an_object_written_anew_under_its_key_is_read_again(
    store: "Store", open_source: Open, warehouse: Warehouse, eventually: Eventually
) -> None:
    store.put("2026/11/22/a", 1)
    with working(open_source(poll_secs=0.1), warehouse):
        eventually(lambda: count_events(warehouse) == 1)
        store.put("2026/11/22/a", 1, 2)
        eventually(lambda: count_events(warehouse) == 2)
    assert 2 == len(store.reads())
    assert 1 == len(warehouse.positions(f"s3:{store.bucket}/"))


# RELIABILITY 25
def test_an_object_whose_notice_was_lost_is_found(
    store: "Store", open_source: Open, warehouse: Warehouse, eventually: Eventually
) -> None:
    """Objects that notices brought are there already: reading them again changes nothing."""
    store.put("2026/11/22/announced", 1)
    store.put("2026/11/22/lost", 2)
    source = open_source("2026/11/22/announced")
    with working(source, warehouse):
        eventually(lambda: count_events(warehouse) == 1)
    with working(open_source("2026/"), warehouse):
        eventually(lambda: count_events(warehouse) == 2)
        eventually(lambda: len(warehouse.positions(f"s3:{store.bucket}/2026/")) == 2)
    rows = query(warehouse, "select sum(inserted) as i, sum(duplicates) as d from ledger")
    assert [(2, 1)] == [(int(row["i"]), int(row["d"])) for row in rows]


# RELIABILITY 23
def test_an_object_deleted_since_it_was_listed_is_skipped_and_counted(
    store: "Store", open_source: Open, warehouse: Warehouse, eventually: Eventually
) -> None:
    store.put("a", 1)
    store.put("b", 2)
    store.before = lambda path: store.delete("a") if path.endswith("/a") else None
    source = open_source(poll_secs=0.1)
    with working(source, warehouse) as telemetry:
        eventually(lambda: count_events(warehouse) == 1)
        eventually(lambda: source.gone == 1)
        store.before = lambda _: None
        # the same bytes again are a new object: nothing of it was ever read
        store.put("a", 1)
        eventually(lambda: count_events(warehouse) == 2)
        assert telemetry.health()[0]


# RELIABILITY 23
def test_a_refused_object_does_not_hold_the_others_up_and_is_read_once_allowed(
    store: "Store", open_source: Open
) -> None:
    for n in range(3):
        store.put_bytes(f"{n}", b"%d" % n)
    store.refusals[f"{store.bucket}/0"] = [(403, "AccessDenied")]
    source = open_source()
    refused, *others = take(source, 3)
    with pytest.raises(SourceDenied, match=r"s3:GetObject on the object and s3:ListBucket"):
        read(refused)
    assert [b"1", b"2"] == [read(one) for one in others]
    source.nack([refused])
    source.ack(others)
    (again,) = take(source, 1)
    assert b"0" == read(again)


def test_an_object_that_keeps_failing_comes_later_and_later(
    store: "Store", open_source: Open, hand_clock: "HandClock"
) -> None:
    store.put_bytes("k", b"k")
    source = open_source(clock=hand_clock)
    source.nack(source.receive(limit=1, wait_secs=0))
    for delay_secs in (0, 1, 2, 4):
        if delay_secs:
            hand_clock.advance(delay_secs - 0.5)
            assert not source.receive(limit=1, wait_secs=0)
            hand_clock.advance(0.5)
        (envelope,) = source.receive(limit=1, wait_secs=0)
        source.nack([envelope])


def test_an_archived_object_is_waited_for(store: "Store", open_source: Open) -> None:
    """GLACIER: docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, InvalidObjectState."""
    store.put_bytes("k", b"k")
    store.refusals[f"{store.bucket}/k"] = [(403, "InvalidObjectState")]
    (envelope,) = take(open_source(), 1)
    with pytest.raises(SourceUnavailable, match="archived; restore it"):
        read(envelope)


@pytest.mark.parametrize(
    ("answer", "fault", "advice"),
    [
        ((403, "AccessDenied"), SourceDenied, "s3:ListBucket on the bucket"),
        ((404, "NoSuchBucket"), SourceDenied, "check the bucket's name"),
        ((400, "ExpiredToken"), SourceDenied, "renew them"),
        ((403, "InvalidAccessKeyId"), SourceDenied, "check the credentials"),
        ((503, "SlowDown"), SourceUnavailable, "this passes by itself"),
        ((500, "InternalError"), SourceUnavailable, "this passes by itself"),
    ],
)
def test_a_refused_listing_says_what_to_do_and_the_next_try_goes_on(
    store: "Store",
    open_source: Open,
    answer: tuple[int, str],
    fault: type[Exception],
    advice: str,
) -> None:
    store.put("k", 1)
    store.refusals["list-type=2"] = [answer]
    source = open_source()
    with pytest.raises(fault, match=f"listing s3://{store.bucket}/.*{answer[1]}.*{advice}"):
        source.receive(limit=1, wait_secs=0)
    assert 1 == len(take(source, 1))


def test_expired_credentials_halfway_lose_nothing(
    store: "Store",
    open_source: Open,
    warehouse: Warehouse,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumer.intake.DENIED_WAIT_SECS", 0.05)
    for n in range(5):
        store.put(f"2026/11/22/{n}", n)
    store.refusals["2026/11/22/3"] = [(400, "ExpiredToken")] * 2
    with working(open_source(), warehouse):
        eventually(lambda: count_events(warehouse) == 5)


# RELIABILITY S20
def test_every_request_names_the_account_that_the_bucket_must_belong_to(
    store: "Store", open_source: Open
) -> None:
    store.put("k", 1)
    source = open_source(expected_owner="123456789012")
    read(take(source, 1)[0])
    owners = {headers.get("x-amz-expected-bucket-owner") for headers in store.headers}
    assert {"123456789012"} == owners


def test_an_endpoint_is_addressed_in_path_style(store: "Store", open_source: Open) -> None:
    store.put("k", 1)
    read(take(open_source(), 1)[0])
    assert [f"GET /{store.bucket}", f"GET /{store.bucket}/k"] == store.requests


def test_a_bucket_tells_about_itself_and_nothing_is_read(store: "Store", open_source: Open) -> None:
    source = open_source("ses/")
    assert f"nothing under s3://{store.bucket}/ses/ yet" == source.probe()[-1]
    store.put("ses/a", 1)
    assert "'ses/a', and may be read" in source.probe()[-1]
    assert [] == store.reads()


@pytest.mark.parametrize(
    ("part", "status", "advice"),
    [
        ("", 404, "there is none; check the name"),
        ("", 403, "s3:ListBucket"),
        ("list-type=2", 403, "s3:ListBucket"),
        ("/a", 403, "s3:GetObject"),
    ],
)
def test_a_bucket_that_refuses_says_so_when_it_is_checked(
    store: "Store", open_source: Open, part: str, status: int, advice: str
) -> None:
    store.put("a", 1)
    store.refusals[part] = [(status, "AccessDenied")]
    with pytest.raises(SourceDenied, match=advice):
        open_source().probe()


def test_no_more_is_read_ahead_than_is_bounded(store: "Store", open_source: Open) -> None:
    for n in range(30):
        store.put_bytes(f"{n:02}", b"x" * 100)
    source = open_source(objects_at_once=2)
    taken = take(source, 30)
    assert len(store.reads()) <= 3 * 2
    assert {b"x" * 100} == {read(one) for one in taken}


def test_a_large_object_waits_for_its_reader(
    store: "Store", open_source: Open, eventually: Eventually
) -> None:
    store.put_bytes("large", bytes(20 * 1_048_576))
    source = open_source()
    (envelope,) = take(source, 1)
    eventually(store.reads)
    assert 20 * 1_048_576 == len(read(envelope))


def test_closing_wakes_whoever_waits_for_an_object(
    store: "Store", open_source: Open, eventually: Eventually
) -> None:
    store.put_bytes("k", b"k")
    held = threading.Event()

    def hold(path: str) -> None:
        if path.endswith("/k"):
            held.wait(10)

    store.before = hold
    source = open_source()
    (envelope,) = take(source, 1)
    faults: list[Exception] = []

    def wait() -> None:
        try:
            read(envelope)
        except SourceUnavailable as fault:
            faults.append(fault)

    reader = threading.Thread(target=wait)
    reader.start()
    assert isinstance(envelope.body, ListedBody)
    ahead = envelope.body.body
    assert isinstance(ahead, AheadBody)
    eventually(lambda: ahead.is_taken)
    source.close()
    reader.join(5)
    held.set()
    assert not reader.is_alive()
    assert ["reading was broken off"] == [str(fault) for fault in faults]
