"""What a row counts as, by its type: the counts that rollups add up, as bits of a number.

The view ``event_outcomes`` says the same from the events alone; verify and the tests hold the two
against each other.
"""

from collections.abc import Mapping
from typing import Final

_HAS_RECIPIENT: Final = "recipient is not null"
_BOUNCED: Final = "bounce_kind in ('hard', 'soft', 'undetermined')"
_IS_OUTCOME: Final = "marks & 1024 = 0 and not coalesce(is_bounced_before, false)"


def _acts(name: str, act: str, mark: int, human: int) -> dict[str, str]:
    aged = {
        f"unique_human_{name}_{label}": (
            f"marks & {human} > 0 and event_at <= sent_at + interval {hours} hour"
        )
        for label, hours in (("24h", 24), ("72h", 72), ("7d", 168))
    }
    return {
        name: f"event_type = '{act}'",
        f"machine_{name}": "machine_rule is not null",
        f"unique_{name}": f"marks & {mark} > 0",
        f"unique_human_{name}": f"marks & {human} > 0",
        **aged,
        "unique_engaged": "marks & 16 > 0",
        "unique_human_engaged": "marks & 128 > 0",
    }


# What each type counts as, and when.
_COUNTED: Final[Mapping[str, Mapping[str, str]]] = {
    "Send": {
        "sends": _HAS_RECIPIENT,
        "attempted": f"{_HAS_RECIPIENT} and not is_stopped",
        "aws_sends": f"{_HAS_RECIPIENT} and not is_own_domain and not is_suppressed_by_user",
    },
    "Delivery": {
        "deliveries": _HAS_RECIPIENT,
        "outcomes": f"{_HAS_RECIPIENT} and {_IS_OUTCOME}",
        "accepted": f"{_HAS_RECIPIENT} and not coalesce(is_bounced, false)",
        "single_recipient_deliveries": f"{_HAS_RECIPIENT} and destination_count = 1",
        "fbl_deliveries": f"{_HAS_RECIPIENT} and has_feedback_loop",
        "aws_outcomes": f"{_HAS_RECIPIENT} and not is_own_domain and {_IS_OUTCOME}",
    },
    "Open": _acts("opens", "Open", 4, 32),
    "Click": _acts("clicks", "Click", 8, 64),
    "Bounce": {
        "suppressed": f"{_HAS_RECIPIENT} and bounce_kind = 'suppressed'",
        "outcomes": "marks & 256 > 0",
        "hard_bounces": f"{_HAS_RECIPIENT} and bounce_kind = 'hard'",
        "soft_bounces": f"{_HAS_RECIPIENT} and bounce_kind = 'soft'",
        "undetermined_bounces": f"{_HAS_RECIPIENT} and bounce_kind = 'undetermined'",
        "block_bounces": f"{_HAS_RECIPIENT} and {_BOUNCED} and is_block",
        "auto_replies": f"{_HAS_RECIPIENT} and bounce_kind = 'auto_reply'",
        "aws_bounces": (
            f"{_HAS_RECIPIENT} and bounce_type = 'Permanent' and not is_own_domain "
            "and (bounce_kind = 'hard' or bounce_sub_type = 'Suppressed')"
        ),
        "aws_outcomes": (
            f"{_HAS_RECIPIENT} and not is_own_domain "
            "and (coalesce(bounce_sub_type, '') = 'Suppressed' or marks & 256 > 0)"
        ),
    },
    "Complaint": {
        "suppressed": f"{_HAS_RECIPIENT} and complaint_kind = 'suppressed'",
        "complaints": "marks & 1 > 0",
        "fbl_complaints": "marks & 1 > 0 and has_feedback_loop",
        "auth_failure_complaints": "complaint_kind = 'auth_failure' and marks & 512 > 0",
        "virus_complaints": "complaint_kind = 'virus' and marks & 512 > 0",
    },
    "DeliveryDelay": {
        "delays": "marks & 2 > 0",
        "ses_delays": "marks & 2 > 0 and delay_side_of(delay_type) = 'ses'",
        "receiver_delays": "marks & 2 > 0 and delay_side_of(delay_type) = 'receiver'",
    },
    "Subscription": {"unsubscribes": "is_unsubscribe"},
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


def _to_bits() -> str:
    arms = []
    for event_type, counted in _COUNTED.items():
        bits = " + ".join(
            f"if({condition}, {1 << COUNTS.index(name)}, 0)" for name, condition in counted.items()
        )
        arms.append(f"when '{event_type}' then {bits}")
    return f"(case event_type {' '.join(arms)} else 0 end)::bigint"


# SQL for the set of a row's counts.
BITS: Final = _to_bits()
