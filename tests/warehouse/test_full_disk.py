"""A disk that fills up: nothing acknowledged is lost, and writing goes on when there is room."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer.errors import CommitOutcomeUnknown, WarehouseFull
from consumer.warehouse import WarehouseOptions, WriteResult, open_warehouse
from consumer.warehouse.recount import verify

if TYPE_CHECKING:
    from consumer.batch import Batch
    from consumer.warehouse import Warehouse
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk, SmallDisk

MIB = 2**20


def write_till_full(
    warehouse: "Warehouse", batches: Iterator["Batch"]
) -> tuple[list[WriteResult], "Batch", Exception]:
    acknowledged = []
    for batch in batches:
        try:
            acknowledged.append(warehouse.write(batch))
        except (WarehouseFull, CommitOutcomeUnknown) as fault:
            return acknowledged, batch, fault
    pytest.fail("the disk never filled up")


@pytest.mark.parametrize("archive", [True, False])
def test_nothing_acknowledged_is_lost_and_writing_goes_on_when_there_is_room(
    small_disk: "SmallDisk",
    empty_warehouse: Path,
    new_letter: Callable[..., "Letter"],
    desk: "Desk",
    *,
    archive: bool,
) -> None:
    shutil.copytree(empty_warehouse, small_disk.folder, dirs_exist_ok=True)
    ballast = small_disk.folder / "ballast"
    ballast.write_bytes(os.urandom(6 * MIB))
    options = WarehouseOptions(memory_limit="128MB", threads=1, min_free_bytes=0, archive=archive)
    choice = random.Random(11)  # noqa: S311 - a seed, not a secret

    def batches(start: int) -> Iterator["Batch"]:
        for number in range(start, start + 400):
            yield desk.batch(*(send(f"0102-{number}-{place}") for place in range(60)))

    def send(message_id: str) -> dict[str, Any]:
        # random text, which no compression makes small
        return new_letter(message_id=message_id, tags={"t": [choice.randbytes(300).hex()]}).send()

    with open_warehouse(small_disk.folder / "ses.duckdb", options) as warehouse:
        acknowledged, refused, fault = write_till_full(warehouse, batches(0))
        assert acknowledged
        if isinstance(fault, WarehouseFull):
            # a batch a little smaller may still find room; going on must end the same way
            more, refused, _ = write_till_full(warehouse, batches(1_000))
            acknowledged += more
        ballast.unlink()
        if warehouse._transactions.lost is not None:
            warehouse.reopen()
        again = warehouse.write(refused)
        assert 60 == again.inserted + again.duplicates

        ids = {str(one.batch_id) for one in acknowledged}
        with warehouse.read("select batch_id from ledger") as reader:
            found = {str(row["batch_id"]) for row in reader.read_all().to_pylist()}
        assert ids <= found
        for one in acknowledged:
            result = warehouse.result_of(one.batch_id)
            assert result is not None
            assert 60 == result.rows
        assert [] == [one for one in verify(warehouse) if not one.is_well]
