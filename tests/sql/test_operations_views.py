"""What an operator asks: is it alive, is anything missing, what was refused."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]


def commit_batch(warehouse: "duckdb.DuckDBPyConnection", source: str, *counts: int) -> None:
    warehouse.execute(
        "insert into ledger by name select uuid() as batch_id, ? as source, "
        "timestamp '2026-11-30 23:59:00' as committed_at, ? as payloads, ? as received, "
        "? as inserted, ? as superseded, ? as duplicates, ? as quarantined, ? as ignored, "
        "0 as removed, 0 as released",
        [source, *counts],
    )


def test_health_is_not_fooled_by_clocks_of_others(log: Log, ask: Ask) -> None:
    log("Send", "2026-11-30 23:00")
    log("Send", "2099-01-01 00:00", message_id="future")
    log("Send", "1970-01-01 00:00", message_id="past")

    [found] = ask("from pipeline_health")
    newest = datetime(2026, 11, 30, 23)  # noqa: DTZ001  columns hold UTC without a zone
    assert (newest, 3600.0, 3, 2) == (
        found["newest_event_at"],
        found["newest_event_age_secs"],
        found["events"],
        found["implausible_event_times"],
    )


def test_an_empty_warehouse_is_healthy_and_empty(ask: Ask) -> None:
    [found] = ask("from pipeline_health")
    assert (None, 0, 0) == (found["newest_event_at"], found["events"], found["received"])


def test_conservation_shows_what_is_unaccounted(
    ask: Ask, warehouse: "duckdb.DuckDBPyConnection"
) -> None:
    commit_batch(warehouse, "good", 5, 10, 5, 1, 2, 1, 1)
    commit_batch(warehouse, "leaky", 5, 10, 5, 1, 2, 1, 0)

    found = ask("select source, unaccounted, unbalanced_batches from conservation order by source")
    assert [
        {"source": "good", "unaccounted": 0, "unbalanced_batches": 0},
        {"source": "leaky", "unaccounted": 1, "unbalanced_batches": 1},
    ] == found
    assert [{"source": "good", "duplicates": 2}, {"source": "leaky", "duplicates": 2}] == ask(
        "select source, duplicates from pipeline_by_source order by source"
    )


def test_quarantine_is_told_by_reason_and_source(
    ask: Ask, warehouse: "duckdb.DuckDBPyConnection"
) -> None:
    for number in range(3):
        warehouse.execute(
            "insert into quarantine by name select ? as sha256, 'not_json' as reason, "
            "'line ' || ? as detail, 'sqs:a' as origin, 'sqs' as source, "
            "timestamp '2026-03-01' + to_hours(?) as received_at, 'x'::blob as payload, "
            "1 as payload_bytes, 0 as payload_offset, uuid() as batch_id",
            [f"sha-{number}", number, number],
        )
    found = ask("select reason, source, payloads, last_sha256 from quarantined_by_reason")
    assert [{"reason": "not_json", "source": "sqs", "payloads": 3, "last_sha256": "sha-2"}] == found
