"""What `/health` says of the endpoint, from its start to its end."""

import socket
import threading
import time

from consumer.endpoint.authentication import Doorkeeper
from consumer.endpoint.counts import Counts
from consumer.endpoint.queries import Limits
from consumer.endpoint.server import Endpoint, EndpointOptions
from consumer.telemetry import Telemetry
from consumer.warehouse.reading.publication import Publication

OPTIONS = EndpointOptions(max_connections=2, max_active_queries=1, limits=Limits(1.0, 1.0, 10))


def test_health_follows_the_endpoint_and_is_ill_without_it(publication: Publication) -> None:
    may_publish = threading.Event()

    def publish() -> Publication:
        may_publish.wait(10)
        return publication

    telemetry = Telemetry()
    bound = socket.create_server(("127.0.0.1", 0))
    with Endpoint(publish, Doorkeeper([]), OPTIONS, bound, Counts()) as endpoint:
        telemetry.add_part("sql_endpoint", lambda: endpoint.state)
        starting = telemetry.health()
        may_publish.set()
        ends_at = time.monotonic() + 10
        while endpoint.state == "starting" and time.monotonic() < ends_at:
            threading.Event().wait(0.01)
        up = telemetry.health()
    ended = telemetry.health()

    told = [
        (is_well, report["status"], report["sql_endpoint"])
        for is_well, report in (starting, up, ended)
    ]
    assert [(True, "up", "starting"), (True, "up", "up"), (False, "ill", "failed")] == told


def test_health_says_nothing_of_an_endpoint_that_there_is_not() -> None:
    assert {"status": "up", "restarts": 0, "sources": {}} == Telemetry().health()[1]
