"""How much long work does at once, so that batches which wait for the writer soon go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# A batch that has to wait for the writer waits about as long, and hardly ever twice as long.
AIM_SECS: Final = 0.5
FIRST_ROWS: Final = 5_000
LEAST_ROWS: Final = 5_000
MOST_ROWS: Final = 50_000


class Pace:
    """Rows to change in the next transaction, by how long the ones before took.

    It shrinks at once and grows slowly: a loaded machine must not find it at its largest.
    """

    def __init__(self) -> None:
        self.rows = FIRST_ROWS

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Learn from how long the body took; waiting for the writer is not to be part of it."""
        began = time.monotonic()
        yield
        self.learn(time.monotonic() - began)

    def learn(self, secs: float) -> None:
        """Take in how long `rows` of them took."""
        fitting = int(self.rows * AIM_SECS / max(secs, 0.001))
        self.rows = max(LEAST_ROWS, min(MOST_ROWS, fitting, self.rows * 3 // 2))
