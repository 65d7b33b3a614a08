"""Events about one message, in the shapes that SES documents.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from consumer.resources import sql_folder

Event = dict[str, Any]


def pytest_configure() -> None:
    """Take the broker's name out of duckpost's sight, which refuses what is no setting of its."""
    if broker := os.environ.pop("DUCKPOST_TEST_KAFKA", ""):
        os.environ["KAFKA_UNDER_TEST"] = broker


# Whose files take minutes: begun last, each would leave the other processes idle meanwhile.
SLOW = ("crash", "sources/kafka", "worker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    here = Path(__file__).parent
    slow = [here / folder for folder in SLOW]
    items.sort(key=lambda item: not any(item.path.is_relative_to(folder) for folder in slow))


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SENT = datetime(2026, 3, 2, 9, 30, 15, 422_000, tzinfo=UTC)


def to_text(at: datetime) -> str:
    """Write an instant as SES does."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Letter:
    """A message as SES knows it, and the events about it; ``after`` is seconds from sending."""

    message_id: str = "0102019b0c2d4a1e-5f2c9f4e-1111-4222-8333-444455556666-000000"
    sent: datetime = SENT
    to: Sequence[str] = ("ann@example.com",)
    account: str | None = "111122223333"
    configuration_set: str | None = "newsletter"
    tags: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"campaign": ["spring"]})
    source: str = "Shop <News@Shop.example.org>"
    identity: str = "shop.example.org"

    def mail(self) -> Event:
        """The ``mail`` object of event publishing."""
        tags: dict[str, list[str]] = {
            "ses:operation": ["SendEmail"],
            "ses:source-ip": ["192.0.2.10"],
            "ses:from-domain": ["shop.example.org"],
            "ses:caller-identity": ["app"],
        }
        if self.configuration_set is not None:
            tags["ses:configuration-set"] = [self.configuration_set]
        tags.update({name: list(values) for name, values in self.tags.items()})
        return {
            "timestamp": to_text(self.sent),
            "source": self.source,
            "sourceArn": f"arn:aws:ses:eu-west-1:{self.account}:identity/{self.identity}",
            "sendingAccountId": self.account,
            "messageId": self.message_id,
            "destination": list(self.to),
            "headersTruncated": False,
            "headers": [{"name": "Subject", "value": "Spring"}],
            "commonHeaders": {"from": [self.source], "to": list(self.to), "subject": "Spring"},
            "tags": tags,
        }

    def at(self, after: float) -> str:
        """The instant ``after`` seconds from sending."""
        return to_text(self.sent + timedelta(seconds=after))

    def event(self, event_type: str, key: str, thing: Event) -> Event:
        """An event as event publishing gives it."""
        return {"eventType": event_type, "mail": self.mail(), key: thing}

    def send(self) -> Event:
        return self.event("Send", "send", {})

    def delivery(self, *, after: float = 2.5, to: Sequence[str] | None = None) -> Event:
        thing = {
            "timestamp": self.at(after),
            "processingTimeMillis": 512,
            "recipients": list(self.to if to is None else to),
            "smtpResponse": "250 2.6.0 Message received",
            "remoteMtaIp": "198.51.100.7",
            "reportingMTA": "a8-53.smtp-out.eu-west-1.amazonses.com",
        }
        return self.event("Delivery", "delivery", thing)

    def bounce(
        self,
        *,
        after: float = 3.25,
        to: Sequence[str] | None = None,
        feedback_id: str | None = "0102019b0c2d5000-aaaa-000000",
        bounce_type: str = "Permanent",
        sub_type: str = "General",
        has_dsn: bool = True,
    ) -> Event:
        dsn = {"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 unknown"}
        thing = {
            "feedbackId": feedback_id,
            "bounceType": bounce_type,
            "bounceSubType": sub_type,
            "bouncedRecipients": [
                {"emailAddress": one, **(dsn if has_dsn else {})}
                for one in (self.to if to is None else to)
            ],
            "timestamp": self.at(after),
        }
        if has_dsn:
            thing["reportingMTA"] = "dsn; a8-53.smtp-out.eu-west-1.amazonses.com"
        return self.event("Bounce", "bounce", thing)

    def complaint(
        self,
        *,
        after: float = 3_600.75,
        to: Sequence[str] | None = None,
        feedback_id: str | None = "0102019b0c645000-bbbb-000000",
        feedback_type: str | None = "abuse",
        sub_type: str | None = None,
    ) -> Event:
        thing = {
            "feedbackId": feedback_id,
            "complaintSubType": sub_type,
            "complainedRecipients": [
                {"emailAddress": one} for one in (self.to if to is None else to)
            ],
            "timestamp": self.at(after),
            "userAgent": "Yahoo!-Mail-Feedback/2.0",
            "complaintFeedbackType": feedback_type,
            "arrivalDate": self.at(after - 60),
        }
        return self.event("Complaint", "complaint", thing)

    def reject(self) -> Event:
        return self.event("Reject", "reject", {"reason": "Bad content"})

    def open(
        self, *, after: float = 900.0, ip: str = "192.0.2.1", user_agent: str = BROWSER
    ) -> Event:
        thing = {"timestamp": self.at(after), "ipAddress": ip, "userAgent": user_agent}
        return self.without_arn(self.event("Open", "open", thing))

    def click(
        self,
        *,
        after: float = 960.0,
        link: str = "https://shop.example.org/spring",
        ip: str = "192.0.2.1",
        user_agent: str = BROWSER,
    ) -> Event:
        thing = {
            "timestamp": self.at(after),
            "ipAddress": ip,
            "userAgent": user_agent,
            "link": link,
            "linkTags": None,
        }
        return self.without_arn(self.event("Click", "click", thing))

    def rendering_failure(self) -> Event:
        thing = {
            "templateName": "welcome",
            "errorMessage": "Attribute 'name' is not present in the rendering data.",
        }
        return self.with_set_alone(self.event("Rendering Failure", "failure", thing))

    def delay(self, *, after: float = 600.0, to: Sequence[str] | None = None) -> Event:
        thing = {
            "delayType": "TransientCommunicationFailure",
            "timestamp": self.at(after),
            "expirationTime": self.at(50_400),
            "delayedRecipients": [
                {"emailAddress": one, "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 busy"}
                for one in (self.to if to is None else to)
            ],
        }
        return self.with_set_alone(self.event("DeliveryDelay", "deliveryDelay", thing))

    def subscription(
        self, *, after: float = 7_200.0, new: Event | None = None, old: Event | None = None
    ) -> Event:
        thing = {
            "contactList": "customers",
            "timestamp": self.at(after),
            "source": "UnsubscribeHeader",
            "newTopicPreferences": {"unsubscribeAll": True} if new is None else new,
            "oldTopicPreferences": {"unsubscribeAll": False} if old is None else old,
        }
        return self.event("Subscription", "subscription", thing)

    @staticmethod
    def without_arn(event: Event) -> Event:
        """Opens and clicks name no identity."""
        return {
            **event,
            "mail": {key: value for key, value in event["mail"].items() if key != "sourceArn"},
        }

    def with_set_alone(self, event: Event) -> Event:
        """Delays and rendering failures carry of the tags only the configuration set's."""
        tags = {
            name: values
            for name, values in event["mail"]["tags"].items()
            if name == "ses:configuration-set"
        }
        return {**event, "mail": {**event["mail"], "tags": tags}}

    @staticmethod
    def by_identity(event: Event, *, is_cut: bool = True) -> Event:
        """The same Bounce, Complaint or Delivery as the identity's topic gives it.

        It has no tags and no headers, and its instant is cut to the second.
        """
        key = {"Bounce": "bounce", "Complaint": "complaint", "Delivery": "delivery"}[
            event["eventType"]
        ]
        left_out = ("tags", "headers", "commonHeaders", "headersTruncated")
        mail = {name: value for name, value in event["mail"].items() if name not in left_out}
        mail |= {"sourceIp": "192.0.2.10", "callerIdentity": "app"}
        thing = dict(event[key])
        if is_cut:
            thing["timestamp"] = thing["timestamp"][:19] + ".000Z"
        return {"notificationType": event["eventType"], "mail": mail, key: thing}


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """A verb run in this process sends the log to a stream that ends with its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def new_letter() -> Callable[..., Letter]:
    """Makes messages: ``new_letter(to=[…])``."""
    return Letter


@pytest.fixture
def letter() -> Letter:
    """A message to one recipient."""
    return Letter()


@pytest.fixture(scope="session")
def lean_sql(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of SQL without its views, but with the macros that the write path calls."""
    whole, lean = sql_folder(), tmp_path_factory.mktemp("sql")
    shutil.copytree(whole / "migrations", lean / "migrations")
    shutil.copytree(whole / "seeds", lean / "seeds")
    (lean / "views").mkdir()
    for file in whole.glob("views/00_[clps]*.sql"):
        shutil.copy(file, lean / "views")
    # what a recount of the rollups asks
    for name in (
        *("bounced_recipients", "countable_events", "delivery_exceptions", "event_effects"),
        *("event_outcomes", "delivery_times"),
    ):
        shutil.copy(whole / "views" / f"10_{name}.sql", lean / "views")
    return lean
