"""When PostgreSQL's time begins: binary dates and instants are counted from there."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - PostgreSQL's timestamps have no zone either
EPOCH_UTC: Final = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH_DAY: Final = date(2000, 1, 1).toordinal()
EPOCH_MICROS: Final = 946_684_800_000_000
MICROSECOND: Final = timedelta(microseconds=1)
