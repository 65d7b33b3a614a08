"""The scalars every event is made of: times in every spelling seen, and lenient text.

The types are built so that Rust does the whole work for what SES writes today: a Python function
stands only in the second arm of a left-to-right union, which runs when the first arm has failed.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_ODD_TIMESTAMP = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ]"
    r"(?P<clock>[0-9]{2}:[0-9]{2}):(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,12}))?"
    r"\s*(?:(?P<utc>Z|UTC|GMT)|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)?",
    re.ASCII | re.IGNORECASE,
)
_ARRAY_LENGTHS = range(5, 8)
_LEAP_SECOND = 60


def parse_odd_timestamp(value: object) -> datetime:
    """Parse the spellings of a time that RFC 3339 parsers refuse.

    These are ``2018-10-08T14:05:45 +0000`` (notification-contents), a leap second (``:60`` is
    the first instant of the next minute), and the array ``[2025, 7, 24, 12, 44, 28, 995000000]``
    of tenant status events. Without an offset the time is UTC. Raises ``PydanticCustomError``.
    """
    try:
        if isinstance(value, str):
            instant = _parse_text(value.strip())
        elif isinstance(value, list) and len(value) in _ARRAY_LENGTHS:
            instant = _parse_array(value)
        else:
            instant = None
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not EARLIEST <= instant < LATEST:
        raise PydanticCustomError(
            "timestamp", "a time such as 2016-10-19T23:21:04.133Z, from 1970 to 2199"
        )
    return instant


def _parse_text(text: str) -> datetime | None:
    match = _ODD_TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    second = int(match["second"])
    micros = int((match["fraction"] or "0").ljust(6, "0")[:6])
    zone = UTC
    if match["sign"]:
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
        zone = timezone(-offset if match["sign"] == "-" else offset)
    minute = datetime.fromisoformat(f"{match['date']}T{match['clock']}:00").replace(tzinfo=zone)
    if second > _LEAP_SECOND:
        return None
    return (minute + timedelta(seconds=second, microseconds=micros)).astimezone(UTC)


def _parse_array(parts: list[object]) -> datetime | None:
    numbers = [part for part in parts if isinstance(part, int) and not isinstance(part, bool)]
    if len(numbers) != len(parts):
        return None
    year, month, day, hour, minute, second, nanos = [*numbers, 0, 0][:7]
    return datetime(year, month, day, hour, minute, second, nanos // 1000, tzinfo=UTC)


def _drop(_value: object) -> None:
    """Stand in for a value of an odd type that nothing depends on."""


def _mend_texts(value: object) -> object:
    """Make a list of a plain string or number; `null` inside a list is left out."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return [value]
    if isinstance(value, list):
        return [item for item in value if item is not None]
    return value


def _mend_tags(value: object) -> object:
    """Make every tag's value a list: ``"a"`` is ``["a"]``, ``null`` is ``[]``."""
    if not isinstance(value, dict):
        return value
    return {name: [] if values is None else _mend_texts(values) for name, values in value.items()}


# A time as SES writes it (RFC 3339, with millis), SQL style, epoch seconds or millis as a number
# or in digits; Python only for the rest. Aware, or naive and then UTC. The bounds keep every
# later sum of a time and a span inside what datetime, Arrow and nanoseconds can hold.
Timestamp = Annotated[
    Annotated[datetime, Field(ge=EARLIEST, lt=LATEST)]
    | Annotated[datetime, BeforeValidator(parse_odd_timestamp)],
    Field(union_mode="left_to_right"),
]

# A time that a third party wrote and SES only passes on: what is no time is left out, because
# a complaint must not be lost over a mailbox provider's clock.
ForeignTimestamp = Annotated[
    Timestamp | Annotated[None, BeforeValidator(_drop)], Field(union_mode="left_to_right")
]

# Text that some producers write as a number (an account of digits, a status of 5).
Text = Annotated[str, Field(coerce_numbers_to_str=True)]

# Text that is kept where it is text, and whose absence harms nothing.
TextOrNothing = Annotated[
    str | Annotated[None, BeforeValidator(_drop)], Field(union_mode="left_to_right")
]

# A list of strings, or one string alone.
Texts = Annotated[
    list[str] | Annotated[list[Text], BeforeValidator(_mend_texts)],
    Field(union_mode="left_to_right"),
]

# Message tags and link tags: a list of values a name.
Tags = Annotated[
    dict[str, list[str]] | Annotated[dict[str, list[Text]], BeforeValidator(_mend_tags)],
    Field(union_mode="left_to_right"),
]

# A count of milliseconds that a 64-bit column can hold.
Millis = Annotated[int, Field(ge=-(2**63), lt=2**63)]
