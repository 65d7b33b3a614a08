"""The worker: every source on a thread of its own, one warehouse, an orderly end.

Reading order: `Worker.run` here, then `consumer.intake.Intake.run` for what a thread does.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import FrameType

import structlog

from consumer.errors import EXIT_FAILED
from consumer.intake import Backoff, Intake, Stop
from consumer.settings import BatchSettings
from consumer.sources.base import FencedSource, ResumingSource, Source
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse

DRAIN_SECS = 25.0  # supervisors commonly kill after 30
STEADY_SECS = 60.0  # a worker that ran this long starts counting its failures anew
JOIN_SECS = 0.1
# How often the process was replaced: in all, for the metric, and in a row, for the back-off.
RESTARTS_VARIABLE = "_DUCKPOST_RESTARTS"
IN_A_ROW_VARIABLE = "_DUCKPOST_RESTARTS_IN_A_ROW"


class End(Enum):
    """How a worker came to its end."""

    DONE = "all is committed and acked, or handed back"
    LATE = "a source's thread did not end in time; what it holds is left for redelivery"
    REWRITE = "all is committed and acked, and the file is to be rewritten"
    BROKEN = "the warehouse may not be written any more; a new process has to go on"


class Worker:
    """Takes in sources until they are exhausted, somebody asks it to stop, or it is broken.

    Args:
        sources: each is called from a thread of its own; the worker closes them.
        warehouse: open; whoever opened it closes it, after `run`.
        limits: when a batch closes.
        telemetry: told of every state and batch.
        stop: how others ask for the end.
        clock: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - all but two for others to put in
        self,
        sources: Sequence[Source],
        warehouse: Warehouse,
        *,
        limits: BatchSettings,
        telemetry: Telemetry,
        stop: Stop | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = warehouse.path
        self._min_free_bytes = warehouse.options.min_free_bytes
        self._telemetry = telemetry
        self._stop = stop or Stop()
        self._is_to_rewrite = False
        self._clock = clock
        self._log = structlog.get_logger()
        for source in sources:
            if isinstance(source, ResumingSource):
                source.restore(warehouse.positions(source.name))
            if isinstance(source, FencedSource):
                source.follow(warehouse.positions)
        self._intakes = [
            Intake(
                source,
                builder=warehouse.new_builder(source.name),
                write=warehouse.write,
                has_room=self._has_room,
                limits=limits,
                telemetry=telemetry,
                stop=self._stop,
                clock=clock,
            )
            for source in sources
        ]

    def run(self) -> End:
        """Work until the end.

        1. Start a thread for each source.
        2. Wait until every thread has ended; once asked to stop, not longer than `DRAIN_SECS`.
        3. Close the sources; what is not acked is left for redelivery.
        """
        threads = [
            threading.Thread(target=self._run_intake, args=[intake], daemon=True)
            for intake in self._intakes
        ]
        for thread in threads:  # 1
            thread.start()
        is_late = not self._wait_for(threads)  # 2
        for intake in self._intakes:  # 3
            intake.source.close()
        if self._stop.is_broken:
            return End.BROKEN
        if is_late:
            return End.LATE
        return End.REWRITE if self._is_to_rewrite else End.DONE

    def stop(self) -> None:
        """Ask for an orderly end: receive no more, commit, ack. Returns at once.

        A rewrite that is asked for waits for the next start, then.
        """
        self._is_to_rewrite = False
        self._stop.ask()

    def stop_for_rewrite(self) -> None:
        """Ask for the same, so that the file can be rewritten while nobody has it open."""
        self._is_to_rewrite = not self._stop.is_asked
        self._stop.ask()

    def break_off(self) -> None:
        """End and leave the warehouse alone: somebody saw it fail for good."""
        self._stop.break_off()

    def _run_intake(self, intake: Intake) -> None:
        try:
            intake.run()
        except Exception as error:  # noqa: BLE001 - the worker's top frame
            # Its envelopes are nacked. Whatever it was, a fresh process is the safe answer.
            self._stop.break_off()
            name = intake.source.name
            self._telemetry.set_state(name, "failed", f"{type(error).__name__}: {error}")
            self._log.exception("source's thread failed; the worker replaces itself", source=name)

    def _wait_for(self, threads: Sequence[threading.Thread]) -> bool:
        asked_at: float | None = None
        for thread in threads:
            while thread.is_alive():
                thread.join(JOIN_SECS)
                if self._stop.is_asked and asked_at is None:
                    asked_at = self._clock()
                if asked_at is not None and self._clock() - asked_at >= DRAIN_SECS:
                    self._log.error("a source's thread did not end in time", secs=DRAIN_SECS)
                    return False
        return True

    def _has_room(self) -> bool:
        return shutil.disk_usage(self._path.parent).free >= self._min_free_bytes


def stop_on_signals(worker: Worker) -> None:
    """Let SIGTERM and SIGINT ask for an orderly end; the second one leaves at once."""
    asked = False

    def handle(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(EXIT_FAILED)
        asked = True
        worker.stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def count_restarts(environ: Mapping[str, str] = os.environ) -> int:
    """Return how often this worker has replaced its own process, since somebody started it."""
    return _read_count(RESTARTS_VARIABLE, environ)


def replace_process(
    *,
    ran_secs: float,
    wait: Callable[[float], None] = time.sleep,
    execve: Callable[[str, list[str], dict[str, str]], object] = os.execve,
) -> None:
    """Start the same command anew in this process's place; does not return.

    Waits first, the longer the more often it failed in a row. Nothing is closed: closing an
    instance of DuckDB that still has a reader hung, and the new process finds the file as a
    crash would have left it, which is what it is made for.
    """
    restarts = count_restarts() + 1
    in_a_row = (0 if ran_secs >= STEADY_SECS else _read_count(IN_A_ROW_VARIABLE)) + 1
    backoff = Backoff(first_secs=0.5)
    secs = [backoff.next_secs() for _ in range(min(in_a_row, 16))][-1]
    structlog.get_logger().warning(
        "worker replaces itself", restarts=restarts, in_a_row=in_a_row, wait_secs=secs
    )
    wait(secs)
    counted = {RESTARTS_VARIABLE: str(restarts), IN_A_ROW_VARIABLE: str(in_a_row)}
    execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **counted})


def _read_count(name: str, environ: Mapping[str, str] = os.environ) -> int:
    value = environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else 0
