"""Tag explorer: any message tag, its values beside each other."""

from consumer.dashboards.boards.questions import BY_COHORT_TIME, COMPLAINT_LINES, long_series
from consumer.dashboards.choices import MESSAGE_CHOICES, Choice, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import COUNT, PERCENT, Board, Panel, Row

TAG_KEY = Choice(
    "tag_key",
    "Tag",
    "select m.tag_key\nfrom tags_hourly_by_send_cohort as m\n"
    "where $__timeFilter(m.cohort_hour)\ngroup by m.tag_key\n"
    "order by starts_with(m.tag_key, 'ses:'), sum(m.sends + m.deliveries) desc, m.tag_key",
    is_many=False,
    by_range=True,
)
TAG_VALUE = Choice(
    "tag_value",
    "Value",
    "select m.tag_value\nfrom tags_hourly_by_send_cohort as m\n"
    "where $__timeFilter(m.cohort_hour)\n    and m.tag_key in (${tag_key:sqlstring})\n"
    "group by m.tag_value\norder by sum(m.sends + m.deliveries) desc, m.tag_value\nlimit 500",
    by_range=True,
)
_CHOICES = (*MESSAGE_CHOICES, TAG_KEY, TAG_VALUE)
_SOURCE = (
    "from tags_hourly_by_send_cohort as m\n"
    f"where $__timeFilter(m.cohort_hour){chosen((*MESSAGE_CHOICES, TAG_VALUE), 'm')}\n"
    "    and m.tag_key in (${tag_key:sqlstring})"
)
_LARGEST = (
    "\n    and m.tag_value in (\n        select l.tag_value\n"
    "        from tags_hourly_by_send_cohort as l\n"
    "        where $__timeFilter(l.cohort_hour)\n"
    "            and l.tag_key in (${tag_key:sqlstring})\n"
    "        group by l.tag_value\n"
    "        order by sum(l.attempted_or_outcomes) desc, l.tag_value\n        limit 10\n    )"
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
        "SES 7 · Tag explorer",
        "Choose a message tag; its values stand beside each other.",
        _CHOICES,
        (
            Row("Values", (_table(d),)),
            Row("By when the mail was sent", tuple(_series(d))),
        ),
        "now-30d",
    )


def _table(d: Definitions) -> Panel:
    rates = ",\n    ".join(f"{d.rate(name)} as {name}" for name in _RATES)
    return Panel(
        "table",
        "Values of the tag",
        f"select\n    m.tag_value,\n    {count('sends')} as sends,\n"
        f"    {count('deliveries')} as deliveries,\n    {rates},\n"
        f"    is_small_sample({d.denominator('hard_bounce_rate')}) as is_small_sample\n{_SOURCE}\n"
        "group by m.tag_value\norder by sends desc, deliveries desc, m.tag_value\nlimit 500",
        d.explain("tags_hourly_by_send_cohort", "sends", "deliveries", *_RATES),
        COUNT,
        width=24,
        height=12,
        units=dict.fromkeys(_RATES, PERCENT),
        empty="no mail with this tag in this range",
    )


def _series(d: Definitions) -> list[Panel]:
    return [
        Panel(
            "series",
            title,
            long_series("m.tag_value", d.rate(name), f"{_SOURCE}{_LARGEST}", BY_COHORT_TIME),
            d.explain(name, note="The ten largest values of the range; the table has all."),
            PERCENT,
            width=12,
            lines=COMPLAINT_LINES if name == "complaint_rate_fbl" else (),
        )
        for name, title in (
            ("accepted_rate", "Accepted"),
            ("hard_bounce_rate", "Hard bounces"),
            ("complaint_rate_fbl", "Complaints (FBL)"),
            ("unique_click_rate", "Clicked"),
        )
    ]
