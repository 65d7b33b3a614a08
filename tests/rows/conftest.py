"""Rows of events, as Python sees them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.rows import RowBuilder
from schemas.events import parse_event

RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = b"s" * 32

Rows = list[dict[str, Any]]


@pytest.fixture
def rows_of() -> Callable[..., Rows]:
    """Builds the rows of events given as documents: ``rows_of(event, …, region="eu-west-1")``."""

    def build(
        *events: Mapping[str, Any], region: str | None = None, store_subject: bool = True
    ) -> Rows:
        builder = RowBuilder(secret=SECRET, store_subject=store_subject)
        for event in events:
            builder.add(parse_event(json.dumps(event)), received_at=RECEIVED, region=region)
        rows: Rows = builder.finish().to_pylist()
        return rows

    return build
