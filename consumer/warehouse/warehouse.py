"""The warehouse: the one door to the file, for writing and for reading."""

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar
from uuid import UUID

import duckdb
import pyarrow as pa

from consumer.addresses import parse_address
from consumer.batch import Batch, BatchBuilder
from consumer.erasure import Hider
from consumer.errors import (
    CommitOutcomeUnknown,
    QueryError,
    SettingsError,
    WarehouseError,
    WarehouseFull,
)
from consumer.frame import Head, to_release_frame
from consumer.warehouse.archive import Archive, Segment
from consumer.warehouse.connection import WarehouseOptions, connect
from consumer.warehouse.erased import ErasedList
from consumer.warehouse.faults import ended_by_ctrl_c, to_query_fault, translated
from consumer.warehouse.interruption import Interruption, Running, governing
from consumer.warehouse.own_sql import apply_own, parse_own
from consumer.warehouse.pace import FoldPace
from consumer.warehouse.place import Place
from consumer.warehouse.reading.own_publication import Admit
from consumer.warehouse.reading.publication import Publication
from consumer.warehouse.rollups.remaking import note_pending
from consumer.warehouse.rules.files import Rules
from consumer.warehouse.rules.in_force import IN_FORCE, JUDGED_BY
from consumer.warehouse.rules.mail_hosts import Answer, keep_answers
from consumer.warehouse.schema import enforce
from consumer.warehouse.transaction import Transactions
from consumer.warehouse.turns import Alone, Turns
from consumer.warehouse.writing.domains import Domains
from consumer.warehouse.writing.write import Standing, WriteResult, write_batch

T = TypeVar("T")

_READ_ROWS = 10_000
_END_SECS = 5.0
_ASK_SECS = 0.05
_HAS_GAPS = """
select exists (
    select 1 from ledger
    where archive_file is null and inserted + superseded + quarantined > 0
)
"""
_HELD = """
select sha256 from quarantine
where $1::varchar [] is null or sha256 in (select unnest($1::varchar []))
"""
_DROPPED = 1_000
_READABLE = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


