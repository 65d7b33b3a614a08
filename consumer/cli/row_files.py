"""A query's rows as a file: there whole under its name, or not there at all."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from consumer.cli.output import WRITERS, number_repeats
from consumer.errors import DuckpostError, UsageError

SHAPES: Final = ("parquet", *WRITERS)
# Rows of one row group: large enough to compress and to skip well, and all that is held at once.
_GROUP_ROWS: Final = 120_000
_GROUP_BYTES: Final = 32 * 1024 * 1024


def to_shape(path: Path, shape: str | None) -> str:
    """Return the format to write: the one asked for, else the one that the name ends in."""
    found = shape or path.suffix.removeprefix(".").lower()
    if found not in SHAPES:
        raise UsageError(
            f"cannot tell a format from the name {path}: end it in .{', .'.join(SHAPES)}, or give "
            "one of these with --format"
        )
    return found


def require_free(path: Path, *, is_forced: bool) -> None:
    """Raise `UsageError` where a file cannot be made, before anybody is asked for its rows."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}. Make it first.")
    if path.exists() and not is_forced:
        raise UsageError(f"{path} is there already; give --force to replace it")


def write_rows(
    reader: pa.RecordBatchReader, path: Path, shape: str, *, is_forced: bool = False
) -> int:
    """Write all rows into a new file; returns how many.

    Nobody sees half a file: it gets its name when all of it is on the disk, and a fault leaves
    what was there before.

    Args:
        reader: the rows; one row group of them is held at a time.
        path: the file.
        shape: one of `SHAPES`.
        is_forced: whether a file of that name is replaced.

    Raises:
        UsageError: a file came to be there meanwhile, or Parquet has no such type.
        DuckpostError: the disk refused.
    """
    counted = _Counted(reader)
    try:
        with _new_file(path, is_forced=is_forced) as temporary:
            if shape == "parquet":
                _write_parquet(counted.reader, temporary)
            else:
                with temporary.open("w", encoding="utf-8", newline="") as out:
                    WRITERS[shape](counted.reader, out)
    except pa.ArrowNotImplementedError as error:
        raise UsageError(f"cannot write {path}: {error}. Cast that column, or take csv.") from error
    except OSError as error:
        raise DuckpostError(f"cannot write {path}: {error}. Nothing is left of it.") from error
    return counted.rows


class _Counted:
    """A reader that knows how many rows went through it."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self.rows = 0
        self.reader = pa.RecordBatchReader.from_batches(reader.schema, self._pass_on(reader))

    def _pass_on(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in reader:
            self.rows += batch.num_rows
            yield batch


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> None:
    names = number_repeats(reader.schema.names)
    fields = [field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]
    schema = pa.schema(fields)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        held: list[pa.RecordBatch] = []
        for batch in reader:
            held.append(batch.rename_columns(names))
            if (
                sum(one.num_rows for one in held) >= _GROUP_ROWS
                or sum(one.nbytes for one in held) >= _GROUP_BYTES
            ):
                writer.write_table(pa.Table.from_batches(held, schema))
                held = []
        if held:
            writer.write_table(pa.Table.from_batches(held, schema))


@contextmanager
def _new_file(path: Path, *, is_forced: bool) -> Iterator[Path]:
    """Yield a name beside ``path``; what is under it at the end gets that path's name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    name: Callable[[Path, Path], object] = os.replace if is_forced else os.link
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        try:
            name(temporary, path)
        except FileExistsError:
            raise UsageError(f"{path} is there already; give --force to replace it") from None
    finally:
        temporary.unlink(missing_ok=True)
