"""A rewrite that was asked for: remembered, tried ever more rarely, and never in a circle."""

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumer.door import server as door
from consumer.door.access import OpenedWarehouse
from consumer.door.client import DoorClient
from consumer.errors import WarehouseError, WarehouseFull
from consumer.settings import PrivacySettings
from consumer.upkeep import Upkeep
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.erasure.pending_rewrite import (
    FIRST_WAIT,
    LONGEST_WAIT,
    PendingRewrite,
    ask_for,
    forget,
    note_failure,
    note_try,
    read_pending,
)
from consumer.warehouse.place import Place
from consumer.warehouse.retention import Retention

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "ses.duckdb", WarehouseOptions(min_free_bytes=0)) as opened:
        yield opened


@pytest.fixture
def _full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise WarehouseFull("rewriting needs 9 MiB, 1 MiB are free.")

    monkeypatch.setattr("consumer.warehouse.erasure.rewriting.require_room", refuse)


def keep_up(warehouse: Warehouse, due: threading.Event) -> Upkeep:
    return Upkeep(
        warehouse,
        PrivacySettings(erase_rewrite_days=7),
        Retention(),
        on_rewrite_due=due.set,
        on_broken=lambda: None,
        look_secs=0.01,
    )


def test_each_try_that_fails_has_the_next_one_wait_longer_to_a_bound() -> None:
    assert NOW == PendingRewrite(NOW).due_at
    waits = [PendingRewrite(NOW, tries, NOW, "no room").due_at - NOW for tries in range(1, 99)]
    assert [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT] == waits[:3]
    assert waits == sorted(waits)
    assert LONGEST_WAIT == waits[-1]


def test_what_is_noted_outlives_the_process_and_asking_again_makes_it_due(tmp_path: Path) -> None:
    place = Place(tmp_path / "ses.duckdb")
    assert read_pending(place) is None
    ask_for(place)
    note_try(place)
    broken_off = read_pending(place)
    note_failure(place, "no room")
    failed = read_pending(place)
    ask_for(place)
    again = read_pending(place)
    forget(place)

    assert broken_off is not None
    assert failed is not None
    assert again is not None
    assert (1, "") == (broken_off.tries, broken_off.why)
    assert broken_off.due_at > datetime.now(UTC) + timedelta(minutes=1)
    assert "no room" == failed.why
    assert (1, "", True) == (again.tries, again.why, again.due_at <= datetime.now(UTC))
    assert read_pending(place) is None
    assert [] == list(tmp_path.iterdir())


def test_a_note_that_cannot_be_read_is_a_wish_still(tmp_path: Path) -> None:
    place = Place(tmp_path / "ses.duckdb")
    place.rewrite.write_text("{nonsense", encoding="utf-8")
    pending = read_pending(place)
    assert pending is not None
    assert pending.due_at <= datetime.now(UTC)


def test_a_worker_that_starts_does_what_one_before_was_asked_for(warehouse: Warehouse) -> None:
    ask_for(warehouse.place)
    due = threading.Event()
    with keep_up(warehouse, due):
        assert due.wait(10)


def test_a_try_that_failed_just_now_is_left_alone_for_a_while(warehouse: Warehouse) -> None:
    note_try(warehouse.place)
    note_failure(warehouse.place, "no room")
    due = threading.Event()
    with keep_up(warehouse, due):
        assert not due.wait(0.3)


@pytest.mark.usefixtures("_full_disk")
def test_without_room_nobody_drains_and_whoever_asked_is_told_at_once(
    warehouse: Warehouse,
) -> None:
    asked = threading.Event()
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None, on_rewrite=asked.set)
    listener = door.listen(app, warehouse.place.socket)
    with listener, pytest.raises(WarehouseFull, match="1 MiB are free"):
        DoorClient(warehouse.path).rewrite()
    pending = read_pending(warehouse.place)
    assert pending is not None
    assert (1, False) == (pending.tries, asked.is_set())
    assert "1 MiB are free" in pending.why


@pytest.mark.usefixtures("_full_disk")
def test_without_room_the_worker_goes_on_and_tries_again_later(warehouse: Warehouse) -> None:
    ask_for(warehouse.place)
    due, looked = threading.Event(), threading.Event()
    with keep_up(warehouse, due):
        for _ in range(1_000):
            pending: Any = read_pending(warehouse.place)
            if pending.tries:
                break
            looked.wait(0.01)
    assert (1, False) == (pending.tries, due.is_set())


def test_a_worker_that_ends_before_it_rewrote_is_noticed(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None, on_rewrite=lambda: None)
    with door.listen(app, warehouse.place.socket):
        client = DoorClient(warehouse.path)

        def gone(_pid: int, _signal: int) -> None:
            raise ProcessLookupError

        monkeypatch.setattr(os, "kill", gone)
        with pytest.raises(WarehouseError, match=r"ended before.*Start it again"):
            client.rewrite()


def test_a_file_that_cannot_be_rewritten_without_a_worker_is_told_too(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    in_the_way = tmp_path / "ses.rewriting.duckdb"
    in_the_way.mkdir()
    with pytest.raises(WarehouseError, match="left as it is"):
        OpenedWarehouse(warehouse).rewrite()
    shutil.rmtree(in_the_way)
    assert read_pending(warehouse.place) is not None
    OpenedWarehouse(warehouse).rewrite()
    assert read_pending(warehouse.place) is None
