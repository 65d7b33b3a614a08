"""One reader of the warehouse: a cursor that sees what is published to its role, and no more.

A statement runs in a read-only transaction of its own and sees the warehouse as of its start.
What may run at all, the caller decides on `Reader.parse`.
"""

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from consumer.errors import StatementFault
from consumer.warehouse.reading.published import Published

_T = TypeVar("_T")
_BATCH_ROWS: Final = 8_192
# Instants in a statement: a dashboard that is refreshed asks the same of later ones. All are of one
# type, so that what a statement returns does not hang on them.
_INSTANT = re.compile(r"'\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?'")
_MOST_DESCRIBED: Final = 200
_EXCERPT = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of DuckDB's.

    Attributes:
        name: as DuckDB writes it, such as ``DECIMAL(18,3)``.
        kind: its family, such as ``decimal``, ``list``, ``map``.
        item: what a list's items are.
        precision: of a decimal; the digits in all and those behind the point.
    """

    name: str
    kind: str
    item: "ColumnType | None" = None
    precision: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result."""

    name: str
    type: ColumnType


@dataclass(slots=True)
class Reader:
    """A cursor of its own; one thread at a time, but `interrupt` from any.

    Attributes:
        on_lost: called when the instance fails for good under a statement.
        published: what it may read.
    """

    cursor: duckdb.DuckDBPyConnection
    on_lost: Callable[[duckdb.Error], None]
    published: Published
    _described: dict[str, list[Column]] = field(default_factory=dict)
    _reader: pa.RecordBatchReader | None = None
    _is_in_transaction: bool = False
    _is_interrupted: threading.Event = field(default_factory=threading.Event)

    def parse(self, sql: str) -> str:
        """DuckDB's own parse of ``sql`` as JSON; of what it cannot parse, JSON that says so."""
        ((parsed,),) = self._translated(
            # fetched within: an interrupt may come out of either
            lambda: self.cursor.execute("select json_serialize_sql(?)", [sql]).fetchall()
        )
        return str(parsed)

    def describe(self, sql: str) -> list[Column]:
        """Say what one SELECT's columns are, without running it.

        It is bound for that, unless it was before: what is published to a reader never changes.
        """
        shape = _INSTANT.sub("'\0'", sql)
        found = self._described.get(shape)
        if found is None:
            relation = self._translated(lambda: self.cursor.sql(sql))
            found = [
                Column(name, _to_type(type_))
                for name, type_ in zip(relation.columns, relation.types, strict=True)
            ]
            if len(self._described) >= _MOST_DESCRIBED:
                del self._described[next(iter(self._described))]
            self._described[shape] = found
        return found

    def open(self, sql: str) -> pa.RecordBatchReader:
        """Start a statement; its rows come as they are read. `close` or the next one ends it."""
        self.finish()
        self._translated(lambda: self.cursor.execute("begin transaction read only"))
        self._is_in_transaction = True
        self._reader = self._translated(lambda: self.cursor.sql(sql).to_arrow_reader(_BATCH_ROWS))
        return self._reader

    def next_batch(self) -> pa.RecordBatch | None:
        """The next rows of what was opened; None at the end, which ends its transaction too.

        Raises `StatementFault`.
        """
        if self._reader is None:
            return None
        if self._is_interrupted.is_set():
            raise StatementFault("interrupted", kind="InterruptException")
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            self.finish()
            return None
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            # what DuckDB raises half-way comes out of Arrow as its own
            raise StatementFault(str(error), kind=_guess_kind(error)) from error

    @property
    def is_open(self) -> bool:
        """Whether a statement's transaction is still to be ended."""
        return self._is_in_transaction

    def finish(self) -> None:
        """End the statement and its transaction, read to its end or not."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._is_in_transaction:
            self._is_in_transaction = False
            # on the cursor itself: an interrupted one has to end its transaction all the same
            with suppress(duckdb.Error):
                self.cursor.execute("rollback")

    def interrupt(self) -> None:
        """Stop what runs, soon; from any thread, and again where it came too early."""
        self._is_interrupted.set()
        self.cursor.interrupt()

    @property
    def is_interrupted(self) -> bool:
        """Whether it was told to stop; then it is of no more use."""
        return self._is_interrupted.is_set()

    def close(self) -> None:
        """Let go of the cursor and whatever it still reads."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.cursor.close()

    def _translated(self, step: Callable[[], _T]) -> _T:
        if self._is_interrupted.is_set():
            raise StatementFault("interrupted", kind="InterruptException")
        try:
            return step()
        except duckdb.FatalException as error:
            self.on_lost(error)
            raise StatementFault(str(error), kind=type(error).__name__) from error
        except duckdb.Error as error:
            raise StatementFault(str(error), kind=type(error).__name__) from error


def find_position(sql: str, message: str) -> int | None:
    """Where in ``sql`` an error of DuckDB's points to, as an index; None where it does not say.

    It shows an excerpt of the line with a caret under it, cut on either side where it is long.
    """
    found = _EXCERPT.search(message)
    if found is None:
        return None
    number, excerpt, indent = int(found[1]), found[2], len(found[3])
    lines = sql.split("\n")
    if number > len(lines):
        return None
    caret = indent - len(f"LINE {number}: ")
    begins_cut = excerpt.startswith("...")
    shown = excerpt.removeprefix("...").removesuffix("...")
    start = lines[number - 1].find(shown)
    if start < 0:
        return None
    before = sum(len(line) + 1 for line in lines[: number - 1])
    return before + start + caret - (len("...") if begins_cut else 0)


def _to_type(found: DuckDBPyType) -> ColumnType:
    kind = found.id
    if kind in ("list", "array"):
        item: Any = found.children[0][1]
        return ColumnType(str(found), kind, item=_to_type(item))
    if kind == "decimal":
        digits: Any
        scale: Any
        (_, digits), (_, scale) = found.children
        return ColumnType(str(found), kind, precision=(digits, scale))
    return ColumnType(str(found), kind)


def _guess_kind(error: Exception) -> str:
    """The class that DuckDB meant, from the words before the colon of its message."""
    text = str(error)
    for word, kind in (
        ("INTERRUPT", "InterruptException"),
        ("Out of Memory", "OutOfMemoryException"),
        ("Conversion", "ConversionException"),
        ("Out of Range", "OutOfRangeException"),
        ("Invalid Input", "InvalidInputException"),
    ):
        if f"{word} Error" in text:
            return kind
    return type(error).__name__
