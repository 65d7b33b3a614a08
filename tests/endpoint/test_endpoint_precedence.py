"""Statements give way to a batch that is written, and none waits for ever."""

import asyncio
from collections.abc import Callable

import pytest

from consumer.endpoint.precedence import Precedence


class Writer:
    """Writes a batch, or does not."""

    def __init__(self) -> None:
        self.is_writing = False

    def __call__(self) -> bool:
        return self.is_writing


@pytest.fixture
def writer() -> Writer:
    return Writer()


class Steps:
    """Steps of statements that last until they are told to end."""

    def __init__(self, precedence: Precedence) -> None:
        self._precedence = precedence
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.running: list[str] = []

    async def begin(self, *names: str) -> None:
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._run(name))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._tasks[name]
        await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.001)

    async def _run(self, name: str) -> None:
        async with self._precedence.step():
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)


def test_all_run_while_nothing_is_written(writer: Writer) -> None:
    async def check() -> None:
        steps = Steps(Precedence(writer, most_beside=1))
        await steps.begin("a", "b", "c")
        assert ["a", "b", "c"] == steps.running

    asyncio.run(check())


def test_beside_a_batch_they_run_one_by_one_in_the_order_in_which_they_came(
    writer: Writer,
) -> None:
    async def check() -> None:
        steps = Steps(Precedence(writer, most_beside=1, patience_secs=60))
        writer.is_writing = True
        await steps.begin("a", "b", "c")
        assert ["a"] == steps.running
        await steps.end("a")
        await steps.begin("d")
        assert ["b"] == steps.running
        await steps.end("b")
        assert ["c"] == steps.running

    asyncio.run(check())


def test_those_that_wait_begin_when_the_batch_is_written(writer: Writer) -> None:
    async def check() -> None:
        steps = Steps(Precedence(writer, most_beside=1, patience_secs=60))
        writer.is_writing = True
        await steps.begin("a", "b", "c")
        writer.is_writing = False
        await steps.until(lambda: ["a", "b", "c"] == steps.running)

    asyncio.run(check())


def test_none_waits_longer_than_its_patience(writer: Writer) -> None:
    async def check() -> None:
        steps = Steps(Precedence(writer, most_beside=1, patience_secs=0.05))
        writer.is_writing = True
        await steps.begin("a", "b")
        assert ["a"] == steps.running
        await steps.until(lambda: ["a", "b"] == steps.running)

    asyncio.run(check())


def test_one_that_gives_up_leaves_its_turn_to_the_next(writer: Writer) -> None:
    async def check() -> None:
        steps = Steps(Precedence(writer, most_beside=1, patience_secs=60))
        writer.is_writing = True
        await steps.begin("a", "b", "c")
        await steps.cancel("b")
        await steps.cancel("a")
        await asyncio.sleep(0)
        assert ["c"] == steps.running
        await steps.end("c")
        await steps.begin("d")
        assert ["d"] == steps.running

    asyncio.run(check())
