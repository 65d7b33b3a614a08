"""Files into the warehouse in one go, decoded here or in processes of their own."""

import gzip
import io
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer.backfill.run import IngestResult, ingest
from consumer.batch import Batch
from consumer.door.access import OpenedWarehouse
from consumer.errors import DuckpostError
from consumer.sources.files import FilesSource
from consumer.warehouse import WriteResult

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

FILES = 5
EVENTS_OF_A_LETTER = 5


@pytest.fixture
def folder(tmp_path: Path, new_letter: Callable[..., "Letter"]) -> Path:
    """Five files of three messages each, plain and compressed, and one that is no event."""
    folder = tmp_path / "objects"
    for number in range(FILES):
        lines = b"".join(map(to_line, events(new_letter, number)))
        path = folder / f"2026/03/0{number + 1}" / f"part-{number}"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(lines) if number % 2 else lines)
    (folder / "readme.txt").write_bytes(b"{nonsense")
    return folder


def events(new_letter: Callable[..., "Letter"], number: int) -> Iterator[dict[str, Any]]:
    for place in range(3):
        letter = new_letter(message_id=f"0102-{number}-{place}")
        bounce = letter.bounce(feedback_id=f"fb-{number}-{place}")
        yield from (letter.send(), letter.open(), letter.delay(), bounce)
        yield letter.by_identity(letter.delivery())


def to_line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


def take_in(desk: "Desk", *paths: Path | str, processes: int = 0) -> IngestResult:
    source = FilesSource([str(path) for path in paths])
    return ingest([source], OpenedWarehouse(desk.warehouse), processes=processes)


@pytest.mark.parametrize("processes", [0, 2])
def test_the_same_folder_twice_is_all_duplicates(
    desk: "Desk", folder: Path, processes: int
) -> None:
    expected = FILES * 3 * EVENTS_OF_A_LETTER
    first = take_in(desk, folder, processes=processes)
    content = desk.content()
    second = take_in(desk, folder, processes=processes)

    assert (FILES + 1, expected, 1, 0) == (
        first.files,
        first.inserted,
        first.quarantined,
        first.duplicates,
    )
    assert (0, 0, expected + 1) == (second.inserted, second.quarantined, second.duplicates)
    assert content == desk.content()
    assert [] == desk.faults()


def test_processes_find_what_one_alone_finds(new_desk: Callable[..., "Desk"], folder: Path) -> None:
    alone, together = new_desk(), new_desk()
    first = take_in(alone, folder)
    second = take_in(together, folder, processes=2)

    assert alone.content() == together.content()
    assert alone.rows("select sha256, origin from quarantine") == together.rows(
        "select sha256, origin from quarantine"
    )
    assert (first.payloads, first.received, first.inserted) == (
        second.payloads,
        second.received,
        second.inserted,
    )


def test_more_processes_than_files_do_no_harm(desk: "Desk", folder: Path) -> None:
    result = take_in(desk, folder / "2026/03/01", processes=4)

    assert 3 * EVENTS_OF_A_LETTER == result.inserted


@pytest.mark.parametrize("processes", [0, 2])
def test_an_empty_folder_is_no_work(desk: "Desk", tmp_path: Path, processes: int) -> None:
    (tmp_path / "empty").mkdir()

    assert 0 == take_in(desk, tmp_path / "empty", processes=processes).payloads
    assert 0 == desk.value("select count(*) from ledger")


@pytest.mark.parametrize("processes", [0, 2])
def test_a_file_that_is_gone_since_it_was_listed_is_named_and_the_others_go_on(
    desk: "Desk", folder: Path, processes: int
) -> None:
    source = FilesSource([str(folder)])
    gone = folder / "2026/03/03/part-2"
    gone.unlink()
    result = ingest([source], OpenedWarehouse(desk.warehouse), processes=processes)

    assert [str(gone)] == list(result.failed)
    assert (FILES - 1) * 3 * EVENTS_OF_A_LETTER == result.inserted


