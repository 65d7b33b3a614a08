"""The feeder of docker-compose.yml: what it sends, how fast, and where it refuses to."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from consumer.batch import Batch
from consumer.demo.account import Account
from consumer.demo.loopback import LoopbackQueue
from consumer.demo.publish import main, publish
from consumer.demo.traffic.events import Event
from consumer.errors import UsageError
from consumer.intake import Stop
from consumer.settings import BatchSettings
from consumer.sources.aws import AwsAccess
from consumer.sources.sqs import SqsOptions, SqsSource
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse, WriteResult, open_warehouse
from consumer.worker import Worker

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
MESSAGES = 60


@dataclass
class NotedWay:
    """A way that leads nowhere and remembers."""

    events: list[str] = field(default_factory=list)
    flushed: list[int] = field(default_factory=list)

    def put(self, event: Event, text: str, *, is_notification: bool) -> None:
        self.events.append(f"{'notified' if is_notification else 'published'} {event.event_type}")

    def flush(self) -> None:
        self.flushed.append(len(self.events))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class Counting(Telemetry):
    """Says when so many events, in events times recipients, are committed."""

    def __init__(self, events: int, when_done: Callable[[], None]) -> None:
        super().__init__()
        self._missing = events
        self._when_done = when_done

    def batch_committed(
        self,
        batch: Batch,
        result: WriteResult,
        *,
        payload_bytes: int,
        decode_secs: float,
        write_secs: float,
    ) -> None:
        super().batch_committed(
            batch,
            result,
            payload_bytes=payload_bytes,
            decode_secs=decode_secs,
            write_secs=write_secs,
        )
        self._missing -= result.inserted + result.superseded + result.duplicates
        if self._missing <= 0:
            self._when_done()


@contextmanager
def take_in(queue: str, endpoint_url: str, path: Path, *, events: int) -> Iterator[Warehouse]:
    """Run a worker on the queue until so many events, times recipients, are committed."""
    access = AwsAccess(region="us-east-1", endpoint_url=endpoint_url, s3_endpoint_url=endpoint_url)
    source = SqsSource(SqsOptions(queue=queue, access=access, long_poll_secs=1))
    stop = Stop()
    with open_warehouse(path) as warehouse:
        Worker(
            [source],
            warehouse,
            limits=BatchSettings(flush_secs=0.2),
            telemetry=Counting(events, stop.ask),
            stop=stop,
        ).run()
        yield warehouse


def read_figures(warehouse: Warehouse) -> dict[str, int]:
    names = ("sends", "deliveries", "hard_bounces", "soft_bounces", "complaints", "opens", "clicks")
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in names)
    with warehouse.read(f"select {sums} from configuration_sets_daily_by_send_cohort") as reader:  # noqa: S608 - names from above
        figures: dict[str, int] = reader.read_all().to_pylist()[0]
    return figures


def test_what_goes_into_a_queue_comes_out_as_the_figures_it_prints(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    with LoopbackQueue() as queue:
        result = run(
            "--endpoint-url", queue.endpoint_url, "--queue", "ses-events", "--messages", "60"
        )
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        assert said["messages"] == MESSAGES
        with take_in(queue.url, queue.endpoint_url, path, events=said["received"]) as warehouse:
            figures = read_figures(warehouse)
    assert {name: said[name] for name in figures} == figures
    assert figures["sends"] > 0
    assert figures["deliveries"] > 0


def test_through_sns_and_through_firehose_and_its_notices_it_is_the_same(
    emulator: str, tmp_path: Path
) -> None:
    names = ("--queue", "both", "--topic", "ses", "--stream", "ses", "--bucket", "ses-objects")
    assert run("--endpoint-url", emulator, *names, "--messages", "0").exit_code == 0
    result = run("--endpoint-url", emulator, *names, "--messages", "60", "--seed", "2")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)

    objects = Account(emulator).open_client("s3").list_objects_v2(Bucket="ses-objects")
    assert objects["KeyCount"] >= 1
    with take_in("both", emulator, tmp_path / "d.duckdb", events=said["received"]) as warehouse:
        figures = read_figures(warehouse)
    assert {name: said[name] for name in figures} == figures


def test_making_everything_twice_makes_it_once(emulator: str) -> None:
    account = Account(emulator)
    urls = [account.make_queue("once") for _ in range(2)]
    for url in urls:
        account.make_topic("once", url)
        account.make_stream("once", "once-objects", url)
    sqs, sns = account.open_client("sqs"), account.open_client("sns")
    assert sorted(sqs.list_queues(QueueNamePrefix="once")["QueueUrls"]) == sorted(
        {urls[0], f"{urls[0]}-dead"}
    )
    topic = next(
        one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(":once")
    )
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1


def test_notifications_take_the_first_way_and_messages_take_turns() -> None:
    first, second = NotedWay(), NotedWay()
    publish([first, second], messages=200, per_sec=0, seed=1, now=NOW)
    assert any(one.startswith("notified") for one in first.events)
    assert not any(one.startswith("notified") for one in second.events)
    sends = [way.events.count("published Send") for way in (first, second)]
    assert min(sends) > 0.6 * max(sends)


def test_it_sends_no_faster_than_it_is_told_to() -> None:
    seconds = [100.0]
    way = NotedWay()

    def wait(secs: float) -> None:
        seconds[0] += secs

    publish([way], messages=51, per_sec=10, seed=1, now=NOW, clock=lambda: seconds[0], wait=wait)
    assert seconds[0] == pytest.approx(105.0)
    assert way.flushed == sorted(way.flushed)
    assert len(way.flushed) == 6 + 1


@pytest.mark.parametrize(
    "url",
    ["https://sqs.eu-west-1.amazonaws.com", "https://sns.cn-north-1.amazonaws.com.cn"],
)
def test_aws_itself_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="emulators only"):
        Account(url)
    assert run("--endpoint-url", url, "--queue", "ses-events").exit_code == 2


def test_an_emulator_that_is_not_there_is_said_in_one_line() -> None:
    with LoopbackQueue() as queue:
        url = queue.endpoint_url
    result = run("--endpoint-url", url, "--queue", "ses-events")
    assert result.exit_code == 1
    assert url in result.stderr
    assert "Traceback" not in result.output


def test_a_queue_that_refuses_events_is_a_fault() -> None:
    with LoopbackQueue() as queue:
        queue.fail("SendMessageBatch", "InternalError", entries=[0])
        result = run("--endpoint-url", queue.endpoint_url, "--queue", "ses-events")
    assert result.exit_code == 1
    assert "1 of 10 events refused" in result.stderr
