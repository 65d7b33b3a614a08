"""Tag explorer: any message tag, its values beside each other."""

from consumer.dashboards.boards.questions import (
    BY_COHORT_DAY,
    counts,
    in_days,
    largest,
    rates,
    select,
)
from consumer.dashboards.boards.rates import rate_by
from consumer.dashboards.choices import MESSAGE_CHOICES, Choice, chosen
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.over_lines import NOTE, over_lines
from consumer.dashboards.panels import PERCENT, Board, Panel, Row

_VIEW = "tags_daily_by_send_cohort"
# Tags are added up by the day, whatever the range is.
_SENT = f"from {_VIEW} as m\n{in_days('m')}"
TAG_KEY = Choice(
    "tag_key",
    "Tag",
    f"select m.tag_key\n{_SENT}\ngroup by m.tag_key\n"
    "order by starts_with(m.tag_key, 'ses:'), sum(m.sends + m.deliveries) desc, m.tag_key",
    is_many=False,
    by_range=True,
)
TAG_VALUE = Choice(
    "tag_value",
    "Value",
    f"select m.tag_value\n{_SENT}\n    and m.tag_key in (${{tag_key:sqlstring}})\n"
    "group by m.tag_value\norder by sum(m.sends + m.deliveries) desc, m.tag_value\nlimit 500",
    by_range=True,
)
_CHOICES = (*MESSAGE_CHOICES, TAG_KEY, TAG_VALUE)
_SOURCE = (
    f"{_SENT}{chosen((*MESSAGE_CHOICES, TAG_VALUE), 'm')}\n"
    "    and m.tag_key in (${tag_key:sqlstring})"
)
_LARGEST = largest(
    "tag_value",
    f"from {_VIEW} as l\n{in_days('l')}\n    and l.tag_key in (${{tag_key:sqlstring}})",
)
_RATES = (
    "accepted_rate",
    "hard_bounce_rate",
    "block_bounce_rate",
    "complaint_rate_fbl",
    "delay_rate",
    "unique_open_rate",
    "unique_click_rate",
    "unsubscribe_rate",
)


def tags(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-tags",
        "SES 07 · Tag explorer",
        "Choose a message tag; its values stand beside each other.",
        _CHOICES,
        (
            Row("Values", (_table(d),)),
            Row("By the day on which the mail was sent", tuple(_series(d))),
        ),
        "now-30d",
    )


def _table(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Values of the tag",
        select(
            (
                "tag_value",
                *counts(("sends", "deliveries")),
                *rates(d, _RATES),
                over_lines(d, _RATES),
            ),
            _SOURCE,
            "group by m.tag_value",
            "order by sends desc, deliveries desc, m.tag_value",
            "limit 500",
        ),
        d.explain(
            _VIEW,
            f"{_VIEW}.tag_value",
            "sends",
            "deliveries",
            *_RATES,
            note=f"Of all days that the range touches, whole. {NOTE}",
        ),
        width=24,
        height=12,
        units=dict.fromkeys(_RATES, PERCENT),
        empty="no mail with this tag in this range",
    )


def _series(d: Definitions) -> list[Panel]:
    return [
        rate_by(
            d,
            name,
            title,
            label="m.tag_value",
            source=f"{_SOURCE}{_LARGEST}",
            by_time=BY_COHORT_DAY,
            note="By the day. The ten largest values of the range; the table has all.",
        )
        for name, title in (
            ("accepted_rate", "Accepted"),
            ("hard_bounce_rate", "Hard bounce rate"),
            ("complaint_rate_fbl", "Complaint rate (FBL)"),
            ("unique_click_rate", "Clicked"),
        )
    ]
