"""The lines that figures are measured against, by the figure's name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Line:
    """A value from which on a figure has another colour, and a dashed line in charts."""

    value: float
    color: str


# AWS reviews an account at the second line of bounces, or the first of complaints, and pauses it
# at the last. They are the account's: below it they are guides.
_BOUNCES: Final = (Line(0.02, "dark-yellow"), Line(0.05, "orange"), Line(0.10, "red"))
_COMPLAINTS: Final = (Line(0.001, "orange"), Line(0.005, "red"))
_OF_AWS: Final = {
    "aws_bounce_rate": _BOUNCES,
    "hard_bounce_rate": _BOUNCES,
    "complaint_rate_fbl": _COMPLAINTS,
}
# What the alerts of the same names warn at.
_OF_ALERTS: Final = {
    "delay_rate": (Line(0.05, "orange"), Line(0.15, "red")),
    "lost_rate": (Line(0.01, "orange"), Line(0.05, "red")),
}
_OF_THE_PIPELINE: Final = {
    "implausible_event_times": (Line(1, "orange"),),
    "newest_commit_age_secs": (Line(3600, "orange"), Line(21_600, "red")),
    "newest_event_age_secs": (Line(3600, "orange"), Line(21_600, "red")),
    "payloads_in_quarantine": (Line(1, "orange"),),
    "unaccounted": (Line(1, "red"),),
    "unbalanced_batches": (Line(1, "red"),),
}
LINES_OF_RATES: Final[Mapping[str, tuple[Line, ...]]] = {**_OF_AWS, **_OF_ALERTS}
LINES: Final[Mapping[str, tuple[Line, ...]]] = {**LINES_OF_RATES, **_OF_THE_PIPELINE}
AWS_NOTE: Final = "The lines are AWS's, and drawn for a whole account; below that they are guides."


def explain_lines(name: str) -> str:
    """Return what is to be said of a figure's lines; nothing where they speak for themselves."""
    return AWS_NOTE if name in _OF_AWS else ""
