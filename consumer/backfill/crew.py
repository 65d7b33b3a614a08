"""Processes that decode: forked from one that has imported what they need, each with its pipe.

Batches come back as bytes; what else there is to say is pickled.
"""

import itertools
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

from consumer.backfill.unit_batches import Recipe, Report, Task, decode_units
from consumer.batch import Batch
from consumer.errors import DuckpostError
from consumer.garbage import collect_rarely

_UNITS_AHEAD: Final = 1_000
# Says that a batch follows, as plain bytes: pickling would copy its tens of megabytes once more.
_BATCH: Final = "batch"


def decode_in_processes(
    listed: Iterable[Task], recipe: Recipe, processes: int
) -> Iterator[Batch | Report]:
    """Spread units over processes; raises `DuckpostError` when one dies."""
    context = _context()
    tasks: Any = context.Queue()
    crew: dict[Connection, BaseProcess] = {}
    try:
        for _ in range(processes):
            # A pipe each, its writing end in that process alone: with one for all, a process that
            # is killed half-way through a batch leaves the rest of it awaited for ever.
            results, ours = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(tasks, ours, recipe, dict(os.environ)), daemon=True
            )
            process.start()
            ours.close()
            crew[results] = process
        yield from _feed_and_collect(iter(listed), tasks, crew)
    finally:
        for receiver, member in crew.items():
            member.terminate()
            member.join()
            receiver.close()


def _context() -> Any:  # noqa: ANN401 - contexts have no public type in common
    """Fork from a server that has imported this module and never had a thread.

    The imports are made once, and their memory is shared. Not on macOS, whose system libraries
    do not survive a fork.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _feed_and_collect(
    listed: Iterator[Task],
    tasks: Any,  # noqa: ANN401 - multiprocessing's queues have no public type
    crew: Mapping[Connection, BaseProcess],
) -> Iterator[Batch | Report]:
    """Keep some units waiting for the processes, and pass on what comes back."""
    at_work = set(crew)
    waiting = 0
    is_fed = False
    while at_work:
        if not is_fed and waiting < _UNITS_AHEAD // 2:
            helping = list(itertools.islice(listed, _UNITS_AHEAD - waiting))
            for task in helping:
                tasks.put(task)
            waiting += len(helping)
            if waiting < _UNITS_AHEAD:
                is_fed = True
                for _ in crew:
                    tasks.put(None)
        for results in wait(at_work):
            item = _receive(results, crew)
            if item is None:
                at_work.discard(results)
                continue
            waiting -= isinstance(item, Report)
            yield item


def _receive(
    results: Any,  # noqa: ANN401 - what wait() gives has no narrower type
    crew: Mapping[Connection, BaseProcess],
) -> Batch | Report | None:
    """Take the next from a process; None at its end. A pipe that just ends is a process's death."""
    try:
        item = results.recv()
        if item == _BATCH:
            return Batch.from_bytes(results.recv_bytes())
    except (EOFError, OSError):
        crew[results].join()
        raise DuckpostError(
            f"a decoding process died (exit {crew[results].exitcode}). What was committed stays; "
            "run the same command again with --processes 0 to see which file it was."
        ) from None
    found: Batch | Report | None = item
    return found


def _work(
    tasks: Any,  # noqa: ANN401 - the same
    results: Connection,
    recipe: Recipe,
    environ: Mapping[str, str],
) -> None:
    """Decode the units that come through ``tasks`` until there are none: a process's whole life."""
    os.environ.update(environ)  # the server it is forked from has that of its own start
    collect_rarely()
    for item in decode_units(iter(tasks.get, None), recipe):
        if isinstance(item, Batch):
            results.send(_BATCH)
            results.send_bytes(item.to_bytes())
        else:
            results.send(item)
    results.send(None)
