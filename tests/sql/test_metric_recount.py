"""Figures equal a recount in plain Python, on both axes, in whatever order events came."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]

START = datetime(2026, 3, 1, 20)  # noqa: DTZ001  columns hold UTC without a zone
SUPPRESSED = {
    "Suppressed",
    "OnAccountSuppressionList",
    "OnTenantSuppressionList",
    "EmailValidationSuppressed",
    "UnsubscribedRecipient",
}
COUNTING = ("hard_bounces", "soft_bounces", "undetermined_bounces")


def log_random_mail(  # noqa: C901  one chance after the other
    log: Log, random_source: random.Random
) -> None:
    """Log mail with every kind of event, some without what ought to go with it."""
    chance = random_source.random
    for number in range(60):
        sent_at = START + timedelta(minutes=random_source.randrange(600))
        destinations = random_source.choice([1, 1, 1, 2])
        message: Row = {
            "message_id": f"message-{number}",
            "configuration_set": random_source.choice(["news", "shop", None]),
            "identity": random_source.choice(["a.example", "b.example"]),
            "destination_count": destinations,
            "is_attributable": destinations == 1,
            "tags": [("campaign", [f"c{number % 3}"]), ("team", ["a", "b"][: number % 3])],
        }
        simulator = chance() < 0.05
        for place in range(destinations):
            recipient = f"reader{place}@{random_source.choice(['gmail', 'yahoo', 'own'])}.example"
            shared = {**message, "recipient": recipient, "is_simulator": simulator}

            def put(
                event_type: str,
                low: float,
                high: float,
                sent_at: datetime = sent_at,
                shared: Row = shared,
                **columns: object,
            ) -> None:
                minutes = round(random_source.uniform(low, high), 2)
                at = sent_at + timedelta(minutes=minutes)
                log(event_type, str(at), sent_at=sent_at, **{**shared, **columns})

            if chance() < 0.9:
                put("Send", 0, 0)
            for _ in range(random_source.choice([0, 1, 1, 1, 1, 1, 2])):
                put("Delivery", -70, 1500)
            for _ in range(random_source.choice([0, 0, 0, 1, 2])):
                put(
                    "Bounce",
                    -1,
                    3000,
                    bounce_type=random_source.choice(["Permanent", "Transient", "Undetermined"]),
                    bounce_sub_type=random_source.choice(["General", *SUPPRESSED]),
                    is_auto_reply=chance() < 0.2,
                )
            if chance() < 0.1:
                put("Reject", 0, 0)
            if chance() < 0.1:
                put("Rendering Failure", 0, 0)
            for _ in range(random_source.choice([0, 0, 1, 3])):
                put(
                    "DeliveryDelay",
                    1,
                    600,
                    delay_type=random_source.choice(["SendingDeferral", "MailboxFull"]),
                )
            if chance() < 0.2:
                put(
                    "Complaint",
                    1,
                    9000,
                    feedback_id=f"report-{number}",
                    complaint_feedback_type=random_source.choice([None, "abuse", "not-spam"]),
                    complaint_sub_type=random_source.choice(
                        [None, None, "OnAccountSuppressionList"]
                    ),
                )
            for event_type in ("Open", "Click"):
                for _ in range(random_source.choice([0, 1, 3])):
                    put(
                        event_type,
                        1,
                        12000,
                        recipient=recipient if destinations == 1 else None,
                        machine_rule=random_source.choice([None, "ses_is_bot_event"]),
                    )


def order_of(row: Row) -> tuple[datetime, UUID]:
    at, key = row["event_at"], row["event_key"]
    assert isinstance(at, datetime)
    assert isinstance(key, UUID)
    return at, key


def first_of(rows: Iterable[Row]) -> Row | None:
    return min(rows, key=order_of, default=None)


def bounce_count_of(row: Row) -> str:
    if row["bounce_sub_type"] in SUPPRESSED:
        return "suppressed"
    if row["is_auto_reply"]:
        return "auto_replies"
    kinds = {"Permanent": "hard", "Transient": "soft", "Undetermined": "undetermined"}
    return f"{kinds[str(row['bounce_type'])]}_bounces"


def recount(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Say which event makes which counts: one message and recipient at a time."""
    found: list[tuple[Row, str]] = []
    groups: dict[tuple[object, object], list[Row]] = {}
    reports: dict[object, list[Row]] = {}
    for row in rows:
        if row["is_simulator"]:
            continue
        groups.setdefault((row["message_id"], row["recipient"]), []).append(row)
        if row["event_type"] == "Complaint":
            if row["complaint_sub_type"] is not None:
                found.append((row, "suppressed"))
            elif row["complaint_feedback_type"] != "not-spam":
                reports.setdefault(row["feedback_id"], []).append(row)
    found += [(min(listed, key=order_of), "complaints") for listed in reports.values()]
    for (_, recipient), members in groups.items():
        found += recount_recipient(members, has_recipient=recipient is not None)
    return found


