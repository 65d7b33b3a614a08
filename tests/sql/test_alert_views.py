"""Alerts fire on rates over enough mail, and say nothing where there is too little."""

from collections.abc import Callable
from datetime import datetime, timedelta

import duckdb
import pytest

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]

NoteDisk = Callable[..., None]

GIB = 2**30
NOW = datetime.fromisoformat("2026-12-01")  # the test warehouse's utc_now()


def send(log: Log, count: int, *, hours_ago: float, bounces: int = 0, **columns: object) -> None:
    """Log mail and its outcomes; the first ``bounces`` of it bounce hard."""
    at = NOW - timedelta(hours=hours_ago)
    for number in range(count):
        who = {
            "recipient": f"r{number}@yahoo.example",
            "message_id": f"{hours_ago}-{number}-{columns.get('configuration_set')}",
            "sent_at": at,
            **columns,
        }
        log("Send", str(at), **who)
        kind = "Bounce" if number < bounces else "Delivery"
        log(kind, str(at + timedelta(seconds=5)), **who)


def complain(log: Log, count: int, *, hours_ago: float, **columns: object) -> None:
    at = NOW - timedelta(hours=hours_ago)
    for number in range(count):
        log(
            "Complaint",
            str(at + timedelta(minutes=9)),
            sent_at=at,
            recipient=f"r{number}@yahoo.example",
            message_id=f"{hours_ago}-{number}-None",
            **columns,
        )


@pytest.mark.parametrize(
    ("bounces_1h", "bounces_before", "level"),
    [(10, 20, 1), (20, 40, 2), (9, 40, 0), (20, 0, 0), (20, 20, 1)],
)
def test_a_bounce_storm_needs_both_windows(
    log: Log, ask: Ask, bounces_1h: int, bounces_before: int, level: int
) -> None:
    send(log, 200, hours_ago=0.5, bounces=bounces_1h)
    send(log, 1000, hours_ago=5, bounces=bounces_before)
    # 00:00 is now: the last full hour began at 23:00, and mail of half an hour ago lies in it
    (row,) = ask("from alert_hard_bounces_fast")
    assert level == row["level"]
    assert pytest.approx(bounces_1h / 200) == row["hard_bounce_rate_1h"]
    assert pytest.approx((bounces_1h + bounces_before) / 1200) == row["hard_bounce_rate_24h"]


def test_few_sends_are_no_alarm_whatever_becomes_of_them(log: Log, ask: Ask) -> None:
    send(log, 199, hours_ago=0.5, bounces=199)
    send(log, 1000, hours_ago=5)
    assert [] == ask("from alert_hard_bounces_fast")


def test_the_hour_that_runs_is_not_looked_at(log: Log, ask: Ask) -> None:
    send(log, 300, hours_ago=-0.25, bounces=300)
    send(log, 300, hours_ago=0.5, bounces=5)
    send(log, 900, hours_ago=5)
    (row,) = ask("from alert_hard_bounces_fast")
    assert 0 == row["level"]


def test_mail_without_a_configuration_set_is_a_line_by_name(log: Log, ask: Ask) -> None:
    send(log, 1000, hours_ago=0.5, bounces=200, configuration_set=None)
    (row,) = ask("select account, region, configuration_set, level from alert_hard_bounces_fast")
    assert {
        "account": "111122223333",
        "region": "us-east-1",
        "configuration_set": "(none)",
        "level": 2,
    } == row


@pytest.mark.parametrize(("bounces", "level"), [(99, 0), (100, 1), (250, 2)])
def test_a_week_of_bounces_is_judged_slowly(log: Log, ask: Ask, bounces: int, level: int) -> None:
    send(log, 5000, hours_ago=100, bounces=bounces)
    (row,) = ask("from alert_hard_bounces_slow")
    assert level == row["level"]


@pytest.mark.parametrize(("complaints", "levels"), [(4, []), (5, [1]), (9, [1]), (10, [2])])
def test_complaints_of_a_day_need_five(
    log: Log, ask: Ask, complaints: int, levels: list[int]
) -> None:
    send(log, 1000, hours_ago=5)
    complain(log, complaints, hours_ago=5)
    assert levels == [row["level"] for row in ask("from alert_complaints_fast")]


@pytest.mark.parametrize(("complaints", "levels"), [(9, []), (10, [1]), (15, [2])])
def test_a_steady_trickle_of_complaints_is_one(
    log: Log, ask: Ask, complaints: int, levels: list[int]
) -> None:
    send(log, 5000, hours_ago=100)
    complain(log, complaints, hours_ago=100)
    assert levels == [row["level"] for row in ask("from alert_complaints_slow")]


def test_providers_without_a_feedback_loop_are_no_volume_for_complaints(log: Log, ask: Ask) -> None:
    send(log, 5000, hours_ago=5, provider="Gmail")
    complain(log, 20, hours_ago=5)
    assert [] == ask("from alert_complaints_fast")


