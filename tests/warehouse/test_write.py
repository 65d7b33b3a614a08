"""A batch is committed whole or not at all, and writing events again changes nothing."""

import hashlib
import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import duckdb
import pytest

from consumer.errors import CommitOutcomeUnknown, WarehouseError, WarehouseFull
from consumer.warehouse import WriteResult
from consumer.warehouse.writing.write import write_batch

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

BROKEN = b'{"eventType": "Send", "mail": {"messageId": ""}}'


def story(letter: "Letter") -> list[dict[str, Any]]:
    return [
        letter.send(),
        letter.delivery(),
        letter.open(),
        letter.open(after=1_000),
        letter.click(),
        letter.complaint(),
        letter.subscription(),
    ]


def is_conserved(result: WriteResult) -> bool:
    return result.received == (
        result.inserted
        + result.superseded
        + result.duplicates
        + result.quarantined
        + result.ignored
    )


def test_d4_the_same_events_twice_change_nothing(desk: "Desk", letter: "Letter") -> None:
    first = desk.write(*story(letter))
    content = desk.content()
    second = desk.write(*story(letter))

    assert (7, 0) == (first.inserted, first.duplicates)
    assert (0, 7) == (second.inserted, second.duplicates)
    assert content == desk.content()
    assert [] == desk.faults()