@pytest.mark.parametrize("processes", [0, 2])
def test_a_file_that_breaks_off_is_named_and_what_came_before_stays(
    desk: "Desk", folder: Path, processes: int
) -> None:
    """A process's own memory can be opened as a file, and reading it fails at once."""
    unreadable = "/proc/self/mem"
    if not Path(unreadable).exists():
        pytest.skip("there is no /proc here")
    result = take_in(desk, folder, unreadable, processes=processes)

    assert [unreadable] == list(result.failed)
    assert FILES * 3 * EVENTS_OF_A_LETTER == result.inserted


@pytest.mark.parametrize("processes", [0, 2])
def test_progress_grows_and_reaches_the_total(desk: "Desk", folder: Path, processes: int) -> None:
    told: list[tuple[int, int]] = []
    source = FilesSource([str(folder)])
    ingest(
        [source],
        OpenedWarehouse(desk.warehouse),
        processes=processes,
        on_progress=lambda done, total: told.append((done, total)),
    )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    assert FILES + 1 == len(told)
    assert sorted(told) == told
    assert (size, size) == told[-1]


def test_a_process_that_dies_is_said_and_nothing_hangs(desk: "Desk", folder: Path) -> None:
    """A pipe that nobody writes into holds a process until it is killed."""
    pipe = folder.parent / "pipe"
    os.mkfifo(pipe)
    source = FilesSource([str(pipe), str(folder)])

    def kill_all(_done: int, _total: int) -> None:
        for process in multiprocessing.active_children():
            if process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(DuckpostError, match=r"a decoding process died \(exit -9\)"):
        ingest([source], OpenedWarehouse(desk.warehouse), processes=2, on_progress=kill_all)

    assert [] == multiprocessing.active_children()
    assert [] == desk.faults()
    take_in(desk, folder)
    assert FILES * 3 * EVENTS_OF_A_LETTER == desk.value("select count(*) from events")


def test_a_process_that_dies_half_way_through_a_batch_is_not_awaited(
    desk: "Desk", tmp_path: Path, letter: "Letter"
) -> None:
    """The second batch is larger than a pipe holds: its process is stuck in it when killed."""
    lines = [to_line({**letter.click(), "padding": os.urandom(500_000).hex()}) for _ in range(40)]
    (tmp_path / "large").write_bytes(b"".join(lines))

    class KillingWriter(OpenedWarehouse):
        def write(self, batch: Batch, *, replaces: Collection[str] = ()) -> WriteResult:
            result = super().write(batch, replaces=replaces)
            for process in multiprocessing.active_children():
                process.kill()
            return result

    source = FilesSource([str(tmp_path / "large")])
    with pytest.raises(DuckpostError, match=r"a decoding process died \(exit -9\)"):
        ingest([source], KillingWriter(desk.warehouse), processes=1)

    assert [] == desk.faults()


def test_standard_input_is_read_here_whatever_the_processes(desk: "Desk", letter: "Letter") -> None:
    source = FilesSource(["-"], stdin=io.BytesIO(to_line(letter.send()) + to_line(letter.open())))
    result = ingest([source], OpenedWarehouse(desk.warehouse), processes=2)

    assert (1, 2) == (result.files, result.inserted)


def test_a_large_file_becomes_several_batches(
    desk: "Desk", tmp_path: Path, letter: "Letter"
) -> None:
    line = to_line({**letter.click(), "padding": "x" * 1_000_000})
    (tmp_path / "large").write_bytes(line * 40)
    result = take_in(desk, tmp_path / "large")

    assert (40, 1, 39) == (result.payloads, result.inserted, result.duplicates)
    assert 2 == desk.value("select count(*) from ledger")


def test_d6_a_batch_says_when_its_events_happened_not_when_they_came(
    desk: "Desk", folder: Path
) -> None:
    take_in(desk, folder)

    assert {"2026-03-02"} == {
        row["day"]
        for row in desk.rows("select distinct event_at::date::varchar as day from events")
    }
