"""CPU an event of every source, beside the same events without a transport.

    python benchmarks/sources.py [--events 20000] [--rounds 3] [--only firehose kafka s3 sqs]

For each source three ways run in turn, each in a process of its own whose CPU alone counts:
through the source, decoded and committed by the worker's loop; the same events from memory (of
S3: the same objects as files) through the same loop; and the client library alone, which reads
and forgets. Servers and senders are other processes. Kafka is left out, with a word, where its
broker is not to be had.
"""

import argparse
import base64
import gzip
import http.client
import json
import logging
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from measure import describe_machine

from consumer.demo.loopback import LoopbackQueue
from consumer.demo.traffic import write_firehose_objects

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

HERE = Path(__file__).parent
EVENTS_A_MESSAGE = 2.2
EVENTS_A_REQUEST = 200  # about 400 KB; Firehose buffers 1 MiB or more unless told otherwise
CONNECTIONS = 64
QUEUE_EVENTS = 5_000  # filled over boto3, which takes its time
BUCKET = "ses-events"
BUDGETS = {"firehose": 1.3, "kafka": 1.3, "s3": 1.2}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Way:
    """What `source_run.py` is told, and what has to happen beside it.

    Attributes:
        name: one of `source_run.py`'s.
        about: its argument.
        events: how many the counted units hold, each.
        before: fills what a run empties.
        beside: sends while it runs.
    """

    name: str
    about: Mapping[str, Any]
    events: float
    before: Callable[[], None] | None = None
    beside: Callable[[], None] | None = None


@dataclass(frozen=True)
class Contest:
    """A source, the same without it, and its client library alone."""

    through: Way
    without: Way
    floor: Way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=sorted(CONTESTS), default=sorted(CONTESTS))
    arguments = parser.parse_args()
    print(describe_machine())
    compare_sources(arguments.events, arguments.rounds, arguments.only)


def compare_sources(events: int, rounds: int, only: Sequence[str]) -> None:
    os.environ.update(CREDENTIALS)
    with tempfile.TemporaryDirectory(prefix="duckpost-bench-") as folder:
        objects = Path(folder) / "objects"
        write_firehose_objects(objects, int(events / EVENTS_A_MESSAGE), days=1.0)
        lines = [
            line
            for path in sorted(objects.rglob("*.gz"))
            for line in gzip.decompress(path.read_bytes()).splitlines()
        ]
        print(f"{len(lines):,} events of {sum(map(len, lines)) / len(lines):,.0f} bytes\n")
        print("| source | µs CPU an event | without it | times | client alone | its share |")
        print("|---|---|---|---|---|---|")
        for name in only:
            with CONTESTS[name](Path(folder), lines) as contest:
                if contest is not None:
                    print_row(name, contest, rounds)
    print()


def print_row(name: str, contest: Contest, rounds: int) -> None:
    ways = (contest.through, contest.without, contest.floor)
    cpu: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for way, found in zip(ways, cpu, strict=True):
            found.append(run(way))
    through, without, floor = map(statistics.median, cpu)
    budget = f" (budget {BUDGETS[name]})" if name in BUDGETS else ""
    print(
        f"| {name} | {through:,.1f} | {without:,.1f} | {through / without:.2f}{budget} "
        f"| {floor:,.1f} | {floor / through:.0%} |",
        flush=True,
    )


def run(way: Way) -> float:
    """Run one way; returns µs of CPU an event."""
    if way.before is not None:
        way.before()
    script = [sys.executable, "-P", str(HERE / "source_run.py"), way.name, json.dumps(way.about)]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if way.beside is not None:
        way.beside()
    printed, faults = process.communicate()
    assert process.returncode == 0, faults.decode()
    measured = json.loads(printed.splitlines()[-1])  # the log comes before
    cpu_secs, counted = float(measured["cpu_secs"]), float(measured["counted"])
    return cpu_secs / (counted * way.events) * 1e6


# --- without a transport ---------------------------------------------------------------------


def keep(folder: Path, name: str, bodies: Sequence[bytes]) -> Way:
    """The bodies from memory; ``events`` are then one a body."""
    file = folder / name
    file.write_bytes(b"\0".join(bodies))
    return Way("memory", {"bodies": str(file), "expected": len(bodies)}, 1)


# --- HTTP ------------------------------------------------------------------------------------


