"""`duckpost run`: the worker."""

import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import click
import structlog

from consumer import health
from consumer.checks.own_views import OwnViews, find_broken_views
from consumer.cli.endpoints import bind_http, listen
from consumer.cli.options import configured
from consumer.cli.sources import open_sources, to_silence
from consumer.door import server as door
from consumer.door.access import OpenedWarehouse, open_learner, to_options, to_retention
from consumer.endpoint import opening
from consumer.endpoint.counts import Counts
from consumer.errors import EXIT_FAILED, WarehouseError, WarehouseLocked
from consumer.garbage import collect_rarely
from consumer.listener import Listener
from consumer.settings import Settings, load_settings
from consumer.sources.http_app import HttpCounts
from consumer.sources.http_source import HttpSource
from consumer.telemetry import Telemetry, configure_logging
from consumer.upkeep import Upkeep
from consumer.warehouse import Warehouse, open_warehouse
from consumer.warehouse.erasure.pending_rewrite import read_pending
from consumer.warehouse.erasure.rewriting import rewrite
from consumer.warehouse.estimates import Estimate, estimate_rewrite
from consumer.worker import End, Worker, count_restarts, replace_process, stop_on_signals

STANDBY_SECS = 1.0


@click.command()
@configured
def run(config: Path | None, warehouse: Path | None) -> None:
    """Take in every configured source until SIGTERM; a second SIGTERM leaves at once.

    Ends by itself when every source is exhausted (files). Other commands reach the warehouse
    through this process while it runs.

    With warehouse.standby set, a second one waits until the first is gone, and takes over.
    """
    settings = load_settings(config, warehouse=warehouse)
    configure_logging(settings.log)
    collect_rarely()
    started = time.monotonic()
    file = _open(settings)
    if file is None:
        return
    end = _work(file, settings)
    if end is End.BROKEN:
        replace_process(ran_secs=time.monotonic() - started)
    if end is End.LATE:
        # A thread still holds envelopes and perhaps the writer: they are not acked, so leaving
        # like a crash is safe, and closing under its feet is not.
        os._exit(EXIT_FAILED)
    if end is not End.REWRITE:
        file.close()
        return
    estimate = estimate_rewrite(file)
    file.close()
    _rewrite(file, estimate)


def _rewrite(file: Warehouse, estimate: Estimate) -> None:
    """Rewrite the file while no source receives, and start the same command anew.

    A signal meanwhile ends the worker after it.
    """
    log = structlog.get_logger()
    is_asked_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_asked_to_end.set())
    log.info(
        "file to be rewritten",
        why="erased addresses",
        bytes=estimate.bytes,
        about_secs=round(estimate.seconds),
    )
    began = time.monotonic()
    try:
        rewrite(file.place, file.options)
    except WarehouseError as error:
        pending = read_pending(file.place)
        retry_at = pending and f"{pending.due_at:%Y-%m-%dT%H:%M:%SZ}"
        log.error("file not rewritten", error=str(error), retry_at=retry_at)  # noqa: TRY400 - the message is whole
    else:
        log.info("file rewritten", secs=round(time.monotonic() - began, 1))
    if is_asked_to_end.is_set():
        return
    # the same command line again, as when a worker replaces itself
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ)  # noqa: S606


def _open(settings: Settings) -> Warehouse | None:
    """Open the warehouse; a standby waits for it, and gets None when asked to end meanwhile.

    The lock goes with the process that holds it, however that ends, so nobody is asked whether
    the other worker is well: one that hangs keeps the warehouse.
    """
    log = structlog.get_logger()
    path, is_standby = settings.warehouse.path, settings.warehouse.standby
    options = replace(
        to_options(settings.warehouse, settings.classification), finishes_rollups=False
    )
    asked = threading.Event()
    is_waiting = False
    while not asked.wait(STANDBY_SECS if is_waiting else 0):
        try:
            file = open_warehouse(path, options)
        except WarehouseLocked as error:
            if not is_standby:
                raise
            if not is_waiting:
                log.info("standing by", warehouse=str(path), holder_pid=error.pid)
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: asked.set())
            is_waiting = True
        else:
            if is_waiting:
                log.info("taking over", warehouse=str(path))
            return file
    return None


def _work(file: Warehouse, settings: Settings) -> End:
    """Run the worker with its door and its metrics open; returns how it ended."""
    log = structlog.get_logger()
    with contextlib.ExitStack() as stack:
        sources = open_sources(settings.sources)
        telemetry = Telemetry(
            restarts=count_restarts(), silence_secs=to_silence(settings.sources, sources)
        )
        worker = Worker(sources, file, limits=settings.batch, telemetry=telemetry)
        if settings.telemetry.enabled:
            bound = health.bind(settings.telemetry)
            own_views = OwnViews(OpenedWarehouse(file))
            app = health.to_app(telemetry, find_broken_views=own_views.find_broken)
            stack.enter_context(Listener(app, bound))
            host, port = bound.getsockname()[:2]
            log.info("listening", url=f"http://{host}:{port}/metrics", health="/health")
        endpoints = [source for source in sources if isinstance(source, HttpSource)]
        if endpoints:
            telemetry.registry.register(HttpCounts(endpoints))
            bound = bind_http(settings.http)
            stack.enter_context(listen(endpoints, settings.http, bound))
            host, port = bound.getsockname()[:2]
            scheme = "https" if settings.http.certificate_file else "http"
            log.info(
                "listening",
                url=f"{scheme}://{host}:{port}",
                paths=[source.path for source in endpoints],
            )
        learner = open_learner(file, settings.classification)
        app = door.to_app(
            OpenedWarehouse(file, learner),
            on_broken=worker.break_off,
            on_rewrite=worker.stop_for_rewrite,
        )
        if settings.endpoint.is_open:
            bound = opening.bind(settings.endpoint)
            counts = Counts(telemetry.registry)
            endpoint = stack.enter_context(
                opening.open_endpoint(
                    settings.endpoint, file, bound, counts, on_broken=worker.break_off
                )
            )
            telemetry.add_part("sql_endpoint", lambda: endpoint.state)
            host, port = bound.getsockname()[:2]
            log.info("listening", url=f"postgresql://{host}:{port}/duckpost")
        socket_path = file.place.socket
        stack.callback(socket_path.unlink, missing_ok=True)
        stack.enter_context(door.listen(app, socket_path))
        for name, why in find_broken_views(OpenedWarehouse(file)).items():
            log.warning("own view broken", view=f"my.{name}", error=why)
        if not file.is_history_judged:
            log.warning("history judged by older rules", command="duckpost reclassify")
        stop_on_signals(worker)
        upkeep = Upkeep(
            file,
            settings.privacy,
            to_retention(settings.retention),
            learner,
            on_rewrite_due=worker.stop_for_rewrite,
            on_broken=worker.break_off,
        )
        stack.enter_context(upkeep)
        log.info(
            "worker started",
            warehouse=str(file.path),
            sources=[source.name for source in sources],
            pid=os.getpid(),
        )
        end = worker.run()
        log.info("worker ended", end=end.name.lower(), why=end.value)
    return end
