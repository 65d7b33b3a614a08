"""Who was erased: tokens in a file beside the warehouse, so that rebuilding knows them too."""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consumer.addresses import Address, parse_address
from consumer.batch import Batch
from consumer.erasure import Eraser, erase_from_batch
from consumer.errors import WarehouseDamaged
from consumer.warehouse.archive import sync_folder


@dataclass(frozen=True, slots=True)
class Erased:
    """One erased address, as its token.

    Attributes:
        token: see `consumer.addresses.to_token`.
        erased_at: when it was first asked for, UTC, ISO 8601.
        rewritten_at: when the file was rewritten since; None while old bytes may be in it.
    """

    token: str
    erased_at: str
    rewritten_at: str | None = None


class ErasedList:
    """The list of who was erased, a line of JSON each; no address is in it.

    Args:
        file: where it is kept; none is there before the first erasure.
        secret: the warehouse's key.
    """

    def __init__(self, file: Path, secret: bytes) -> None:
        self._file = file
        self._secret = secret
        self._by_token = {one.token: one for one in _read(file)}

    @property
    def pending_since(self) -> datetime | None:
        """When the oldest erasure was asked for whose bytes may still be in the file."""
        pending = [one.erased_at for one in self._by_token.values() if one.rewritten_at is None]
        return datetime.fromisoformat(min(pending)) if pending else None

    def is_due(self, *, after: timedelta, now: datetime | None = None) -> bool:
        """Whether an erasure has waited for the file's rewrite as long as it may."""
        since = self.pending_since
        return since is not None and (now or datetime.now(UTC)) >= since + after

    def add(self, address: Address) -> None:
        """Remember an address, durably; its bytes are in the file again, as far as is known."""
        known = self._by_token.get(address.token)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        if known is None or known.rewritten_at is not None:
            self._keep({**self._by_token, address.token: Erased(address.token, at)})

    def note_rewrite(self, *, began_at: datetime) -> None:
        """Note that the file was rewritten, with every erasure asked for before ``began_at``."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self._keep(
            {
                token: replace(one, rewritten_at=at)
                if one.rewritten_at is None and datetime.fromisoformat(one.erased_at) <= began_at
                else one
                for token, one in self._by_token.items()
            }
        )

    def screen(self, batch: Batch) -> Batch:
        """Return the batch with erased addresses under their tokens; most often as it is."""
        if not self._by_token:
            return batch
        addresses = [parse_address(text, self._secret) for text in batch.addresses]
        erasers = [
            Eraser(address)
            for address in addresses
            if address.token in self._by_token and address.text != address.hidden
        ]
        return erase_from_batch(batch, erasers, self._secret) if erasers else batch

    def hide(self, text: str) -> str:
        """Return a normalised address, under its token if it was erased."""
        address = parse_address(text, self._secret)
        return address.hidden if address.token in self._by_token else text

    def _keep(self, by_token: dict[str, Erased]) -> None:
        lines = [json.dumps(asdict(one)) for one in by_token.values()]
        temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}.new")
        temporary.unlink(missing_ok=True)
        with open(temporary, "x", encoding="ascii", opener=_open_private) as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._file)
        sync_folder(self._file.parent)
        self._by_token = by_token


def _read(file: Path) -> list[Erased]:
    if not file.exists():
        return []
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        return [Erased(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise WarehouseDamaged(
            f"{file} does not hold the list of erased addresses. Restore it from a backup: without "
            "it a later event of theirs would be stored under their address again."
        ) from error


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
