"""A copy of a live warehouse, and starting on it: nothing lost, nothing doubled."""

import json
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.errors import UsageError, WarehouseFull
from consumer.warehouse import open_warehouse
from consumer.warehouse.backup import back_up
from consumer.warehouse.recount import verify
from consumer.warehouse.turns import Turns

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk


@pytest.fixture
def filled(desk: "Desk", new_letter: Callable[..., "Letter"]) -> "Desk":
    for number in range(3):
        letter = new_letter(message_id=f"before-{number}")
        desk.warehouse.write(
            desk.batch(letter.send(), letter.open(), b"{nonsense", positions={"0": str(number)})
        )
    return desk


@pytest.fixture
def restored(filled: "Desk", tmp_path: Path) -> Iterator[Callable[[], "Desk"]]:
    """Starts on the copy in ``tmp_path / "copy"``."""
    opened = []

    def start() -> "Desk":
        path = tmp_path / "copy" / filled.warehouse.path.name
        desk = type(filled)(open_warehouse(path, filled.warehouse.options))
        opened.append(desk)
        return desk

    yield start
    for desk in opened:
        desk.warehouse.close()


def test_a_copy_holds_all_that_was_committed(
    filled: "Desk", restored: Callable[[], "Desk"], tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    result = back_up(filled.warehouse, tmp_path / "copy", on_progress=lambda *one: told.append(one))
    copy = restored()

    assert filled.content() == copy.content()
    assert filled.rows("select * from quarantine") == copy.rows("select * from quarantine")
    assert filled.warehouse.secret == copy.warehouse.secret
    assert [] == copy.faults()
    assert 3 == result.batches
    assert result.bytes == told[-1][0]
    assert 0 <= result.paused_seconds <= result.seconds


def test_a_copy_is_its_owners_alone_and_says_what_it_is_of(filled: "Desk", tmp_path: Path) -> None:
    result = back_up(filled.warehouse, tmp_path / "copy")
    about = json.loads((tmp_path / "copy" / "backup.json").read_text(encoding="utf-8"))

    assert 0o700 == stat.S_IMODE((tmp_path / "copy").stat().st_mode)
    for file in (tmp_path / "copy").rglob("*"):
        if file.is_file() and file.name != "backup.json":
            assert 0o600 == stat.S_IMODE(file.stat().st_mode), file
    assert [{"source": "sqs:ses-events", "part": "0", "position": "2"}] == about["positions"]
    assert result.last_batch_id == about["last_batch_id"]


def test_after_a_restore_what_comes_again_is_recognised_and_what_was_missed_comes_in(
    filled: "Desk",
    restored: Callable[[], "Desk"],
    new_letter: Callable[..., "Letter"],
    tmp_path: Path,
) -> None:
    back_up(filled.warehouse, tmp_path / "copy")
    later = new_letter(message_id="after").send()
    filled.write(later)
    copy = restored()
    before = new_letter(message_id="before-1")
    result = copy.write(before.send(), before.open(), later)

    assert (1, 2) == (result.inserted, result.duplicates)
    assert filled.content() == copy.content()


def test_positions_are_those_of_the_copy(
    filled: "Desk",
    restored: Callable[[], "Desk"],
    letter: "Letter",
    tmp_path: Path,
) -> None:
    back_up(filled.warehouse, tmp_path / "copy")
    filled.warehouse.write(filled.batch(letter.send(), positions={"0": "9"}))

    assert {"0": "2"} == restored().warehouse.positions("sqs:ses-events")


def test_a_copy_can_be_built_again_from_the_archive_in_it(
    filled: "Desk", restored: Callable[[], "Desk"], tmp_path: Path
) -> None:
    back_up(filled.warehouse, tmp_path / "copy")
    (tmp_path / "copy" / filled.warehouse.path.name).write_bytes(b"\0" * 50_000)

    assert filled.content() == restored().content()


def test_a_backup_while_batches_are_written_is_as_of_one_commit(
    filled: "Desk", new_letter: Callable[..., "Letter"], tmp_path: Path
) -> None:
    is_done = threading.Event()

    def write_on() -> None:
        number = 0
        while not is_done.is_set():
            filled.write(new_letter(message_id=f"during-{number}").send())
            number += 1

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        results = [back_up(filled.warehouse, tmp_path / f"copy{n}") for n in range(2)]
    finally:
        is_done.set()
        writer.join()
    for number, result in enumerate(results):
        path = tmp_path / f"copy{number}" / filled.warehouse.path.name
        with open_warehouse(path, filled.warehouse.options) as copy:
            assert [] == [one for one in verify(copy) if not one.is_well]
            with copy.read("select count(*) as batches from ledger") as reader:
                assert [{"batches": result.batches}] == reader.read_all().to_pylist()


def test_a_live_warehouse_stays_locked_after_a_backup(filled: "Desk", tmp_path: Path) -> None:
    back_up(filled.warehouse, tmp_path / "copy")
    attempt = f"import duckdb; duckdb.connect({str(filled.warehouse.path)!r})"
    knocking = subprocess.run(
        [sys.executable, "-c", attempt], capture_output=True, text=True, check=False
    )

    assert "Conflicting lock" in knocking.stderr


def test_too_little_room_is_told_before_anything_is_written(
    filled: "Desk", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    with pytest.raises(WarehouseFull, match="MiB"):
        back_up(filled.warehouse, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_a_folder_with_something_in_it_is_left_alone(filled: "Desk", tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        back_up(filled.warehouse, tmp_path / "copy")

    assert ["mine.txt"] == [path.name for path in (tmp_path / "copy").iterdir()]


def test_a_backup_that_is_broken_off_leaves_nothing(filled: "Desk", tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "copies"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        back_up(filled.warehouse, folder / "copy", on_progress=stop)

    assert [] == list(folder.iterdir())
    assert 3 == back_up(filled.warehouse, folder / "copy").batches


# --- the writer's turns ----------------------------------------------------------------------


def test_whoever_waits_for_the_writer_is_served_in_order() -> None:
    turns, served, starts = Turns(), [], [threading.Event() for _ in range(5)]

    def take(number: int) -> None:
        starts[number].set()
        with turns, turns:
            served.append(number)

    threads = [threading.Thread(target=take, args=[number]) for number in range(5)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            starts[number].wait()
            while len(turns._waiting) <= number:
                pass
    for thread in threads:
        thread.join()

    assert [0, 1, 2, 3, 4] == served
    with turns:
        pass


def test_one_that_takes_the_writer_again_at_once_waits_behind_the_others() -> None:
    turns, order = Turns(), []

    def take() -> None:
        with turns:
            order.append("other")

    with turns:
        other = threading.Thread(target=take)
        other.start()
        while not turns._waiting:
            pass
    with turns:
        order.append("again")
    other.join()

    assert ["other", "again"] == order
