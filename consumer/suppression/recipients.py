"""Who must not be mailed and why, and who may be again because somebody said so."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from consumer.addresses import parse_address
from consumer.door.access import Access
from consumer.errors import UsageError

REASONS: Final = ("hard_bounce", "complaint", "unsubscribe", "refused_by_ses", "on_ses_list")

# grain: one row per suppressed recipient, the latest first
_LIST: Final = """
select * from suppressed_recipients
where len($1::varchar []) = 0 or list_has_any(reasons, $1::varchar [])
order by last_event_at desc, recipient limit $2
"""

_NAMED: Final = "select recipient, reasons from suppressed_recipients where recipient in ($1, $2)"


@dataclass(frozen=True, slots=True)
class Lifted:
    """Whose suppression was lifted, as it is stored, and what it was for."""

    recipient: str
    reasons: list[str]


def read_suppressed(
    access: Access, *, reasons: tuple[str, ...] = (), limit: int | None = None
) -> AbstractContextManager[pa.RecordBatchReader]:
    """Stream rows of ``suppressed_recipients``, those with any of the reasons; none means all."""
    return access.read(_LIST, [list(reasons), limit])


def lift(access: Access, address: str, *, note: str | None = None) -> list[Lifted]:
    """Let an address be mailed again; its next hard bounce or complaint suppresses it anew.

    An erased address is found under its token. SES's own lists are left alone. Raises `UsageError`
    for an address that is not suppressed.
    """
    parsed = parse_address(address, access.secret)
    with access.read(_NAMED, [parsed.text, parsed.hidden]) as reader:
        found = [Lifted(**row) for row in reader.read_all().to_pylist()]
    if not found:
        raise UsageError(f"{parsed.text} is not suppressed; see `duckpost suppression list`")
    for one in found:
        access.lift_suppression(one.recipient, note)
    return found
