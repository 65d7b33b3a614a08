"""Figures of any stream equal a count in plain Python that knows nothing of keys and marks."""

import gzip
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumer.backfill.run import ingest
from consumer.decode import decode
from consumer.door.access import OpenedWarehouse
from consumer.envelope import Envelope
from consumer.intake import Intake, Stop
from consumer.settings import BatchSettings
from consumer.sources.files import FilesSource
from consumer.telemetry import Telemetry
from consumer.warehouse import Warehouse
from consumer.warehouse.recount import verify

Event = dict[str, Any]
Cells = dict[tuple[object, ...], int | str]
Open = Callable[[], Warehouse]
Fake = Any  # a class of conftest.py, which tests cannot import: they are no package

MESSAGES = 160
SUPPRESSED = {"Suppressed", "OnAccountSuppressionList"}
REGIONS = {"0102": "eu-west-1", "0100": "us-east-1"}
OBJECTS = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}
PLAIN = {
    "Send": "sends",
    "Reject": "rejects",
    "Rendering Failure": "rendering_failures",
    "Delivery": "deliveries",
    "Open": "opens",
    "Click": "clicks",
    "Subscription": "unsubscribes",
}
VIEWS = {
    "event": ("event_hour", "configuration_sets_hourly_by_event_time"),
    "cohort": ("cohort_hour", "configuration_sets_hourly_by_send_cohort"),
}
DIMENSIONS = ("account", "region", "configuration_set")
COUNTS = (
    "sends",
    "rejects",
    "rendering_failures",
    "suppressed",
    "attempted",
    "outcomes",
    "deliveries",
    "single_recipient_deliveries",
    "hard_bounces",
    "soft_bounces",
    "undetermined_bounces",
    "auto_replies",
    "complaints",
    "auth_failure_complaints",
    "virus_complaints",
    "delays",
    "opens",
    "machine_opens",
    "unique_opens",
    "unique_human_opens",
    "clicks",
    "machine_clicks",
    "unique_clicks",
    "unique_human_clicks",
    "unique_engaged",
    "unique_human_engaged",
    "unsubscribes",
    "attempted_or_outcomes",
)


# --- the independent count --------------------------------------------------------------------


@dataclass(eq=False)
class Row:
    """One event and one of its recipients, as the definitions see them."""

    kind: str
    is_published: bool
    message: str
    account: str
    configuration_set: str | None
    sent_at: datetime
    at: datetime
    recipient: str | None
    destinations: list[str]
    thing: Event
    key: tuple[object, ...] = field(default=())

    @property
    def region(self) -> str:
        return REGIONS[self.message[:4]]

    @property
    def is_poor(self) -> bool:
        return not self.is_published or self.kind in {"DeliveryDelay", "Rendering Failure"}

    @property
    def is_simulator(self) -> bool:
        about = [self.recipient] if self.recipient else self.destinations
        return all(one.endswith("@simulator.amazonses.com") for one in about)

    @property
    def is_near(self) -> bool:
        return timedelta(hours=-1) <= self.at - self.sent_at <= timedelta(hours=24)


def normalise(address: str) -> str:
    inner = re.search(r"<(.*)>", address)
    return (inner[1] if inner else address).strip().lower()


def to_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def to_rows(event: Event) -> Iterator[Row]:
    kind = event.get("eventType") or event["notificationType"]
    mail, thing = event["mail"], event[OBJECTS.get(kind, kind.lower())]
    destinations = [normalise(one) for one in mail["destination"]]
    sent_at = to_instant(mail["timestamp"])
    at = to_instant(thing["timestamp"]) if "timestamp" in thing else sent_at
    second = at.replace(microsecond=0)
    message = mail["messageId"]
    only = destinations[:1] if len(destinations) == 1 else [None]
    people: Sequence[str | None]
    key: tuple[object, ...]
    match kind:
        case "Delivery":
            people, key = [normalise(one) for one in thing["recipients"]], (message, second)
        case "Bounce":
            listed = [normalise(one["emailAddress"]) for one in thing["bouncedRecipients"]]
            people, key = listed, (thing["feedbackId"],)
            if len(destinations) == 1:
                people = [destinations[0] for _ in listed]
        case "Complaint":
            people = [normalise(one["emailAddress"]) for one in thing["complainedRecipients"]]
            key = (thing["feedbackId"],)
        case "DeliveryDelay":
            people = [normalise(one["emailAddress"]) for one in thing["delayedRecipients"]]
            key = (message, at)
        case "Send" | "Reject" | "Rendering Failure":
            people, key = destinations, (message,)
        case _:
            people, key = only, (message, json.dumps(thing, sort_keys=True))
    for person in dict.fromkeys(people or [None]):
        yield Row(
            kind=kind,
            is_published="eventType" in event,
            message=message,
            account=mail["sendingAccountId"],
            configuration_set=mail.get("tags", {}).get("ses:configuration-set", [None])[0],
            sent_at=sent_at,
            at=at,
            recipient=person,
            destinations=destinations,
            thing=thing,
            key=(kind, *key, person),
        )


