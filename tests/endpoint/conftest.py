"""A warehouse with some events, and the endpoint in front of it on a free port of loopback."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.decode import decode
from consumer.endpoint.authentication import Doorkeeper, User
from consumer.endpoint.counts import Counts
from consumer.endpoint.queries import Limits
from consumer.endpoint.server import Endpoint, EndpointOptions
from consumer.endpoint.statements.admission import admit
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse
from consumer.warehouse.own_sql import apply_own, parse_own
from consumer.warehouse.reading.publication import Publication

PASSWORDS = {"reader": "a password for tests", "support": "another one for tests"}
CANARY = "canary.person"
ADDRESS = f"{CANARY}@example.net"


# What a user may have made; own.second comes before what it reads, as after a rebuild.
OWN = (
    "create view my.mailed as select recipient, recipient_domain, event_type from events",
    "create view my.plain as (select upper(recipient) as who, 1 as n from my.mailed)",
    "create view my.raw as select recipient as who from main.events",
    "create view my.settings as select name, value from duckdb_settings()",
    (
        "create table my.copied as "
        "select recipient, recipient as who, 'x' as region, 1 as n from events"
    ),
    "create macro my.double(x, times := 2) as x * times",
    "create macro my.mail_of(kind) as table select recipient from events where event_type = kind",
    "create macro my.peek() as (select min(recipient) from main.events)",
)


def make_events() -> list[dict[str, Any]]:
    """A Send and a Bounce in the documented shapes, with an address wherever text can stand.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    mail = {
        "timestamp": "2026-03-01T11:59:00.000Z",
        "source": f"{CANARY} <{ADDRESS}>",
        "sourceArn": f"arn:aws:ses:us-east-1:123456789012:identity/{ADDRESS}",
        "sendingAccountId": "123456789012",
        "messageId": "message-1",
        "destination": [ADDRESS],
        "commonHeaders": {"subject": f"for {ADDRESS}", "to": [ADDRESS]},
        "tags": {
            "ses:configuration-set": ["news"],
            "ses:from-domain": ["example.com"],
            "campaign": [f"{CANARY}%40example.net", "spring"],
            ADDRESS: ["x"],
        },
    }
    return [
        {"eventType": "Send", "mail": mail, "send": {}},
        {
            "eventType": "Bounce",
            "mail": mail,
            "bounce": {
                "feedbackId": "feedback-1",
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [
                    {
                        "emailAddress": f"Canary <{ADDRESS.upper()}>",
                        "action": "failed",
                        "status": "5.1.1",
                        "diagnosticCode": f"smtp; 550 5.1.1 <{ADDRESS}>: {CANARY} is unknown",
                    }
                ],
                "timestamp": "2026-03-01T12:00:00.000Z",
                "reportingMTA": "dsn; a8-53.smtp-out.amazonses.com",
            },
        },
        {
            "eventType": "Delivery",
            "mail": {**mail, "messageId": "message-2"},
            "delivery": {
                "timestamp": "2026-03-01T12:00:00.000Z",
                "processingTimeMillis": 500,
                "recipients": [ADDRESS],
                "smtpResponse": f"250 2.6.0 <{ADDRESS}> queued for {CANARY}",
                "remoteMtaIp": "198.51.100.7",
                "reportingMTA": "a8-53.smtp-out.amazonses.com",
            },
        },
        {
            "eventType": "Click",
            "mail": {**mail, "messageId": "message-2"},
            "click": {
                "timestamp": "2026-03-01T13:00:00.000Z",
                "ipAddress": "192.0.2.1",
                "userAgent": f"Mozilla/5.0 ({ADDRESS})",
                "link": f"https://shop.example.com/u/{CANARY}?mail={CANARY}%40example.net",
                "linkTags": {"who": [ADDRESS]},
            },
        },
        {
            "eventType": "Rendering Failure",
            "mail": {**mail, "messageId": "message-3"},
            "failure": {"templateName": f"for {ADDRESS}", "errorMessage": f"no name of {CANARY}"},
        },
    ]


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    path = tmp_path_factory.mktemp("endpoint") / "ses.duckdb"
    bodies = [json.dumps(event).encode() for event in make_events()]
    bodies.append(json.dumps({"eventType": "Unheard", "to": ADDRESS}).encode())
    with open_warehouse(path, WarehouseOptions(min_free_bytes=0)) as opened:
        builder = opened.new_builder(f"sqs:{ADDRESS}")
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        for body in bodies:
            envelope = Envelope(body, 0, f"sqs:{ADDRESS}", at)
            for decoded in decode(envelope):
                builder.add(decoded)
        opened.write(builder.finish())
        for statement in OWN:
            opened.change("making test data", lambda c, s=statement: apply_own(c, parse_own(c, s)))  # type: ignore[misc]  # bound now
        yield opened


@pytest.fixture(scope="session")
def publication(warehouse: Warehouse) -> Publication:
    return warehouse.publish(admit=admit, on_broken=lambda: None)


@dataclass(frozen=True)
class Server:
    """A running endpoint and how to reach it."""

    port: int

    def dsn(self, role: str = "reader", **more: object) -> str:
        words = {"host": "127.0.0.1", "port": self.port, "user": role, "dbname": "duckpost", **more}
        settings = " ".join(f"{name}={value}" for name, value in words.items())
        return f"{settings} password='{PASSWORDS[role]}'"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


LIMITS = Limits(statement_timeout_secs=30, idle_timeout_secs=60, most_rows=2_000_000)
OPTIONS = EndpointOptions(max_connections=20, max_active_queries=4, limits=LIMITS)
Start = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def start(publication: Publication) -> Start:
    """Starts an endpoint with other options than usual."""

    @contextmanager
    def run(publication: Publication = publication, **options: object) -> Iterator[Server]:
        limits = {name: options.pop(name) for name in LIMITS._fields if name in options}
        chosen = replace(OPTIONS, limits=LIMITS._replace(**limits), **options)  # type: ignore[arg-type]  # a test's own keywords
        users = [User(role, password, role) for role, password in PASSWORDS.items()]  # type: ignore[arg-type]  # the roles
        bound = socket.create_server(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with Endpoint(lambda: publication, Doorkeeper(users), chosen, bound, Counts()):
            yield Server(port)

    return run


@pytest.fixture(scope="session")
def server(start: Start) -> Iterator[Server]:
    with start() as running:
        yield running
