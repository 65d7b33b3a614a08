"""CPU an event of taking objects in from a bucket, beside the same objects as local files.

    python benchmarks/s3_objects.py [--events 60000] [--rounds 5]

The bucket is moto's, in a process of its own whose CPU does not count. Rounds are interleaved,
medians are printed. Objects are as large as Firehose makes them; a request costs the same whatever
it brings, so small ones cost more.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from bench import clear
from measure import Run, describe_machine, median, run

from consumer.demo.traffic import write_firehose_objects

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BUCKET = "ses-events"
EVENTS_A_MESSAGE = 3.0
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def serve(ready: "Connection[str, None]") -> None:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - slow to import, for this process

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    ready.send(f"http://{host}:{port}")
    ready.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000, help="about how many")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ.update(CREDENTIALS)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    os.environ["AWS_ENDPOINT_URL_S3"] = ours.recv()
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="duckpost-bench-") as folder:
        compare(Path(folder), arguments.events, arguments.rounds)
    ours.send(None)
    server.join()


def compare(folder: Path, events: int, rounds: int) -> None:
    objects = folder / "objects"
    made = write_firehose_objects(objects, int(events / EVENTS_A_MESSAGE), days=1.0)
    lines = made.truth.pipeline.payloads
    paths = sorted(path for path in objects.rglob("*") if path.is_file())
    stored = sum(path.stat().st_size for path in paths)
    print(
        f"{lines:,} events in {len(paths)} objects, {stored / len(paths) / 1024:,.0f} KiB and "
        f"{lines / len(paths):,.0f} events each\n"
    )
    upload(objects, paths)
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for processes in ("0", "2"):
            for what, where in (("files", str(objects)), ("bucket", f"s3://{BUCKET}")):
                clear(folder)
                way = f"{what}, --processes {processes}"
                runs.setdefault(way, []).append(run(to_command(folder, where, processes)))
    print("| way | µs CPU an event | events/s | peak MiB |")
    print("|---|---|---|---|")
    for way, found in runs.items():
        middle = median(found)
        print(
            f"| {way} | {middle.cpu_secs / lines * 1e6:,.1f} | {lines / middle.wall_secs:,.0f} "
            f"| {middle.peak_bytes / 2**20:,.0f} |"
        )
    for processes in ("0", "2"):
        bucket, local = (
            median(runs[f"{what}, --processes {processes}"]).cpu_secs
            for what in ("bucket", "files")
        )
        print(f"\nbucket / files, --processes {processes}: {bucket / local:.2f}")


def upload(objects: Path, paths: Sequence[Path]) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    for path in paths:
        key = path.relative_to(objects).as_posix()
        client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())


def to_command(folder: Path, where: str, processes: str) -> list[str]:
    warehouse = str(folder / "bench.duckdb")
    ingest = [sys.executable, "-P", "-m", "consumer", "ingest", where, "--json"]
    return [*ingest, "--processes", processes, "--warehouse", warehouse]


if __name__ == "__main__":
    main()
