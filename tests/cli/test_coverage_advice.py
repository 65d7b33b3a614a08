"""What `check` advises to switch on, and what `report` says of a rate that is missing."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Letter

Event = dict[str, Any]
MakeLetter = Callable[..., "Letter"]
Duckpost = Callable[..., Any]  # its outcome is a class of conftest.py


@pytest.fixture
def tell(
    duckpost: Duckpost, new_letter: MakeLetter, tmp_path: Path
) -> Callable[[str | None, Callable[["Letter"], Sequence[Event]]], Path]:
    """Takes in what is told of ten messages of yesterday."""

    def take_in(name: str | None, events_of: Callable[["Letter"], Sequence[Event]]) -> Path:
        sent = datetime.now(UTC) - timedelta(days=1)
        letters = [
            new_letter(message_id=f"0102-{name}-{number}", sent=sent, configuration_set=name)
            for number in range(10)
        ]
        lines = [json.dumps(event) for letter in letters for event in events_of(letter)]
        (tmp_path / "events.json").write_text("\n".join(lines), encoding="utf-8")
        path = tmp_path / "ses.duckdb"
        duckpost("ingest", tmp_path / "events.json", "--warehouse", path)
        return path

    return take_in


def advice(duckpost: Duckpost, path: Path) -> list[str]:
    # there is no source here, which is a fault of its own
    findings = json.loads(duckpost("check", "--json", "--warehouse", path).out)
    lines: list[str] = findings[0]["lines"]
    assert 0 == findings[0]["exit_code"]
    return lines


def test_check_says_what_to_switch_on_where_send_is_not_published(
    tell: Callable[..., Path], duckpost: Duckpost
) -> None:
    path = tell("news", lambda letter: [letter.delivery()])
    lack, change = advice(duckpost, path)
    assert lack.startswith(
        "configuration set news (111122223333/eu-west-1) publishes no Send: rates are per outcomes"
    )
    assert "add SEND to the MatchingEventTypes" in change
    assert "--region eu-west-1 --configuration-set-name news shows them" in change

    shown = duckpost("report", "--warehouse", path).out
    assert "bounce rates are of outcomes (Deliveries and bounces), as Send is not" in shown


def test_check_names_the_identity_where_mail_has_no_set(
    tell: Callable[..., Path], duckpost: Duckpost
) -> None:
    path = tell(None, lambda letter: [letter.by_identity(letter.bounce())])
    lack, change = advice(duckpost, path)
    assert lack.startswith("mail of shop.example.org without a configuration set")
    assert "no Send and no Delivery" in lack
    assert "--email-identity shop.example.org --configuration-set-name NAME" in change

    shown = json.loads(duckpost("report", "--json", "--warehouse", path).out)
    [group] = shown["groups"]
    assert None is group["rates"]["hard_bounce_rate"]["value"]
    assert "neither Send nor Delivery" in group["rates"]["hard_bounce_rate"]["reason"]
    assert "no Delivery event was ever seen" in group["rates"]["complaint_rate_fbl"]["reason"]


def test_check_has_nothing_to_say_where_sends_and_deliveries_come(
    tell: Callable[..., Path], duckpost: Duckpost
) -> None:
    path = tell("news", lambda letter: [letter.send(), letter.delivery()])
    assert [] == advice(duckpost, path)


def test_check_notices_a_type_that_stopped_a_week_ago(
    duckpost: Duckpost, new_letter: MakeLetter, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    old = new_letter(message_id="0102-old", sent=now - timedelta(days=9))
    new = new_letter(message_id="0102-new", sent=now - timedelta(hours=1))
    lines = map(json.dumps, (old.send(), old.delivery(), new.delivery()))
    (tmp_path / "events.json").write_text("\n".join(lines), encoding="utf-8")
    path = tmp_path / "ses.duckdb"
    duckpost("ingest", tmp_path / "events.json", "--warehouse", path)
    day = (now - timedelta(days=9)).date()
    assert f"publishes no Send (the last one of {day})" in advice(duckpost, path)[0]


def test_mail_that_is_still_opened_weeks_later_has_stopped_nothing(
    duckpost: Duckpost, new_letter: MakeLetter, tmp_path: Path
) -> None:
    sent = datetime.now(UTC) - timedelta(days=20)
    letter = new_letter(message_id="0102-once", sent=sent)
    late = letter.open(after=timedelta(days=19).total_seconds())
    lines = map(json.dumps, (letter.send(), letter.delivery(), late))
    (tmp_path / "events.json").write_text("\n".join(lines), encoding="utf-8")
    path = tmp_path / "ses.duckdb"
    duckpost("ingest", tmp_path / "events.json", "--warehouse", path)
    assert [] == advice(duckpost, path)


def test_check_asks_through_the_door_when_a_worker_runs(
    duckpost: Duckpost, warehouse: Path
) -> None:
    lines = advice(duckpost, warehouse)
    assert not [line for line in lines if "publishes no" in line]
