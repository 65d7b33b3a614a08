"""What a worker does by itself, rarely: what retention and erasure ask for."""

import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from consumer.settings import PrivacySettings
from consumer.warehouse import Warehouse

# The first look comes that late, too: a rewrite that fails is not tried again in a circle.
LOOK_SECS: Final = 3_600.0


class Upkeep:
    """Looks every hour whether something is due, on a thread of its own, between two batches.

    Args:
        warehouse: the worker's.
        settings: how long an erasure waits for the file's rewrite.
        on_rewrite_due: called once the file is to be rewritten.
        look_secs: how often to look.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        settings: PrivacySettings,
        *,
        on_rewrite_due: Callable[[], None],
        look_secs: float = LOOK_SECS,
    ) -> None:
        self._warehouse = warehouse
        self._after = timedelta(days=settings.erase_rewrite_days)
        self._on_rewrite_due = on_rewrite_due
        self._look_secs = look_secs
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._look_secs):
            if self._warehouse.erased.is_due(after=self._after):
                structlog.get_logger().info("file to be rewritten", why="erased addresses")
                self._on_rewrite_due()
                return
