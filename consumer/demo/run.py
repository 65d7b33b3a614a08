"""`duckpost demo`: simulated SES traffic through a real transport into the real worker."""

import contextlib
import multiprocessing
import os
import secrets
import shlex
import socket
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from consumer import health
from consumer.demo import traffic_server
from consumer.demo.comparison import compare
from consumer.demo.comparison_tables import print_comparison
from consumer.demo.traffic.truth import Truth
from consumer.door import server as door
from consumer.door.access import OpenedWarehouse, to_options
from consumer.endpoint import opening
from consumer.endpoint.counts import Counts
from consumer.errors import EXIT_DONE, EXIT_FAILED, DuckpostError, UsageError
from consumer.listener import Listener
from consumer.settings import (
    EndpointSettings,
    EndpointUser,
    LogSettings,
    Settings,
    TelemetrySettings,
    WarehouseSettings,
)
from consumer.sources.aws import AwsAccess
from consumer.sources.sqs import SqsOptions, SqsSource
from consumer.telemetry import Telemetry, configure_logging
from consumer.warehouse import Warehouse, open_warehouse
from consumer.warehouse.disk import look_at_disk, note_disk
from consumer.warehouse.reading.published import ROLES
from consumer.worker import Worker

# Mail of a week that ended two days ago: all that ever becomes of it lies in the past.
_DAYS, _AGO = 7.0, timedelta(days=9)
_REGION = "us-east-1"
_VIEW = "configuration_sets_daily_by_send_cohort"
_REPORT_SECS = 0.2
_STOP_SECS = 30.0


def run_demo(
    console: Console, *, messages: int, seed: int, serve: bool, directory: Path | None
) -> int:
    """Run the demo and return the exit code: 0 when every figure equals the simulator's.

    1. Make a warehouse and an outside world: the simulator and its queue, in another process.
    2. Let the worker take the queue in until it is empty.
    3. Lay duckpost's figures beside the simulator's.
    4. With ``serve``, answer at the door and at `/metrics` until Ctrl-C.

    Args:
        console: where all is shown.
        messages: e-mails sent; about three payloads each.
        seed: decides all of the traffic but its dates, which lie in the last nine days.
        serve: whether to stay up.
        directory: where the warehouse is made, and stays; None makes one in a temporary folder.

    Raises `UsageError` when there is a demo's warehouse in ``directory`` already.
    """
    path = _choose_path(directory)
    settings = Settings(
        warehouse=WarehouseSettings(path=path),
        telemetry=TelemetrySettings(port=0),
        endpoint=_make_endpoint_settings(),
        log=LogSettings(level="warning"),
    )
    configure_logging(settings.log)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_without_aws_account())
        opened = open_warehouse(path, to_options(settings.warehouse))  # 1
        stack.callback(opened.close)
        world = stack.enter_context(_World(messages=messages, seed=seed))
        telemetry = Telemetry()
        worker = Worker([world.open_source()], opened, limits=settings.batch, telemetry=telemetry)
        thread = stack.enter_context(_Running(worker))
        console.print(f"simulating {messages:,} messages into [bold]{path}[/]")
        truth = _watch(world, thread, messages, console)  # 2
        note_disk(opened, look_at_disk(opened))  # as a worker's upkeep does
        comparison = compare(truth, lambda sql: _read(opened, sql))  # 3
        print_comparison(comparison, console)
        _tell_how_to_go_on(path, console)
        if serve:  # 4
            metrics = health.bind(settings.telemetry)
            live = opening.bind(settings.endpoint)
            _tell_how_to_connect(settings.endpoint, live, console)
            door_app = door.to_app(OpenedWarehouse(opened), on_broken=worker.break_off)
            stack.callback(opened.place.socket.unlink, missing_ok=True)
            with (
                door.listen(door_app, opened.place.socket),
                Listener(health.to_app(telemetry), metrics),
                opening.open_endpoint(
                    settings.endpoint,
                    opened,
                    live,
                    Counts(telemetry.registry),
                    on_broken=worker.break_off,
                ),
            ):
                _stay_up(metrics, console)
    return EXIT_DONE if comparison.is_equal else EXIT_FAILED


def _choose_path(directory: Path | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="duckpost-demo-")) / "demo.duckdb"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {directory}: {error.strerror}") from error
    path = directory / "demo.duckdb"
    if path.exists():
        raise UsageError(
            f"{path} exists, and figures only compare in a new warehouse; name another directory"
        )
    return path


