"""One way of taking events in, in a process of its own; prints its CPU as JSON.

    python benchmarks/source_run.py WAY '{"…": …}'

What `sources.py` starts for each round. The clock starts when the first envelopes are there, so
that neither connecting nor joining a group counts.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consumer import listener
from consumer.envelope import Envelope
from consumer.intake import Intake, Stop
from consumer.listener import Listener
from consumer.settings import BatchSettings
from consumer.sources.aws import AwsAccess
from consumer.sources.base import FencedSource, ResumingSource, Source
from consumer.sources.files import FilesSource
from consumer.sources.http_app import to_app
from consumer.sources.http_firehose import FirehoseOptions, FirehoseSource
from consumer.sources.http_protocol import MOST_HEADER_BYTES, ConnectionLimits, make_protocol
from consumer.sources.s3_bucket import S3Bucket, S3Place
from consumer.sources.s3_source import S3Options, S3Source
from consumer.sources.sqs import SqsOptions, SqsSource
from consumer.sources.sqs_client import SqsClient
from consumer.telemetry import Telemetry
from consumer.warehouse import WarehouseOptions, open_warehouse

PIECE_BYTES = 1024 * 1024
RECEIVED = datetime(2026, 11, 22, tzinfo=UTC)

Json = dict[str, Any]


class Meter:
    """CPU and wall time from the first envelopes to the last."""

    def __init__(self, expected: int) -> None:
        self._left = expected
        self._uncounted = 0
        self._began: tuple[float, float] | None = None
        self._ended: tuple[float, float] | None = None
        self._counted = 0

    def start(self) -> None:
        """Start the clock before anything came."""
        self._began = time.process_time(), time.perf_counter()

    def note(self, taken: int, *, is_done: bool = True) -> None:
        """Note what came; the first of it starts the clock, uncounted where that was all of it."""
        if self._began is None and taken:
            self._uncounted = taken if is_done else 0
            self.start()

    def settle(self, count: int) -> bool:
        """Note what is done with; says whether that was all."""
        self._left -= count
        self._counted += count
        if self._left <= 0 and self._ended is None:
            self._ended = time.process_time(), time.perf_counter()
        return self._left <= 0

    def to_json(self) -> str:
        assert self._began is not None
        assert self._ended is not None
        cpu_secs, wall_secs = (
            after - before for before, after in zip(self._began, self._ended, strict=True)
        )
        counted = self._counted - self._uncounted
        return json.dumps({"cpu_secs": cpu_secs, "wall_secs": wall_secs, "counted": counted})


class Memory:
    """A source without a transport: the floor under all that duckpost itself does."""

    name = "memory"
    exhausted = False

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._left = iter(bodies)

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:  # noqa: ARG002 - a Source's
        bodies = [body for _, body in zip(range(limit), self._left, strict=False)]
        return [Envelope(body, None, "memory:", RECEIVED) for body in bodies]

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        pass

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        pass

    def close(self) -> None:
        pass


def take_in(
    source: Source,
    meter: Meter,
    *,
    is_ready: bool = False,
    serving: AbstractContextManager[object] | None = None,
) -> None:
    """Run the worker's own loop over a source until all of it is committed and acked.

    One that ``is_ready`` has nothing to connect to: the clock starts at once. ``serving`` is
    entered then, for sources that are sent to.
    """
    stop = Stop()
    receive, ack = source.receive, source.ack

    def counted_receive(*, limit: int, wait_secs: float) -> Sequence[Envelope]:
        envelopes = receive(limit=limit, wait_secs=wait_secs)
        meter.note(len(envelopes), is_done=False)
        return envelopes

    def counted_ack(envelopes: Sequence[Envelope]) -> None:
        ack(envelopes)
        if meter.settle(len(envelopes)):
            stop.ask()

    source.receive, source.ack = counted_receive, counted_ack  # type: ignore[method-assign]  # counted on the way
    with tempfile.TemporaryDirectory(prefix="duckpost-bench-") as folder:
        options = WarehouseOptions(min_free_bytes=0)
        with ExitStack() as stack:
            path = Path(folder) / "bench.duckdb"
            warehouse = stack.enter_context(open_warehouse(path, options))
            if isinstance(source, ResumingSource):
                source.restore({})
            if isinstance(source, FencedSource):
                source.follow(warehouse.positions)
            if is_ready:
                meter.start()
            stack.enter_context(serving or nullcontext())
            Intake(
                source,
                builder=warehouse.new_builder(source.name),
                write=warehouse.write,
                has_room=lambda: True,
                limits=BatchSettings(),
                telemetry=Telemetry(),
                stop=stop,
            ).run()
            source.close()


def read_bodies(file: str) -> list[bytes]:
    return Path(file).read_bytes().split(b"\0")


def run_memory(about: Json, meter: Meter) -> None:
    take_in(Memory(read_bodies(about["bodies"])), meter, is_ready=True)


def run_files(about: Json, meter: Meter) -> None:
    take_in(FilesSource([about["folder"]]), meter)


def run_bucket(about: Json, meter: Meter) -> None:
    place = S3Place(bucket=about["bucket"], access=AwsAccess(s3_endpoint_url=about["url"]))
    take_in(S3Source(S3Options(place=place)), meter)


def read_bucket(about: Json, meter: Meter) -> None:
    """boto3 alone: each object, a piece after the other, read and forgotten."""
    place = S3Place(bucket=about["bucket"], access=AwsAccess(s3_endpoint_url=about["url"]))
    bucket = S3Bucket(place)
    for found in bucket.list_objects():
        body = bucket.open_client().get_object(Bucket=place.bucket, Key=found.key)["Body"]
        meter.note(1, is_done=False)
        while body.read(PIECE_BYTES):
            pass
        meter.settle(1)


def run_queue(about: Json, meter: Meter) -> None:
    access = AwsAccess(endpoint_url=about["url"].rsplit("/", 2)[0])
    take_in(SqsSource(SqsOptions(queue=about["url"], access=access, long_poll_secs=1)), meter)


def read_queue(about: Json, meter: Meter) -> None:
    """The client alone: messages received and deleted, ten at a time."""
    client = SqsClient(AwsAccess(endpoint_url=about["url"].rsplit("/", 2)[0]), about["url"])
    is_done = False
    while not is_done:
        messages = client.receive(wait_secs=1, visibility_secs=60)
        meter.note(len(messages))
        client.delete([message.handle for message in messages])
        is_done = meter.settle(len(messages))


def run_topic(about: Json, meter: Meter) -> None:
    from consumer.sources.kafka import KafkaOptions, KafkaSource  # noqa: PLC0415 - slow to import
    from consumer.sources.kafka_client import KafkaAccess  # noqa: PLC0415 - the same

    access = KafkaAccess(bootstrap_servers=(about["address"],))
    group = f"bench-{time.time_ns()}"
    take_in(KafkaSource(KafkaOptions(access=access, topics=(about["topic"],), group=group)), meter)


def read_topic(about: Json, meter: Meter) -> None:
    """kafka-python alone: records polled and forgotten."""
    from kafka import KafkaConsumer  # noqa: PLC0415 - slow to import

    consumer = KafkaConsumer(
        about["topic"],
        bootstrap_servers=[about["address"]],
        auto_offset_reset="earliest",
        fetch_max_bytes=16 * 1_048_576,
        metrics_enabled=False,
    )
    is_done = False
    while not is_done:
        count = sum(map(len, consumer.poll(timeout_ms=1_000, max_records=1_000).values()))
        meter.note(count)
        is_done = meter.settle(count)
    consumer.close()


def run_endpoint(about: Json, meter: Meter) -> None:
    source = FirehoseSource(FirehoseOptions(path="/firehose", access_keys=("the-key",)))
    take_in(source, meter, is_ready=True, serving=_serving(to_app([source]), about["port"]))


def answer_alone(about: Json, meter: Meter) -> None:
    """The server alone: bodies read and forgotten, each answered at once."""
    from starlette.applications import Starlette  # noqa: PLC0415 - of this way alone
    from starlette.requests import Request  # noqa: PLC0415 - the same
    from starlette.responses import JSONResponse  # noqa: PLC0415 - the same
    from starlette.routing import Route  # noqa: PLC0415 - the same

    done = threading.Event()

    async def answer(request: Request) -> JSONResponse:
        async for _ in request.stream():
            pass
        meter.note(1)
        if meter.settle(1):
            done.set()
        return JSONResponse({"requestId": "", "timestamp": 0})

    with _serving(Starlette(routes=[Route("/firehose", answer, methods=["POST"])]), about["port"]):
        while not done.is_set():
            time.sleep(0.05)


def _serving(app: Any, port: int) -> Listener:  # noqa: ANN401 - an ASGI application
    bound = listener.bind("127.0.0.1", port, what="a benchmark", advice="")
    protocol = make_protocol(ConnectionLimits())
    return Listener(app, bound, protocol=protocol, most_header_bytes=MOST_HEADER_BYTES)


WAYS: dict[str, Callable[[Json, Meter], None]] = {
    "memory": run_memory,
    "files": run_files,
    "s3": run_bucket,
    "s3 floor": read_bucket,
    "sqs": run_queue,
    "sqs floor": read_queue,
    "kafka": run_topic,
    "kafka floor": read_topic,
    "firehose": run_endpoint,
    "firehose floor": answer_alone,
}


def main() -> None:
    way, about = sys.argv[1], json.loads(sys.argv[2])
    meter = Meter(about["expected"])
    WAYS[way](about, meter)
    print(meter.to_json())


if __name__ == "__main__":
    main()
