"""`reclassify` through a worker's door: its progress, Ctrl-C half-way, and the rest later."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumer.batch import BatchBuilder
from consumer.decode import decode
from consumer.door import server as door
from consumer.door.access import OpenedWarehouse
from consumer.door.client import DoorClient
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.recount import verify
from consumer.warehouse.rules.files import RuleFiles

MESSAGES = 12


@pytest.fixture(autouse=True)
def _lean(lean_sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Warehouse]:
    """A warehouse with messages of twelve hours, and rules that its history does not know."""
    own = tmp_path / "own.csv"
    own.write_text("domain,provider\n", encoding="utf-8")
    options = WarehouseOptions(
        memory_limit="256MB", threads=1, min_free_bytes=0, rule_files=RuleFiles(providers=own)
    )
    with open_warehouse(tmp_path / "ses.duckdb", options) as warehouse:
        builder = BatchBuilder("test", warehouse.secret)
        for number in range(MESSAGES):
            body = json.dumps(make_send(number)).encode()
            at = datetime(2026, 3, 1, 12, tzinfo=UTC)
            for decoded in decode(Envelope(body, None, "test", at, None, None)):
                builder.add(decoded)
        warehouse.write(builder.finish())
        own.write_text("domain,provider\nexample.net,Post\n", encoding="utf-8")
        app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
        with door.listen(app, warehouse.place.socket):
            yield warehouse


def make_send(number: int) -> dict[str, Any]:
    """A Send in the documented shape.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    mail = {
        "timestamp": f"2026-03-01T{number:02}:30:00.000Z",
        "source": "news@example.com",
        "sendingAccountId": "123456789012",
        "messageId": f"message-{number}",
        "destination": [f"reader{number}@example.net"],
        "tags": {"ses:configuration-set": ["news"]},
    }
    return {"eventType": "Send", "mail": mail, "send": {}}


def count_judged(warehouse: Warehouse) -> int:
    with warehouse.read("select count(*) as n from events where provider = 'Post'") as reader:
        count: int = reader.read_all()["n"][0].as_py()
    return count


def test_ctrl_c_leaves_right_figures_and_the_next_time_finishes(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.rules.reclassification.STRETCH_EVENTS", 1)
    told: list[tuple[int, int]] = []

    def interrupt(done: int, total: int) -> None:
        told.append((done, total))
        if done:
            raise KeyboardInterrupt

    client = DoorClient(served.path)
    with pytest.raises(KeyboardInterrupt):
        client.reclassify(on_progress=interrupt)
    with served.held():  # whatever was under way has ended, or does so at its next step
        half = count_judged(served)
    assert 1 <= half
    assert MESSAGES == told[-1][1]
    assert [] == [one.check for one in verify(served) if not one.is_well]

    client.reclassify()
    assert MESSAGES == count_judged(served)
    assert served.is_history_judged
    assert [] == [one.check for one in verify(served) if not one.is_well]
