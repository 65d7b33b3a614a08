"""A warehouse full of simulated traffic, and the dashboards' questions to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow as pa
import pytest
from psycopg.pq.abc import PGconn

from consumer.dashboards.definitions import Definitions, load_definitions
from consumer.decode import decode
from consumer.demo.traffic import generate
from consumer.endpoint.counts import Counts
from consumer.endpoint.opening import bind, open_endpoint
from consumer.envelope import Envelope
from consumer.settings import EndpointSettings
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.disk import look_at_disk, note_disk
from consumer.warehouse.reconciliations import Line, Posture, Reconciliation, keep

Ask = Callable[[str], pa.Table]


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Mail of the seven days before today, a few payloads that nobody understands among it."""
    now = datetime.now(UTC)
    path = tmp_path_factory.mktemp("dashboards") / "ses.duckdb"
    options = WarehouseOptions(min_free_bytes=0, archive=False)
    with open_warehouse(path, options) as opened:
        builder = opened.new_builder("sqs:ses-events")
        start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
        for payload in generate(1_200, seed=7, start=start, days=7.0).payloads:
            envelope = Envelope(payload, None, "sqs:ses-events", now)
            for decoded in decode(envelope):
                builder.add(decoded)
        opened.write(builder.finish())
        note_disk(opened, look_at_disk(opened))
        keep(opened, make_reconciliation(now))
        yield opened


def make_reconciliation(now: datetime) -> Reconciliation:
    """Two figures of the day before, one of which nothing explains, and an account that is well."""
    yesterday = now.date() - timedelta(days=1)
    scope = (yesterday, "123456789012", "us-east-1", None, None)
    lines = [
        Line(
            *scope,
            authority="cloudwatch",
            metric="Send",
            ours=100,
            theirs=104,
            reasons=("simulator",),
        ),
        Line(
            *scope, authority="vdm", metric="COMPLAINT", ours=2, theirs=5, reasons=("unexplained",)
        ),
    ]
    posture = Posture(
        account="123456789012",
        region="us-east-1",
        enforcement_status="HEALTHY",
        review_status="GRANTED",
        is_sending_enabled=True,
        has_production_access=True,
        max_sends_24h=50_000.0,
        max_sends_per_sec=14.0,
        sends_24h=1_200.0,
        is_vdm_enabled=True,
        has_engagement_metrics=True,
    )
    return Reconciliation(now, lines, posture)


@pytest.fixture(scope="session")
def ask(warehouse: Warehouse) -> Ask:
    def answer(sql: str) -> pa.Table:
        with warehouse.read(sql) as reader:
            return reader.read_all()

    return answer


@pytest.fixture(scope="session")
def grafana(warehouse: Warehouse) -> Iterator[PGconn]:
    """A connection of a reader, who sees no address."""
    user = {"name": "grafana", "password": "of-a-dashboard", "role": "reader"}
    settings = EndpointSettings.model_validate({"port": 0, "users": [user]})
    bound = bind(settings)
    with open_endpoint(settings, warehouse, bound, Counts(), on_broken=lambda: None) as endpoint:
        connection = psycopg.connect(
            host="127.0.0.1",
            port=endpoint.port,
            user="grafana",
            password="of-a-dashboard",
            dbname="duckpost",
            sslmode="disable",
            autocommit=True,
        )
        yield connection.pgconn
        connection.close()
