"""A rewrite of the file that was asked for: remembered beside the file until it is done.

A worker that was stopped or killed meanwhile does it at its next start, one whose try failed tries
again, ever more rarely, and whoever asked finds here why it failed.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from consumer.warehouse.archive import sync_folder
from consumer.warehouse.place import Place

# Each try has the worker drain and start anew.
FIRST_WAIT: Final = timedelta(minutes=10)
LONGEST_WAIT: Final = timedelta(hours=6)
_MOST_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class PendingRewrite:
    """A rewrite that is still to be done.

    Attributes:
        asked_at: when, UTC.
        tries: how many were begun.
        tried_at: when the last one was begun, None where none was since it was asked for.
        why: what was wrong with that one; empty while it runs, or when it was broken off.
    """

    asked_at: datetime
    tries: int = 0
    tried_at: datetime | None = None
    why: str = ""

    @property
    def due_at(self) -> datetime:
        """When it is to be tried, or tried again."""
        if self.tried_at is None:
            return self.asked_at
        doublings = min(max(self.tries - 1, 0), _MOST_DOUBLINGS)
        return self.tried_at + min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def read_pending(place: Place) -> PendingRewrite | None:
    """Return what was asked for; None where nothing was, or it is done."""
    try:
        kept = json.loads(place.rewrite.read_text(encoding="utf-8"))
        tried_at = kept["tried_at"] and datetime.fromisoformat(kept["tried_at"])
        asked_at = datetime.fromisoformat(kept["asked_at"])
        return PendingRewrite(asked_at, kept["tries"], tried_at, kept["why"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        return PendingRewrite(datetime.now(UTC))  # whatever it said, it was asked for


def ask_for(place: Place) -> None:
    """Remember, durably, that a rewrite is wanted now."""
    known = read_pending(place) or PendingRewrite(datetime.now(UTC))
    _keep(place, replace(known, asked_at=datetime.now(UTC), tried_at=None, why=""))


def note_try(place: Place) -> None:
    """Count a try before it is made: one that kills its process is not made again at once."""
    known = read_pending(place) or PendingRewrite(datetime.now(UTC))
    _keep(place, replace(known, tries=known.tries + 1, tried_at=datetime.now(UTC), why=""))


def note_failure(place: Place, why: str) -> None:
    """Remember what was wrong with the try that was noted last."""
    known = read_pending(place) or PendingRewrite(datetime.now(UTC))
    _keep(place, replace(known, why=why))


def forget(place: Place) -> None:
    """It is done."""
    place.rewrite.unlink(missing_ok=True)
    sync_folder(place.file.parent)


def _keep(place: Place, pending: PendingRewrite) -> None:
    tried_at = pending.tried_at and pending.tried_at.isoformat()
    kept = {**asdict(pending), "asked_at": pending.asked_at.isoformat(), "tried_at": tried_at}
    temporary = place.rewrite.with_name(f".{place.rewrite.name}.{os.getpid()}.new")
    with open(temporary, "w", encoding="utf-8", opener=_open_private) as file:
        file.write(json.dumps(kept) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(place.rewrite)
    sync_folder(place.file.parent)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
