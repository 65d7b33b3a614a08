"""Files as a source: what is found, in which order, and what cannot be read."""

import io
import os
from pathlib import Path

import pytest

from consumer.cli.sources import open_sources
from consumer.envelope import Envelope
from consumer.errors import SourceUnavailable, UsageError
from consumer.settings import FilesSettings, SourceSettings, SqsSettings
from consumer.sources.files import CHUNK_BYTES, FilesSource


def _names(source: FilesSource) -> list[str]:
    return [Path(str(envelope.receipt)).name for envelope in _take_all(source)]


def _take_all(source: FilesSource) -> list[Envelope]:
    return list(source.receive(limit=1_000, wait_secs=0))


def _read(envelope: Envelope) -> bytes:
    assert not isinstance(envelope.body, bytes)
    return b"".join(envelope.body.chunks())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.json", "b/1.json.gz", "a/3.json", ".hidden", "0.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_folder_is_read_to_its_depths_in_sorted_order(folder: Path) -> None:
    expected = [".hidden", "0.txt", "3.json", "1.json.gz", "2.json"]
    assert expected == _names(FilesSource([folder]))


def test_a_pattern_chooses_among_a_folders_files_but_never_drops_a_named_one(folder: Path) -> None:
    source = FilesSource([folder, folder / "0.txt"], pattern="*.gz")
    assert ["1.json.gz", "0.txt"] == _names(source)


def test_a_glob_is_expanded_at_any_depth(folder: Path) -> None:
    assert ["3.json", "2.json"] == _names(FilesSource([f"{folder}/**/*.json"]))


def test_a_name_with_glob_characters_that_exists_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "part[1].gz").write_bytes(b"x")
    assert ["part[1].gz"] == _names(FilesSource([tmp_path / "part[1].gz"]))


def test_a_file_named_twice_is_delivered_once(folder: Path) -> None:
    assert ["0.txt"] == _names(FilesSource([folder / "0.txt", folder / "0.txt", f"{folder}/0*"]))


def test_every_missing_path_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nope-1.*nope-2.*\*\.gz"):
        FilesSource([tmp_path / "nope-1", tmp_path, tmp_path / "nope-2", f"{tmp_path}/*.gz"])


def test_files_that_were_tidied_away_stop_no_other_source(folder: Path) -> None:
    settings: list[SourceSettings] = [
        FilesSettings.model_validate({"type": "files", "paths": [f"{folder}/nope", str(folder)]}),
        SqsSettings.model_validate(
            {"type": "sqs", "queue": "https://sqs.eu-west-1.amazonaws.com/111122223333/ses"}
        ),
    ]
    files, _queue = open_sources(settings)

    assert isinstance(files, FilesSource)
    assert {f"{folder}/nope": "no file, folder or match"} == files.failed
    assert 5 == files.files_total
    with pytest.raises(UsageError, match="nope"):
        open_sources(settings[:1])


def test_links_in_a_loop_end(folder: Path) -> None:
    (folder / "a" / "up").symlink_to(folder)
    (folder / "b" / "self").symlink_to(folder / "b")
    assert 5 == len(_names(FilesSource([folder])))


def test_a_link_to_a_folder_elsewhere_is_followed(folder: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.mkdir()
    (start / "link").symlink_to(folder / "b")
    assert ["1.json.gz", "2.json"] == _names(FilesSource([start]))


def test_a_link_that_leads_nowhere_is_a_failed_file(folder: Path) -> None:
    (folder / "a" / "dangling").symlink_to(folder / "nowhere")
    source = FilesSource([folder])
    assert [str(folder / "a" / "dangling")] == list(source.failed)
    assert 5 == len(_names(source))


def test_a_pipe_in_a_folder_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "pipe" not in _names(FilesSource([folder]))


def test_an_empty_file_is_an_empty_body(tmp_path: Path) -> None:
    (tmp_path / "empty.gz").touch()
    [envelope] = _take_all(FilesSource([tmp_path]))
    assert b"" == _read(envelope)


def test_a_large_file_comes_in_pieces_of_a_mebibyte_as_often_as_asked(tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK_BYTES + 5)
    (tmp_path / "large").write_bytes(content)
    source = FilesSource([tmp_path / "large"])
    [envelope] = _take_all(source)
    assert not isinstance(envelope.body, bytes)
    assert [CHUNK_BYTES, CHUNK_BYTES, 5] == [len(chunk) for chunk in envelope.body.chunks()]
    assert content == _read(envelope)
    assert 2 * len(content) == source.bytes_read


def test_standard_input_is_streamed_as_it_comes_and_only_once() -> None:
    source = FilesSource(["-"], stdin=io.BytesIO(b'{"eventType":"Send"}'))
    [envelope] = _take_all(source)
    assert ("stdin", b'{"eventType":"Send"}') == (envelope.origin, _read(envelope))
    with pytest.raises(SourceUnavailable, match="standard input was read already"):
        _read(envelope)


def test_standard_input_does_not_wait_for_a_full_piece() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as pipe:
        [envelope] = _take_all(FilesSource(["-"], stdin=stdin))
        assert not isinstance(envelope.body, bytes)
        pipe.write(b"early")
        assert b"early" == next(envelope.body.chunks())


def test_an_unreadable_file_fails_alone_and_is_told(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    source = FilesSource([tmp_path])
    first, second, third = _take_all(source)
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()  # unreadable for root too, as no mode is
    source.ack([first, third])
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match=r"reading .*/b: Is a directory"):
            _read(second)
        source.nack([second])
        [second] = _take_all(source) or [second]
    assert source.exhausted
    assert {str(tmp_path / "b"): "Is a directory"} == source.failed
    assert (3, 3) == (source.files_total, source.files_settled)


def test_a_file_that_succeeds_at_last_has_not_failed(tmp_path: Path) -> None:
    path = tmp_path / "late"
    path.touch()
    source = FilesSource([path])
    [envelope] = _take_all(source)
    path.unlink()
    with pytest.raises(SourceUnavailable):
        _read(envelope)
    source.nack([envelope])
    path.write_text("here")
    [again] = _take_all(source)
    assert b"here" == _read(again)
    source.ack([again])
    assert not source.failed


def test_progress_can_be_told_before_anything_is_read(folder: Path) -> None:
    source = FilesSource([folder, "-"], stdin=io.BytesIO())
    sizes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert (6, sizes, 0) == (source.files_total, source.bytes_total, source.bytes_read)


def test_a_key_that_looks_like_a_path_upwards_is_only_text(tmp_path: Path) -> None:
    (tmp_path / "%2e%2e").write_text("x")
    [envelope] = _take_all(FilesSource([tmp_path]))
    assert f"file:{tmp_path}/%2e%2e" == envelope.origin
