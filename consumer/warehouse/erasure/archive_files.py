"""Erases an address from the archive: files that hold it are written anew under other names."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.erasure import Eraser, erase_from_frame
from consumer.warehouse.archive import Segment, Torn, list_files, read_file, sync_folder

if TYPE_CHECKING:
    import duckdb

    from consumer.warehouse.warehouse import Warehouse

OnProgress = Callable[[int, int], None]


def erase_archive(warehouse: "Warehouse", eraser: Eraser, tell: OnProgress) -> tuple[int, int, int]:
    """Look through all files but the one that is written to.

    Returns how many frames changed, in how many files, and how many stretches nobody can read.
    """
    folder = warehouse.place.archive
    for file in list_files(folder):
        _clear_leftover(warehouse, file)
    files = list_files(folder)
    total = sum(file.stat().st_size for file in files)
    done = frames = changed_files = unread = 0
    renamed: dict[str, str] = {}
    for file in files:
        size = file.stat().st_size
        if not warehouse.is_writing(file):
            changed, torn = _erase_file(
                warehouse,
                file,
                eraser,
                renamed,
                go_on=lambda: tell(done, total),  # noqa: B023 - called before the next one
            )
            frames += changed
            changed_files += bool(changed)
            unread += torn
        done += size
        tell(done, total)
    return frames, changed_files, unread


def _erase_file(
    warehouse: "Warehouse",
    file: Path,
    eraser: Eraser,
    renamed: dict[str, str],
    *,
    go_on: Callable[[], None],
) -> tuple[int, int]:
    """Write a file anew under another name and swap it in the ledger.

    1. Look into every frame; where none holds the address, leave the file. ``go_on`` may end it.
    2. Write all frames into a file whose name no reader knows yet, and sync it.
    3. Give it its name.
    4. Let the ledger's rows name it.
    5. Delete the old one. After a kill between 3 and 5 the next erasure deletes one of the two.
    """
    # 1
    torn = 0
    parts: list[tuple[Segment, bytes | None]] = []
    for found in read_file(file):
        go_on()
        if isinstance(found, Torn):
            torn += 1
        else:
            parts.append((found[0], erase_from_frame(found[1], eraser, renamed)))
    changed = sum(frame is not None for _, frame in parts)
    if not changed:
        return 0, torn
    # 2
    target = _next_name(file)
    while target.exists():
        target = _next_name(target)
    temporary = target.with_name(f".{target.name}.new")
    moves: list[tuple[int, int, int]] = []
    with file.open("rb") as reading, open(temporary, "wb", opener=_open_private) as writing:
        for segment, frame in parts:
            if frame is None:
                reading.seek(segment.offset)
                frame = reading.read(segment.length)  # noqa: PLW2901 - what was not touched
            moves.append((segment.offset, writing.tell(), len(frame)))
            writing.write(frame)
        writing.flush()
        os.fsync(writing.fileno())
    # 3
    temporary.replace(target)
    sync_folder(file.parent)
    # 4
    warehouse.change(
        "swapping an archive file",
        lambda connection: _swap_in_ledger(connection, file.name, target.name, moves),
    )
    # 5
    file.unlink()
    sync_folder(file.parent)
    return changed, torn


def _swap_in_ledger(
    connection: "duckdb.DuckDBPyConnection", old: str, new: str, moves: list[tuple[int, int, int]]
) -> None:
    for before, after, length in moves:
        connection.execute(
            """
            update ledger set archive_file = ?, archive_offset = ?, archive_bytes = ?
            where archive_file = ? and archive_offset = ?
            """,
            [new, after, length, old, before],
        )


def _clear_leftover(warehouse: "Warehouse", file: Path) -> None:
    """Delete one of two files of the same frames, which a kill left: the one not in the ledger.

    Where the ledger names both they are no such two, and where it names neither, all their frames
    are of commits that failed: both stay.
    """
    target = _next_name(file)
    if not target.exists():
        return
    sql = "select distinct archive_file from ledger where archive_file in ($1, $2)"
    with warehouse.read(sql, [file.name, target.name]) as reader:
        named = reader.read_all()["archive_file"].to_pylist()
    if len(named) == 1:
        (target if named == [file.name] else file).unlink()


def _next_name(file: Path) -> Path:
    """``…-000.zst`` becomes ``…-000.e1.zst``, then ``…-000.e2.zst``: the order of names holds."""
    stem, _, count = file.stem.partition(".e")
    return file.with_name(f"{stem}.e{int(count or 0) + 1}{file.suffix}")


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