class _World:
    """The outside world's process and what it reports; a context manager."""

    def __init__(self, *, messages: int, seed: int) -> None:
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        # A fresh interpreter: forking one with threads in it is not safe.
        context = multiprocessing.get_context("spawn")
        self._reports, self._theirs = context.Pipe()
        self._process = context.Process(
            target=traffic_server.serve_traffic,
            args=[self._theirs],
            kwargs={"messages": messages, "seed": seed, "start": now - _AGO, "days": _DAYS},
            daemon=True,
        )

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reports.close()
        self._process.join(_STOP_SECS)
        self._process.close()

    def open_source(self) -> SqsSource:
        """Wait for the queue to be there and return duckpost's source of it."""
        opened = self._receive()
        if not isinstance(opened, traffic_server.Opened):
            raise DuckpostError(f"the simulator said {opened} before it opened its queue")
        access = AwsAccess(region=_REGION, endpoint_url=opened.endpoint_url)
        # Waits are short on loopback, and the end comes sooner.
        return SqsSource(SqsOptions(queue=opened.queue_url, access=access, long_poll_secs=1))

    def poll(self, wait_secs: float) -> traffic_server.Report | None:
        """Return the next report, or None when none comes in time."""
        return self._receive() if self._reports.poll(wait_secs) else None

    def _receive(self) -> traffic_server.Report:
        try:
            report: traffic_server.Report = self._reports.recv()
        except EOFError as error:
            raise DuckpostError("the simulator's process ended unexpectedly") from error
        return report


class _Running:
    """A worker on a thread of its own; a context manager."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._thread = threading.Thread(target=worker.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._worker.stop()
        self._thread.join(_STOP_SECS)

    def check(self) -> None:
        """Raise `DuckpostError` when the worker is no more."""
        if not self._thread.is_alive():
            raise DuckpostError("the worker ended before the queue was empty; its log says why")


def _watch(world: _World, worker: _Running, messages: int, console: Console) -> Truth:
    """Show progress until the queue is empty, and return what was true of it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("messages, {task.fields[payloads]:,} payloads"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("sending", total=messages, payloads=0)
        while True:
            match world.poll(_REPORT_SECS):
                case traffic_server.Drained(truth):
                    progress.update(task, description="all committed", completed=messages)
                    return truth
                case traffic_server.Progress(sent, payloads):
                    progress.update(task, completed=sent, payloads=payloads)
                case _:
                    worker.check()


def _read(warehouse: Warehouse, sql: str) -> list[dict[str, object]]:
    with warehouse.read(sql) as reader:
        rows: list[dict[str, object]] = reader.read_all().to_pylist()
    return rows


def _tell_how_to_go_on(path: Path, console: Console) -> None:
    name = shlex.quote(str(path))
    console.print("\n[bold]Ask on:[/]")
    for verb, rest in (
        ("report", "--since 10d --by configuration_set,provider"),
        ("sql", f'"from {_VIEW} order by cohort_day"'),
        ("sql", '"select reason, detail from quarantine limit 10"'),
    ):
        command = f"duckpost {verb} --warehouse {name} {rest}"
        console.print(f"  {command}", highlight=False, soft_wrap=True)


def _make_endpoint_settings() -> EndpointSettings:
    """One user of each role, with passwords of this run, on any free port of this machine."""
    users = [
        EndpointUser(name=role, password=SecretStr(secrets.token_urlsafe(12)), role=role)
        for role in ROLES
    ]
    return EndpointSettings(port=0, users=users)


def _tell_how_to_connect(
    settings: EndpointSettings, bound: socket.socket, console: Console
) -> None:
    host, port = bound.getsockname()[:2]
    console.print("\n[bold]Live SQL[/] for psql, Grafana and other programs; tokens, or addresses:")
    for user in settings.users:
        password = user.password.get_secret_value()
        command = f"psql postgresql://{user.name}:{password}@{host}:{port}/duckpost"
        console.print(f"  {command}", highlight=False, soft_wrap=True)


def _stay_up(metrics: socket.socket, console: Console) -> None:
    port = metrics.getsockname()[1]
    console.print(f"\nMetrics at http://127.0.0.1:{port}/metrics. Ctrl-C ends the demo.")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


@contextlib.contextmanager
def _without_aws_account() -> Iterator[None]:
    """Put credentials that mean nothing in place of the user's: nothing of theirs is touched."""
    replaced = {
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PROFILE": None,
        "AWS_DEFAULT_PROFILE": None,
        "AWS_SESSION_TOKEN": None,
        # A proxy would not find this machine's loopback.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    before = {name: os.environ.get(name) for name in replaced}
    _set_environment(replaced)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
