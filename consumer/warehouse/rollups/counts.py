"""What a row counts as, by its type: the counts that rollups add up, as bits of a number.

The view ``event_outcomes`` says the same from the events alone; verify and the tests hold the two
against each other. Here it is said to Arrow: as SQL it took longer to plan than to run.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.acero import Declaration, ProjectNodeOptions, TableSourceNodeOptions

_field = pc.field


def _has_mark(bit: int) -> pc.Expression:
    return pc.bit_wise_and(_field("marks"), pa.scalar(bit, pa.int64())) > 0


_HAS_RECIPIENT: Final = _field("recipient").is_valid()
_IS_FOREIGN: Final = ~_field("is_own_domain")
_HAS_LOOP: Final = _field("has_feedback_loop")
_KIND: Final = _field("bounce_kind")
_COMPLAINT_KIND: Final = _field("complaint_kind")
_MAKES_OUTCOME: Final = _has_mark(256)
_IS_FIRST_REPORT: Final = _has_mark(512)
_IS_OUTCOME: Final = _HAS_RECIPIENT & ~_has_mark(1024) & ~_field("is_bounced_before")
_IS_DELAY: Final = _has_mark(2)
_IS_OURS: Final = _field("delay_type").isin(["SendingDeferral", "InternalFailure"])


def _acts(name: str, mark: int, human: int) -> dict[str, pc.Expression]:
    age = pc.subtract(_field("event_at"), _field("sent_at"))
    aged = {
        f"unique_human_{name}_{label}": (
            _has_mark(human) & (age <= pa.scalar(timedelta(hours=hours), pa.duration("us")))
        )
        for label, hours in (("24h", 24), ("72h", 72), ("7d", 168))
    }
    return {
        name: pc.scalar(True),
        f"machine_{name}": _field("is_machine"),
        f"unique_{name}": _has_mark(mark),
        f"unique_human_{name}": _has_mark(human),
        **aged,
        "unique_engaged": _has_mark(16),
        "unique_human_engaged": _has_mark(128),
    }


# What each type counts as, and when.
_COUNTED: Final[Mapping[str, Mapping[str, pc.Expression]]] = {
    "Send": {
        "sends": _HAS_RECIPIENT,
        "attempted": _HAS_RECIPIENT & ~_field("is_stopped"),
        "aws_sends": _HAS_RECIPIENT & _IS_FOREIGN & ~_field("is_suppressed_by_user"),
    },
    "Delivery": {
        "deliveries": _HAS_RECIPIENT,
        "outcomes": _IS_OUTCOME,
        "accepted": _HAS_RECIPIENT & ~_field("is_bounced"),
        "single_recipient_deliveries": _HAS_RECIPIENT & (_field("destination_count") == 1),
        "fbl_deliveries": _HAS_RECIPIENT & _HAS_LOOP,
        "aws_outcomes": _IS_OUTCOME & _IS_FOREIGN,
    },
    "Open": _acts("opens", 4, 32),
    "Click": _acts("clicks", 8, 64),
    "Bounce": {
        "suppressed": _HAS_RECIPIENT & (_KIND == "suppressed"),
        "outcomes": _MAKES_OUTCOME,
        "hard_bounces": _HAS_RECIPIENT & (_KIND == "hard"),
        "soft_bounces": _HAS_RECIPIENT & (_KIND == "soft"),
        "undetermined_bounces": _HAS_RECIPIENT & (_KIND == "undetermined"),
        "block_bounces": (
            _HAS_RECIPIENT & _KIND.isin(["hard", "soft", "undetermined"]) & _field("is_block")
        ),
        "auto_replies": _HAS_RECIPIENT & (_KIND == "auto_reply"),
        "aws_bounces": (
            _HAS_RECIPIENT
            & (_field("bounce_type") == "Permanent")
            & _IS_FOREIGN
            & ((_KIND == "hard") | (_field("bounce_sub_type") == "Suppressed"))
        ),
        "aws_outcomes": (
            _HAS_RECIPIENT
            & _IS_FOREIGN
            & ((_field("bounce_sub_type") == "Suppressed") | _MAKES_OUTCOME)
        ),
    },
    "Complaint": {
        "suppressed": _HAS_RECIPIENT & (_COMPLAINT_KIND == "suppressed"),
        "complaints": _has_mark(1),
        "fbl_complaints": _has_mark(1) & _HAS_LOOP,
        "auth_failure_complaints": (_COMPLAINT_KIND == "auth_failure") & _IS_FIRST_REPORT,
        "virus_complaints": (_COMPLAINT_KIND == "virus") & _IS_FIRST_REPORT,
    },
    "DeliveryDelay": {
        "delays": _IS_DELAY,
        "ses_delays": _IS_DELAY & _IS_OURS,
        "receiver_delays": _IS_DELAY & ~_IS_OURS,
    },
    "Subscription": {"unsubscribes": _field("is_unsubscribe")},
    "Reject": {"rejects": _HAS_RECIPIENT},
    "Rendering Failure": {"rendering_failures": _HAS_RECIPIENT},
}

# In the order of their bits, and of the rollups' columns.
COUNTS: Final = (
    *("sends", "rejects", "rendering_failures", "suppressed", "attempted", "outcomes"),
    *("deliveries", "accepted", "single_recipient_deliveries", "fbl_deliveries"),
    *("hard_bounces", "soft_bounces", "undetermined_bounces", "block_bounces", "auto_replies"),
    *("aws_bounces", "aws_sends", "aws_outcomes", "complaints", "fbl_complaints"),
    *("auth_failure_complaints", "virus_complaints", "delays", "ses_delays", "receiver_delays"),
    *("unsubscribes", "opens", "machine_opens", "unique_opens", "unique_human_opens"),
    *("unique_human_opens_24h", "unique_human_opens_72h", "unique_human_opens_7d"),
    *("clicks", "machine_clicks", "unique_clicks", "unique_human_clicks"),
    *("unique_human_clicks_24h", "unique_human_clicks_72h", "unique_human_clicks_7d"),
    *("unique_engaged", "unique_human_engaged"),
)


def count(rows: pa.Table, names: Sequence[str], kinds: Collection[str]) -> pa.Table:
    """Return the columns ``names`` of the rows, and ``counts``; rows of other types count as none.

    One expression over all rows: to pick the rows of each type first costs more than what is
    computed for the others in vain.
    """
    columns = [_field(name) for name in names]
    bits = _to_bits(tuple(kind for kind in _COUNTED if kind in kinds))
    source = Declaration("table_source", TableSourceNodeOptions(rows))
    project = Declaration("project", ProjectNodeOptions([*columns, bits], [*names, "counts"]))
    return Declaration.from_sequence([source, project]).to_table(use_threads=False)


@cache
def _to_bits(kinds: tuple[str, ...]) -> pc.Expression:
    """The set of the counts of a row of these types; a condition on something unknown fails."""
    none = pc.scalar(pa.scalar(0, pa.int64()))
    bits = none
    for kind in kinds:
        of_kind = none
        for name, condition in _COUNTED[kind].items():
            bit = pc.scalar(pa.scalar(1 << COUNTS.index(name), pa.int64()))
            holds = pc.coalesce(condition, pc.scalar(False))
            of_kind = pc.bit_wise_or(of_kind, pc.if_else(holds, bit, none))
        bits = pc.if_else(_field("event_type") == kind, of_kind, bits)
    return bits
