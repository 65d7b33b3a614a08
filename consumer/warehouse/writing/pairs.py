"""What happened to a recipient of a message besides: how its rows count because of each other.

For the few messages that have a rare row; all others count row by row. Grouped as the views
``delivery_exceptions`` and ``event_effects`` group them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

Row = dict[str, Any]

_BOUNCES: Final = frozenset({"hard", "soft", "undetermined"})
_STOPPING: Final = frozenset({"Reject", "Rendering Failure"})
_REPORTS: Final = frozenset({"auth_failure", "virus"})
# What a row alone is none of.
ALONE: Final = (*("is_stopped", "is_suppressed_by_user", "is_bounced", "is_bounced_before"),)
_MAKES_OUTCOME: Final = 256
_IS_FIRST_REPORT: Final = 512
_BEFORE_SENDING: Final = timedelta(hours=1)
_AFTER_SENDING: Final = timedelta(hours=24)


class _Story(NamedTuple):
    """Of one recipient: what stopped the message, and its first bounce that counts."""

    is_stopped: bool
    is_suppressed_by_user: bool
    bounce: Row | None


def pair(rows: Iterable[Row], *, sign: int) -> list[Row]:
    """Say of each row how it counts beside the others; ``sign`` becomes its ``n``.

    Rows are whole: all that a message × recipient has, or those that depend on nothing.
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    reports: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        cohort = _to_hour(row["sent_at"])
        groups.setdefault((row["message_id"], row["recipient"], cohort), []).append(row)
        if row["complaint_kind"] in _REPORTS:
            said = row["feedback_id"] or row["event_at"].replace(microsecond=0)
            hour = _to_hour(row["event_at"])
            reports.setdefault((row["message_id"], said, hour, cohort), []).append(row)
    first_reports = {min(group, key=_order)["event_key"] for group in reports.values()}
    paired: list[Row] = []
    for (_, recipient, _), group in groups.items():
        story = _tell(group) if recipient is not None else _Story(False, False, None)
        outcome = _find_outcome(group, story.bounce)
        paired.extend(_judge(row, story, outcome, first_reports, sign) for row in group)
    return paired


def _tell(group: Sequence[Row]) -> _Story:
    suppressions = [
        row for row in group if "suppressed" in {row["bounce_kind"], row["complaint_kind"]}
    ]
    bounces = [row for row in group if row["bounce_kind"] in _BOUNCES]
    return _Story(
        is_stopped=bool(suppressions) or any(row["event_type"] in _STOPPING for row in group),
        is_suppressed_by_user=any(
            (row["bounce_sub_type"] or row["complaint_sub_type"]) != "Suppressed"
            for row in suppressions
        ),
        bounce=min(bounces, key=_order, default=None),
    )


def _find_outcome(group: Sequence[Row], bounce: Row | None) -> Row | None:
    """The first bounce, where no Delivery near its sending comes before it."""
    if bounce is None:
        return None
    is_preceded = any(
        row["event_type"] == "Delivery"
        and _is_near(row["event_at"], bounce["sent_at"])
        and _order(row) < _order(bounce)
        for row in group
    )
    return None if is_preceded else bounce


def _judge(row: Row, story: _Story, outcome: Row | None, first_reports: set[str], sign: int) -> Row:
    marks = row["marks"]
    if row is outcome:
        marks |= _MAKES_OUTCOME
    if row["event_key"] in first_reports:
        marks |= _IS_FIRST_REPORT
    is_bounced = story.bounce is not None and _is_near(row["event_at"], story.bounce["sent_at"])
    return {
        **row,
        "n": sign,
        "marks": marks,
        "is_stopped": story.is_stopped,
        "is_suppressed_by_user": story.is_suppressed_by_user,
        "is_bounced": is_bounced,
        "is_bounced_before": is_bounced and _order(story.bounce or row) < _order(row),
    }


def _order(row: Row) -> tuple[datetime, str]:
    return row["event_at"], row["event_key"]


def _is_near(delivered_at: datetime, sent_at: datetime) -> bool:
    return sent_at - _BEFORE_SENDING <= delivered_at <= sent_at + _AFTER_SENDING


def _to_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
