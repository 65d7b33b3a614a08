"""Whether what users made in the schema `my` still works."""

import threading
import time
from collections.abc import Callable
from typing import Final

from consumer.door.access import Access
from consumer.errors import DuckpostError, QueryError

LOOK_SECS: Final = 60.0

_VIEWS = "select name from own_objects where kind = 'view' order by name"


def find_broken_views(access: Access) -> dict[str, str]:
    """Return users' own views that cannot be asked, each with the first line of why.

    An upgrade may have renamed or taken away a column that one of them reads.
    """
    with access.read(_VIEWS) as reader:
        names = [str(row["name"]) for batch in reader for row in batch.to_pylist()]
    broken = {}
    for name in names:
        quoted = name.replace('"', '""')
        try:
            with access.read(f'from my."{quoted}" limit 0') as reader:
                reader.schema  # noqa: B018 - being planned is enough
        except QueryError as error:
            broken[name] = str(error).splitlines()[0]
    return broken


class OwnViews:
    """Users' own views, looked at when somebody asks, and not more than once a minute.

    Args:
        access: the warehouse's.
        clock: monotonic seconds.
    """

    def __init__(self, access: Access, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._clock = clock
        self._looking = threading.Lock()
        self._broken: dict[str, str] = {}
        self._looked_at: float | None = None

    def find_broken(self) -> dict[str, str]:
        """Return those that cannot be asked, as ``my.NAME``, each with why; from any thread."""
        with self._looking:
            now = self._clock()
            if self._looked_at is None or now - self._looked_at >= LOOK_SECS:
                self._looked_at = now
                try:
                    found = find_broken_views(self._access)
                except DuckpostError:  # a warehouse that fails or closes tells nothing new
                    return self._broken
                self._broken = {f"my.{name}": why for name, why in found.items()}
            return self._broken
