"""`duckpost prune`: what is older than it may be goes, and no published figure does."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.door import server as door
from consumer.door.client import DoorClient
from consumer.errors import SettingsError
from consumer.settings import PrivacySettings, load_settings
from consumer.upkeep import Upkeep
from consumer.warehouse import retention
from consumer.warehouse.disk import DiskLook, note_disk
from consumer.warehouse.recovery.rebuild import rebuild
from consumer.warehouse.retention import PruneResult, Retention, prune
from consumer.warehouse.rollups.folding import recompute

Desk = Any
Event = dict[str, Any]
NewLetter = Callable[..., Any]
Verb = Callable[..., Any]

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
DAY = 86_400.0
COHORT = "select * exclude (cohort_age_hours) from configuration_sets"
FIGURES = (
    f"{COHORT}_daily_by_send_cohort order by all",
    f"{COHORT}_hourly_by_send_cohort order by all",
    "select * from configuration_sets_daily_by_event_time order by all",
    "select * from configuration_sets_hourly_by_event_time order by all",
    "select * from tags_daily_by_send_cohort order by all",
    "select * from latency_daily_by_send_cohort order by all",
    "select * from latency_daily_by_event_time order by all",
    "select * from delivery_times_hourly_by_event_time order by all",
)
KEPT = "select event_type, count(*)::bigint as n from events group by all order by all"


def make_day(new_letter: NewLetter, day: int, *, name: str = "a") -> list[Event]:
    """What comes of two messages of a day of March: one engages late, one bounces."""
    sent = datetime(2026, 3, day, 9, 30, 15, 422_000, tzinfo=UTC)
    fine = new_letter(message_id=f"{name}{day}-fine", sent=sent, to=["ann@example.com"])
    bad = new_letter(
        message_id=f"{name}{day}-bad", sent=sent + timedelta(hours=2), to=["bob@gone.example"]
    )
    return [
        fine.send(),
        fine.delay(),
        fine.delivery(after=700),
        fine.open(),
        fine.open(after=10 * DAY),
        fine.click(after=10 * DAY + 60),
        fine.complaint(after=2 * DAY, feedback_id=f"{name}{day}-complaint"),
        bad.send(),
        bad.bounce(feedback_id=f"{name}{day}-bounce"),
    ]


def make_month(new_letter: NewLetter) -> list[Event]:
    return [event for day in range(1, 31) for event in make_day(new_letter, day)]


def figures(desk: Desk) -> list[list[dict[str, Any]]]:
    return [desk.rows(sql) for sql in FIGURES]


def recompute_all(desk: Desk) -> None:
    desk.warehouse.change("recomputing", recompute)


def prune_desk(desk: Desk, now: datetime = NOW, **days: int) -> PruneResult:
    return prune(desk.warehouse, Retention(**days), now=now)


def test_old_messages_go_whole_and_no_figure_changes(desk: Desk, new_letter: NewLetter) -> None:
    desk.write(*make_month(new_letter))
    before = figures(desk)

    result = prune_desk(desk, events_days=20)

    assert "2026-03-11T00:00:00" == result.events_before == result.failure_events_before
    assert 10 * 9 == result.events
    for table in ("events", "marks", "waiting", "rare_events"):
        assert [] == desk.rows(f"from {table} where sent_at < timestamp '2026-03-11'")
    assert 20 * 9 == desk.rows("select count(*)::bigint as n from events")[0]["n"]
    assert before == figures(desk)
    assert [] == desk.faults()


def test_what_is_recomputed_later_still_counts_what_old_messages_did_since(
    desk: Desk, new_letter: NewLetter
) -> None:
    desk.write(*make_month(new_letter))
    before = figures(desk)

    prune_desk(desk, events_days=20)
    recompute_all(desk)
    assert before == figures(desk)
    prune_desk(desk, NOW + timedelta(days=5), events_days=20)
    recompute_all(desk)

    assert before == figures(desk)
    assert [] == desk.faults()
    assert [] == desk.rows("from rollup_remains where event_at < timestamp '2026-03-16'")


def test_a_delivery_in_a_day_that_is_kept_counts_with_its_message_gone(
    desk: Desk, new_letter: NewLetter
) -> None:
    sent = datetime(2026, 3, 10, 23, 59, 30, tzinfo=UTC)
    letter = new_letter(sent=sent)
    desk.write(letter.send(), letter.delay(after=40), letter.delivery(after=90))
    before = figures(desk)
    prune_desk(desk, events_days=20)
    recompute_all(desk)
    assert [] == desk.rows("from events")
    assert [{"n": 1, "delayed": 1}] == desk.rows(
        "select deliveries as n, delayed_deliveries as delayed from rollup_delivery_remains"
    )
    assert before == figures(desk)
    assert [] == desk.faults()


def test_what_comes_of_older_messages_is_ignored_and_counts_nothing_twice(
    desk: Desk, new_letter: NewLetter
) -> None:
    month = make_month(new_letter)
    desk.write(*month)
    before = figures(desk)
    prune_desk(desk, events_days=20, failure_events_days=25)

    again = desk.write(*month)

    assert (0, 10 * 9, 20 * 9) == (again.inserted, again.ignored, again.duplicates)
    assert before == figures(desk)
    assert [] == desk.faults()


def test_failures_are_kept_for_longer(desk: Desk, new_letter: NewLetter) -> None:
    desk.write(*make_month(new_letter))
    before = figures(desk)

    first = prune_desk(desk, events_days=20, failure_events_days=25)
    kept = desk.rows(KEPT.replace("group", "where sent_at < timestamp '2026-03-11' group"))
    recompute_all(desk)
    faults, between = desk.faults(), figures(desk)
    second = prune_desk(desk, NOW + timedelta(days=6), events_days=20, failure_events_days=25)
    recompute_all(desk)

    assert ("2026-03-11T00:00:00", "2026-03-06T00:00:00") == (
        first.events_before,
        first.failure_events_before,
    )
    assert [
        {"event_type": "Bounce", "n": 5},
        {"event_type": "Complaint", "n": 5},
    ] == kept
    assert ([], before) == (faults, between)
    assert "2026-03-12T00:00:00" == second.failure_events_before
    assert [{"n": 5 * 2}] == desk.rows(
        "select count(*)::bigint as n from events where sent_at < timestamp '2026-03-17'"
    )
    assert before == figures(desk)
    assert [] == desk.faults()


def test_days_are_those_of_the_time_zone_that_figures_are_of(
    desk: Desk, new_letter: NewLetter
) -> None:
    desk.reopen(
        type(desk.warehouse.options)(
            memory_limit="256MB", threads=1, min_free_bytes=0, report_time_zone="Asia/Kolkata"
        )
    )
    desk.write(*make_month(new_letter))
    before = figures(desk)

    result = prune_desk(desk, events_days=20)
    recompute_all(desk)

    assert "2026-03-10T18:30:00" == result.events_before
    assert before == figures(desk)
    assert [] == desk.faults()


def test_a_dry_run_says_what_would_go_and_nothing_goes(desk: Desk, new_letter: NewLetter) -> None:
    desk.write(*make_month(new_letter), b"no JSON")
    rules = Retention(events_days=20, failure_events_days=25, archive_days=0, quarantine_days=0)

    told = prune(desk.warehouse, rules, now=NOW, is_dry_run=True)

    assert 30 * 9 == desk.rows("select count(*)::bigint as n from events")[0]["n"]
    assert [] == desk.rows("from warehouse_facts where name in ('horizon', 'archive_from')")
    done = prune(desk.warehouse, rules, now=NOW)
    assert (told.events, told.others) == (done.events, done.others)
    assert (1, 1) == (told.quarantined, done.quarantined)
    assert told.others > 0


def test_a_horizon_never_moves_back(desk: Desk, new_letter: NewLetter) -> None:
    desk.write(*make_month(new_letter))
    prune_desk(desk, events_days=20)
    assert "2026-03-11T00:00:00" == prune_desk(desk, events_days=25).events_before
    assert [{"value": "2026-03-11T00:00:00"}] == desk.rows(
        "select value from warehouse_facts where name = 'horizon'"
    )


@pytest.mark.parametrize("step", ["_freeze", "_delete_slice", "_delete_archived"])
def test_cut_off_anywhere_the_next_time_goes_on(
    desk: Desk, new_letter: NewLetter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    desk.write(*make_month(new_letter))
    before = figures(desk)
    monkeypatch.setattr(retention, "SLICE_ROWS", 20)
    real = getattr(retention, step)
    calls = 0

    def interrupt(*arguments: Any) -> Any:  # noqa: ANN401 - whatever the real one takes
        nonlocal calls
        calls += 1
        if calls == 3 or step != "_delete_slice":
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(retention, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            prune_desk(desk, events_days=20)
    recompute_all(desk)
    assert ([], before) == (desk.faults(), figures(desk))

    prune_desk(desk, events_days=20)
    recompute_all(desk)

    assert [] == desk.rows("from events where sent_at < timestamp '2026-03-11'")
    assert ([], before) == (desk.faults(), figures(desk))


def test_between_two_slices_batches_come_in(
    desk: Desk, new_letter: NewLetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write(*make_month(new_letter))
    monkeypatch.setattr(retention, "SLICE_ROWS", 20)
    heard: list[tuple[int, int]] = []

    def write_one(done: int, total: int) -> None:
        heard.append((done, total))
        desk.write(*make_day(new_letter, 30, name=f"b{len(heard)}-"))

    result = prune(desk.warehouse, Retention(events_days=20), now=NOW, on_progress=write_one)

    assert len(heard) > 3
    assert result.events + result.others == heard[0][1]
    assert 20 * 9 + len(heard) * 9 == desk.rows("select count(*)::bigint as n from events")[0]["n"]
    assert [] == desk.faults()


def age_archive(desk: Desk, new_name: str) -> None:
    """Give the archive's only file the name of another hour, in the ledger too."""
    desk.warehouse.start_archive_file()
    (file,) = desk.warehouse.place.archive.iterdir()
    file.rename(file.with_name(new_name))
    desk.warehouse.change(
        "ageing the archive",
        lambda connection: connection.execute(
            "update ledger set archive_file = ? where archive_file = ?", [new_name, file.name]
        ),
    )


