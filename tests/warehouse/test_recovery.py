"""Opening what a kill, a power cut or rot left: mended, built again, or refused in plain words."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from consumer.errors import WarehouseDamaged
from consumer.warehouse import Recovery, Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.place import Place
from consumer.warehouse.recount import verify
from consumer.warehouse.recovery.opening import salvage
from consumer.warehouse.recovery.storage import BLOCK_BYTES, HEADER_BYTES

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

FIRST_BLOCK = 3 * HEADER_BYTES
COMMIT = bytes.fromhex("0500000000000000e7fe7d722fed3d5e640064ffff")
EVERYTHING = "select * exclude (received_at) from events order by event_key"


@dataclass
class Wreck:
    """A warehouse as a killed worker leaves it, with its log, and what was in it."""

    place: Place
    options: WarehouseOptions
    rows: list[dict[str, Any]]
    told: list[Recovery] = field(default_factory=list)

    def open(self) -> Warehouse:
        return open_warehouse(self.place.file, self.options, on_recovery=self.told.append)

    def check(self) -> None:
        """All rows are there and the books agree; the next start finds nothing to do."""
        with self.open() as warehouse:
            assert self.rows == rows(warehouse)
            assert [] == [one for one in verify(warehouse) if not one.is_well]
        told = len(self.told)
        self.open().close()
        assert told == len(self.told)

    def overwrite(self, path: Path, offset: int, damage: Callable[[bytes], bytes]) -> None:
        content = path.read_bytes()
        harmed = damage(content[offset:])
        path.write_bytes(content[:offset] + harmed)

    def commits(self) -> list[int]:
        """Where the log's transactions end."""
        content, ends, at = self.place.wal.read_bytes(), [], 0
        while (at := content.find(COMMIT, at)) >= 0:
            at += len(COMMIT)
            ends.append(at)
        return ends

    def content(self) -> dict[str, bytes]:
        folder = self.place.file.parent
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def rows(warehouse: Warehouse) -> list[dict[str, Any]]:
    with warehouse.read(EVERYTHING) as reader:
        found: list[dict[str, Any]] = reader.read_all().to_pylist()
    return found


def flip(content: bytes) -> bytes:
    """Damage the first 200 bytes."""
    return bytes(byte ^ 0x5A for byte in content[:200]) + content[200:]


def replace_all(content: bytes) -> bytes:
    return os.urandom(len(content))


def zero(content: bytes) -> bytes:
    return bytes(len(content))


@pytest.fixture
def wreck(
    new_desk: Callable[..., "Desk"], new_letter: Callable[..., "Letter"], tmp_path: Path
) -> Callable[..., Wreck]:
    """Makes a file with four batches in it and four in its log."""

    def make(*, archive: bool = True, batches: int = 4) -> Wreck:
        options = WarehouseOptions(
            memory_limit="256MB", threads=1, min_free_bytes=0, archive=archive
        )
        desk = new_desk(options)
        for number in range(4):
            desk.write(new_letter(message_id=f"early-{number}").send())
        desk.warehouse.checkpoint()
        for number in range(batches):
            letter = new_letter(message_id=f"late-{number}")
            desk.write(letter.send(), letter.delivery())
        place = desk.warehouse.place
        for path in place.file.parent.iterdir():
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, tmp_path / path.name)
        return Wreck(Place(tmp_path / place.file.name), options, rows(desk.warehouse))

    return make


# --- torn blocks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "archive"),
    [
        (0, True),
        (HEADER_BYTES, False),
        (2 * HEADER_BYTES, False),
        (FIRST_BLOCK, True),
        (FIRST_BLOCK, False),
    ],
)
def test_a_torn_block_is_mended_with_or_without_an_archive(
    wreck: Callable[..., Wreck], location: int, *, archive: bool
) -> None:
    torn = wreck(archive=archive)
    torn.overwrite(torn.place.file, location, lambda rest: bytes(8) + rest[8:])
    before = torn.place.file.read_bytes()
    torn.check()

    (recovery,) = torn.told
    assert f"torn block at byte {location} mended" in recovery.what
    assert recovery.is_whole
    assert recovery.kept is not None
    assert before == recovery.kept.read_bytes()
    assert recovery.kept.with_name(recovery.kept.name + ".wal").exists()


def test_several_torn_blocks_are_mended_at_once(wreck: Callable[..., Wreck]) -> None:
    torn = wreck()
    for location in (0, FIRST_BLOCK):
        torn.overwrite(torn.place.file, location, lambda rest: bytes(8) + rest[8:])
    torn.check()

    assert 2 == torn.told[0].what.count("torn block")


def test_a_block_whose_content_is_gone_is_built_again_from_the_archive(
    wreck: Callable[..., Wreck],
) -> None:
    torn = wreck()
    torn.overwrite(torn.place.file, FIRST_BLOCK, replace_all)
    torn.check()

    assert "built again from its archive" in torn.told[0].what
    assert 8 == torn.told[0].batches


def test_rot_without_a_log_is_not_hidden_by_a_new_checksum(wreck: Callable[..., Wreck]) -> None:
    rotten = wreck()
    rotten.open().close()
    rotten.place.wal.unlink(missing_ok=True)
    rotten.overwrite(rotten.place.file, FIRST_BLOCK + 4_000, flip)
    for at in range(FIRST_BLOCK, rotten.place.file.stat().st_size, BLOCK_BYTES):
        rotten.overwrite(rotten.place.file, at, lambda rest: bytes(8) + rest[8:])
    rotten.check()

    assert "built again from its archive" in rotten.told[-1].what