class Warehouse:
    """One open file. Writing is serialised; readers run beside it, each on its own cursor."""

    def __init__(self, place: Place, options: WarehouseOptions) -> None:
        self._place = place
        self.options = options
        self._lock = Turns()
        self.alone = Alone()
        self._running = Running()
        self._is_taking_in = False
        self._fold_pace = FoldPace()
        self._open()

    def _open(self) -> None:
        is_new = not self._place.file.exists()
        self._place.check_folder()
        wants_hashed = self.options.recipients == "hashed"
        self.secret = self._place.load_secret(is_new=is_new, is_hashed=wants_hashed)
        self.is_hashed = self._place.is_hashed
        refuse_other_mode(self._place, self.options, is_hashed=self.is_hashed)
        self.hider = Hider(self.secret) if self.is_hashed else None
        self._connection, self.upgrade = connect(self._place, self.options)
        self._take_up_rules()
        self._transactions = Transactions(self._connection, self._lock, self._place)
        self.erased = ErasedList(self._place.erased, self.secret)
        self._archive = Archive(self._place.archive) if self.options.archive else None
        ((has_gaps,),) = self._connection.execute(_HAS_GAPS).fetchall()
        if has_gaps:
            self._place.gaps.touch(mode=0o600)
        self._publication: Publication | None = None

    def _take_up_rules(self) -> None:
        """Judge by the rules in force from here on."""
        self._standing = Standing(self._connection)

    @property
    def path(self) -> Path:
        """The file."""
        return self._place.file

    @property
    def place(self) -> Place:
        """The file and what stands beside it."""
        return self._place

    def new_builder(self, source: str) -> BatchBuilder:
        """Start a batch for this warehouse: its key, its subject and archive switches."""
        return BatchBuilder(
            source,
            self.secret,
            store_subject=self.options.store_subject,
            archive=self.options.archive,
            hide=self.hider,
        )

    def write(
        self,
        batch: Batch,
        *,
        replaces: Collection[str] = (),
        segment: Segment | None = None,
    ) -> WriteResult:
        """Commit a batch, whole or not at all; writing the same events again changes no figure.

        Args:
            batch: rows, quarantined payloads, positions and the archive's frame.
            replaces: sha256 of quarantined payloads that this batch holds anew.
            segment: where the frame lies already, when an archived batch is written again.

        Raises:
            WarehouseFull: no room; nothing was written, and a later try may succeed.
            PositionMoved: a position is not the one that the batch expects; nothing was written.
            CommitOutcomeUnknown: the outcome is open and this object is of no more use.
            WarehouseError: the batch was rolled back.
        """
        with self._lock, self._noted_writing():
            began = time.monotonic()
            self._check_room()
            if batch.payloads and batch.is_hashed != self.is_hashed:
                raise WarehouseError(
                    f"batch {batch.batch_id} of {batch.source} was made for another warehouse: of "
                    "the two, one has its recipients hashed. Start that command again."
                )
            batch = self.erased.screen(batch)
            with self._transactions.on_writer(
                self._connection, f"writing batch {batch.batch_id} of {batch.source}"
            ):
                result = write_batch(
                    self._connection,
                    batch,
                    standing=self._standing,
                    append=self._archive.append if self._archive is not None else None,
                    replaces=replaces,
                    segment=segment,
                )
            self._standing.learn(batch.rows)
            if self._archive is None and segment is None and result.rows + result.quarantined:
                self._place.gaps.touch(mode=0o600)
            return replace(result, seconds=time.monotonic() - began)

    @property
    def is_taking_in(self) -> bool:
        """Whether a batch is being written just now; from any thread."""
        return self._is_taking_in

    @contextmanager
    def _noted_writing(self) -> Iterator[None]:
        self._is_taking_in = True
        try:
            yield
        finally:
            self._is_taking_in = False

    def drop_quarantined(
        self,
        sha256s: Collection[str] | None,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Delete quarantined payloads, all for None, noted in the ledger; returns how many.

        Some thousand at a time: batches are written in between. ``on_progress`` gets payloads done
        and in all; what it raises ends the work between two portions.
        """
        named = [None if sha256s is None else list(sha256s)]
        with self.read(_HELD, named) as reader:
            asked = [str(sha256) for sha256 in reader.read_all()["sha256"].to_pylist()]
        dropped = 0
        for start in range(0, len(asked), _DROPPED):
            if on_progress is not None:
                on_progress(dropped, len(asked))
            dropped += self._drop(asked[start : start + _DROPPED])
        return dropped

    def _drop(self, sha256s: list[str]) -> int:
        with self._lock:
            with translated("dropping from quarantine"):
                held = self._connection.execute(_HELD, [sha256s]).fetchall()
            if held:
                batch = BatchBuilder("quarantine drop", self.secret, archive=False).finish()
                names = [sha256 for (sha256,) in held]
                head = Head(batch.batch_id, batch.source, self.is_hashed)
                frame = to_release_frame(head, names)
                self.write(replace(batch, frame=frame), replaces=names)
            return len(held)

    def change_own(self, sql: str, *, interruption: Interruption | None = None) -> str:
        """Run one statement that makes or drops something in the schema `my`; returns its name.

        It may take as long as it likes: batches are written meanwhile. ``interruption`` ends it
        from another thread, and so does `interrupt`.

        Raises `QueryError` for any other statement, for what DuckDB refuses, and when interrupted.
        """
        asked = interruption or governing()
        with (
            self._running.noted(asked),
            self.alone(asked.refuse_asked),
            self._transactions.beside_writer("changing the schema my", asked) as cursor,
        ):
            own = parse_own(cursor, sql)
            try:
                apply_own(cursor, own)
            except duckdb.FatalException:
                raise
            except duckdb.Error as error:
                raise to_query_fault(error) from error
        self.republish()
        return own.name

    def republish(self) -> None:
        """Show readers what changed in `my`: they need not wait for the worker's next start."""
        if self._publication is not None:
            self._publication.renew()

    @contextmanager
    def read(
        self,
        sql: str,
        params: Sequence[object] = (),
        *,
        interruption: Interruption | None = None,
    ) -> Iterator[pa.RecordBatchReader]:
        """Run one read-only statement on a cursor of its own; rows come as they are read.

        It sees the warehouse as of its start, whatever is written meanwhile. ``interruption`` ends
        it from another thread. Raises `QueryError` for that, for more than one statement, for one
        that would write, and for what DuckDB refuses.
        """
        try:
            cursor = self._connection.cursor()
        except duckdb.Error as error:
            raise QueryError(f"the warehouse is closed: {error}") from error
        asked = interruption or governing()
        with closing(cursor), self._running.noted(asked), asked.watch(cursor):
            try:
                _refuse_all_but_reading(cursor, sql)
                cursor.execute("begin transaction read only")
                with ended_by_ctrl_c():
                    found = cursor.sql(sql, params=list(params) or None)
                    reader = found.to_arrow_reader(_READ_ROWS)
            except duckdb.FatalException as error:
                raise self._transactions.lose(error) from error
            except duckdb.Error as error:
                raise to_query_fault(error) from error
            try:
                yield pa.RecordBatchReader.from_batches(reader.schema, _read_on(reader))
            finally:
                reader.close()

    def change(self, doing: str, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Do ``work`` in a transaction of its own; ``doing`` says in faults what was tried.

        What many of them changed is folded into the file now and then, in a turn of its own.
        """
        with self._lock:
            began = time.monotonic()
            with self._transactions.on_writer(self._connection, doing):
                self._standing.identities.forget()
                done = work(self._connection)
            self._fold_pace.note(time.monotonic() - began)
        if self._fold_pace.is_due:
            self._fold()
        return done

    def _fold(self) -> None:
        """Checkpoint, so that no later one has as much to do; what a reader hinders can wait."""
        with self._lock:
            began = time.monotonic()
            try:
                self.checkpoint()
            except CommitOutcomeUnknown:
                raise
            except WarehouseError:
                pass
            self._fold_pace.learn(time.monotonic() - began)

    def change_beside(self, doing: str, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Do the same while batches are written: ``work`` changes nothing that they do.

        The caller is `alone`.
        """
        asked = governing()
        with (
            self._running.noted(asked),
            self._transactions.beside_writer(doing, asked) as cursor,
        ):
            return work(cursor)

    def enforce(self, rules: Rules) -> None:
        """Judge by other rules what comes in from now on; see `consumer.warehouse.rules.in_force`.

        Where rollups are to be made again for it, that is noted; see `remake_rollups`.
        """

        def put(connection: duckdb.DuckDBPyConnection) -> None:
            if enforce(connection, rules):
                note_pending(connection)

        with self._lock:
            self.change("putting rules into force", put)
            self._take_up_rules()

    def learn(self, answers: Sequence[Answer]) -> int:
        """Keep what DNS said of domains; what comes in from now on goes by it.

        Returns how many domains have another provider by it; see
        `consumer.warehouse.rules.mail_hosts`.
        """
        with self._lock:
            changed = self.change(
                "keeping what DNS said", lambda connection: keep_answers(connection, answers)
            )
            if changed:
                self._standing.domains = Domains(self._connection)
            return changed

    @property
    def is_history_judged(self) -> bool:
        """Whether all events have the verdicts of the rules in force."""
        sql = f"""
            select count(distinct value) as n from warehouse_facts
            where name in ('{IN_FORCE}', '{JUDGED_BY}')
        """
        with self.read(sql) as reader:
            return bool(reader.read_all()["n"][0].as_py() == 1)

    def lift_suppression(self, recipient: str, note: str | None) -> None:
        """Note that a recipient, as it is stored, may be mailed again from now on."""
        at = datetime.now(UTC).replace(tzinfo=None)
        if self.hider is not None and note is not None:
            note = self.hider.hide_text(note)
        self.change(
            "lifting a suppression",
            lambda connection: connection.execute(
                "insert into suppression_lifts values (?, ?, ?)", [recipient, at, note]
            ),
        )

    def hide(self, text: str) -> str:
        """Return a normalised address as it is stored: erased or hashed ones as their token."""
        if self.is_hashed:
            return parse_address(text, self.secret).hidden
        return self.erased.hide(text)

    def start_archive_file(self) -> None:
        """Have the next batch open a new file: those that are there do not change any more."""
        with self._lock:
            if self._archive is not None:
                self._archive.close()

    def is_writing(self, file: Path) -> bool:
        """Whether batches still go into this file of the archive."""
        with self._lock:
            return self._archive is not None and self._archive.current == file

    def publish(self, *, admit: Admit, on_broken: Callable[[], None]) -> Publication:
        """Make what other programs may read, for each role; it ends when the warehouse closes.

        ``admit`` decides which of users' own statements are served, ``on_broken`` is called when
        the instance fails for good under one of them.
        """

        def note(error: duckdb.Error) -> None:
            self._transactions.lose(error)
            on_broken()

        self._publication = Publication(self._connection, self.secret, admit=admit, on_lost=note)
        return self._publication

    def result_of(self, batch_id: UUID) -> WriteResult | None:
        """What the ledger says of a batch, None where it has none: settles an open outcome."""
        with self._lock:
            rows = self._connection.execute(
                """
                select batch_id, source, payloads, received, inserted, superseded, duplicates,
                    quarantined, ignored, inserted + superseded - removed
                from ledger where batch_id = ?
                """,
                [batch_id],
            ).fetchall()
        return WriteResult(*rows[0]) if rows else None

    def positions(self, source: str) -> dict[str, str]:
        """Where to read on, by part, as committed with the rows of ``source``."""
        with self._lock:
            rows = self._connection.execute(
                "select part, position from positions where source = ?", [source]
            ).fetchall()
        return dict(rows)

    def held(self) -> AbstractContextManager[None]:
        """Hold the writer: nobody commits until it is let go of; readers go on."""
        return self._lock

    def checkpoint(self) -> None:
        """Fold the log into the file; for quiet moments."""
        with self._lock, translated("checkpointing"):
            self._connection.execute("checkpoint")

    def interrupt(self) -> bool:
        """End every statement of readers and users; whether any ran. Ask until none does."""
        return self._running.ask()

    def reopen(self) -> None:
        """Close and open anew: for a process without readers, after an open outcome."""
        with self._lock:
            self.close()
            self._open()

    def close(self) -> None:
        """Close file and archive. DuckDB checkpoints as it closes."""
        until = time.monotonic() + _END_SECS
        while self.interrupt() and time.monotonic() < until:  # a cursor keeps the file open
            time.sleep(_ASK_SECS)
        with self._lock:
            if self._archive is not None:
                self._archive.close()
            self._connection.close()
            shutil.rmtree(self._place.spill, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_room(self) -> None:
        free = shutil.disk_usage(self._place.file.parent).free
        if free < self.options.min_free_bytes:
            raise WarehouseFull(
                f"only {free // 2**20} MiB are free beside {self.path}, "
                f"{self.options.min_free_bytes // 2**20} are the floor (warehouse.min_free_bytes). "
                "Free some space; nothing is acknowledged until then."
            )


def refuse_other_mode(place: Place, options: WarehouseOptions, *, is_hashed: bool) -> None:
    """Raise `SettingsError` where the settings want recipients kept in another way than they are.

    A warehouse is the one or the other from its start: of two halves no figure would be whole.
    """
    kept = "hashed" if is_hashed else "plain"
    if options.recipients not in {None, kept}:
        raise SettingsError(
            f"warehouse.recipients is {options.recipients!r}, but {place.file} was made with "
            f"{kept!r}, and that stays. Leave the setting out, or begin a warehouse under another "
            "name (warehouse.path) and ingest the sources into it."
        )


def _read_on(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Pass rows on; what DuckDB raises half-way comes out of Arrow as ``OSError``."""
    try:
        yield from reader
    except (OSError, pa.ArrowException, duckdb.Error) as error:
        raise QueryError(str(error)) from error


def _refuse_all_but_reading(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = cursor.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"expected one statement, found {len(statements)}")
    if statements[0].type not in _READABLE:
        raise QueryError(
            f"only statements that read are allowed here, this is {statements[0].type.name}"
        )
