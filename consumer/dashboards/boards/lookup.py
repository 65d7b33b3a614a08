"""Message and recipient lookup: the story of one message or address."""

from consumer.dashboards.boards.questions import select
from consumer.dashboards.choices import Choice
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.panels import Board, Panel, Row

LOOK_FOR = Choice("look_for", "Address or message id", kind="text", is_many=False)
_CONDITION = (
    "where (\n        m.message_id in (${look_for:sqlstring})\n"
    "        or m.recipient in (${look_for:sqlstring})\n    )\n"
    "    and $__timeFilter(m.sent_at)"
)
_EMPTY = "write an address in lower case, or a message id, above; it is looked for in the range"


def lookup(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-lookup",
        "SES 08 · Message and recipient lookup",
        "The story of one message or address.",
        (LOOK_FOR,),
        (Row("What became of it", (_states(d),)), Row("What happened", (_timeline(d),))),
        "now-90d",
    )


def _states(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Messages",
        select(
            (
                "sent_at",
                "message_id",
                "recipient",
                "state",
                "configuration_set_name",
                "provider",
                "last_event_at",
            ),
            f"from message_recipients as m\n{_CONDITION}",
            "order by m.sent_at desc, m.message_id, m.recipient",
            "limit 500",
        ),
        d.explain("message_recipients", "message_recipients.state"),
        "string",
        width=24,
        height=9,
        empty=_EMPTY,
        links={
            "message_id": "/d/duckpost-lookup?${__url_time_range}"
            "&var-look_for=${__data.fields.message_id:percentencode}"
        },
    )


def _timeline(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Events",
        select(
            (
                "event_at",
                "since_sending_ms",
                "event_type",
                "kind",
                "detail",
                "recipient",
                "subject",
                "configuration_set_name",
                "identity",
                "message_id",
                "is_simulator",
                "received_at",
            ),
            f"from message_timeline as m\n{_CONDITION}",
            "order by m.event_at, m.event_key",
            "limit 1000",
        ),
        d.explain("message_timeline", "message_timeline.kind", "message_timeline.detail"),
        "string",
        width=24,
        height=14,
        units={"since_sending_ms": "ms"},
        empty=_EMPTY,
    )