def choose_copies(events: Iterable[Event]) -> list[Row]:
    """Keep one copy of each, the published one, with what the message's Send says of it."""
    rows = [row for event in events for row in to_rows(event)]
    published = {
        row.thing["feedbackId"]
        for row in rows
        if row.is_published and row.kind in {"Bounce", "Complaint"}
    }
    best: dict[tuple[object, ...], Row] = {}
    for row in sorted(rows, key=lambda row: not row.is_published):
        if row.is_published or row.thing.get("feedbackId") not in published:
            best.setdefault(row.key, row)
    said = {
        (row.message, row.account): row.configuration_set
        for row in best.values()
        if row.kind == "Send"
    }
    for row in best.values():
        if row.is_poor:
            row.configuration_set = said.get((row.message, row.account), row.configuration_set)
    return [row for row in best.values() if not row.is_simulator]


def classify_bounce(row: Row) -> str:
    thing = row.thing
    if thing["bounceSubType"] in SUPPRESSED:
        return "suppressed"
    has_dsn = "reportingMTA" in thing or any("status" in one for one in thing["bouncedRecipients"])
    may_be_reply = thing["bounceType"] == "Undetermined" or (
        (thing["bounceType"], thing["bounceSubType"]) == ("Transient", "General")
    )
    if may_be_reply and not has_dsn:
        return "auto_replies"
    kinds = {"Permanent": "hard", "Transient": "soft", "Undetermined": "undetermined"}
    return f"{kinds[thing['bounceType']]}_bounces"


def classify_complaint(row: Row) -> str | None:
    if row.thing["complaintSubType"] is not None:
        return "suppressed" if row.recipient else None
    kinds = {
        "not-spam": None,
        "auth-failure": "auth_failure_complaints",
        "virus": "virus_complaints",
    }
    return kinds.get(row.thing["complaintFeedbackType"], "complaints")


def is_machine(row: Row) -> bool:
    by_proxy = row.kind == "Open" and "GoogleImageProxy" in row.thing["userAgent"]
    return by_proxy or row.thing.get("isBotEvent") == "Likely"


def count_everything(rows: Sequence[Row]) -> Iterator[tuple[Row, str]]:
    people: dict[tuple[str, str], list[Row]] = defaultdict(list)
    reports: dict[str, Row] = {}
    for row in rows:
        yield from ((row, name) for name in count_event(row))
        if row.recipient is not None:
            people[row.message, row.recipient].append(row)
        if row.kind == "Complaint":
            name = classify_complaint(row)
            is_first = reports.setdefault(row.thing["feedbackId"], row) is row
            if name is not None and (is_first or name == "suppressed"):
                yield row, name
    for members in people.values():
        yield from count_recipient(members)


def count_event(row: Row) -> Iterator[str]:
    """What an event counts by itself."""
    if row.kind in PLAIN:
        yield PLAIN[row.kind]
    if row.kind == "Delivery" and len(row.destinations) == 1:
        yield "single_recipient_deliveries"
    if row.kind == "Bounce":
        yield classify_bounce(row)
    if row.kind in {"Open", "Click"} and is_machine(row):
        yield f"machine_{PLAIN[row.kind]}"


def count_recipient(members: Sequence[Row]) -> Iterator[tuple[Row, str]]:
    """What is counted once for a message and recipient, by the first event that makes it."""

    def of(*kinds: str) -> list[Row]:
        return sorted((row for row in members if row.kind in kinds), key=lambda row: row.at)

    opens, clicks = of("Open"), of("Click")
    engaged = of("Open", "Click")
    for found, name in ((opens, "opens"), (clicks, "clicks"), (engaged, "engaged")):
        by_people = [row for row in found if not is_machine(row)]
        yield from ((row, f"unique_{name}") for row in found[:1])
        yield from ((row, f"unique_human_{name}") for row in by_people[:1])
    yield from ((row, "delays") for row in of("DeliveryDelay")[:1])

    is_stopped = (
        of("Reject", "Rendering Failure")
        or any(classify_bounce(row) == "suppressed" for row in of("Bounce"))
        or any(classify_complaint(row) == "suppressed" for row in of("Complaint"))
    )
    if not is_stopped:
        yield from ((row, "attempted") for row in of("Send"))
    bounces = [row for row in of("Bounce") if classify_bounce(row).endswith("_bounces")]
    near = [row for row in of("Delivery") if row.is_near]
    far = [row for row in of("Delivery") if not row.is_near]
    first = sorted(near + bounces, key=lambda row: row.at)[:1]
    yield from ((row, "outcomes") for row in first + far)
    accepted = of("Delivery") if not bounces else far
    yield from ((row, "accepted") for row in accepted)


def to_line(row: Row) -> tuple[object, ...]:
    return (row.account, row.region, row.configuration_set)