def test_old_files_of_the_archive_go_and_are_not_missed(desk: Desk, new_letter: NewLetter) -> None:
    desk.write(*make_day(new_letter, 1))
    age_archive(desk, "20260301T10-000.zst")
    desk.write(*make_day(new_letter, 30))
    (desk.warehouse.place.archive / "20260301T10-000.zst").stat()

    result = prune_desk(desk, archive_days=20)

    assert (1, 0) == (result.archive_files, result.events)
    assert result.archive_bytes > 0
    assert "20260301T10-000.zst" not in [one.name for one in desk.warehouse.place.archive.iterdir()]
    assert [] == desk.faults()
    assert desk.warehouse.place.gaps.exists()


def test_quarantined_payloads_go_by_when_they_were_received(desk: Desk) -> None:
    desk.write(b"no JSON", b"neither")
    assert 0 == prune_desk(desk, quarantine_days=30).quarantined
    assert 2 == prune_desk(desk, quarantine_days=20).quarantined
    assert [] == desk.rows("from quarantine")
    assert [] == desk.faults()


@pytest.mark.parametrize("is_archive_pruned", [False, True], ids=["whole", "pruned"])
def test_a_rebuild_keeps_horizon_figures_and_failures(
    desk: Desk, new_letter: NewLetter, is_archive_pruned: bool
) -> None:
    desk.write(*(one for day in range(1, 9) for one in make_day(new_letter, day)))
    age_archive(desk, "20260308T10-000.zst")
    desk.write(*(one for day in range(9, 31) for one in make_day(new_letter, day)))
    # the test's batches were all received on one day; those of the first file before the horizon
    desk.warehouse.change(
        "ageing batches",
        lambda connection: connection.execute(
            "update ledger set last_received_at = '2026-03-08' "
            "where archive_file = '20260308T10-000.zst'"
        ),
    )
    archive_days = 20 if is_archive_pruned else 10_000
    prune_desk(desk, events_days=20, failure_events_days=25, archive_days=archive_days)
    rows = "select * exclude (received_at) from events order by all"
    before, kept = figures(desk), desk.rows(rows)

    desk.warehouse.close()
    rebuild(desk.path, desk.warehouse.options)
    desk.reopen()

    assert kept == desk.rows(rows)
    assert before == figures(desk)
    assert [] == desk.faults()
    recompute_all(desk)
    assert before == figures(desk)
    assert 9 == desk.write(*make_day(new_letter, 7)).ignored


