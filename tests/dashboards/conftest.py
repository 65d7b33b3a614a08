"""A warehouse full of simulated traffic, and the dashboards' questions to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from consumer.dashboards.definitions import Definitions, load_definitions
from consumer.decode import decode
from consumer.demo.traffic import generate
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

Ask = Callable[[str], pa.Table]


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Six hundred messages of the last week, a few payloads that nobody understands among them."""
    now = datetime.now(UTC)
    path = tmp_path_factory.mktemp("dashboards") / "ses.duckdb"
    options = WarehouseOptions(min_free_bytes=0, archive=False)
    with open_warehouse(path, options) as opened:
        builder = opened.new_builder("sqs:ses-events")
        start = now - timedelta(days=7)
        for payload in generate(600, seed=7, start=start, days=6.0).payloads:
            envelope = Envelope(payload, None, "sqs:ses-events", now)
            for decoded in decode(envelope):
                builder.add(decoded)
        opened.write(builder.finish())
        yield opened


@pytest.fixture(scope="session")
def ask(warehouse: Warehouse) -> Ask:
    def answer(sql: str) -> pa.Table:
        with warehouse.read(sql) as reader:
            return reader.read_all()

    return answer
