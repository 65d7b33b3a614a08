"""Starting on a backup: what each transport brings again counts once, what was missed comes in."""

import gzip
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from consumer.backfill.run import ingest as take_in
from consumer.demo.loopback import LoopbackQueue
from consumer.door.access import OpenedWarehouse
from consumer.settings import BatchSettings
from consumer.sources.aws import AwsAccess
from consumer.sources.base import Source
from consumer.sources.files import FilesSource
from consumer.sources.s3_bucket import S3Place
from consumer.sources.s3_source import S3Options, S3Source
from consumer.sources.sqs import SqsOptions, SqsSource
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.backup import back_up
from consumer.warehouse.recount import verify
from consumer.warehouse.recovery.rebuild import rebuild
from consumer.worker import Worker

OPTIONS = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)
PATIENCE_SECS = 20.0
BUCKET = "ses-events"


@pytest.fixture(autouse=True)
def _lean(lean_sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def ask(warehouse: Warehouse, sql: str) -> Any:  # noqa: ANN401 - whatever the one value is
    with warehouse.read(sql) as reader:
        (row,) = reader.read_all().to_pylist()
    return next(iter(row.values()))


def numbers(warehouse: Warehouse) -> list[int]:
    """Which messages are rows, once for each row."""
    found = ask(warehouse, "select list(message_id order by message_id) as ids from events")
    return sorted(int(message_id.removeprefix("message-")) for message_id in found or [])


def faults(warehouse: Warehouse) -> list[str]:
    return [finding.check for finding in verify(warehouse) if not finding.is_well]


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECS
    turn = threading.Event()
    while not is_so():
        assert time.monotonic() < until, "it did not come true in time"
        turn.wait(0.02)


@contextmanager
def working(source: Source, warehouse: Warehouse) -> Iterator[None]:
    """A worker over the source."""
    limits = BatchSettings(flush_secs=0.1)
    worker = Worker([source], warehouse, limits=limits, telemetry=Telemetry())
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Warehouse]:
    """The warehouse whose disk is lost in the end."""
    (tmp_path / "live").mkdir()
    with open_warehouse(tmp_path / "live" / "ses.duckdb", OPTIONS) as warehouse:
        yield warehouse


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Callable[[], Warehouse]]:
    """Starts on the copy, carried to another folder as to another machine."""
    opened: list[Warehouse] = []

    def start() -> Warehouse:
        shutil.copytree(tmp_path / "copy", tmp_path / "other machine")
        shutil.rmtree(tmp_path / "copy")
        opened.append(open_warehouse(tmp_path / "other machine" / "ses.duckdb", OPTIONS))
        return opened[-1]

    yield start
    for warehouse in opened:
        warehouse.close()


def test_a_queue_s_redeliveries_are_recognised_and_what_it_forgot_comes_from_the_old_archive(
    live: Warehouse,
    restored: Callable[[], Warehouse],
    send: Callable[[int], bytes],
    tmp_path: Path,
) -> None:
    def read(queue: LoopbackQueue) -> SqsSource:
        access = AwsAccess(endpoint_url=queue.endpoint_url)
        return SqsSource(SqsOptions(queue=queue.url, access=access, long_poll_secs=1))

    with LoopbackQueue(visibility_secs=30) as queue:
        queue.send(send(number).decode() for number in range(30))
        with working(read(queue), live):
            wait_until(lambda: queue.queue.deleted == 30)
            back_up(live, tmp_path / "copy")
            # committed and forgotten by the queue, but after the copy
            queue.send(send(number).decode() for number in range(30, 40))
            wait_until(lambda: queue.queue.deleted == 40)
        # a visibility timeout that ended before its delete brings these again
        queue.send(send(number).decode() for number in range(5))
        queue.send(send(number).decode() for number in range(40, 50))
        copy = restored()
        with working(read(queue), copy):
            wait_until(lambda: queue.queue.deleted == 55)
    assert [*range(30), *range(40, 50)] == numbers(copy)

    live.close()
    copy.close()
    for file in live.place.archive.iterdir():  # they only grow, and say which batch they hold
        shutil.copy(file, copy.place.archive / f"{file.stem}-old{file.suffix}")
    rebuild(copy.path, OPTIONS)

    with open_warehouse(copy.path, OPTIONS) as whole:
        assert list(range(50)) == numbers(whole)
        assert [] == faults(whole)


def test_a_bucket_is_read_on_from_where_the_copy_was(
    live: Warehouse,
    restored: Callable[[], Warehouse],
    send: Callable[[int], bytes],
    tmp_path: Path,
) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    access = AwsAccess(s3_endpoint_url=f"http://{host}:{port}")
    client = boto3.client("s3", endpoint_url=access.s3_endpoint_url)
    client.create_bucket(Bucket=BUCKET)

    def put(key: str, sent: range) -> None:
        body = gzip.compress(b"\n".join(send(number) for number in sent))
        client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def read() -> S3Source:
        return S3Source(S3Options(place=S3Place(bucket=BUCKET, access=access), poll_secs=0.2))

    try:
        put("2026/03/01/11/a", range(10))
        with working(read(), live):
            wait_until(lambda: len(numbers(live)) == 10)
            back_up(live, tmp_path / "copy")
            put("2026/03/01/12/b", range(10, 20))
            wait_until(lambda: len(numbers(live)) == 20)
        put("2026/03/01/13/c", range(20, 30))
        copy = restored()
        with working(read(), copy):
            wait_until(lambda: len(numbers(copy)) == 30)
    finally:
        server.stop()

    assert list(range(30)) == numbers(copy)
    assert 30 == ask(copy, "select sum(received)::bigint as n from ledger")  # a is not read again
    assert [] == faults(copy)


def test_files_taken_in_again_are_recognised(
    live: Warehouse,
    restored: Callable[[], Warehouse],
    send: Callable[[int], bytes],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "objects"
    folder.mkdir()

    def put(name: str, sent: range) -> None:
        (folder / name).write_bytes(b"\n".join(send(number) for number in sent))

    put("a.json", range(10))
    take_in([FilesSource([folder])], OpenedWarehouse(live), processes=0)
    back_up(live, tmp_path / "copy")
    put("b.json", range(10, 20))
    take_in([FilesSource([folder])], OpenedWarehouse(live), processes=0)
    put("c.json", range(20, 30))
    copy = restored()
    result = take_in([FilesSource([folder])], OpenedWarehouse(copy), processes=0)

    assert list(range(30)) == numbers(copy)
    assert (20, 10) == (result.inserted, result.duplicates)
    assert [] == faults(copy)
