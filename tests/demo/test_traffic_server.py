"""The demo's outside world as a process: what it reports, and that it never outlives its end."""

import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import pytest

from consumer.demo.traffic_server import Opened, Progress, serve_traffic

World = tuple[Connection, SpawnProcess]


@pytest.fixture
def world() -> Iterator[World]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    start = datetime(2026, 3, 1, tzinfo=UTC)
    process = context.Process(
        target=serve_traffic,
        args=[theirs],
        kwargs={"messages": 1_000_000, "seed": 1, "start": start, "days": 7.0},
        daemon=True,
    )
    process.start()
    theirs.close()
    yield ours, process
    process.kill()
    process.join()


def test_it_says_where_its_queue_is_before_anything_else(world: World) -> None:
    opened = world[0].recv()

    assert isinstance(opened, Opened)
    assert opened.queue_url.startswith(opened.endpoint_url)


def test_it_ends_well_when_the_other_end_hangs_up(world: World) -> None:
    reports, process = world
    assert isinstance(reports.recv(), Opened)
    assert isinstance(reports.recv(), Progress)

    reports.close()
    process.join(30)

    assert process.exitcode == 0


def test_it_waits_for_a_queue_that_nobody_empties(world: World) -> None:
    reports, _ = world
    reports.recv()
    payloads = 0
    # it may be slow to come so far, and is silent from there on
    while reports.poll(1 if payloads > 5_000 else 60):
        report = reports.recv()
        assert isinstance(report, Progress)
        payloads = report.payloads

    assert 5_000 < payloads <= 5_200