def test_a_warehouse_says_while_it_writes_a_batch_that_it_does(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []

    def spy(*arguments: Any, **more: Any) -> WriteResult:  # noqa: ANN401 - whatever it is called with
        said.append(desk.warehouse.is_taking_in)
        return write_batch(*arguments, **more)

    monkeypatch.setattr("consumer.warehouse.warehouse.write_batch", spy)
    desk.write(letter.send())

    assert [True] == said
    assert not desk.warehouse.is_taking_in


def test_the_same_batch_twice_changes_no_row(desk: "Desk", letter: "Letter") -> None:
    batch = desk.batch(*story(letter))
    desk.warehouse.write(batch)
    content = desk.content()
    again = desk.warehouse.write(batch)

    assert 7 == again.duplicates
    assert content == desk.content()


def test_copies_within_one_batch_count_once(desk: "Desk", letter: "Letter") -> None:
    result = desk.write(letter.send(), letter.open(), letter.send(), letter.open(), letter.send())

    assert (2, 3) == (result.inserted, result.duplicates)
    assert 2 == desk.value("select count(*) from events")


def test_a_recipient_listed_twice_is_one_recipient(
    desk: "Desk", new_letter: Callable[..., "Letter"]
) -> None:
    result = desk.write(new_letter(to=["ann@example.com", "Ann <ANN@example.com>"]).send())

    assert (2, 1, 1) == (result.received, result.inserted, result.duplicates)


def test_a_result_counts_payloads_times_recipients(
    desk: "Desk", new_letter: Callable[..., "Letter"]
) -> None:
    three = new_letter(to=["ann@example.com", "ben@example.com", "cem@example.com"])
    result = desk.write(three.send(), three.open(), BROKEN, b"Successfully validated SNS topic x")

    assert 4 == result.payloads
    assert 6 == result.received
    assert 4 == result.inserted
    assert 4 == result.rows
    assert is_conserved(result)


def test_the_conservation_law_holds_over_random_batches(
    desk: "Desk", new_letter: Callable[..., "Letter"]
) -> None:
    choice = random.Random(5)  # noqa: S311 - a seed, not a secret
    pool: list[dict[str, Any] | bytes] = [BROKEN, b"{", b"[]", b"null"]
    for number in range(6):
        letter = new_letter(message_id=f"0102-{number}", to=["ann@example.com", "ben@example.com"])
        bounce = letter.bounce(feedback_id=f"fb-{number}")
        pool += [letter.send(), letter.delivery(), bounce, letter.by_identity(bounce)]
        pool += [letter.by_identity(letter.delivery()), letter.delay(), letter.open()]
    results = [desk.write(*choice.choices(pool, k=choice.randrange(1, 12))) for _ in range(25)]

    assert all(is_conserved(result) for result in results)
    assert sum(result.rows for result in results) == desk.value("select count(*) from events")
    assert [] == desk.faults()
    assert {(one.received, one.payloads) for one in results} == {
        (row["received"], row["payloads"])
        for row in desk.rows("select received, payloads from ledger")
    }


def test_an_empty_batch_is_a_row_in_the_ledger_and_no_more(desk: "Desk") -> None:
    result = desk.warehouse.write(desk.batch(positions={"0": "17"}))

    assert (0, 0) == (result.received, result.rows)
    assert {"0": "17"} == desk.warehouse.positions("sqs:ses-events")
    assert 1 == desk.value("select count(*) from ledger")


def test_positions_are_committed_with_the_rows_and_move_on(desk: "Desk", letter: "Letter") -> None:
    desk.warehouse.write(desk.batch(letter.send(), positions={"0": "10", "1": "7"}))
    desk.warehouse.write(desk.batch(letter.open(), positions={"0": "12"}))
    desk.warehouse.write(desk.batch(letter.click(), source="kafka:other", positions={"0": "1"}))

    assert {"0": "12", "1": "7"} == desk.warehouse.positions("sqs:ses-events")
    assert {"0": "1"} == desk.warehouse.positions("kafka:other")


def test_the_ledger_says_what_became_of_a_batch(desk: "Desk", letter: "Letter") -> None:
    batch = desk.batch(letter.send(), BROKEN, b"Successfully validated SNS topic x")
    written = desk.warehouse.write(batch)
    found = desk.warehouse.result_of(batch.batch_id)

    assert found is not None
    assert (written.inserted, written.quarantined, written.ignored, written.rows) == (
        found.inserted,
        found.quarantined,
        found.ignored,
        found.rows,
    )
    assert desk.warehouse.result_of(UUID(int=0)) is None


# --- the account a delivery was said to be of ----------------------------------------------


def test_the_events_own_account_goes_before_the_deliverys(desk: "Desk", letter: "Letter") -> None:
    desk.warehouse.write(desk.batch(letter.send(), account="444455556666"))
    letter = replace(letter, account="")
    desk.warehouse.write(desk.batch(letter.open(), account="444455556666"))

    assert [
        {"event_type": "Open", "account": "444455556666"},
        {"event_type": "Send", "account": "111122223333"},
    ] == desk.rows("select event_type, account from events order by all")


def test_a_copy_from_where_no_account_is_said_is_the_same_event(
    desk: "Desk", letter: "Letter"
) -> None:
    letter = replace(letter, account="")
    first = desk.warehouse.write(desk.batch(*story(letter), account="444455556666"))
    second = desk.write(*story(letter))

    assert (first.inserted, 0) == (second.duplicates, second.inserted)
    assert [] == desk.faults()


def test_quarantine_shows_the_account_a_delivery_was_said_to_be_of(desk: "Desk") -> None:
    desk.warehouse.write(desk.batch(BROKEN, account="444455556666"))

    assert "444455556666" == desk.value("select account from quarantine")


# --- quarantine ----------------------------------------------------------------------------


def test_a_redelivered_payload_adds_nothing_to_quarantine(desk: "Desk") -> None:
    first = desk.write(BROKEN)
    second = desk.write(BROKEN, BROKEN)

    assert (1, 0) == (first.quarantined, first.duplicates)
    assert (0, 2) == (second.quarantined, second.duplicates)
    assert [{"sha256": hashlib.sha256(BROKEN).hexdigest(), "payload": BROKEN}] == desk.rows(
        "select sha256, payload from quarantine"
    )
    assert [] == desk.faults()


def test_copies_of_a_bad_payload_in_one_batch_are_one(desk: "Desk") -> None:
    result = desk.write(BROKEN, BROKEN)

    assert (1, 1) == (result.quarantined, result.duplicates)
    assert is_conserved(result)


def test_a_replayed_payload_leaves_quarantine_in_the_same_transaction(
    desk: "Desk", letter: "Letter"
) -> None:
    desk.write(BROKEN, b"{nonsense")
    sha256 = hashlib.sha256(BROKEN).hexdigest()
    desk.warehouse.write(desk.batch(letter.send()), replaces=[sha256])

    assert [{"payload": b"{nonsense"}] == desk.rows("select payload from quarantine")
    assert 1 == desk.value("select sum(released)::bigint from ledger")
    assert [] == desk.faults()


def test_a_payload_that_is_replayed_and_refused_again_stays(desk: "Desk") -> None:
    desk.write(BROKEN)
    sha256 = hashlib.sha256(BROKEN).hexdigest()
    result = desk.warehouse.write(desk.batch(BROKEN), replaces=[sha256])

    assert is_conserved(result)
    assert [{"payload": BROKEN}] == desk.rows("select payload from quarantine")
    assert [] == desk.faults()


def test_dropping_names_what_went_and_keeps_the_books(desk: "Desk") -> None:
    desk.write(BROKEN, b"{nonsense", b"{more")

    assert 1 == desk.warehouse.drop_quarantined([hashlib.sha256(BROKEN).hexdigest()])
    assert 0 == desk.warehouse.drop_quarantined(["0" * 64])
    assert 0 == desk.warehouse.drop_quarantined([])
    assert 2 == desk.warehouse.drop_quarantined(None)
    assert 0 == desk.warehouse.drop_quarantined(None)
    assert 0 == desk.value("select count(*) from quarantine")
    assert [] == desk.faults()


def test_much_is_dropped_in_slices_that_batches_come_between(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.warehouse._DROPPED", 2)
    desk.write(*(f"{{nonsense {number}".encode() for number in range(5)))
    before = desk.value("select count(*) from ledger")

    assert 5 == desk.warehouse.drop_quarantined(None)
    assert 3 == desk.value("select count(*) from ledger") - before
    assert 5 == desk.value("select sum(released)::bigint from ledger")
    assert [] == desk.faults()


# --- all or nothing ------------------------------------------------------------------------


def refuse_to_sync(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_batch_whose_archive_cannot_be_synced_leaves_nothing(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write(letter.send())
    content = desk.content()
    batch = desk.batch(letter.open(), letter.click(), BROKEN, positions={"0": "9"})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse_to_sync)
        with pytest.raises(WarehouseFull, match="No space left"):
            desk.warehouse.write(batch)

    assert content == desk.content()
    assert 1 == desk.value("select count(*) from ledger")
    assert 0 == desk.value("select count(*) from quarantine")
    assert {} == desk.warehouse.positions("sqs:ses-events")

    result = desk.warehouse.write(batch)

    assert (2, 1) == (result.inserted, result.quarantined)
    assert [] == desk.faults()


def test_a_statement_that_fails_rolls_the_whole_batch_back(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's row is the last step; everything before it must go as well."""
    content = desk.content()
    with monkeypatch.context() as patch:
        patch.setattr(
            "consumer.warehouse.writing.write._LEDGER", "insert into no_such_table values (1)"
        )
        with pytest.raises(WarehouseError, match="no_such_table") as caught:
            desk.write(*story(letter))
        assert not isinstance(caught.value, CommitOutcomeUnknown)

    assert content == desk.content()
    assert 7 == desk.write(*story(letter)).inserted
    assert [] == desk.faults()


class FailingCommit:
    """The writer's connection, whose COMMIT does its work and then raises, as a torn disk might."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, is_durable: bool) -> None:
        self._connection = connection
        self._is_durable = is_durable

    def execute(self, query: str, *args: object) -> object:
        if query == "commit":
            self._connection.execute("commit" if self._is_durable else "rollback")
            raise duckdb.IOException("IO Error: could not write")
        return self._connection.execute(query, *args)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@pytest.mark.parametrize("is_durable", [True, False])
def test_a_failed_commit_is_an_open_outcome_and_the_object_refuses_to_go_on(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch, *, is_durable: bool
) -> None:
    warehouse = desk.warehouse
    batch = desk.batch(letter.send())
    with monkeypatch.context() as patch:
        failing = FailingCommit(warehouse._connection, is_durable=is_durable)
        patch.setattr(warehouse, "_connection", failing)
        with pytest.raises(CommitOutcomeUnknown, match="its outcome is open"):
            warehouse.write(batch)
    with pytest.raises(CommitOutcomeUnknown):
        desk.write(letter.open())

    warehouse.reopen()

    assert is_durable == (warehouse.result_of(batch.batch_id) is not None)
    again = warehouse.write(desk.batch(letter.send()))
    assert 1 == again.inserted + again.duplicates
    assert 1 == desk.value("select count(*) from events")
    assert [] == desk.faults()


def test_a_fatal_error_is_an_open_outcome(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_named: object) -> None:
        raise duckdb.FatalException("FATAL Error: database has been invalidated")

    monkeypatch.setattr("consumer.warehouse.writing.write._enter", fail)
    with pytest.raises(CommitOutcomeUnknown):
        desk.write(letter.send())
    monkeypatch.undo()
    with pytest.raises(CommitOutcomeUnknown):
        desk.write(letter.send())


def test_below_the_floor_nothing_is_written(
    new_desk: Callable[..., "Desk"], letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = new_desk()
    monkeypatch.setattr(
        desk.warehouse, "options", type(desk.warehouse.options)(min_free_bytes=2**62)
    )
    with pytest.raises(WarehouseFull, match="min_free_bytes"):
        desk.write(letter.send())

    assert 0 == desk.value("select count(*) from ledger")


# --- horizon -------------------------------------------------------------------------------


def test_events_of_pruned_messages_are_ignored(
    desk: "Desk", new_letter: Callable[..., "Letter"], letter: "Letter"
) -> None:
    desk.warehouse._connection.execute(
        "insert into warehouse_facts values ('horizon', '2026-03-01T00:00:00')"
    )
    sent = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)
    old = new_letter(message_id="old", sent=sent)
    result = desk.write(
        old.send(), old.open(after=5 * 86_400), old.by_identity(old.bounce()), letter.send()
    )

    assert (1, 3, 0) == (result.inserted, result.ignored, result.duplicates)
    assert is_conserved(result)
    assert 3 == desk.value("select ignored_reasons['expired'] from ledger")
    assert [] == desk.faults()


# --- look-ups that must not miss -------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 2, 9, 59, 59, 999_000, tzinfo=UTC),
        datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
    ids=str,
)
def test_a_copy_is_found_whatever_its_instant(
    desk: "Desk", new_letter: Callable[..., "Letter"], sent: datetime
) -> None:
    letter = new_letter(sent=sent)
    desk.write(letter.send())

    assert 1 == desk.write(letter.send()).duplicates


def test_copies_are_found_in_a_batch_that_spans_more_hours_than_ranges(
    desk: "Desk", new_letter: Callable[..., "Letter"]
) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    letters = [
        new_letter(message_id=f"m-{number}", sent=start + timedelta(hours=number * (number + 7)))
        for number in range(150)
    ]
    events = [event for letter in letters for event in (letter.send(), letter.delivery())]
    desk.write(*events)
    content = desk.content()

    assert 300 == desk.write(*reversed(events)).duplicates
    assert content == desk.content()


def test_accounts_may_be_missing(desk: "Desk", new_letter: Callable[..., "Letter"]) -> None:
    """Examples of 2012 to 2016 name no account."""
    letter = new_letter(account=None)
    desk.write(letter.delay(), letter.by_identity(letter.bounce()))
    desk.write(letter.send())
    desk.write(letter.send(), letter.delay())

    assert 3 == desk.value("select count(*) from events where configuration_set = 'newsletter'")
    assert 0 == desk.value("select count(*) from waiting")
    assert [] == desk.faults()
