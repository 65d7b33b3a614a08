"""How much long work does at once, so that batches which wait for the writer soon go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# A batch that has to wait for the writer waits about as long, and hardly ever twice as long.
AIM_SECS: Final = 0.3
FIRST_ROWS: Final = 5_000
LEAST_ROWS: Final = 1_000
MOST_ROWS: Final = 50_000

_FIRST_DUE_SECS: Final = 0.3
_LEAST_DUE_SECS: Final = 0.05
_MOST_DUE_SECS: Final = 5.0


class Pace:
    """Rows to change in the next transaction, by how long the ones before took.

    It shrinks at once and grows slowly: a loaded machine must not find it at its largest.

    Args:
        first_rows: how many to begin with.
        least_rows: never fewer: each transaction costs something by itself.
        most_rows: never more.
    """

    def __init__(
        self,
        first_rows: int | None = None,
        least_rows: int | None = None,
        most_rows: int | None = None,
    ) -> None:
        self.rows = first_rows or FIRST_ROWS
        self._least_rows = least_rows or LEAST_ROWS
        self._most_rows = most_rows or MOST_ROWS

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Learn from how long the body took; waiting for the writer is not to be part of it."""
        began = time.monotonic()
        yield
        self.learn(time.monotonic() - began)

    def learn(self, secs: float) -> None:
        """Take in how long `rows` of them took."""
        fitting = int(self.rows * AIM_SECS / max(secs, 0.001))
        self.rows = max(self._least_rows, min(self._most_rows, fitting, self.rows * 3 // 2))


class FoldPace:
    """When changes have piled up so that DuckDB's log is to be folded into the file.

    Folding writes anew whatever changed since the last time, and everybody waits for it. Long work
    changes much: folded at its end, or by the batch after it, that took seconds. So it is folded as
    often as keeps each time short, by how long the ones before took beside the changes themselves.
    """

    def __init__(self) -> None:
        self._changing_secs = 0.0
        self._due_secs = _FIRST_DUE_SECS

    @property
    def is_due(self) -> bool:
        """Whether to fold now."""
        return self._changing_secs >= self._due_secs

    def note(self, secs: float) -> None:
        """Take in how long a change took."""
        self._changing_secs += secs

    def learn(self, secs: float) -> None:
        """Take in how long folding took, and begin anew."""
        fitting = self._changing_secs * AIM_SECS / max(secs, 0.001)
        self._due_secs = max(_LEAST_DUE_SECS, min(_MOST_DUE_SECS, fitting, self._due_secs * 3 / 2))
        self._changing_secs = 0.0
