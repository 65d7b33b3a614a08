"""What a batch of a running worker costs, however dense the day is that it falls into.

    python benchmarks/small_batches.py [--rows 1000000 8000000] [--events 500 5000]

A warehouse of that many Sends and Deliveries within two days, the live ones among them; then
batches of an ordinary stream (a third of the bounces in both forms, delays without tags, a tenth of
the opens weeks late) from bytes to commit, each file its own.
"""

import argparse
import shutil
import statistics
import tempfile
from datetime import timedelta
from pathlib import Path

import duckdb
from measure import describe_machine
from streams import LIVE, WIRINGS, take_in, to_batches

from consumer.garbage import collect_rarely
from consumer.warehouse import WarehouseOptions, open_warehouse

DAYS = 2
BATCHES = 12
FILL = """
insert into events by name
select
    gen_random_uuid() as event_key, if(i % 2 = 0, 'Send', 'Delivery') as event_type,
    $start::timestamp + to_microseconds(((i // 2) * 2 * $spacing)::bigint) as sent_at,
    sent_at + to_microseconds(if(i % 2 = 0, 0, hash(i) % 4000000)::bigint) as event_at,
    event_at as received_at, false as is_identity_notification,
    printf(
        '0102%012x-%08x-0000-0000-0000-%012x-000000', i // 2, hash(i // 2) % 4294967296, i // 2
    ) as message_id,
    printf('user%d@example.com', hash(i // 2) % 1000000) as recipient,
    'example.com' as recipient_domain, 1 as destination_count, true as is_attributable,
    false as is_simulator, 'set-' || (i // 2 % 20) as configuration_set,
    '111122223333' as account, 'eu-west-1' as region, map {'campaign': ['spring']} as tags,
    if(i % 2 = 1, '250 2.0.0 OK ' || hash(i), null) as smtp_response,
from range($rows) as t(i)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 8_000_000])
    parser.add_argument("--events", type=int, nargs="*", default=[500, 5_000])
    arguments = parser.parse_args()
    collect_rarely()  # as a worker does
    print(describe_machine())
    print("| rows within two days | events a batch | ms CPU a batch |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="duckpost-bench-") as there:
        for rows in arguments.rows:
            filled = Path(there) / str(rows)
            fill(filled, rows)
            for events in arguments.events:
                live = Path(there) / "live"
                shutil.copytree(filled, live)
                print(f"| {rows:,} | {events:,} | {measure_batches(live, events) * 1e3:.0f} |")
                shutil.rmtree(live)


def fill(folder: Path, rows: int) -> None:
    folder.mkdir()
    path = folder / "ses.duckdb"
    open_warehouse(path, WarehouseOptions(min_free_bytes=0)).close()
    start = (LIVE - timedelta(days=DAYS / 2)).replace(tzinfo=None)
    spacing = DAYS * 86_400_000_000 / rows
    with duckdb.connect(path.as_posix(), config={"memory_limit": "2GB"}) as connection:
        connection.execute(FILL, {"start": start, "rows": rows, "spacing": spacing})


def measure_batches(folder: Path, events: int) -> float:
    """The median of a batch, in seconds of CPU, after two that warm up."""
    options = WarehouseOptions(min_free_bytes=0)
    batches = to_batches(WIRINGS[1], events)
    with open_warehouse(folder / "ses.duckdb", options) as warehouse:
        taken = [take_in(warehouse, next(batches)) * events for _ in range(BATCHES + 2)]
    return statistics.median(taken[2:])


if __name__ == "__main__":
    main()
