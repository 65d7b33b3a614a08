"""Silence and lag are the live stream's: a backfill beside it neither raises nor hides an alert."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]

NOW = datetime(2026, 12, 1)  # noqa: DTZ001  columns hold UTC without a zone; conftest.py's


def commit(warehouse: "duckdb.DuckDBPyConnection", source: str, at: datetime) -> None:
    warehouse.execute(
        "insert into ledger by name select uuid() as batch_id, ? as source, ? as committed_at, "
        "1000 as payloads, 1000 as received, 1000 as inserted, 0 as superseded, "
        "0 as duplicates, 0 as quarantined, 0 as ignored, 0 as removed, 0 as released",
        [source, at],
    )


def test_a_backfill_alone_is_no_lag_and_beside_a_queue_that_is_behind_hides_none(
    log: Log, ask: Ask
) -> None:
    received_at = NOW - timedelta(minutes=5)
    for days in (15, 400):
        log("Send", str(received_at - timedelta(days=days)), received_at=received_at)
    assert [] == ask("from alert_lag")
    log("Send", str(received_at - timedelta(hours=3)), received_at=received_at, message_id="live")
    assert [{"level": 2, "events_1h": 1}] == ask("select level, events_1h from alert_lag")


def test_a_backfill_beside_a_silent_source_neither_hides_nor_shares_its_silence(
    warehouse: "duckdb.DuckDBPyConnection", ask: Ask
) -> None:
    for hour in range(7, 174):
        commit(warehouse, "sqs:ses-events", NOW - timedelta(hours=hour))
    for hour in range(20):
        commit(warehouse, "s3://history", NOW - timedelta(hours=hour))
    assert [{"source": "sqs:ses-events", "level": 2}] == ask(
        "select source, level from alert_silence"
    )
