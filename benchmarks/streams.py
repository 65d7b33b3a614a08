"""What streams as people have them cost beside one of rich events alone.

Rich: every event by event publishing, in order, opens within a day. Ordinary: some delays (which
carry no tags), a third of the bounces in both forms, a tenth of the opens weeks late. Worst: every
bounce in both forms, every delay before its Send, every open anywhere in the sixty days that SES
tracks. All three have the same mail and go through the real path, from bytes to commit, into
warehouses with sixty days of rows and marks in them.
"""

import json
import random
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from dedup import FILL

from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.garbage import collect_rarely
from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse

START = datetime(2026, 3, 1, tzinfo=UTC)
TRACKED_DAYS = 60
LIVE = START + timedelta(days=TRACKED_DAYS)
BATCH_EVENTS = 5_000
BATCHES = 20
# One message in eight of those that fill the warehouse was opened by a person.
FILL_MARKS = """
insert into marks by name
select
    hash(i) as mark_key, unnest(['open', 'engaged', 'human_open', 'human_engaged']) as kind,
    $start::timestamp + to_microseconds((i * $spacing)::bigint) as sent_at,
    sent_at + interval 1 hour as event_at, gen_random_uuid() as event_key,
from range(0, $rows, 8) as t(i)
"""


@dataclass(frozen=True, slots=True)
class Wiring:
    """How much of a stream is not rich: shares of bounces, of opens and of messages."""

    name: str
    in_both_forms: float
    late_opens: float
    delayed: float


WIRINGS = (
    Wiring("rich events alone", 0.0, 0.0, 0.0),
    Wiring("ordinary", 0.33, 0.1, 0.02),
    Wiring("worst", 1.0, 1.0, 0.05),
)


def measure_streams(folder: Path, rows: int) -> None:
    options = WarehouseOptions(min_free_bytes=0)
    filled = folder / "filled"
    _fill(filled, rows, options)
    cpu: dict[str, list[float]] = {wiring.name: [] for wiring in WIRINGS}
    with ExitStack() as stack:
        open_ones: list[tuple[Wiring, Warehouse, Iterator[list[bytes]]]] = []
        for wiring in WIRINGS:
            place = folder / wiring.name.replace(" ", "-")
            shutil.copytree(filled, place)
            warehouse = stack.enter_context(open_warehouse(place / "ses.duckdb", options))
            open_ones.append((wiring, warehouse, to_batches(wiring)))
        shutil.rmtree(filled)
        for number in range(BATCHES + 1):
            for wiring, warehouse, batches in open_ones:
                taken = take_in(warehouse, next(batches))
                if number:  # the first one warms up
                    cpu[wiring.name].append(taken)
    print(
        f"streams into {rows:,} rows\n\n| stream | µs CPU an event | beside rich |\n|---|---|---|"
    )
    rich = cpu[WIRINGS[0].name]
    for name, figures in cpu.items():
        # Neighbours in time are compared: what else the machine does falls on both.
        beside = statistics.median(one / other for one, other in zip(figures, rich, strict=True))
        print(f"| {name} | {statistics.median(figures) * 1e6:.1f} | {beside - 1:+.0%} |")
    print()


def _fill(folder: Path, rows: int, options: WarehouseOptions) -> None:
    folder.mkdir(parents=True)
    path = folder / "ses.duckdb"
    open_warehouse(path, options).close()
    spacing = TRACKED_DAYS * 86_400_000_000 / rows
    values = {"start": START.replace(tzinfo=None), "rows": rows, "spacing": spacing}
    with duckdb.connect(path.as_posix(), config={"memory_limit": "2GB"}) as connection:
        connection.execute(FILL, values)
        connection.execute(FILL_MARKS, values)


def take_in(warehouse: Warehouse, payloads: list[bytes]) -> float:
    """Returns seconds of CPU an event, from its bytes to the commit."""
    received_at = datetime.now(UTC)
    began = time.process_time()
    builder = warehouse.new_builder("bench")
    for payload in payloads:
        for decoded in decode(Envelope(payload, None, "bench", received_at)):
            builder.add(decoded)
    warehouse.write(builder.finish())
    return (time.process_time() - began) / len(payloads)


def to_batches(wiring: Wiring, events: int = BATCH_EVENTS) -> Iterator[list[bytes]]:
    """Live mail from `LIVE` on, as payloads."""
    batch: list[bytes] = []
    for event in _tell(wiring):
        batch.append(json.dumps(event).encode())
        if len(batch) == events:
            yield batch
            batch = []


