"""How long after its sending something happened, and what pairs with others of its message by that.

The macro ``is_near_sending`` says the same of stored rows.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.pieces import whole

_EARLIEST_MICROS: Final = -3_600_000_000
_LATEST_MICROS: Final = 24 * 3_600_000_000


def to_micros_since_sending(rows: pa.Table) -> pa.Array:
    """Return microseconds from ``sent_at`` to ``event_at``; negative where clocks disagree."""
    sent_at = whole(rows["sent_at"]).cast(pa.int64())
    return pc.subtract(whole(rows["event_at"]).cast(pa.int64()), sent_at)


def are_near_sending(rows: pa.Table) -> pa.Array:
    """Whether each lies from an hour before its sending to a day after: Deliveries pair there."""
    micros = to_micros_since_sending(rows)
    return pc.and_(
        pc.greater_equal(micros, _EARLIEST_MICROS), pc.less_equal(micros, _LATEST_MICROS)
    )