# --- logs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("harm", [zero, flip])
def test_a_torn_tail_of_the_log_is_cut(
    wreck: Callable[..., Wreck], harm: Callable[[bytes], bytes], *, archive: bool
) -> None:
    cut = wreck(archive=archive)
    *_, last_but_one, _ = cut.commits()
    cut.overwrite(cut.place.wal, last_but_one + 60, harm)
    if not archive:
        cut.rows = [row for row in cut.rows if row["message_id"] != "late-3"]
    cut.check()

    assert "log cut at byte" in cut.told[0].what
    assert archive == ("1 batches taken in from the archive" in cut.told[0].what)


def test_what_is_lost_with_the_middle_of_the_log_comes_out_of_the_archive(
    wreck: Callable[..., Wreck],
) -> None:
    rotten = wreck()
    rotten.overwrite(rotten.place.wal, rotten.commits()[0] + 40, flip)
    rotten.check()

    assert "with 3 transactions" in rotten.told[0].what
    assert 3 == rotten.told[0].batches


@pytest.mark.parametrize("offset", [0, 5, 30])
def test_a_log_that_duckdb_would_drop_without_a_word_costs_nothing(
    wreck: Callable[..., Wreck], offset: int
) -> None:
    rotten = wreck()
    rotten.overwrite(rotten.place.wal, offset, lambda rest: b"\x77" + rest[1:])
    rotten.check()

    assert 4 <= rotten.told[0].batches


@pytest.mark.parametrize("place", [0, 12, None])
def test_without_an_archive_a_damaged_log_is_refused_and_left_as_it_is(
    wreck: Callable[..., Wreck], place: int | None
) -> None:
    rotten = wreck(archive=False)
    offset = rotten.commits()[0] + 40 if place is None else place
    rotten.overwrite(rotten.place.wal, offset, flip)
    before = rotten.content()
    for _ in range(2):
        with pytest.raises(WarehouseDamaged, match="acknowledged transactions") as refused:
            rotten.open()
        assert f"duckpost rebuild --salvage --warehouse {rotten.place.file}" in str(refused.value)

    assert before == rotten.content()


def test_an_entry_whose_size_is_damaged_hides_nothing(wreck: Callable[..., Wreck]) -> None:
    rotten = wreck()
    first, *_ = rotten.commits()
    rotten.overwrite(rotten.place.wal, first, lambda rest: b"\xff" * 7 + rest[7:])
    rotten.check()

    assert 3 == rotten.told[0].batches


def test_salvage_keeps_what_stands_before_the_damage(wreck: Callable[..., Wreck]) -> None:
    rotten = wreck(archive=False)
    rotten.overwrite(rotten.place.wal, rotten.commits()[0] + 40, flip)
    recovery = salvage(rotten.place.file, rotten.options)
    gone = {"late-1", "late-2", "late-3"}
    rotten.rows = [row for row in rotten.rows if row["message_id"] not in gone]
    rotten.check()

    assert "with 3 transactions" in recovery.what
    assert recovery.kept is not None


def test_a_log_that_ends_early_is_made_good_from_the_archive(
    wreck: Callable[..., Wreck],
) -> None:
    short = wreck()
    short.overwrite(short.place.wal, short.commits()[1], lambda _: b"")
    short.check()

    assert 2 == short.told[0].batches
    assert short.told[0].kept is None


def test_an_ordinary_kill_is_nothing_to_speak_of(wreck: Callable[..., Wreck]) -> None:
    killed = wreck()
    killed.check()

    assert [] == killed.told


# --- what cannot be mended -------------------------------------------------------------------


def test_an_archive_with_gaps_is_no_reason_to_build_again_by_itself(
    wreck: Callable[..., Wreck],
) -> None:
    torn = wreck()
    torn.place.gaps.touch()
    torn.overwrite(torn.place.file, FIRST_BLOCK, replace_all)
    before = torn.content()
    with pytest.raises(WarehouseDamaged, match="does not hold"):
        torn.open()

    assert before == torn.content()


def test_a_damaged_archive_is_no_reason_to_build_again_by_itself(
    wreck: Callable[..., Wreck],
) -> None:
    torn = wreck()
    (frames,) = torn.place.archive.iterdir()
    torn.overwrite(frames, 20, flip)
    torn.overwrite(torn.place.file, FIRST_BLOCK, replace_all)
    before = torn.content()
    with pytest.raises(WarehouseDamaged, match="is damaged in 1 places"):
        torn.open()

    assert before == torn.content()


def test_writing_without_the_archive_is_noted_beside_it(
    wreck: Callable[..., Wreck], new_letter: Callable[..., "Letter"]
) -> None:
    assert wreck(archive=False).place.gaps.exists()


def test_damage_that_a_writer_meets_is_settled_by_the_next_start(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write(letter.send())
    place = desk.warehouse.place

    def meet(*_args: object, **_named: object) -> None:
        raise duckdb.IOException("Corrupt database file: computed checksum 1 does not match")

    with monkeypatch.context() as patch:
        patch.setattr("consumer.warehouse.warehouse.write_batch", meet)
        with pytest.raises(WarehouseDamaged):
            desk.write(letter.open())
    desk.warehouse.close()
    assert place.doubt.exists()
    told: list[Recovery] = []
    desk.warehouse = open_warehouse(place.file, desk.warehouse.options, on_recovery=told.append)

    assert not place.doubt.exists()
    assert 1 == len(told)
    assert 1 == desk.write(letter.open(), letter.send()).inserted
