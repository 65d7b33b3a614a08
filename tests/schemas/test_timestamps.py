"""Every way a time has been seen to be written, and those that are none."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.events import parse_event

Make = Callable[..., dict[str, Any]]

SEEN = [
    ("2016-10-19T23:21:04.133Z", datetime(2016, 10, 19, 23, 21, 4, 133_000, UTC)),
    ("2016-10-19T23:21:04.000Z", datetime(2016, 10, 19, 23, 21, 4, 0, UTC)),
    ("2018-10-08T14:05:45 +0000", datetime(2018, 10, 8, 14, 5, 45, 0, UTC)),
    ("2018-10-08T14:05:45.5 -0730", datetime(2018, 10, 8, 21, 35, 45, 500_000, UTC)),
    ("2012-05-25T14:59:38.237-07:00", datetime(2012, 5, 25, 21, 59, 38, 237_000, UTC)),
    ("2026-07-29T12:00:00Z", datetime(2026, 7, 29, 12, 0, 0, 0, UTC)),
    ("2026-07-29T12:00:00.123456Z", datetime(2026, 7, 29, 12, 0, 0, 123_456, UTC)),
    ("2026-07-29T12:00:00.12345+03:00", datetime(2026, 7, 29, 9, 0, 0, 123_450, UTC)),
    ("2021-08-23 06:56:30.087", datetime(2021, 8, 23, 6, 56, 30, 87_000, UTC)),
    ("2021-08-23T06:56:30", datetime(2021, 8, 23, 6, 56, 30, 0, UTC)),
    ("2026-07-29T12:00:00.123456789Z", datetime(2026, 7, 29, 12, 0, 0, 123_456, UTC)),
    ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, 0, 0, 0, 0, UTC)),
    (1594266081268, datetime(2020, 7, 9, 3, 41, 21, 268_000, UTC)),
    ("1594266081268", datetime(2020, 7, 9, 3, 41, 21, 268_000, UTC)),
    ([2025, 7, 24, 12, 44, 28, 995_000_000], datetime(2025, 7, 24, 12, 44, 28, 995_000, UTC)),
]


@pytest.mark.parametrize(("written", "meant"), SEEN)
@pytest.mark.parametrize("path", ["mail__timestamp", "open__timestamp"])
def test_a_time_is_read_in_every_form_seen(
    make_event: Make, path: str, written: object, meant: datetime
) -> None:
    outer, inner = path.split("__")
    event: Any = parse_event(json.dumps(make_event("published-open.json", **{path: written})))
    found = event[outer][inner]
    assert meant == (found if found.tzinfo else found.replace(tzinfo=UTC))


NONE = [
    "",
    "yesterday",
    "9999999-01-01T00:00:00Z",
    "9999-12-31T23:59:59-05:00",
    "0001-01-01T00:00:00+05:00",
    "2026-13-01T00:00:00Z",
    "2026-01-01T00:00:61Z",
    "2026-01-01T25:00:00 +0000",
    "2026-01-01T00:00:00 +9900",
    "٢٠٢٦-01-01T00:00:00 +0000",
    10**17,
    -5,
    True,
    None,
    {},
    [2025],
    [2025, 7, 24, 12, 44, "28"],
    [10**40, 7, 24, 12, 44],
]


@pytest.mark.parametrize("written", NONE, ids=repr)
def test_what_is_no_time_is_refused(make_event: Make, written: object) -> None:
    with pytest.raises(ValidationError, match="timestamp"):
        parse_event(json.dumps(make_event("published-open.json", open__timestamp=written)))


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "NaN", "Infinity"])
def test_numbers_beyond_numbers_are_no_time(make_event: Make, literal: str) -> None:
    event = json.dumps(make_event("published-open.json", open__timestamp="@"))
    with pytest.raises(ValidationError, match="timestamp"):
        parse_event(event.replace('"@"', literal))
