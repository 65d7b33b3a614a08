"""What became of one message, or of everything sent to one address: what support asks for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from consumer.addresses import parse_address
from consumer.door.access import Access

# Digits 5 to 16 of a message id look like the milliseconds of its sending: seen, not documented,
# so they say where to look first and never that something is not there.
_MILLISECONDS: Final = re.compile(r"[0-9a-f]{4}([0-9a-f]{12})-", re.IGNORECASE)
# A Message-ID header as SES writes it: the id, and a domain of SES's.
_MESSAGE_ID_HEADER: Final = re.compile(r"<?([0-9a-f]{16}-[^@<>\s]+)@[\w.-]*amazonses\.com>?")
_AROUND: Final = timedelta(hours=1)
_EARLIEST: Final = datetime(2011, 1, 1, tzinfo=UTC)  # the year in which SES began
_ALWAYS: Final = ("-infinity", "infinity")
# What stamps of one message may differ by: identity notifications have theirs cut to the second.
_CUT: Final = timedelta(seconds=1)
MOST_EVENTS: Final = 1_000

# grain: one row per event of one message
_OF_MESSAGE: Final = """
select * from message_timeline
where message_id = $1 and sent_at >= $2::timestamp and sent_at <= $3::timestamp
order by event_at, event_key limit $4
"""

# grain: one row per message to one recipient, newest first
_MESSAGES: Final = """
select message_id, min(sent_at) as sent_at, count(*) over () as messages
from events
where
    (
        recipient in ($1, $2)
        or (recipient_as_written is not null and lower(recipient_as_written) = $1)
    )
    and sent_at >= $3::timestamp
group by message_id
order by sent_at desc, message_id
limit $4
"""

# grain: one row per event of these messages that is the recipient's, or nobody's in particular
_OF_RECIPIENT: Final = """
select * from message_timeline
where
    message_id in (select unnest($1::varchar []))
    and (recipient is null or recipient in ($2, $3) or lower(recipient_as_written) = $2)
    and sent_at >= $4::timestamp and sent_at <= $5::timestamp
order by event_at, event_key limit $6
"""

_STATES: Final = """
select message_id, recipient, state from message_recipients
where
    message_id in (select unnest($1::varchar []))
    and cohort_hour >= date_trunc('hour', $2::timestamp)
    and cohort_hour <= date_trunc('hour', $3::timestamp)
order by recipient
"""

_SUPPRESSION: Final = """
select reasons, suppressed_at, last_event_at, last_detail
from suppressed_recipients where recipient in ($1, $2)
order by last_event_at desc
"""

_LIFTED: Final = """
select max(lifted_at) as lifted_at from suppression_lifts where recipient in ($1, $2)
"""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its events in the order in which they happened.

    Attributes:
        about: ``sent_at``, ``source``, ``subject``, ``configuration_set``, ``tags`` and the like,
            the first of its events that says so.
        states: recipient → the most severe outcome; none for the mailbox simulator's.
        events: rows of ``message_timeline``.
    """

    message_id: str
    about: Row
    states: dict[str, str]
    events: list[Row]


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether somebody should be mailed again.

    Attributes:
        reasons: why not; empty where nothing speaks against it.
        since, last_at: first and last of the events behind it.
        detail: what SES or the receiver said last.
        lifted_at: when somebody last lifted a suppression.
    """

    reasons: list[str]
    since: datetime | None
    last_at: datetime | None
    detail: str | None
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of what was asked for.

    Attributes:
        asked: the message id, or the address as it is compared.
        messages: newest first.
        total: how many messages there are, shown or not.
        advice: of a recipient; None for a message.
        is_hidden: whether its rows stand under a token: it was erased, or recipients are hashed.
        is_cut: whether there are more events than `MOST_EVENTS`.
    """

    asked: str
    messages: list[Message]
    total: int
    advice: Advice | None = None
    is_hidden: bool = False
    is_cut: bool = False


