"""Rates over time, and the lines that some are measured against."""

from consumer.dashboards.boards.questions import BY_COHORT_TIME, COHORT_OF_SETS, long_series
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.panels import PERCENT, Line, Panel

# AWS reviews an account at the second line of bounces, or the first of complaints, and pauses it
# at the last. They are the account's: below it they are guides.
BOUNCE_LINES = (Line(0.02, "yellow"), Line(0.05, "orange"), Line(0.10, "red"))
COMPLAINT_LINES = (Line(0.001, "orange"), Line(0.005, "red"))
AWS_NOTE = "The lines are AWS's, and drawn for a whole account; below that they are guides."
RATE_LINES = {
    "aws_bounce_rate": BOUNCE_LINES,
    "hard_bounce_rate": BOUNCE_LINES,
    "complaint_rate_fbl": COMPLAINT_LINES,
}


def rate_by(  # noqa: PLR0913 - what a chart consists of
    definitions: Definitions,
    name: str,
    title: str,
    *,
    label: str,
    source: str,
    also: tuple[str, ...] = (),
    note: str = "",
    lines: tuple[Line, ...] = (),
    width: int = 12,
    height: int = 8,
) -> Panel:
    """Return a chart of a rate by when the mail was sent, with a line for each ``label``.

    Args:
        definitions: of the rate, and of ``also``, which its description adds.
        name: of the rate.
        title: of the panel.
        label: SQL of what names a line.
        source: FROM and WHERE.
        also: further names to explain.
        note: see `Definitions.explain`.
        lines: thresholds.
        width: of the panel.
        height: of the panel.
    """
    return Panel(
        "series",
        title,
        long_series(label, definitions.rate(name), source, BY_COHORT_TIME),
        definitions.explain(name, *also, note=note),
        PERCENT,
        width=width,
        height=height,
        lines=lines,
    )


def rate_by_set(  # noqa: PLR0913 - what a chart consists of
    definitions: Definitions,
    name: str,
    title: str,
    *,
    also: tuple[str, ...] = (),
    note: str = "",
    lines: tuple[Line, ...] = (),
    width: int = 12,
    height: int = 9,
) -> Panel:
    """Return a chart of a rate with a line a configuration set; see `rate_by`."""
    return rate_by(
        definitions,
        name,
        f"{title}, by configuration set",
        label="c.configuration_set_label",
        source=COHORT_OF_SETS,
        also=also,
        note=note,
        lines=lines,
        width=width,
        height=height,
    )
