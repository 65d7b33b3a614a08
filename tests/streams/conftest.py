"""Streams as people have them: every wiring of SES at once, in any order.

Shapes: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
and https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.warehouse import Warehouse, WarehouseOptions, WriteResult, open_warehouse

if TYPE_CHECKING:
    from tests.conftest import Letter

Event = dict[str, Any]
MakeLetter = Callable[..., "Letter"]
OPTIONS = WarehouseOptions(memory_limit="512MB", threads=2, min_free_bytes=0)
DAY_SECS = 86_400
RECEIVED_AT = datetime(2026, 5, 1, tzinfo=UTC)
# account, region, configuration set and what is missing there
WIRINGS: Sequence[tuple[str, str, str | None, str]] = (
    ("111122223333", "eu-west-1", "newsletter", ""),
    ("444455556666", "eu-west-1", "newsletter", ""),
    ("111122223333", "us-east-1", "newsletter", ""),
    ("111122223333", "eu-west-1", None, ""),
    ("111122223333", "eu-west-1", "silent", "Send"),
    ("111122223333", "eu-west-1", "lossy", "some Sends"),
    ("444455556666", "eu-west-1", "deaf", "Delivery"),
)
PREFIXES = {"eu-west-1": "0102", "us-east-1": "0100"}
BOUNCES = (
    ("Permanent", "General"),
    ("Permanent", "Suppressed"),
    ("Permanent", "OnAccountSuppressionList"),
    ("Transient", "MailboxFull"),
    ("Transient", "General"),
    ("Undetermined", "Undetermined"),
)


class Storyteller:
    """Tells what SES says of random mail; the same seed tells the same."""

    def __init__(self, seed: int, new_letter: MakeLetter) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a seed, not a secret
        self._new_letter = new_letter
        self._made = 0

    def tell(self, messages: int) -> list[Event]:
        """All events of that many messages, each once, shuffled."""
        events = [event for _ in range(messages) for event in self._tell_message()]
        self._random.shuffle(events)
        return events

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _tell_message(self) -> Iterator[Event]:
        self._made += 1
        account, region, name, missing = self._random.choice(WIRINGS)
        people = [f"reader{n}@{domain}" for n in range(20) for domain in ("yahoo.com", "own.net")]
        to = self._random.sample(people, self._random.choice([1, 1, 1, 1, 2, 3]))
        if self._chance(0.06):
            to[0] = "bounce@simulator.amazonses.com"
        plain = self._new_letter()
        letter = self._new_letter(
            message_id=f"{PREFIXES[region]}{self._random.getrandbits(48):012x}-{self._made}",
            sent=plain.sent + timedelta(milliseconds=self._random.randrange(2 * DAY_SECS * 1000)),
            to=[self._respell(one) for one in to],
            account=account,
            configuration_set=name,
        )
        has_send = missing != "Send" and not (missing == "some Sends" and self._chance(0.3))
        for event in self._tell_story(letter, has_send=has_send, is_deaf=missing == "Delivery"):
            yield json.loads(json.dumps(event).replace("eu-west-1", region))

    def _respell(self, address: str) -> str:
        return self._random.choice([address] * 4 + [address.upper(), f'"A, B" <{address}>'])

    def _tell_story(self, letter: "Letter", *, has_send: bool, is_deaf: bool) -> Iterator[Event]:
        if has_send:
            yield letter.send()
        if self._chance(0.04):
            yield self._random.choice([letter.reject(), letter.rendering_failure()])
        for number, person in enumerate(letter.to):
            to = [self._respell(person) if "<" not in person else person]
            for _ in range(self._random.choice([0, 0, 0, 1, 2])):
                yield letter.delay(after=self._after(0.1, 1), to=to)
            if not is_deaf:
                for _ in range(self._random.choice([0, 1, 1, 1, 1, 1, 2])):
                    yield from self._in_forms(letter, letter.delivery(after=self._late(), to=to))
            for _ in range(self._random.choice([0, 0, 0, 1, 2])):
                yield from self._tell_bounce(letter, number, to)
        if self._chance(0.15):
            yield from self._tell_complaint(letter)
        yield from self._tell_engagement(letter)

    def _tell_bounce(self, letter: "Letter", number: int, to: list[str]) -> Iterator[Event]:
        kind, sub_type = self._random.choice(BOUNCES)
        forwarded = len(letter.to) == 1 and self._chance(0.2)
        bounce = letter.bounce(
            after=self._late(),
            to=["forwarded@elsewhere.net"] if forwarded else to,
            feedback_id=f"fb-{letter.message_id}-{number}-{self._random.getrandbits(32)}",
            bounce_type=kind,
            sub_type=sub_type,
            has_dsn=self._chance(0.7),
        )
        other = json.loads(json.dumps(bounce))
        if self._chance(0.15):
            other["bounce"]["bouncedRecipients"] += [{"emailAddress": "other@elsewhere.net"}]
        yield from self._in_forms(letter, bounce, other)

    def _tell_complaint(self, letter: "Letter") -> Iterator[Event]:
        complaint = letter.complaint(
            after=self._after(0.01, 9),
            to=self._random.choice([letter.to, letter.to, letter.to[:1], []]),
            feedback_id=f"fb-{letter.message_id}-c{self._random.getrandbits(32)}",
            feedback_type=self._random.choice(["abuse", None, "not-spam", "auth-failure", "virus"]),
            sub_type=self._random.choice([None, None, None, "OnAccountSuppressionList"]),
        )
        yield from self._in_forms(letter, complaint)

    def _tell_engagement(self, letter: "Letter") -> Iterator[Event]:
        for _ in range(self._random.choice([0, 0, 1, 3])):
            agent = self._random.choice([{}, {}, {"user_agent": "GoogleImageProxy"}])
            yield letter.open(after=self._after(0.001, 20), **agent)
        for _ in range(self._random.choice([0, 0, 0, 1, 2])):
            click = letter.click(
                after=self._after(0.001, 20),
                link=f"https://shop.example.org/{self._random.randrange(3)}",
            )
            if self._chance(0.3):
                click["click"]["isBotEvent"] = self._random.choice(["Likely", "Unlikely"])
            yield click
        if self._chance(0.1):
            yield letter.subscription(after=self._after(0.1, 9))

    def _in_forms(
        self, letter: "Letter", published: Event, to_notify: Event | None = None
    ) -> Iterator[Event]:
        """By event publishing, by the identity's topic, or by both."""
        forms = self._random.choice(["published"] * 3 + ["identity", "both", "both"])
        if forms != "identity":
            yield published
        if forms != "published":
            yield letter.by_identity(to_notify or published, is_cut=self._chance(0.8))

    def _after(self, least_days: float, most_days: float) -> float:
        return round(self._random.uniform(least_days * DAY_SECS, most_days * DAY_SECS), 3)

    def _late(self) -> float:
        """Mostly seconds; at times before the sending, or past the day in which events pair."""
        far = self._after(-0.06, 1.5)
        return far if self._chance(0.15) else round(self._random.uniform(-2, 300), 3)


