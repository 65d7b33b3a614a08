"""Rates over time, beside the lines that they are measured against."""

from consumer.dashboards.boards.questions import BY_COHORT_TIME, COHORT_OF_SETS, long_series
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.panels import PERCENT, Panel
from consumer.dashboards.thresholds import LINES, explain_lines

_NEAR_ONE = 0.9


def rate_by(  # noqa: PLR0913 - what a chart consists of
    definitions: Definitions,
    name: str,
    title: str,
    *,
    label: str,
    source: str,
    by_time: str = BY_COHORT_TIME,
    also: tuple[str, ...] = (),
    note: str = "",
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
        by_time: when a point is, as `BY_COHORT_TIME`.
        also: further names to explain.
        note: see `Definitions.explain`.
        width: of the panel.
        height: of the panel.
    """
    return Panel(
        "series",
        title,
        long_series(label, definitions.rate(name), source, by_time),
        definitions.explain(name, *also, note=" ".join(filter(None, (explain_lines(name), note)))),
        PERCENT,
        width=width,
        height=height,
        lines=LINES.get(name, ()),
        floor=_NEAR_ONE if name == "accepted_rate" else 0,
    )


def rate_by_set(  # noqa: PLR0913 - what a chart consists of
    definitions: Definitions,
    name: str,
    title: str,
    *,
    also: tuple[str, ...] = (),
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
        width=width,
        height=height,
    )