def test_a_rebuild_keeps_whose_an_address_was_by_what_pruned_events_said(
    desk: Desk, new_letter: NewLetter
) -> None:
    mail = {"source": "vip@shop.example.org", "to": ["ann@example.com"]}
    domain = new_letter(**mail, identity="shop.example.org", sent=NOW - timedelta(days=28))
    address = new_letter(**mail, identity="vip@shop.example.org", sent=NOW - timedelta(days=2))
    desk.write(domain.send(), domain.open(), address.send(), address.open())
    opens = (
        "select event_hour, identity, opens from mail_hourly_by_event_time "
        "where opens > 0 order by all"
    )
    before = desk.rows(opens)
    assert ["shop.example.org"] * 2 == [row["identity"] for row in before]
    prune_desk(desk, events_days=20)

    desk.warehouse.close()
    rebuild(desk.path, desk.warehouse.options)
    desk.reopen()

    assert before == desk.rows(opens)
    assert [] == desk.faults()


def test_the_verb_takes_days_from_the_settings(
    desk: Desk, duckpost: Verb, new_letter: NewLetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write(*make_month(new_letter))
    refused = duckpost("prune")
    monkeypatch.setenv("DUCKPOST_RETENTION_EVENTS_DAYS", "1")

    told = duckpost("prune", "--dry-run")
    said = json.loads(duckpost("prune", "--json").out)

    assert 2 == refused.code
    assert "retention.events_days" in refused.err
    assert "would go" in told.out
    assert (30 * 9, False) == (said["events"], said["is_dry_run"])


def test_the_worker_prunes_by_itself(desk: Desk, new_letter: NewLetter) -> None:
    desk.write(*make_month(new_letter))
    with capture_logs() as log:
        upkeep = Upkeep(
            desk.warehouse,
            PrivacySettings(),
            Retention(events_days=1),
            on_rewrite_due=lambda: None,
            on_broken=lambda: None,
            look_secs=0.01,
        )
        deadline = time.monotonic() + 20
        with upkeep:
            while not log and time.monotonic() < deadline:
                threading.Event().wait(0.01)

    assert ["pruned"] == [one["event"] for one in log]
    assert 30 * 9 == log[0]["events"]
    assert [] == desk.rows("from events")


def test_the_worker_notes_what_the_disk_has_free_and_forgets_it_in_time(desk: Desk) -> None:
    old = DiskLook(datetime(2026, 3, 1), 1, 2, 0, 1)  # noqa: DTZ001 - UTC, as in the table
    note_disk(desk.warehouse, old)
    upkeep = Upkeep(
        desk.warehouse,
        PrivacySettings(),
        Retention(),
        on_rewrite_due=lambda: None,
        on_broken=lambda: None,
        disk_secs=0.01,
    )
    # the old one goes with the first note, so the second row is of the second
    newest = "from disk_looks order by looked_at desc limit 2"
    deadline = time.monotonic() + 20
    with upkeep:
        while len(desk.rows(newest)) < 2 and time.monotonic() < deadline:
            threading.Event().wait(0.01)
    look, before = desk.rows(newest)
    assert old.looked_at < before["looked_at"] < look["looked_at"]
    assert shutil.disk_usage(desk.path.parent).total == look["total_bytes"]
    assert 0 < look["free_bytes"] < look["total_bytes"]
    assert desk.path.stat().st_size <= look["file_bytes"]


def test_it_goes_through_the_door_of_a_worker(
    desk: Desk, new_letter: NewLetter, tmp_path: Path
) -> None:
    desk.write(*make_month(new_letter))
    app = door.to_app(desk.access, on_broken=lambda: None)
    with door.listen(app, desk.warehouse.place.socket):
        client = DoorClient(desk.path)
        told = client.prune(Retention(events_days=1), is_dry_run=True)
        done = client.prune(Retention(events_days=1))
    assert (True, 30 * 9) == (told.is_dry_run, told.events)
    assert (False, told.events, told.others) == (done.is_dry_run, done.events, done.others)
    assert [] == desk.faults()


@pytest.mark.parametrize(
    "text",
    ["failure_events_days = 30", "events_days = 30\nfailure_events_days = 20", "events_days = 0"],
)
def test_days_that_contradict_each_other_are_refused(tmp_path: Path, text: str) -> None:
    config = tmp_path / "duckpost.toml"
    config.write_text(f"[retention]\n{text}\n")
    with pytest.raises(SettingsError, match="retention"):
        load_settings(config)