def recount_recipient(  # noqa: C901  one rule after the other reads best in one place
    members: Sequence[Row], *, has_recipient: bool
) -> list[tuple[Row, str]]:
    found: list[tuple[Row, str]] = []
    by_type: dict[str, list[Row]] = {}
    for row in members:
        by_type.setdefault(str(row["event_type"]), []).append(row)
    for name, count in (("Open", "opens"), ("Click", "clicks")):
        events = by_type.get(name, [])
        found += [(row, count) for row in events]
        people = [row for row in events if row["machine_rule"] is None]
        found += [(row, f"machine_{count}") for row in events if row["machine_rule"] is not None]
        if has_recipient:
            firsts = ((events, f"unique_{count}"), (people, f"unique_human_{count}"))
            found += [(first, made) for rows, made in firsts if (first := first_of(rows))]
    if not has_recipient:
        return found
    engaged = first_of(by_type.get("Open", []) + by_type.get("Click", []))
    if engaged:
        found.append((engaged, "unique_engaged"))
    delay = first_of(by_type.get("DeliveryDelay", []))
    if delay:
        found.append((delay, "delays"))
        side = "ses" if delay["delay_type"] == "SendingDeferral" else "receiver"
        found.append((delay, f"{side}_delays"))

    plain = (("Send", "sends"), ("Reject", "rejects"), ("Rendering Failure", "rendering_failures"))
    found += [(row, count) for name, count in plain for row in by_type.get(name, [])]
    bounces = [(row, bounce_count_of(row)) for row in by_type.get("Bounce", [])]
    found += bounces
    is_stopped = (
        "Reject" in by_type
        or "Rendering Failure" in by_type
        or any(count == "suppressed" for _, count in bounces)
        or any(row["complaint_sub_type"] is not None for row in by_type.get("Complaint", []))
    )
    if not is_stopped:
        found += [(row, "attempted") for row in by_type.get("Send", [])]

    counting = [row for row, count in bounces if count in COUNTING]
    near: list[Row] = []
    for row in by_type.get("Delivery", []):
        found.append((row, "deliveries"))
        late = order_of(row)[0] - datetime.fromisoformat(str(row["sent_at"]))
        is_near = timedelta(hours=-1) <= late <= timedelta(hours=24)
        if not (is_near and counting):
            found.append((row, "accepted"))
        if is_near:
            near.append(row)
        else:
            found.append((row, "outcomes"))
    outcome = first_of(counting + near)
    if outcome:
        found.append((outcome, "outcomes"))
    return found


def to_hour(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).replace(minute=0, second=0, microsecond=0)


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_a_recount_on_both_axes_in_any_order(
    seed: int,
    log: Log,
    ask: Ask,
    rows: list[Row],
) -> None:
    random_source = random.Random(seed)  # noqa: S311  test data
    log_random_mail(log, random_source)
    made = recount(rows)
    names = sorted({count for _, count in made})
    for column, axis, view in (
        ("event_at", "event_hour", "configuration_sets_hourly_by_event_time"),
        ("sent_at", "cohort_hour", "configuration_sets_hourly_by_send_cohort"),
    ):
        expected: Counter[tuple[object, object, str]] = Counter()
        for row, count in made:
            expected[to_hour(row[column]), row["configuration_set"], count] += 1
        if axis == "event_hour":
            expected = Counter({key: n for key, n in expected.items() if key[2] != "accepted"})
        shown = [name for name in names if axis == "cohort_hour" or name != "accepted"]
        answers = []
        for _ in range(2):
            columns = ", ".join((axis, "configuration_set", *shown))
            found = ask(f"select {columns} from {view}")  # noqa: S608  our own names
            answers.append(
                {
                    (row[axis], row["configuration_set"], name): row[name]
                    for row in found
                    for name in shown
                    if row[name]
                }
            )
            random_source.shuffle(rows)
        assert dict(expected) == answers[0]
        assert answers[0] == answers[1]


