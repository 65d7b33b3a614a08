"""An open outcome in a process of its own: the ledger settles it."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consumer.batch import Batch
from consumer.cli.options import Share, opened
from consumer.decode import decode
from consumer.door.access import OpenedWarehouse
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

SEND = b"""{"eventType": "Send", "send": {}, "mail": {"timestamp": "2026-03-02T10:00:00.000Z",
    "messageId": "0100019cad000000-1-000000", "destination": ["reader@example.com"], "tags": {}}}"""


class AtCommit:
    """The writer's connection, with something else to do in place of a COMMIT."""

    def __init__(self, warehouse: Warehouse, act: Callable[[Callable[[], Any]], Any]) -> None:
        self._connection = warehouse._connection
        self._act = act
        warehouse._connection = self  # type: ignore[assignment]  # it stands in

    def execute(self, sql: str, *rest: Any) -> Any:  # noqa: ANN401 - as the real one
        def run() -> Any:  # noqa: ANN401 - the same
            return self._connection.execute(sql, *rest)

        return self._act(run) if sql == "commit" else run()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the same
        return getattr(self._connection, name)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return open_warehouse(tmp_path / "ses.duckdb", WarehouseOptions(min_free_bytes=0))


def make_batch(warehouse: Warehouse) -> Batch:
    builder = warehouse.new_builder("files")
    for decoded in decode(Envelope(SEND, None, "test", datetime.now(UTC))):
        builder.add(decoded)
    return builder.finish()


@pytest.mark.parametrize("commits", [True, False])
def test_a_commit_of_unknown_outcome_is_settled_by_the_ledger(
    warehouse: Warehouse, commits: bool
) -> None:
    def fail(commit: Callable[[], Any]) -> None:
        if commits:
            commit()
        raise duckdb.TransactionException("Failed to commit: failed to pin block")

    batch = make_batch(warehouse)
    AtCommit(warehouse, fail)
    access = OpenedWarehouse(warehouse)

    result = access.write(batch)

    assert (1, 0) == (result.inserted, result.duplicates)
    with access.read("select count(*) as rows from events") as reader:
        assert [{"rows": 1}] == reader.read_all().to_pylist()
    assert all(finding.is_well for finding in access.verify())
    access.close()


def test_a_commit_ends_before_ctrl_c_is_heard(warehouse: Warehouse) -> None:
    def press(commit: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the real one
        signal.raise_signal(signal.SIGINT)
        return commit()

    batch = make_batch(warehouse)
    AtCommit(warehouse, press)

    with pytest.raises(KeyboardInterrupt):
        warehouse.write(batch)

    # as others see it
    with warehouse.read("select inserted from ledger") as reader:
        assert [1] == reader.read_all()["inserted"].to_pylist()
    with pytest.raises(KeyboardInterrupt):  # it is heard as before
        signal.raise_signal(signal.SIGINT)
    access = OpenedWarehouse(warehouse)
    assert all(finding.is_well for finding in access.verify())
    access.close()


@pytest.mark.parametrize(
    ("said", "of_readers"), [(None, "920.0 MiB"), ("500MiB", "460.0 MiB"), ("512MB", "449.1 MiB")]
)
def test_a_verb_s_own_memory_limit_gives_way_to_what_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, of_readers: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if said is not None:
        monkeypatch.setenv("DUCKPOST_WAREHOUSE_MEMORY_LIMIT", said)

    with (
        opened(None, tmp_path / "ses.duckdb", create=True, share=Share(1, "1000MiB")) as access,
        access.read("select current_setting('memory_limit') as size") as reader,
    ):
        found = reader.read_all().to_pylist()

    # readers have 92% of it
    assert [{"size": of_readers}] == found