def test_delays_count_where_they_are_published(log: Log, ask: Ask) -> None:
    send(log, 500, hours_ago=2)
    assert [] == ask("from alert_delays")
    at = NOW - timedelta(hours=2)
    for number in range(25):
        log(
            "DeliveryDelay",
            str(at + timedelta(minutes=1)),
            sent_at=at,
            recipient=f"r{number}@yahoo.example",
            message_id=f"2-{number}-None",
            delay_type="MailboxFull",
        )
    (row,) = ask("from alert_delays")
    assert (1, 0.05) == (row["level"], row["delay_rate_6h"])


def test_slow_deliveries_are_those_over_ten_minutes(log: Log, ask: Ask) -> None:
    send(log, 190, hours_ago=2)
    at = NOW - timedelta(hours=2)
    for number in range(10):
        who = {"sent_at": at, "recipient": f"s{number}@yahoo.example", "message_id": f"s{number}"}
        log("Delivery", str(at + timedelta(minutes=10, milliseconds=1)), **who)
    (row,) = ask("from alert_latency")
    assert (1, 0.05) == (row["level"], row["slow_rate_6h"])


def test_mail_without_an_outcome_is_lost_a_day_later(log: Log, ask: Ask) -> None:
    send(log, 990, hours_ago=30)
    at = NOW - timedelta(hours=30)
    for number in range(10):
        log("Send", str(at), recipient=f"l{number}@yahoo.example", message_id=f"lost-{number}")
    (row,) = ask("from alert_lost_mail")
    assert (1, 0.01) == (row["level"], row["lost_rate_2d"])


def commit(
    warehouse: duckdb.DuckDBPyConnection, source: str, at: datetime, *, quarantined: int = 0
) -> None:
    warehouse.execute(
        "insert into ledger by name select uuid() as batch_id, ? as source, ? as committed_at, "
        "1000 as payloads, 1000 as received, 0 as inserted, 0 as superseded, 0 as duplicates, "
        "? as quarantined, 0 as ignored, 0 as removed, 0 as released",
        [source, at, quarantined],
    )


@pytest.mark.parametrize(("hours_ago", "level"), [(0, 0), (2, 0), (3, 1), (6, 1), (7, 2)])
def test_a_source_that_is_usually_heard_falls_silent(
    warehouse: duckdb.DuckDBPyConnection, ask: Ask, hours_ago: int, level: int
) -> None:
    for hour in range(hours_ago, 174, 1):
        commit(warehouse, "sqs:ses-events", NOW - timedelta(hours=hour))
    commit(warehouse, "files", NOW - timedelta(hours=50))
    (row,) = ask("from alert_silence")
    assert ("sqs:ses-events", level) == (row["source"], row["level"])


@pytest.mark.parametrize(("quarantined", "level"), [(4, 0), (9, 0), (10, 1), (50, 2)])
def test_quarantine_grows_by_a_share_of_what_comes(
    warehouse: duckdb.DuckDBPyConnection, ask: Ask, quarantined: int, level: int
) -> None:
    commit(warehouse, "sqs:ses-events", NOW - timedelta(hours=3), quarantined=quarantined)
    (row,) = ask("from alert_quarantine_growth")
    assert level == row["level"]


@pytest.mark.parametrize(("minutes", "level"), [(14, 0), (15, 1), (120, 2)])
def test_lag_is_that_of_the_freshest_event(log: Log, ask: Ask, minutes: int, level: int) -> None:
    received_at = NOW - timedelta(minutes=5)
    for age in (minutes, 60 * 24 * 30):
        log("Send", str(received_at - timedelta(minutes=age)), received_at=received_at)
    (row,) = ask("from alert_lag")
    assert (level, minutes * 60) == (row["level"], row["lag_secs"])


@pytest.fixture
def note_disk(warehouse: duckdb.DuckDBPyConnection) -> NoteDisk:
    def put(at: str, *gibs: int) -> None:
        """Note what is free, of how much, above which floor."""
        sizes = [size * GIB for size in (*gibs, 1)]
        warehouse.execute("insert into disk_looks values (?, ?, ?, ?, ?)", [at, *sizes])

    return put


@pytest.mark.parametrize(
    ("gibs", "level"),
    [
        ((149, 1_000, 1), 0),  # a large disk: 50 GiB are enough
        ((49, 1_000, 1), 1),
        ((9, 1_000, 1), 2),
        ((14, 100, 1), 1),
        ((4, 100, 1), 2),
        ((39, 100, 10), 1),  # what the worker leaves free counts, too
        ((19, 100, 10), 2),
    ],
)
def test_the_disk_is_judged_by_its_newest_look(
    ask: Ask, note_disk: NoteDisk, gibs: tuple[int, int, int], level: int
) -> None:
    free, total, floor = gibs
    note_disk("2026-11-30 11:00", total - free, total, floor)
    note_disk("2026-11-30 12:00", free, total, floor)
    (row,) = ask("select level, free_rate from alert_disk")
    assert {"level": level, "free_rate": free / total} == row
    hours = ask("select free_bytes, free_rate from disk_hourly order by looked_hour")
    assert [(total - free) * GIB, free * GIB] == [hour["free_bytes"] for hour in hours]


def test_an_empty_warehouse_raises_no_alert(ask: Ask) -> None:
    views = ask("select view_name from catalogue where view_name like 'alert_%' group by view_name")
    assert 11 == len(views)
    for view in views:
        assert [] == ask(f"from {view['view_name']}")