def _tell(wiring: Wiring) -> Iterator[dict[str, Any]]:
    """Live mail, ten messages a second: of 100, 4 bounce, 96 are delivered, 60 opened."""
    choice = random.Random(1)
    number = 0
    while True:
        number += 1
        sent = LIVE + timedelta(milliseconds=100 * number)
        mail = _mail(number, sent)
        send = {"eventType": "Send", "mail": mail, "send": {}}
        story = [send]
        if choice.random() < wiring.delayed:
            poor = {**mail, "tags": {"ses:configuration-set": ["news"]}}
            story.insert(
                0 if wiring.late_opens == 1 else 1,
                {"eventType": "DeliveryDelay", "mail": poor, "deliveryDelay": _delay(number, sent)},
            )
        if choice.random() < 0.04:
            story += _bounce(number, mail, sent, is_twice=choice.random() < wiring.in_both_forms)
        else:
            story.append({"eventType": "Delivery", "mail": mail, "delivery": _delivery(mail, sent)})
        if choice.random() < 0.6:
            story.append(_open(number, sent, choice, is_late=choice.random() < wiring.late_opens))
        yield from story


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _mail(number: int, sent: datetime) -> dict[str, Any]:
    return {
        "timestamp": _text(sent),
        "source": "Shop <news@shop.example.org>",
        "sourceArn": "arn:aws:ses:eu-west-1:111122223333:identity/shop.example.org",
        "sendingAccountId": "111122223333",
        "messageId": f"0102{number:012x}-{number:08x}-1111-4222-8333-444455556666-000000",
        "destination": [f"reader{number}@example.com"],
        "headersTruncated": False,
        "headers": [
            {"name": name, "value": f"{name} of message {number}"}
            for name in ("From", "To", "Subject", "MIME-Version", "Content-Type", "Date")
        ],
        "commonHeaders": {"from": ["news@shop.example.org"], "subject": "Spring"},
        "tags": {
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": ["news"],
            "ses:source-ip": ["192.0.2.10"],
            "ses:from-domain": ["shop.example.org"],
            "ses:caller-identity": ["app"],
            "campaign": [f"campaign-{number % 40}"],
        },
    }


def _delivery(mail: dict[str, Any], sent: datetime) -> dict[str, Any]:
    return {
        "timestamp": _text(sent + timedelta(seconds=1.2)),
        "processingTimeMillis": 1_180,
        "recipients": mail["destination"],
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "a8-53.smtp-out.eu-west-1.amazonses.com",
    }


def _delay(number: int, sent: datetime) -> dict[str, Any]:
    address = f"reader{number}@example.com"
    return {
        "timestamp": _text(sent + timedelta(seconds=60)),
        "delayType": "TransientCommunicationFailure",
        "expirationTime": _text(sent + timedelta(hours=14)),
        "delayedRecipients": [{"emailAddress": address, "status": "4.4.1"}],
    }


def _bounce(
    number: int, mail: dict[str, Any], sent: datetime, *, is_twice: bool
) -> Iterator[dict[str, Any]]:
    """By event publishing; where it comes twice, by the identity's topic first."""
    thing = {
        "feedbackId": f"0102{number:012x}-feedback-000000",
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {"emailAddress": one, "action": "failed", "status": "5.1.1", "diagnosticCode": "550"}
            for one in mail["destination"]
        ],
        "timestamp": _text(sent + timedelta(seconds=2.345)),
        "reportingMTA": "dns; a8-53.smtp-out.eu-west-1.amazonses.com",
    }
    if is_twice:
        bare = {name: value for name, value in mail.items() if name != "tags"}
        cut = {
            **thing,
            "timestamp": _text((sent + timedelta(seconds=2.345)).replace(microsecond=0)),
        }
        yield {"notificationType": "Bounce", "mail": bare, "bounce": cut}
    yield {"eventType": "Bounce", "mail": mail, "bounce": thing}


def _open(number: int, sent: datetime, choice: random.Random, *, is_late: bool) -> dict[str, Any]:
    """Now, of mail sent today, or of any day of the last sixty."""
    age_days = choice.uniform(0, TRACKED_DAYS - 1) if is_late else choice.uniform(0, 1)
    opened = number - int(age_days * 86_400 * 10)
    mail = _mail(opened % 16**12, sent - timedelta(days=age_days))
    del mail["sourceArn"]
    thing = {
        "timestamp": _text(sent),
        "ipAddress": f"192.0.2.{number % 250}",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    }
    return {"eventType": "Open", "mail": mail, "open": thing}


if __name__ == "__main__":
    import sys
    import tempfile

    collect_rarely()  # as a worker does
    for size in [int(one) for one in sys.argv[1:]] or [1_000_000]:
        with tempfile.TemporaryDirectory(prefix="duckpost-streams-") as there:
            measure_streams(Path(there), size)
