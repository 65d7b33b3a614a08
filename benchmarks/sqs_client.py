"""CPU a message of receive + batch delete: our client beside boto3, on loopback and on moto.

    python benchmarks/sqs_client.py [--messages 5000] [--moto]

Only this process's CPU counts: the server runs in another. Rounds are interleaved, the median of
five is printed.
"""

import argparse
import json
import logging
import multiprocessing
import os
import statistics
import time
from typing import TYPE_CHECKING

import boto3

from consumer.demo.loopback import LoopbackQueue
from consumer.sources.aws import AwsAccess
from consumer.sources.sqs_client import SqsClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from mypy_boto3_sqs import SQSClient

ROUNDS = 5
BODY = json.dumps(
    {
        "eventType": "Delivery",
        "mail": {
            "timestamp": "2026-11-22T10:00:00.000Z",
            "messageId": "0100019a00000000-11111111-2222-3333-4444-555555555555-000000",
            "destination": ["recipient@example.com"],
            "headers": [{"name": f"X-Header-{n}", "value": "v" * 40} for n in range(20)],
        },
        "delivery": {"timestamp": "2026-11-22T10:00:01.000Z", "recipients": ["r@example.com"]},
    }
)


def serve_loopback(ready: "Connection[str, None]") -> None:
    with LoopbackQueue() as server:
        ready.send(server.url)
        ready.recv()


def serve_moto(ready: "Connection[str, None]") -> None:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - slow to import, often not asked

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("sqs", endpoint_url=f"http://{host}:{port}")
    ready.send(client.create_queue(QueueName="bench")["QueueUrl"])
    ready.recv()
    server.stop()


def drain_with_boto3(client: "SQSClient", url: str, messages: int) -> None:
    left = messages
    while left > 0:
        received = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )["Messages"]
        for message in received:
            message["Body"].encode()
        client.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(received)
            ],
        )
        left -= len(received)


def drain_with_ours(client: SqsClient, messages: int) -> None:
    left = messages
    while left > 0:
        received = client.receive(wait_secs=1, visibility_secs=60)
        client.delete([message.handle for message in received])
        left -= len(received)


def measure(serve: "Callable[[Connection[str, None]], None]", label: str, messages: int) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    url: str = ours.recv()
    endpoint_url = url.rsplit("/", 2)[0]
    boto = boto3.client("sqs", endpoint_url=endpoint_url)
    light = SqsClient(AwsAccess(endpoint_url=endpoint_url), url)
    contenders: dict[str, Callable[[], None]] = {
        "boto3": lambda: drain_with_boto3(boto, url, messages),
        "duckpost": lambda: drain_with_ours(light, messages),
    }
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, drain in contenders.items():
            for start in range(0, messages, 10):
                count = min(10, messages - start)
                boto.send_message_batch(
                    QueueUrl=url,
                    Entries=[{"Id": str(n), "MessageBody": BODY} for n in range(count)],
                )
            cpu_start, wall_start = time.process_time(), time.perf_counter()
            drain()
            cpu[name].append((time.process_time() - cpu_start) / messages * 1e6)
            wall[name].append(messages / (time.perf_counter() - wall_start))
    for name in contenders:
        print(
            f"{label:9} {name:9} {statistics.median(cpu[name]):7.0f} µs CPU a message "
            f"{statistics.median(wall[name]):7.0f} messages/s, one thread, {len(BODY)} bytes each"
        )
    light.close()
    ours.send(None)
    process.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--moto", action="store_true", help="also against a moto server")
    arguments = parser.parse_args()
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "loopback")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "loopback")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    measure(serve_loopback, "loopback", arguments.messages)
    if arguments.moto:
        # moto looks through every message it ever had: more would only wait for it
        measure(serve_moto, "moto", min(arguments.messages, 200))