def find(access: Access, asked: str, *, since: datetime | None = None, limit: int = 20) -> Story:
    """Tell the story of a recipient where ``asked`` is an address, else of a message.

    A Message-ID header of SES's (``<…@eu-west-1.amazonses.com>``) names its message.

    Args:
        access: the warehouse.
        asked: address, message id or Message-ID header, as a person has it at hand.
        since: leave out messages sent before, UTC; of a recipient alone.
        limit: so many messages of a recipient at most, the newest.
    """
    header = _MESSAGE_ID_HEADER.fullmatch(asked.strip())
    if header is not None:
        return _find_message(access, header[1])
    if "@" in asked:
        return _find_recipient(access, asked, since=since, limit=limit)
    return _find_message(access, asked.strip())


def guess_sent_at(message_id: str) -> datetime | None:
    """Read the milliseconds that a message id seems to hold; None where they make no sense."""
    found = _MILLISECONDS.match(message_id)
    if found is None:
        return None
    try:
        at = datetime.fromtimestamp(int(found[1], 16) / 1_000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at >= _EARLIEST else None


def _find_message(access: Access, message_id: str) -> Story:
    guessed = guess_sent_at(message_id)
    events: list[Row] = []
    if guessed is not None:
        span = str(guessed - _AROUND), str(guessed + _AROUND)
        events = _read(access, _OF_MESSAGE, [message_id, *span, MOST_EVENTS])
    if not events:
        events = _read(access, _OF_MESSAGE, [message_id, *_ALWAYS, MOST_EVENTS])
    messages = _to_messages(events, _read_states(access, events))
    return Story(message_id, messages, len(messages), is_cut=len(events) == MOST_EVENTS)


def _find_recipient(access: Access, asked: str, *, since: datetime | None, limit: int) -> Story:
    address = parse_address(asked, access.secret)
    names = [address.text, address.hidden]
    listed = _read(
        access, _MESSAGES, [*names, str(since) if since is not None else _ALWAYS[0], limit]
    )
    advice = _advise(access, names)
    if not listed:
        return Story(address.text, [], 0, advice)
    ids = [row["message_id"] for row in listed]
    span = _to_span(listed)
    events = _read(access, _OF_RECIPIENT, [ids, *names, *span, MOST_EVENTS])
    states = [one for one in _read_states(access, listed) if one["recipient"] in names]
    messages = _to_messages(events, states)
    return Story(
        address.text,
        messages,
        listed[0]["messages"],
        advice,
        is_hidden=any(row["recipient"] == address.hidden for row in events),
        is_cut=len(events) == MOST_EVENTS,
    )


def _to_messages(events: Sequence[Row], states: Sequence[Row]) -> list[Message]:
    by_id: dict[str, list[Row]] = {}
    for row in events:
        by_id.setdefault(row["message_id"], []).append(row)
    messages = [
        Message(
            message_id,
            _describe(rows),
            {one["recipient"]: one["state"] for one in states if one["message_id"] == message_id},
            rows,
        )
        for message_id, rows in by_id.items()
    ]
    return sorted(messages, key=lambda one: (one.about["sent_at"], one.message_id), reverse=True)


_ABOUT: Final = (
    "sent_at",
    "source",
    "subject",
    "configuration_set",
    "identity",
    "account",
    "region",
    "tags",
)


def _describe(rows: Sequence[Row]) -> Row:
    """Take each fact from the first event that has it: not every event carries all."""
    return {
        name: next((row[name] for row in rows if row[name] is not None), None) for name in _ABOUT
    }


def _advise(access: Access, names: list[str]) -> Advice:
    found = _read(access, _SUPPRESSION, names)
    ((lifted_at,),) = (row.values() for row in _read(access, _LIFTED, names))
    if not found:
        return Advice([], None, None, None, lifted_at)
    return Advice(
        sorted({reason for row in found for reason in row["reasons"]}),
        min(row["suppressed_at"] for row in found),
        found[0]["last_event_at"],
        found[0]["last_detail"],
        lifted_at,
    )


def _read_states(access: Access, rows: Sequence[Row]) -> list[Row]:
    if not rows:
        return []
    ids = sorted({row["message_id"] for row in rows})
    return _read(access, _STATES, [ids, *_to_span(rows)])


def _to_span(rows: Sequence[Row]) -> tuple[str, str]:
    stamps = [row["sent_at"] for row in rows]
    return str(min(stamps) - _CUT), str(max(stamps) + _CUT)


def _read(access: Access, sql: str, params: list[Any]) -> list[Row]:
    with access.read(sql, params) as reader:
        rows: list[Row] = reader.read_all().to_pylist()
    return rows