@pytest.mark.parametrize("seed", [11, 12])
def test_the_row_level_sums_equal_the_views(seed: int, log: Log, ask: Ask) -> None:
    log_random_mail(log, random.Random(seed))  # noqa: S311  test data
    counts = [
        str(row["metric"])
        for row in ask("from metric_catalogue where kind = 'count' and metric != 'lost'")
    ]
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in counts)
    [expected] = ask(f"select {sums} from event_tallies")  # noqa: S608  our own names
    for view in (
        "configuration_sets_daily_by_send_cohort",
        "configuration_sets_hourly_by_send_cohort",
        "providers_daily_by_send_cohort",
        "mail_hourly_by_send_cohort",
        "mail_daily_by_send_cohort",
    ):
        assert [expected] == ask(f"select {sums} from {view}")  # noqa: S608  our own names


@pytest.mark.parametrize("seed", [21, 22])
def test_tags_by_the_day_are_what_they_are_by_the_hour(seed: int, log: Log, ask: Ask) -> None:
    log_random_mail(log, random.Random(seed))  # noqa: S311  test data
    names = [
        str(row["column_name"])
        for row in ask(
            "select column_name from duckdb_columns() "
            "where table_name = 'tags_daily_by_send_cohort' and data_type = 'BIGINT'"
        )
    ]
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in names)
    by = "account, region, configuration_set, tag_key, tag_value"
    hourly, daily = (
        ask(
            f"select {day} as day, {by}, {sums} from tags_{grain}_by_send_cohort "  # noqa: S608  our own names
            "group by all order by all"
        )
        for grain, day in (("hourly", "cohort_hour::date"), ("daily", "cohort_day"))
    )
    assert 10 < len(daily)
    assert hourly == daily


PERCENTILES = ", ".join(
    f"edge_of_share(filled_buckets(histogram({what}_ms, latency_edges_ms())), 0.{share}) "
    f"as {what}_p{share}_ms"
    for what in ("delivery", "processing")
    for share in (50, 90, 95, 99)
)


@pytest.mark.parametrize("seed", [31, 32])
@pytest.mark.parametrize(("axis", "by"), [("event", "event_time"), ("cohort", "send_cohort")])
def test_latency_by_the_day_is_what_the_deliveries_say(
    seed: int, axis: str, by: str, log: Log, ask: Ask
) -> None:
    log_random_mail(log, random.Random(seed))  # noqa: S311  test data
    expected = ask(
        f"select {axis}_day, account, region, configuration_set, configuration_set_name, attempt, "  # noqa: S608  our own names
        f"count(*) as deliveries, {PERCENTILES} from latencies group by all order by all"
    )
    assert {"all", "delayed", "first_attempt"} == {row["attempt"] for row in expected}
    assert expected == ask(f"from latency_daily_by_{by} order by all")


@pytest.mark.parametrize("seed", [41, 42])
def test_bands_by_the_hour_are_what_the_deliveries_say(seed: int, log: Log, ask: Ask) -> None:
    log_random_mail(log, random.Random(seed))  # noqa: S311  test data
    [expected] = ask(
        "select count(*) as n, count(*) filter (where delivery_ms <= 1000) as up_to_1s, "
        "count(*) filter (where delivery_ms > 120000 and delivery_ms <= 600000) as up_to_10m, "
        "count(*) filter (where delivery_ms > 21600000) as over_6h, "
        "count(*) filter (where delivery_ms <= 120000) as within_2m "
        "from latencies where attempt = 'all'"
    )
    assert [expected] == ask(
        "select sum(deliveries)::bigint as n, sum(up_to_1s)::bigint as up_to_1s, "
        "sum(up_to_10m)::bigint as up_to_10m, sum(over_6h)::bigint as over_6h, "
        "sum(within_2m)::bigint as within_2m from delivery_times_hourly_by_event_time"
    )


def test_every_event_is_one_row_of_the_counting_grain(log: Log, ask: Ask, rows: list[Row]) -> None:
    log_random_mail(log, random.Random(7))  # noqa: S311  test data
    expected = sum(1 for row in rows if not row["is_simulator"])
    assert [{"n": expected, "keys": expected}] == ask(
        "select count(*) as n, count(distinct event_key) as keys from event_tallies"
    )
