"""Payloads beside the file, and the warehouse built again from them."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from consumer.batch import BatchBuilder
from consumer.decoded import Decoded
from consumer.errors import WarehouseDamaged, WarehouseFull, WarehouseLocked, WarehouseNewer
from consumer.frame import FrameReader
from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.archive import Archive, Segment, Torn, read_frames, read_segment
from consumer.warehouse.recount import verify
from consumer.warehouse.recovery.rebuild import rebuild

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

AT = datetime(2026, 3, 2, 9, 59, 58, tzinfo=UTC)
FRAME = zstandard.ZstdCompressor().compress(b"one\n")


class Stopped(Exception):  # noqa: N818 - it stands for a kill
    """The process ends here."""


class HandClock:
    """An hour that passes only when told to."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


def payloads(path: Path) -> bytes:
    """What ``zstdcat`` would show: all frames of a file, decompressed."""
    with path.open("rb") as file:
        engine = zstandard.ZstdDecompressor()
        return engine.stream_reader(file, read_across_frames=True).read()


def files(desk: "Desk") -> list[Path]:
    return sorted(desk.warehouse.place.archive.iterdir())


# --- the files -------------------------------------------------------------------------------


def test_an_hour_is_a_file_and_a_batch_a_frame(tmp_path: Path) -> None:
    clock = HandClock()
    archive = Archive(tmp_path / "archive", clock=clock)
    first, second = archive.append(FRAME), archive.append(FRAME)
    clock.now += timedelta(seconds=2)
    third = archive.append(FRAME)
    archive.close()

    assert Segment("20260302T09-000.zst", 0, len(FRAME)) == first
    assert Segment("20260302T09-000.zst", len(FRAME), len(FRAME)) == second
    assert Segment("20260302T10-000.zst", 0, len(FRAME)) == third
    assert [first, second, third] == [
        found[0] for found in read_frames(tmp_path / "archive") if not isinstance(found, Torn)
    ]


