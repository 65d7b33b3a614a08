"""Why a figure of AWS's differs from ours: from what is certain to what is likely.

1. AWS has no figure, and we know why.
2. SES does not publish the type to us: whatever AWS counts, we can't.
3. What the rules leave out adds up to the difference exactly.
4. The day is so young that figures are still on their way.

A difference that nothing of this explains is called `unexplained`, never talked away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from typing import Final

from consumer.reconciliation.figures import Figures
from consumer.reconciliation.scopes import EVERYTHING, VDM, Metric, Span
from consumer.warehouse.reconciliations import Line

UNEXPLAINED: Final = "unexplained"

# What each is called in words, for people.
WORDS: Final[Mapping[str, str]] = {
    "older_than_60_days": "VDM keeps 60 days",
    "engagement_metrics_off": "VDM's engagement metrics are switched off",
    "no_figure": "AWS has no figure under this name",
    "no_event_destination": "no event of this configuration set ever came: it has no event "
    "destination that leads here",
    "not_published": "the event type never came: SES does not publish it to us",
    "not_published_yet": "SES published the event type to us later than this day, or from some "
    "hour of it on",
    "not_published_any_more": "SES stopped publishing the event type to us by then",
    "without_configuration_set": "mail without a configuration set, which has no event destination",
    "configuration_sets": "its configuration sets, each with its reason",
    "simulator": "AWS counts mailbox-simulator mail here",
    "multi_recipient": "AWS counts mail to several recipients here",
    "further_recipients": "AWS counts mail to several recipients once",
    "delegate_senders": "AWS counts mail of delegate senders here",
    "account_suppression": "AWS counts what the account's suppression list held back here",
    "suppressed": "AWS does not count suppressed recipients here",
    "auto_replies": "AWS does not count automatic replies here",
    "still_arriving": "figures of the last two days are still arriving",
    UNEXPLAINED: "nothing known explains it",
}

# VDM's figures may take a day, and an event may come late to either side.
_YOUNG: Final = timedelta(days=1)
_ENGAGEMENT: Final = frozenset({"OPEN", "CLICK"})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known around the figures."""

    figures: Figures
    span: Span
    has_engagement_metrics: bool | None


def explain(line: Line, metric: Metric, parts: Mapping[str, int], around: Circumstances) -> Line:
    """Return the line with its reasons; none where both figures are the same."""
    if line.is_equal:
        return line
    if line.theirs is None:
        return line.because(_explain_missing(line, around))
    difference = line.theirs - line.ours
    if difference > 0:
        lack = _find_lack(line, metric, around.figures)
        if lack is not None:
            return line.because(lack)
    if exact := _add_up(parts, difference):
        return line.because(*exact)
    if line.event_date >= around.span.today - _YOUNG:
        return line.because("still_arriving")
    return line.because(UNEXPLAINED)


def explain_whole(whole: Line, sets: Sequence[Line], metric: Metric, figures: Figures) -> Line:
    """Explain the account's figure by those of its sets, where nothing else explains it.

    ``sets`` are the lines of the same day, authority and metric.
    """
    if UNEXPLAINED not in whole.reasons or whole.theirs is None:
        return whole
    known = [one for one in sets if one.theirs is not None and UNEXPLAINED not in one.reasons]
    theirs = sum(one.theirs or 0 for one in known)
    rest = whole.theirs - whole.ours - (theirs - sum(one.ours for one in known))
    is_part = any(not one.is_equal for one in known)
    if rest == 0 and is_part:
        return whole.because("configuration_sets")
    if rest > 0 and figures.published(None, metric.event_type).events == 0:
        return whole.because(
            *(["configuration_sets"] if is_part else []), "without_configuration_set"
        )
    return whole


def _explain_missing(line: Line, around: Circumstances) -> str:
    if line.authority == VDM:
        if line.event_date < around.span.vdm_first:
            return "older_than_60_days"
        if line.metric in _ENGAGEMENT and around.has_engagement_metrics is False:
            return "engagement_metrics_off"
    return "no_figure"


def _find_lack(line: Line, metric: Metric, figures: Figures) -> str | None:
    """Say why we could not have counted what AWS did, None where we could."""
    if (line.configuration_set, line.provider) == EVERYTHING or line.provider is not None:
        return None
    if line.configuration_set not in figures.sets:
        return "no_event_destination"
    published = figures.published(line.configuration_set, metric.event_type)
    if published.first is None or published.last is None:
        return "not_published"
    if line.event_date <= published.first and _is_later(line, figures, published.first):
        return "not_published_yet"
    if line.event_date > published.last:
        return "not_published_any_more"
    return None


def _is_later(line: Line, figures: Figures, first: date) -> bool:
    """Whether the day is before the type's first, or the very first day of the whole set."""
    return line.event_date < first or first == figures.first_day(line.configuration_set)


def _add_up(parts: Mapping[str, int], difference: int) -> tuple[str, ...]:
    """Find the fewest parts that make the difference exactly, none where none do."""
    for size in range(1, len(parts) + 1):
        for names in combinations(parts, size):
            if sum(parts[name] for name in names) == difference:
                return names
    return ()
