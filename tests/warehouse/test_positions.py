"""Where a source reads on, kept with its rows: a batch from anywhere else is refused whole."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.batch import Batch
from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.errors import PositionMoved
from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.archive import read_frames
from consumer.warehouse.recovery.rebuild import rebuild

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def step(batch: Batch, before: str | None, after: str) -> Batch:
    return replace(
        batch,
        positions={"ses/0": after},
        expects={"ses/0": before},
        positions_of="kafka:duckpost",
    )


def test_a_batch_that_reads_on_from_the_stored_position_moves_it(
    desk: "Desk", letter: "Letter"
) -> None:
    desk.warehouse.write(step(desk.batch(letter.send()), None, "1"))
    desk.warehouse.write(step(desk.batch(letter.open()), "1", "2"))
    assert {"ses/0": "2"} == desk.warehouse.positions("kafka:duckpost")
    assert {} == desk.warehouse.positions("sqs:ses-events")


@pytest.mark.parametrize("stale", [None, "0", "1"])
def test_a_zombie_is_refused_whole_and_leaves_no_trace(
    desk: "Desk", letter: "Letter", stale: str | None
) -> None:
    desk.warehouse.write(step(desk.batch(letter.send()), None, "1"))
    desk.warehouse.write(step(desk.batch(letter.open()), "1", "2"))
    archive = desk.warehouse.place.archive
    content, frames = desk.content(), len(list(read_frames(archive)))
    with pytest.raises(PositionMoved, match="ses/0"):
        desk.warehouse.write(step(desk.batch(letter.click()), stale, "3"))
    assert content == desk.content()
    assert frames == len(list(read_frames(archive)))
    assert 2 == desk.value("select count(*) from ledger")
    assert {"ses/0": "2"} == desk.warehouse.positions("kafka:duckpost")


def test_after_a_refusal_the_writer_goes_on(desk: "Desk", letter: "Letter") -> None:
    with pytest.raises(PositionMoved):
        desk.warehouse.write(step(desk.batch(letter.send()), "7", "8"))
    assert 1 == desk.write(letter.send()).inserted
    assert [] == desk.faults()


def test_a_batch_keeps_what_it_expects_between_processes(desk: "Desk", letter: "Letter") -> None:
    batch = step(desk.batch(letter.send()), None, "1")
    assert batch == Batch.from_bytes(batch.to_bytes())


def test_a_rebuild_restores_positions_under_the_name_they_are_shared_by(
    tmp_path: Path, letter: "Letter"
) -> None:
    options = WarehouseOptions(min_free_bytes=0)
    path = tmp_path / "again" / "ses.duckdb"
    path.parent.mkdir()
    with open_warehouse(path, options) as warehouse:
        for number, event in enumerate([letter.send(), letter.open()]):
            builder = warehouse.new_builder("kafka:duckpost#2")
            body = json.dumps(event).encode()
            for decoded in decode(Envelope(body, None, "kafka:ses/0@0", RECEIVED)):
                builder.add(decoded)
            warehouse.write(
                builder.finish(
                    positions={"ses/0": str(number + 1)},
                    expects={"ses/0": str(number) if number else None},
                    positions_of="kafka:duckpost",
                )
            )
    assert 2 == rebuild(path, options).rows
    with open_warehouse(path, options) as warehouse:
        assert {"ses/0": "2"} == warehouse.positions("kafka:duckpost")
