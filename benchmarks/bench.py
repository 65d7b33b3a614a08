"""Speed, memory and size on this machine: what `make bench` runs.

    python benchmarks/bench.py [--events 200000] [--rounds 5] [--dedup-rows 1000000 20000000]

Firehose-like gzip objects are made once; then every way of taking them in runs in turn, the
rounds interleaved, each in a process of its own with a new file. Medians are printed.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dedup import measure_dedup
from endpoint import measure_endpoint
from measure import Run, describe_machine, median, run
from rollups import SPANS, measure_dashboards, measure_writes
from sources import CONTESTS, compare_sources
from streams import measure_streams

from consumer.demo.traffic import write_firehose_objects

HERE = Path(__file__).parent
EVENTS_A_MESSAGE = 3.0
PLAIN_EVENTS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="about how many")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dedup-rows", type=int, nargs="*", default=[1_000_000, 20_000_000])
    parser.add_argument("--stream-rows", type=int, nargs="*", default=[1_000_000, 20_000_000])
    parser.add_argument("--rollup-rows", type=int, nargs="*", default=[10_000_000, 100_000_000])
    parser.add_argument("--source-events", type=int, default=20_000, help="0 leaves sources out")
    parser.add_argument("--endpoint-messages", type=int, default=20_000, help="0 leaves it out")
    arguments = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="duckpost-bench-") as folder:
        if arguments.events:
            compare_ingestion(Path(folder), arguments.events, arguments.rounds)
        for rows in arguments.dedup_rows:
            measure_dedup(Path(folder), rows)
        for rows in arguments.stream_rows:
            measure_streams(Path(folder) / f"streams-{rows}", rows)
        if arguments.rollup_rows:
            measure_writes(Path(folder), arguments.events or 200_000)
        for rows in arguments.rollup_rows:
            measure_dashboards(Path(folder), rows, SPANS, arguments.rounds)
    if arguments.source_events:
        compare_sources(arguments.source_events, arguments.rounds, sorted(CONTESTS))
    if arguments.endpoint_messages:
        measure_endpoint(arguments.endpoint_messages, arguments.rounds)


def compare_ingestion(folder: Path, events: int, rounds: int) -> None:
    objects = folder / "objects"
    made = write_firehose_objects(objects, int(events / EVENTS_A_MESSAGE), days=3.0)
    stored = sum(path.stat().st_size for path in objects.rglob("*.gz"))
    lines = made.truth.pipeline.payloads
    print(
        f"{lines:,} events in {len(list(objects.rglob('*.gz')))} objects, "
        f"{made.plain_bytes / lines:,.0f} bytes an event, {stored / lines:,.0f} compressed\n"
    )
    warehouse = folder / "bench.duckdb"
    python = [sys.executable, "-P"]
    ingest = [*python, "-m", "consumer", "ingest", str(objects), "--json"]
    into = ["--warehouse", str(warehouse)]
    ways: dict[str, tuple[Sequence[str], int]] = {
        "DuckDB's read_json, no dedup": (
            [*python, str(HERE / "read_json.py"), str(warehouse), str(objects)],
            lines,
        ),
        "json.loads and executemany": (
            [
                *python,
                str(HERE / "plain_script.py"),
                str(warehouse),
                str(objects),
                str(PLAIN_EVENTS),
            ],
            PLAIN_EVENTS,
        ),
        "duckpost ingest, one process": ([*ingest, "--processes", "0", *into], lines),
        "duckpost ingest, two processes": ([*ingest, "--processes", "2", *into], lines),
    }
    runs: dict[str, list[Run]] = {way: [] for way in ways}
    sizes = {}
    for _ in range(rounds):
        for way, (command, _events) in ways.items():
            clear(folder)
            runs[way].append(run(command))
            sizes[way] = warehouse.stat().st_size
    print_table({way: (median(runs[way]), ways[way][1], sizes[way]) for way in ways})


def print_table(results: dict[str, tuple[Run, int, int]]) -> None:
    print("| way | µs CPU an event | events/s | peak MiB | bytes an event in the file |")
    print("|---|---|---|---|---|")
    for way, (middle, events, size) in results.items():
        print(
            f"| {way} | {middle.cpu_secs / events * 1e6:,.1f} | {events / middle.wall_secs:,.0f} "
            f"| {middle.peak_bytes / 2**20:,.0f} | {size / events:,.0f} |"
        )
    print()


def clear(folder: Path) -> None:
    for path in folder.glob("bench.*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