@contextmanager
def open_firehose(folder: Path, lines: Sequence[bytes]) -> Iterator[Contest]:
    groups = list(split(lines, EVENTS_A_REQUEST))
    requests = [
        json.dumps(
            {
                "requestId": str(number),
                "timestamp": 1_795_348_800_000,
                "records": [{"data": base64.b64encode(line).decode()} for line in group],
            }
        ).encode()
        for number, group in enumerate(groups)
    ]
    without = keep(folder, "requests", [b"\n".join(group) for group in groups])
    events = len(lines) / len(groups)
    port = find_free_port()
    about = {"port": port, "expected": len(requests)}

    def send() -> None:
        sender = multiprocessing.get_context("fork").Process(
            target=post, args=(port, requests), daemon=True
        )
        sender.start()

    yield Contest(
        Way("firehose", about, events, beside=send),
        Way("memory", without.about, events),
        Way("firehose floor", about, events, beside=send),
    )


def post(port: int, requests: Sequence[bytes]) -> None:
    """Send requests over many connections, so that batches fill, again until they are taken."""
    left = iter(requests)
    lock = threading.Lock()
    headers = {
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Access-Key": "the-key",
        "Content-Type": "application/json",
    }

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                body = next(left, None)
            if body is None:
                connection.close()
                return
            while not is_taken(connection, body):
                time.sleep(0.05)

    def is_taken(connection: http.client.HTTPConnection, body: bytes) -> bool:
        try:
            connection.request("POST", "/firehose", body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return False
        return answer.status == 200

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- Kafka -----------------------------------------------------------------------------------


@contextmanager
def open_topic(folder: Path, lines: Sequence[bytes]) -> Iterator[Contest | None]:
    # The broker that the tests run against; it needs Java, and Maven once.
    sys.path.append(str(HERE.parent / "tests" / "servers"))
    from kafka_broker import BrokerMissingError, open_broker  # noqa: PLC0415 - see above

    try:
        with open_broker(folder) as broker:
            topic = broker.new_topic(partitions=2)
            for number, part in enumerate(split(lines, -(-len(lines) // 2))):
                broker.put(topic, part, partition=number)
            about = {"address": broker.address, "topic": topic, "expected": len(lines)}
            yield Contest(
                Way("kafka", about, 1), keep(folder, "records", lines), Way("kafka floor", about, 1)
            )
    except BrokerMissingError as why:
        print(f"kafka is left out: {why}")
        yield None


# --- AWS -------------------------------------------------------------------------------------


@contextmanager
def open_bucket(folder: Path, lines: Sequence[bytes]) -> Iterator[Contest]:
    objects = folder / "objects"
    paths = sorted(objects.rglob("*.gz"))
    with serving(serve_moto) as url:
        client = boto3.client("s3", endpoint_url=url)
        client.create_bucket(Bucket=BUCKET)
        for path in paths:
            key = path.relative_to(objects).as_posix()
            client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        events = len(lines) / len(paths)
        about = {"url": url, "bucket": BUCKET, "expected": len(paths)}
        files = {"folder": str(objects), "expected": len(paths)}
        yield Contest(
            Way("s3", about, events), Way("files", files, events), Way("s3 floor", about, events)
        )


@contextmanager
def open_queue(folder: Path, lines: Sequence[bytes]) -> Iterator[Contest]:
    some = lines[:QUEUE_EVENTS]
    with serving(serve_loopback) as url:
        client = boto3.client("sqs", endpoint_url=url.rsplit("/", 2)[0])

        def fill() -> None:
            for ten in split(some, 10):
                entries: Any = [
                    {"Id": str(n), "MessageBody": body.decode()} for n, body in enumerate(ten)
                ]
                client.send_message_batch(QueueUrl=url, Entries=entries)

        about = {"url": url, "expected": len(some)}
        yield Contest(
            Way("sqs", about, 1, before=fill),
            keep(folder, "messages", some),
            Way("sqs floor", about, 1, before=fill),
        )


@contextmanager
def serving(serve: "Callable[[Connection[str, None]], None]") -> Iterator[str]:
    """Run a server in a process of its own; gives its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    url: str = ours.recv()
    yield url
    ours.send(None)
    process.join()


def serve_loopback(parent: "Connection[str, None]") -> None:
    with LoopbackQueue() as server:
        parent.send(server.url)
        parent.recv()


def serve_moto(parent: "Connection[str, None]") -> None:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - slow to import, for this process

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    parent.send(f"http://{host}:{port}")
    parent.recv()
    server.stop()


def split(lines: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (lines[start : start + size] for start in range(0, len(lines), size))


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


CONTESTS: Mapping[str, Callable[[Path, Sequence[bytes]], Any]] = {
    "firehose": open_firehose,
    "kafka": open_topic,
    "s3": open_bucket,
    "sqs": open_queue,
}


if __name__ == "__main__":
    main()
