"""The worker's part of `endpoint.py`, in a process of its own: a warehouse and its endpoint.

    python benchmarks/endpoint_server.py FOLDER MESSAGES

Says its port on the first line it prints. For each line that it reads, a number of payloads and a
number of batches, it commits so many batches of so many new payloads each and prints what each
took, as JSON: seconds by the clock, of the writer's CPU, and of waiting for a free processor; until
its input ends.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import duckdb

from consumer.batch import Batch
from consumer.decode import decode
from consumer.demo.traffic import generate
from consumer.endpoint.counts import Counts
from consumer.endpoint.opening import bind, open_endpoint
from consumer.envelope import Envelope
from consumer.settings import EndpointSettings
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.own_sql import apply_own, parse_own

USER, PASSWORD = "bench", "a password for benchmarks"
SOURCE = "sqs:ses-events"
DAYS = 7
PAYLOADS_A_MESSAGE = 2.5
FILLING_PAYLOADS = 20_000
MOST_COMING = 500_000
# as panels have them: an instant, a text, a whole number, a fraction, a text that may be missing
ROWS: LiteralString = """select
    timestamp '2026-03-01' + interval '1 second' * i as at,
    'configuration-set-' || (i % 50)::text as name,
    i::bigint as number,
    i / 7.0::double precision as rate,
    case when i % 3 = 0 then null else 'us-east-' || (i % 4)::text end as region
from generate_series(1, 1000000) as t(i)"""


def main() -> None:
    folder, messages = Path(sys.argv[1]), int(sys.argv[2])
    now = datetime.now(UTC)
    start = now - timedelta(days=DAYS)
    users = [{"name": USER, "password": PASSWORD, "role": "support"}]
    settings = EndpointSettings.model_validate({"port": 0, "users": users})
    options = WarehouseOptions(min_free_bytes=0)
    with open_warehouse(folder / "ses.duckdb", options) as warehouse:
        for batch in make_batches(warehouse, generate(messages, 1, start, DAYS).payloads, now):
            warehouse.write(batch)
        warehouse.change("making rows", make_rows)
        # other mail of the same days: what a worker goes on taking in
        coming = generate(MOST_COMING, 2, start, DAYS).payloads
        bound = bind(settings)
        with open_endpoint(
            settings, warehouse, bound, Counts(), on_broken=lambda: None
        ) as endpoint:
            print(endpoint.port, flush=True)
            for line in sys.stdin:
                payloads, commits = map(int, line.split())
                batches = make_batches(warehouse, coming, now, payloads)
                took = commit(warehouse, itertools.islice(batches, commits))
                assert len(took) == commits, "that many commits are more than there is mail for"
                print(json.dumps(took), flush=True)


def make_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table that both servers give rows of."""
    apply_own(connection, parse_own(connection, f"create table my.made as {ROWS}"))


def make_batches(
    warehouse: Warehouse,
    payloads: Iterator[bytes],
    received_at: datetime,
    size: int = FILLING_PAYLOADS,
) -> Iterator[Batch]:
    """Decode payloads into batches of ``size`` of them."""
    while some := list(itertools.islice(payloads, size)):
        builder = warehouse.new_builder(SOURCE)
        for payload in some:
            for decoded in decode(Envelope(payload, None, SOURCE, received_at)):
                builder.add(decoded)
        yield builder.finish()


def commit(warehouse: Warehouse, batches: Iterator[Batch]) -> list[tuple[float, float, float]]:
    """Return what each commit took, decoding not counted."""
    took = []
    for batch in batches:
        began, cpu, queued = time.perf_counter(), time.thread_time(), read_queued_secs()
        warehouse.write(batch)
        took.append(
            (
                time.perf_counter() - began,
                time.thread_time() - cpu,
                read_queued_secs() - queued,
            )
        )
    return took


def read_queued_secs() -> float:
    """How long this thread could have run and did not; Linux alone counts it."""
    try:
        _, queued_ns, _ = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return int(queued_ns) / 1e9


if __name__ == "__main__":
    main()
