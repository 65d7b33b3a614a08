"""Readers that want all the memory while batches are committed: does a commit fail for it?

    python benchmarks/readers.py --minutes 5 --readers 2 --memory-limit 384MB
    python benchmarks/readers.py --minutes 5                # what is shipped, four readers

Readers sort all events by a hash, as text, again and again. At the end the ledger is held against
the rows. A commit that failed ends the run, as it would end the worker's process.
"""

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import duckdb
from dedup import FILL

from consumer.batch import Batch
from consumer.decode import decode
from consumer.demo.traffic import generate
from consumer.envelope import Envelope
from consumer.errors import CommitOutcomeUnknown, QueryError, WarehouseFull
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.recount import BOOKS

BATCH_ROWS = 5_000
GREEDY = """
select sum(n * length(link)) as n from (
    select row_number() over (order by md5(message_id || recipient)) as n, *
    exclude (link), message_id || recipient as link
    from events
)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--memory-limit", default=WarehouseOptions().memory_limit)
    parser.add_argument("--rows", type=int, default=400_000)
    asked = parser.parse_args()
    options = WarehouseOptions(memory_limit=asked.memory_limit, min_free_bytes=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ses.duckdb"
        open_warehouse(path, options).close()
        with duckdb.connect(path.as_posix(), config={"memory_limit": "2GB"}) as connection:
            start = datetime(2025, 1, 1)  # noqa: DTZ001 - DuckDB's timestamps hold UTC
            connection.execute(FILL, {"start": start, "rows": asked.rows, "spacing": 172_800})
        report = measure_readers(path, options, readers=asked.readers, secs=asked.minutes * 60)
    print(
        f"{asked.readers} readers, {asked.memory_limit}, {asked.rows:,} rows, "
        f"{asked.minutes:g} min: {report}"
    )


def measure_readers(path: Path, options: WarehouseOptions, *, readers: int, secs: float) -> str:
    counts: Counter[str] = Counter()
    is_over = threading.Event()
    waits: list[float] = []
    warehouse = open_warehouse(path, options)
    ((before,),) = _ask(warehouse, "select count(*) as n from events")
    threads = [
        threading.Thread(target=_read, args=[warehouse, is_over, counts], daemon=True)
        for _ in range(readers)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + secs
    fault = ""
    for number, batch in enumerate(_batches(warehouse)):
        if time.monotonic() > until:
            break
        began = time.monotonic()
        try:
            warehouse.write(batch)
            counts["batches"] += 1
        except WarehouseFull:
            counts["batches refused whole"] += 1
        except CommitOutcomeUnknown as error:
            fault = f"; COMMIT {number} failed: {error}"
            break
        waits.append(time.monotonic() - began)
    is_over.set()
    for thread in threads:
        thread.join()
    told = [f"{times:,} {what}" for what, times in sorted(counts.items())]
    waits.sort()
    told.append(f"slowest write {waits[-1]:.2f} s, median {waits[len(waits) // 2]:.2f}")
    for check, sql in BOOKS:
        ((expected, found),) = _ask(warehouse, sql)
        if check.startswith("events: what"):
            expected += before
        told += [] if expected == found else [f"{check}: {expected} expected, {found} found"]
    warehouse.close()
    return ", ".join(told) + fault


def _batches(warehouse: Warehouse) -> Iterator[Batch]:
    builder = warehouse.new_builder("bench")
    sent = generate(2_000, seed=1, start=datetime.now(UTC), days=0.2).payloads
    for number in count():
        mark = b'"messageId":"%d-' % number
        for payload in sent:
            body = payload.replace(b'"messageId": "', b'"messageId":"').replace(
                b'"messageId":"', mark
            )
            for decoded in decode(Envelope(body, None, "bench", datetime.now(UTC))):
                builder.add(decoded)
            if builder.rows >= BATCH_ROWS:
                yield builder.finish()


def _read(warehouse: Warehouse, is_over: threading.Event, counts: "Counter[str]") -> None:
    while not is_over.is_set():
        try:
            _ask(warehouse, GREEDY)
            counts["queries answered"] += 1
        except (QueryError, CommitOutcomeUnknown):
            counts["queries refused for want of memory"] += 1


def _ask(warehouse: Warehouse, sql: str) -> list[tuple[int, ...]]:
    with warehouse.read(sql) as reader:
        return [tuple(row.values()) for row in reader.read_all().to_pylist()]


if __name__ == "__main__":
    main()