def test_a_start_within_the_hour_opens_a_file_of_its_own(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        archive = Archive(tmp_path, clock=HandClock())
        names.append(archive.append(FRAME).file)
        archive.close()

    assert ["20260302T09-000.zst", "20260302T09-001.zst", "20260302T09-002.zst"] == names


def test_a_name_that_an_erasure_freed_is_not_given_to_other_frames(tmp_path: Path) -> None:
    for name in ("20260302T09-000.e2.zst", "20260302T09-001.zst", "20260302T10-002.zst"):
        (tmp_path / name).touch()
    archive = Archive(tmp_path, clock=HandClock())

    assert "20260302T09-002.zst" == archive.append(FRAME).file
    archive.close()


def test_a_failed_write_ends_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(tmp_path, clock=HandClock())
    archive.append(FRAME)

    def refuse(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(WarehouseFull, match="Input/output error"):
            archive.append(FRAME)

    assert Segment("20260302T09-001.zst", 0, len(FRAME)) == archive.append(FRAME)
    archive.close()


def test_a_torn_end_is_told_apart_from_whole_frames(tmp_path: Path) -> None:
    for cut in range(1, len(FRAME)):
        (tmp_path / "20260302T09-000.zst").write_bytes(FRAME + FRAME[:cut])
        (tmp_path / "20260302T10-000.zst").write_bytes(FRAME)
        whole, torn, next_file = read_frames(tmp_path)

        assert not isinstance(whole, Torn)
        assert isinstance(torn, Torn)
        assert ("20260302T09-000.zst", len(FRAME)) == (torn.file, torn.offset)
        assert not isinstance(next_file, Torn)


def test_rot_within_a_frame_is_noticed(tmp_path: Path) -> None:
    text = os.urandom(2_000).hex().encode()
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(text)
    rotten = bytearray(frame)
    rotten[len(frame) // 2] ^= 0x40
    (tmp_path / "20260302T09-000.zst").write_bytes(bytes(rotten))

    assert [True] == [isinstance(found, Torn) for found in read_frames(tmp_path)]


def test_rot_hides_no_frame_after_it(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send())
    inner = zstandard.ZstdCompressor().compress(b"a payload that is zstd itself")
    desk.write(inner * 20, letter.open())
    desk.write(letter.click())
    (file,) = files(desk)
    whole = file.read_bytes()
    (_, first), (second, middle), (_, last) = read_frames(file.parent)  # type: ignore[misc]  # all whole
    file.write_bytes(whole[: second.offset] + middle[:15] + inner * 3 + middle[15:] + last)
    found = list(read_frames(file.parent))

    assert [first, last] == [one[1] for one in found if not isinstance(one, Torn)]
    assert [False] == [one.is_end for one in found if isinstance(one, Torn)]


def test_empty_files_and_missing_folders_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "20260302T09-000.zst").touch()

    assert [] == list(read_frames(tmp_path))
    assert [] == list(read_frames(tmp_path / "nowhere"))


def test_zstd_tools_show_payloads_as_they_came(desk: "Desk", letter: "Letter") -> None:
    send, opened = json.dumps(letter.send()).encode(), json.dumps(letter.open()).encode()
    desk.warehouse.write(desk.batch(send, opened, b"{nonsense"))
    desk.warehouse.write(desk.batch(send, source="files"))
    (file,) = files(desk)
    lines = payloads(file).split(b"\n")

    assert [send, opened, b"{nonsense"] == lines[2:5]
    assert ["sqs:ses-events", "files"] == [
        json.loads(line)["source"] for line in lines if b'"format"' in line
    ]


def test_the_zstd_program_reads_it_too(desk: "Desk", letter: "Letter") -> None:
    program = shutil.which("zstdcat")
    if program is None:
        pytest.skip("zstdcat is not installed")
    desk.write(letter.send())
    desk.write(letter.open())
    (file,) = files(desk)
    shown = subprocess.run([program, str(file)], check=True, capture_output=True).stdout

    assert payloads(file) == shown


def test_the_ledger_names_the_frame_of_each_batch(desk: "Desk", letter: "Letter") -> None:
    batches = [desk.batch(letter.send(), positions={"3": "17"}), desk.batch(letter.open())]
    for batch in batches:
        desk.warehouse.write(batch)
    rows = desk.rows(
        "select batch_id, archive_file, archive_offset, archive_bytes from ledger "
        "order by archive_offset"
    )
    for batch, row in zip(batches, rows, strict=True):
        segment = Segment(row["archive_file"], row["archive_offset"], row["archive_bytes"])
        reader = read_segment(desk.warehouse.place.archive, segment)
        assert batch.batch_id == reader.head.batch_id
        assert 1 == len(list(reader.payloads()))
        assert batch.positions == reader.positions


def test_without_the_switch_nothing_is_kept(
    new_desk: Callable[..., "Desk"], letter: "Letter"
) -> None:
    desk = new_desk(
        WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0, archive=False)
    )
    desk.write(letter.send())

    assert not desk.warehouse.place.archive.exists()
    assert [{"archive_file": None}] == desk.rows("select archive_file from ledger")
    assert [] == desk.faults()


# --- frames ----------------------------------------------------------------------------------


def test_a_frame_gives_back_every_byte_and_where_it_came_from() -> None:
    later = AT + timedelta(microseconds=1)
    given = [
        Decoded(b'{"a": 1}\n\n', "sqs:one", AT, "eu-west-1"),
        Decoded(b"", "sqs:one", AT, "eu-west-1"),
        Decoded(bytes(range(256)), "sqs:one", AT, "eu-west-1"),
        Decoded(b"y", "sqs:one", AT, "eu-west-1", "444455556666"),
        Decoded(b"x" * 3_000_000, "file:/data/\N{SNOWMAN}\n.gz", AT, None),
        Decoded(b"\n", "file:/data/\N{SNOWMAN}\n.gz", later, None),
    ]
    builder = BatchBuilder("files", b"k" * 32)
    for one in given:
        builder.add(one)
    batch = builder.finish(positions={"a": "1"})
    reader = FrameReader(io.BytesIO(batch.frame))
    found = list(reader.payloads())

    assert [(one.raw, one.origin, one.received_at, one.region, one.account) for one in given] == [
        (one.raw, one.origin, one.received_at, one.region, one.account) for one in found
    ]
    assert (batch.batch_id, "files", {"a": "1"}) == (
        reader.head.batch_id,
        reader.head.source,
        reader.positions,
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_frame_cut_short_raises_rather_than_giving_less(share: float) -> None:
    builder = BatchBuilder("files", b"k" * 32)
    for _ in range(50):
        builder.add(Decoded(os.urandom(500).hex().encode(), "files", AT))
    frame = builder.finish().frame
    with pytest.raises((EOFError, ValueError, zstandard.ZstdError)):
        list(FrameReader(io.BytesIO(frame[: int(len(frame) * share)])).payloads())


def test_a_frame_of_a_later_format_is_refused() -> None:
    later = zstandard.ZstdCompressor().compress(b'{"format": 2}\n')

    with pytest.raises(ValueError, match="format 2"):
        FrameReader(io.BytesIO(later))


# --- rebuild and verify ----------------------------------------------------------------------


def fill(desk: "Desk", letter: "Letter") -> None:
    desk.warehouse.write(desk.batch(letter.by_identity(letter.bounce()), positions={"0": "1"}))
    desk.write(letter.send(), letter.open(after=100), b"{nonsense")
    desk.warehouse.write(
        desk.batch(letter.bounce(), letter.open(after=50), b"{nonsense", positions={"0": "3"})
    )
    letter = replace(letter, account="")
    desk.warehouse.write(desk.batch(letter.open(after=70), b"{more", account="444455556666"))


def rebuild_desk(desk: "Desk", *, before: Callable[[Path], None] | None = None) -> Any:  # noqa: ANN401 - RebuildResult
    warehouse = desk.warehouse
    warehouse.close()
    if before is not None:
        before(warehouse.path)
    told: list[tuple[int, int]] = []
    result = rebuild(
        warehouse.path,
        warehouse.options,
        on_progress=lambda done, total: told.append((done, total)),
    )
    warehouse._open()
    assert told[-1][0] <= told[-1][1]
    return result


def forget_nothing(_path: Path) -> None:
    pass


def delete(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    path.write_bytes(b"\0" * 40_000)


@pytest.mark.parametrize("harm", [forget_nothing, delete, damage])
def test_a_rebuild_gives_the_same_warehouse_whatever_became_of_the_file(
    desk: "Desk", letter: "Letter", harm: Callable[[Path], None]
) -> None:
    fill(desk, letter)
    content = desk.content()
    quarantine = desk.rows("select * from quarantine")
    ledger = desk.rows("select * exclude (committed_at) from ledger order by archive_offset")
    result = rebuild_desk(desk, before=harm)

    assert content == desk.content()
    assert quarantine == desk.rows("select * from quarantine")
    assert ledger == desk.rows(
        "select * exclude (committed_at) from ledger order by archive_offset"
    )
    assert {"0": "3"} == desk.warehouse.positions("sqs:ses-events")
    assert (4, 0) == (result.batches, result.torn)
    assert [] == desk.faults()


def test_the_old_file_is_put_aside_and_never_deleted(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    result = rebuild_desk(desk, before=damage)

    assert b"\0" * 40_000 == result.kept.read_bytes()
    assert {"ses.archive", "ses.duckdb", "ses.key", result.kept.name} == {
        path.name for path in desk.warehouse.path.parent.iterdir() if path.suffix != ".wal"
    }


def test_two_rebuilds_in_a_row_keep_both_old_files(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    first, second = rebuild_desk(desk, before=damage), rebuild_desk(desk)

    assert b"\0" * 40_000 == first.kept.read_bytes()
    assert first.kept != second.kept
    assert second.kept.exists()


def test_nobody_opens_the_file_while_it_is_rebuilt(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    desk.warehouse.close()
    path = desk.warehouse.path
    attempt = f"import duckdb; duckdb.connect({str(path)!r})"
    said: list[str] = []

    def knock(_done: int, _total: int) -> None:
        knocking = subprocess.run(
            [sys.executable, "-c", attempt], capture_output=True, text=True, check=False
        )
        said.append(knocking.stderr)

    rebuild(path, desk.warehouse.options, on_progress=knock)
    desk.warehouse._open()

    assert said
    assert all("Conflicting lock" in one for one in said)


def test_a_rebuild_that_stops_before_the_exchange_leaves_the_old_file_in_its_place(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk, letter)
    content = desk.content()

    def stop(_self: Path, _target: Path) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(Stopped):
            rebuild_desk(desk)
    desk.warehouse._open()

    assert content == desk.content()


def test_a_rebuild_that_stops_before_the_old_log_is_gone_is_refused_until_the_next(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk, letter)
    content = desk.content()
    log = desk.warehouse.place.wal.read_bytes()
    unlink = Path.unlink

    def harm(path: Path) -> None:
        damage(path)
        desk.warehouse.place.wal.write_bytes(log)

    def stop(self: Path, *, missing_ok: bool = False) -> None:
        if self == desk.warehouse.place.wal:
            raise Stopped
        unlink(self, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stop)
        with pytest.raises(Stopped):
            rebuild_desk(desk, before=harm)
    with pytest.raises(WarehouseDamaged, match="WAL does not match"):
        desk.warehouse._open()
    rebuild_desk(desk)

    assert content == desk.content()


def test_what_was_dropped_from_quarantine_stays_out_of_it(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    desk.write(b"{more nonsense")
    first, *_ = desk.rows("select sha256 from quarantine order by payload")
    assert 1 == desk.warehouse.drop_quarantined([first["sha256"]])
    kept = desk.rows("select sha256 from quarantine")
    ledger = desk.rows("select sum(released) as released from ledger")
    rebuild_desk(desk)

    assert kept == desk.rows("select sha256 from quarantine")
    assert ledger == desk.rows("select sum(released) as released from ledger")
    assert [] == desk.faults()


def test_a_lost_key_is_no_dead_end(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    old, kept = desk.warehouse.secret, desk.value("select count(*) from events")
    desk.warehouse.close()
    path = desk.warehouse.path
    path.with_suffix(".key").unlink()
    with pytest.raises(WarehouseDamaged, match="rebuild --new-key"):
        open_warehouse(path, desk.warehouse.options)
    rebuild(path, desk.warehouse.options, has_new_key=True)
    desk.warehouse._open()

    assert old != desk.warehouse.secret
    assert kept == desk.value("select count(*) from events")
    assert 0 == desk.write(letter.send(), letter.bounce()).inserted
    assert [] == desk.faults()


def test_a_second_rebuild_finds_the_same_again(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    rebuild_desk(desk)
    content = desk.content()
    rebuild_desk(desk, before=delete)

    assert content == desk.content()
    assert 0 == desk.write(letter.send(), letter.open(after=50)).inserted


def test_a_torn_tail_is_counted_and_the_rest_taken_in(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    desk.warehouse.close()
    (file,) = files(desk)
    file.write_bytes(file.read_bytes() + FRAME[:7])
    desk.warehouse._open()
    torn = {one.check: one for one in verify(desk.warehouse)}[
        "archive: torn ends (a kill while writing leaves one)"
    ]

    assert (1, True) == (torn.found, torn.is_well)
    assert 1 == rebuild_desk(desk).torn
    assert [] == desk.faults()


def test_a_frame_whose_commit_failed_is_told_and_a_rebuild_takes_it_in_once(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk, letter)
    stray = desk.batch(letter.click())

    def fail(*_args: object, **_named: object) -> None:
        raise WarehouseFull("no room after the frame was synced")

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr("consumer.warehouse.writing.write._enter", fail)
            with pytest.raises(WarehouseFull):
                desk.warehouse.write(stray)
    strays = {one.check: one for one in verify(desk.warehouse)}[
        "archive: frames whose commit failed (rebuild takes them in)"
    ]

    assert (2, True) == (strays.found, strays.is_well)
    assert 5 == rebuild_desk(desk).batches
    assert 1 == desk.value("select count(*) from events where event_type = 'Click'")
    assert [] == desk.faults()


def test_a_frame_that_is_not_where_the_ledger_says_is_a_fault(
    desk: "Desk", letter: "Letter"
) -> None:
    fill(desk, letter)
    (file,) = files(desk)
    file.unlink()
    (fault,) = desk.faults()

    assert "frames that ledger rows name" in fault
    assert "4 expected, 0 found" in fault


@pytest.mark.parametrize(
    ("harm", "check"),
    [
        ("delete from events where event_type = 'Open'", "what the ledger says was kept"),
        ("insert into events from events", "keys that occur more than once"),
        ("delete from quarantine", "quarantine: what the ledger says"),
        ("update ledger set received = received + 1", "conservation"),
        ("insert into ledger from ledger", "batches entered more than once"),
        ("insert into marks from marks", "more than one holder"),
        ("delete from marks where kind = 'open'", "those of them that have a mark"),
        (
            """
            update marks set event_at = o.event_at, event_key = o.event_key from (
                select event_at, event_key from events where event_type = 'Open'
                order by event_at desc limit 1
            ) as o where kind = 'open'
            """,
            "not with the least event",
        ),
    ],
)
def test_verify_names_what_does_not_agree(
    desk: "Desk", letter: "Letter", harm: str, check: str
) -> None:
    fill(desk, letter)
    assert [] == desk.faults()
    desk.warehouse._connection.execute(harm)

    assert any(check in fault for fault in desk.faults())


@pytest.mark.parametrize("is_rotten", [True, False])
def test_a_rebuild_that_would_lose_batches_changes_nothing(
    desk: "Desk", letter: "Letter", is_rotten: bool
) -> None:
    fill(desk, letter)
    content = desk.content()
    desk.warehouse.close()
    (file,) = files(desk)
    whole = file.read_bytes()
    middle = len(whole) // 2
    rot = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    file.write_bytes(rot if is_rotten else whole[:-1])
    with pytest.raises(WarehouseDamaged, match=r"4 batches.* the archive in .* lacks"):
        rebuild(desk.warehouse.path, desk.warehouse.options)
    desk.warehouse._open()

    assert content == desk.content()
    assert [] == list(desk.warehouse.path.parent.glob("*rebuilding*"))


def test_without_archive_there_is_nothing_to_build_from(desk: "Desk") -> None:
    desk.warehouse.close()
    with pytest.raises(WarehouseDamaged, match="there is no archive"):
        rebuild(desk.warehouse.path, desk.warehouse.options)
    desk.warehouse._open()


def test_without_its_key_a_warehouse_is_not_rebuilt(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    desk.warehouse.close()
    key = desk.warehouse.place.key
    secret = key.read_bytes()
    key.unlink()
    with pytest.raises(WarehouseDamaged, match="is gone"):
        rebuild(desk.warehouse.path, desk.warehouse.options)
    assert desk.warehouse.path.exists()
    key.write_bytes(secret)
    desk.warehouse._open()


def test_what_a_rebuild_that_was_killed_left_does_no_harm(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    content = desk.content()
    folder = desk.warehouse.path.parent
    for name in ("ses.rebuilding.duckdb", "ses.rebuilding.duckdb.wal", "ses.rebuilding.key"):
        (folder / name).write_bytes(b"half")
    rebuild_desk(desk)

    assert content == desk.content()
    assert [] == list(folder.glob("*rebuilding*"))


def test_a_newer_warehouse_is_not_replaced_by_an_older_one(desk: "Desk", letter: "Letter") -> None:
    fill(desk, letter)
    desk.warehouse._connection.execute(
        "insert into migrations values ('9999_later', 'x', now()::timestamp)"
    )
    desk.warehouse.close()
    before = desk.warehouse.path.read_bytes()
    with pytest.raises(WarehouseNewer, match="9999_later"):
        rebuild(desk.warehouse.path, desk.warehouse.options)

    assert before == desk.warehouse.path.read_bytes()


def test_a_warehouse_that_is_open_is_not_replaced(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk, letter)

    def locked(*_args: object) -> None:
        raise WarehouseLocked("process 7 has it open", pid=7)

    monkeypatch.setattr("consumer.warehouse.recovery.rebuild.Warehouse", locked)
    with pytest.raises(WarehouseLocked):
        rebuild(desk.warehouse.path, desk.warehouse.options)


def test_a_warehouse_without_archive_switch_still_rebuilds_from_what_there_is(
    desk: "Desk", letter: "Letter", options: WarehouseOptions
) -> None:
    desk.write(letter.send())
    desk.warehouse.close()
    off = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0, archive=False)
    with open_warehouse(desk.warehouse.path, off) as warehouse:
        assert warehouse.options.archive is False
    result = rebuild(desk.warehouse.path, off)
    desk.warehouse._open()

    assert 1 == result.rows