class Queue:
    """Delivers at least once: some messages twice, and nothing is gone before it is acked."""

    name = "sqs:streams"

    def __init__(self, bodies: Sequence[bytes], choice: random.Random) -> None:
        self._waiting = list(bodies) + choice.sample(list(bodies), len(bodies) // 5)
        self._choice = choice
        self._out = 0
        choice.shuffle(self._waiting)

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:
        size = min(limit, self._choice.choice([1, 10, 80, 300]))
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        self._out += len(batch)
        return [Envelope(body, None, self.name, RECEIVED_AT) for body in batch]

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        self._out -= len(envelopes)

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        raise AssertionError("nothing here may fail")

    def close(self) -> None:
        assert self._out == 0, "messages that were neither acked nor nacked"

    @property
    def exhausted(self) -> bool:
        return not self._waiting


@pytest.fixture
def new_storyteller(new_letter: MakeLetter) -> Callable[[int], Storyteller]:
    return lambda seed: Storyteller(seed, new_letter)


@pytest.fixture
def new_queue() -> Callable[..., Queue]:
    return Queue


@pytest.fixture(scope="session")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse just made, with every view, to copy from."""
    folder = tmp_path_factory.mktemp("streams")
    open_warehouse(folder / "ses.duckdb", OPTIONS).close()
    return folder


@pytest.fixture
def new_warehouse(
    empty_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Warehouse]]:
    """Opens copies of the empty warehouse."""
    opened: list[Warehouse] = []

    def make() -> Warehouse:
        folder = tmp_path_factory.mktemp("stream")
        shutil.copytree(empty_folder, folder, dirs_exist_ok=True)
        opened.append(open_warehouse(folder / "ses.duckdb", OPTIONS))
        return opened[-1]

    yield make
    for warehouse in opened:
        warehouse.close()


@dataclass
class Desk:
    """A warehouse with every view, and the few moves that tests make with it."""

    warehouse: Warehouse

    def write(
        self, *events: Event | bytes, source: str = "sqs:live", received_at: datetime = RECEIVED_AT
    ) -> WriteResult:
        """Commit events, or bodies of messages, as one batch."""
        builder = self.warehouse.new_builder(source)
        for event in events:
            body = event if isinstance(event, bytes) else json.dumps(event).encode()
            for decoded in decode(Envelope(body, None, source, received_at)):
                builder.add(decoded)
        return self.warehouse.write(builder.finish())

    def ask(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.read(sql) as reader:
            rows: list[dict[str, Any]] = reader.read_all().to_pylist()
        return rows

    def figures(self) -> list[list[dict[str, Any]]]:
        """Everything on both axes but what depends on the clock."""
        return [
            self.ask("from configuration_sets_hourly_by_event_time order by all"),
            self.ask(
                "select * exclude (cohort_age_hours) "
                "from configuration_sets_hourly_by_send_cohort order by all"
            ),
        ]


@pytest.fixture
def new_desk(new_warehouse: Callable[[], Warehouse]) -> Callable[[], Desk]:
    return lambda: Desk(new_warehouse())


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    return new_desk()
