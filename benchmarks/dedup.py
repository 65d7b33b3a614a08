"""What recognising duplicates costs, and that it costs the same at any size.

The warehouse is filled with rows straight in SQL (the write path would take an hour for twenty
million); then ordinary batches go through the real write path, and again as duplicates.
"""

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from consumer.batch import Batch
from consumer.decode import decode
from consumer.demo.traffic import generate
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

START = datetime(2026, 3, 1, tzinfo=UTC)
BATCH_ROWS = 5_000
BATCHES = 12
ROWS_A_DAY = 500_000
FILL = """
insert into events by name
select
    gen_random_uuid() as event_key, 'Delivery' as event_type,
    $start::timestamp + to_microseconds((i * $spacing)::bigint) as event_at, event_at as sent_at,
    event_at as received_at, false as is_identity_notification,
    printf('0100%012x-%08x-0000-0000-0000-%012x-000000', i, hash(i) % 4294967296, i) as message_id,
    printf('user%d@example.com', hash(i) % 1000000) as recipient, 1 as destination_count,
    true as is_attributable, false as is_simulator, 'set-' || (i % 20) as configuration_set,
from range($rows) as t(i)
"""


def measure_dedup(folder: Path, rows: int) -> None:
    path = folder / f"dedup-{rows}.duckdb"
    options = WarehouseOptions(min_free_bytes=0)
    open_warehouse(path, options).close()
    with duckdb.connect(path.as_posix(), config={"memory_limit": "2GB"}) as connection:
        spacing = 86_400_000_000 / ROWS_A_DAY
        connection.execute(
            FILL, {"start": START.replace(tzinfo=None), "rows": rows, "spacing": spacing}
        )
    with open_warehouse(path, options) as warehouse:
        live = START + timedelta(days=rows / ROWS_A_DAY)
        batches = list(_batches(warehouse, live))
        new = [_write(warehouse, batch) for batch in batches]
        again = [_write(warehouse, batch) for batch in batches]
    print(
        f"dedup at {rows:,} rows: a batch of {BATCH_ROWS:,} new rows "
        f"{statistics.median(new) * 1e6:.1f} µs CPU a row in all, as duplicates "
        f"{statistics.median(again) * 1e6:.1f}"
    )


def _batches(warehouse: Warehouse, start: datetime) -> Iterator[Batch]:
    builder = warehouse.new_builder("bench")
    made = 0
    for payload in generate(BATCH_ROWS * BATCHES, seed=3, start=start, days=0.2).payloads:
        for decoded in decode(Envelope(payload, None, "bench", datetime.now(UTC))):
            builder.add(decoded)
        if builder.rows >= BATCH_ROWS:
            yield builder.finish()
            made += 1
        if made == BATCHES:
            return


def _write(warehouse: Warehouse, batch: Batch) -> float:
    began = time.process_time()
    warehouse.write(batch)
    return (time.process_time() - began) / int(batch.rows.num_rows)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as there:
        for size in (1_000_000, 20_000_000):
            measure_dedup(Path(there), size)
