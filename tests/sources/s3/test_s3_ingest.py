"""Buckets taken in once, alone and beside files, in this process and in several."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from consumer.backfill.run import IngestResult, ingest
from consumer.cli.program import duckpost
from consumer.door.access import OpenedWarehouse
from consumer.errors import SourceDenied, SourceUnavailable, UsageError
from consumer.sources.files import FilesSource
from consumer.sources.s3_bucket import parse_url
from consumer.sources.s3_objects import S3Objects
from consumer.warehouse import Warehouse

if TYPE_CHECKING:
    from tests.sources.s3.conftest import Store

OBJECTS = 12
EACH = 5

TakeIn = Callable[..., IngestResult]


def fill(store: "Store", prefix: str = "ses/2026/11/22/") -> None:
    for n in range(OBJECTS):
        store.put(f"{prefix}é +%2B {n:02}", *range(n * EACH, n * EACH + EACH))


@pytest.fixture
def take_in(store: "Store", warehouse: Warehouse) -> TakeIn:
    def do(prefix: str = "", *, processes: int = 0, paths: tuple[Path, ...] = ()) -> IngestResult:
        files = [FilesSource([str(path) for path in paths])] if paths else []
        bucket = S3Objects(store.place(prefix, attempts=2))
        return ingest([*files, bucket], OpenedWarehouse(warehouse), processes=processes)

    return do


@pytest.mark.parametrize("processes", [0, 2])
def test_a_prefix_is_taken_in_whole_and_again_is_all_duplicates(
    store: "Store", take_in: TakeIn, processes: int
) -> None:
    fill(store)
    store.put("other/1", 1_000)
    store.put_bytes("ses/2026/", b"")
    first, second = take_in("ses/", processes=processes), take_in("ses/", processes=processes)
    assert (OBJECTS + 1, OBJECTS * EACH, 0, 1, {}) == (
        first.files,
        first.inserted,
        first.duplicates,
        first.ignored,
        first.failed,
    )
    assert (0, OBJECTS * EACH) == (second.inserted, second.duplicates)


@pytest.mark.parametrize("prefix", ["ses/2062/", ""])
def test_a_prefix_that_no_key_begins_with_is_named_as_not_read(
    store: "Store", take_in: TakeIn, prefix: str
) -> None:
    if prefix:
        fill(store)
    result = take_in(prefix)
    assert 0 == result.files
    assert [f"s3://{store.bucket}/{prefix}"] == list(result.failed)
    assert "has no object" in result.failed[f"s3://{store.bucket}/{prefix}"]


@pytest.mark.parametrize("processes", [0, 2])
def test_files_and_buckets_may_be_mixed(
    store: "Store", take_in: TakeIn, warehouse: Warehouse, tmp_path: Path, processes: int
) -> None:
    fill(store)
    body = store.client.get_object(Bucket=store.bucket, Key="ses/2026/11/22/é +%2B 00")["Body"]
    (tmp_path / "copy.gz").write_bytes(body.read())
    result = take_in(processes=processes, paths=(tmp_path / "copy.gz",))
    assert (OBJECTS + 1, OBJECTS * EACH, EACH) == (
        result.files,
        result.inserted,
        result.duplicates,
    )
    with warehouse.read("select distinct source from ledger order by source") as reader:
        assert ["files", f"s3:{store.bucket}/"] == reader.read_all()["source"].to_pylist()


@pytest.mark.parametrize("processes", [0, 2])
def test_an_object_that_is_refused_is_named_and_the_others_go_on(
    store: "Store", take_in: TakeIn, processes: int
) -> None:
    fill(store)
    store.refusals["2B 03"] = [(403, "AccessDenied")]
    result = take_in(processes=processes)
    assert [f"s3://{store.bucket}/ses/2026/11/22/é +%2B 03"] == list(result.failed)
    assert (OBJECTS - 1) * EACH == result.inserted


def test_an_object_deleted_since_it_was_listed_is_skipped_and_counted(
    store: "Store", take_in: TakeIn
) -> None:
    fill(store)
    gone = "ses/2026/11/22/é +%2B 03"
    store.before = lambda path: store.delete(gone) if path.endswith("03") else None
    result = take_in()
    assert (1, {}, (OBJECTS - 1) * EACH) == (result.gone, result.failed, result.inserted)


def test_being_asked_to_slow_down_loses_nothing(store: "Store", take_in: TakeIn) -> None:
    fill(store)
    store.refusals["2B 0"] = [(503, "SlowDown")]
    store.refusals["list-type=2"] = [(503, "SlowDown")]
    result = take_in()
    assert ({}, OBJECTS * EACH) == (result.failed, result.inserted)


def test_a_bucket_that_cannot_be_listed_is_said(store: "Store", take_in: TakeIn) -> None:
    store.refusals["list-type=2"] = [(503, "SlowDown")] * 2
    with pytest.raises(SourceUnavailable, match="SlowDown"):
        take_in()
    store.refusals["list-type=2"] = [(403, "AccessDenied")]
    with pytest.raises(SourceDenied, match="s3:ListBucket"):
        take_in()


def test_credentials_that_expire_end_the_run_and_the_next_one_takes_in_the_rest(
    store: "Store", take_in: TakeIn
) -> None:
    for n in range(30):
        store.put(f"{n:02}", n)
    store.refusals[f"{store.bucket}/1"] = [(400, "ExpiredToken")] * 10
    store.refusals[f"{store.bucket}/2"] = [(400, "ExpiredToken")] * 10
    with pytest.raises(SourceDenied, match="running the same command again takes in the rest"):
        take_in()
    result = take_in()
    assert 30 == result.inserted + result.duplicates


def test_progress_reaches_the_size_of_all_objects(store: "Store", warehouse: Warehouse) -> None:
    fill(store)
    told: list[tuple[int, int]] = []
    ingest(
        [S3Objects(store.place())],
        OpenedWarehouse(warehouse),
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert OBJECTS == len(told)
    assert told[-1][0] == told[-1][1] > 0


def test_the_command_takes_urls_and_paths(
    store: "Store", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.url)
    fill(store)
    path = tmp_path / "one.json"
    path.write_bytes(b"{}")
    arguments = ["ingest", str(path), f"s3://{store.bucket}/ses", "--json", "--processes", "0"]
    printed = CliRunner().invoke(duckpost, arguments, catch_exceptions=False).stdout
    assert (OBJECTS + 1, OBJECTS * EACH, 1) == tuple(
        json.loads(printed)[name] for name in ("files", "inserted", "quarantined")
    )


def test_a_bucket_of_the_settings_is_read_as_they_say(
    store: "Store", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = {
        "type": "s3",
        "bucket": store.bucket,
        "endpoint_url": store.url,
        "expected_owner": "123456789012",
    }
    monkeypatch.setitem(os.environ, "DUCKPOST_SOURCES", json.dumps([source]))
    fill(store)
    arguments = ["ingest", f"s3://{store.bucket}/ses", "--json", "--processes", "0"]
    printed = CliRunner().invoke(duckpost, arguments, catch_exceptions=False).stdout
    assert OBJECTS * EACH == json.loads(printed)["inserted"]
    owners = {headers.get("x-amz-expected-bucket-owner") for headers in store.headers}
    assert {"123456789012"} == owners


def test_check_tries_a_bucket(
    store: "Store", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUCKPOST_TELEMETRY_ENABLED", "false")
    source = {"type": "s3", "bucket": store.bucket, "endpoint_url": store.url}
    monkeypatch.setenv("DUCKPOST_SOURCES", json.dumps([source]))
    assert 0 == CliRunner().invoke(duckpost, ["check"]).exit_code
    monkeypatch.setenv("DUCKPOST_SOURCES", json.dumps([{**source, "bucket": "no-such-bucket"}]))
    assert 3 == CliRunner().invoke(duckpost, ["check"]).exit_code


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://b", "b", ""),
        ("s3://b/", "b", ""),
        ("s3://b/ses/2026/", "b", "ses/2026/"),
        ("s3://b/a+b%2Bc d", "b", "a+b%2Bc d"),
        ("s3://b//x", "b", "/x"),
    ],
)
def test_a_url_is_taken_as_it_stands(url: str, bucket: str, prefix: str) -> None:
    assert (bucket, prefix) == parse_url(url)


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix"])
def test_a_url_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no bucket is named"):
        parse_url(url)