def add_denominators(
    rows: Sequence[Row], counted: Sequence[tuple[Row, str]]
) -> Iterator[tuple[Row, str]]:
    """The denominator of a day's line: attempted, or outcomes where Sends are not published."""
    days: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    delivered: dict[tuple[object, ...], list[date]] = defaultdict(list)
    for row, name in counted:
        days[(row.sent_at.date(), *to_line(row))][name] += 1
        if name == "deliveries":
            delivered[to_line(row)].append(row.sent_at.date())
    for row, name in counted:
        day, line = row.sent_at.date(), to_line(row)
        n = days[(day, *line)]
        if n["sends"] >= 0.99 * n["outcomes"]:
            wanted = "attempted"
        elif delivered[line] and min(delivered[line]) <= day <= max(delivered[line]):
            wanted = "outcomes"
        else:
            continue
        if name == wanted:
            yield row, "attempted_or_outcomes"


def count_cells(events: Iterable[Event], axis: str) -> Cells:
    rows = choose_copies(events)
    counted = list(count_everything(rows))
    counted += list(add_denominators(rows, counted))
    cells: Counter[tuple[object, ...]] = Counter()
    for row, name in counted:
        at = row.at if axis == "event" else row.sent_at
        if name in COUNTS or (name == "accepted" and axis == "cohort"):
            cells[(at.replace(minute=0, second=0, microsecond=0), *to_line(row), name)] += 1
    return dict(cells)


# --- the comparison ---------------------------------------------------------------------------


def read_cells(warehouse: Warehouse, axis: str) -> Cells:
    hour, view = VIEWS[axis]
    names = (*COUNTS, "accepted") if axis == "cohort" else COUNTS
    with warehouse.read(f"select * from {view}") as reader:  # noqa: S608 - our own names
        found = reader.read_all().to_pylist()
    return {
        (line[hour], *(line[name] for name in DIMENSIONS), name): line[name]
        for line in found
        for name in names
        if line[name]
    }


def assert_figures(warehouse: Warehouse, events: Iterable[Event]) -> None:
    told = list(events)
    for axis in VIEWS:
        expected, found = count_cells(told, axis), read_cells(warehouse, axis)
        differing = {
            key: (expected.get(key, 0), found.get(key, 0))
            for key in {*expected, *found}
            if expected.get(key, 0) != found.get(key, 0)
        }
        assert {} == differing, axis
        assert set(COUNTS) <= {key[-1] for key in expected}, "the stream lacks something"
    assert [] == [one for one in verify(warehouse) if not one.is_well]


def write_in_batches(warehouse: Warehouse, events: Sequence[Event], size: int) -> None:
    for start in range(0, len(events), size):
        builder = warehouse.new_builder("files")
        for event in events[start : start + size]:
            body = json.dumps(event).encode()
            for decoded in decode(Envelope(body, None, "files", datetime(2026, 5, 1, tzinfo=UTC))):
                builder.add(decoded)
        warehouse.write(builder.finish())


@pytest.mark.parametrize(("seed", "size"), [(1, 97), (2, 10_000)])
def test_any_stream_in_any_order_gives_the_figures_of_a_plain_count(
    new_storyteller: Fake, new_warehouse: Open, seed: int, size: int
) -> None:
    events = new_storyteller(seed).tell(MESSAGES)
    choice = random.Random(seed)  # noqa: S311 - a seed, not a secret
    arriving = events + choice.sample(events, len(events) // 5)
    orders = {
        "shuffled": choice.sample(arriving, len(arriving)),
        "reversed": arriving[::-1],
        "as sent": sorted(arriving, key=lambda event: str(event["mail"]["timestamp"])),
    }
    for order in list(orders)[:2] if size > 1_000 else list(orders):
        warehouse = new_warehouse()
        write_in_batches(warehouse, orders[order], size)
        assert_figures(warehouse, events)


def test_files_and_a_queue_give_the_same_figures(
    new_storyteller: Fake, new_warehouse: Open, new_queue: Fake, tmp_path: Path
) -> None:
    events = new_storyteller(3).tell(MESSAGES)
    lines = [json.dumps(event).encode() for event in events]
    for number in range(3):
        (tmp_path / f"object-{number}.gz").write_bytes(gzip.compress(b"\n".join(lines[number::3])))
    by_files = new_warehouse()
    ingest([FilesSource([str(tmp_path)])], OpenedWarehouse(by_files), processes=0)
    assert_figures(by_files, events)

    by_queue = new_warehouse()
    take_in_queue(by_queue, new_queue(lines, random.Random(4)))  # noqa: S311 - a seed
    assert_figures(by_queue, events)

    # the one beside the other: nothing but duplicates
    take_in_queue(by_files, new_queue(lines, random.Random(5)))  # noqa: S311 - a seed
    assert_figures(by_files, events)


def take_in_queue(warehouse: Warehouse, queue: Fake) -> None:
    Intake(
        queue,
        builder=warehouse.new_builder(queue.name),
        write=warehouse.write,
        has_room=lambda: True,
        limits=BatchSettings(max_rows=400),
        telemetry=Telemetry(),
        stop=Stop(),
    ).run()
    queue.close()
