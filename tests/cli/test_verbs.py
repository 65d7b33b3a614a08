"""Every verb, on the file itself and through the worker that has it open."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Duckpost = Callable[..., Any]


def test_sql_answers_as_a_table(duckpost: Duckpost, warehouse: Path) -> None:
    query = "select event_type, count(*) as rows from events group by event_type order by all"
    shown = duckpost("sql", query, "--warehouse", warehouse)
    assert shown.code == 0
    assert shown.out.split() == ["event_type", "rows", "Delivery", "3", "Send", "4"]


def test_sql_answers_programs(duckpost: Duckpost, warehouse: Path) -> None:
    query = "select 1 as a, '=cmd()' as b, null as c, ['x'] as d"
    shown = duckpost("sql", query, "--format", "csv", "--warehouse", warehouse)
    assert shown.out == 'a,b,c,d\n1,\'=cmd(),,"[""x""]"\n'
    shown = duckpost("sql", query, "--format", "ndjson", "--warehouse", warehouse)
    assert json.loads(shown.out) == {"a": 1, "b": "=cmd()", "c": None, "d": ["x"]}
    shown = duckpost("sql", f"{query} where false", "--format", "json", "--warehouse", warehouse)
    assert json.loads(shown.out) == []


def test_sql_shows_a_strangers_escape_codes_instead_of_obeying_them(
    duckpost: Duckpost, warehouse: Path
) -> None:
    shown = duckpost("sql", "select chr(27) || '[2J' as a", "--warehouse", warehouse)
    assert "\x1b" not in shown.out
    assert "\\x1b[2J" in shown.out


def test_sql_streams_more_rows_than_one_batch_holds(duckpost: Duckpost, warehouse: Path) -> None:
    query = "select range as n from range(50000)"
    shown = duckpost("sql", query, "--format", "csv", "--warehouse", warehouse)
    assert shown.out.splitlines()[-1] == "49999"
    assert len(shown.out.splitlines()) == 50_001


def test_sql_refuses_to_write_and_says_what_was_wrong(duckpost: Duckpost, warehouse: Path) -> None:
    refused = duckpost("sql", "delete from events", "--warehouse", warehouse)
    assert refused.code == 1
    assert refused.err.startswith("error: only statements that read")
    failed = duckpost("sql", "select nothing_like_it from events", "--warehouse", warehouse)
    assert failed.code == 1
    assert "nothing_like_it" in failed.err
    broken = duckpost("sql", "select error('half-way') from events", "--warehouse", warehouse)
    assert broken.code == 1
    assert "half-way" in broken.err


def test_report_gives_every_rate_with_numerator_and_denominator(
    duckpost: Duckpost, warehouse: Path
) -> None:
    shown = duckpost("report", "--json", "--by", "configuration_set", "--warehouse", warehouse)
    (group,) = json.loads(shown.out)["groups"]
    assert group["dimensions"]["configuration_set"] == "news"
    assert group["counts"]["sends"] == 4
    delivered = group["rates"]["delivery_rate"]
    assert (delivered["value"], delivered["numerator"], delivered["denominator"]) == (0.75, 3, 4)
    assert group["rates"]["unique_open_rate"]["value"] is None
    assert "no Open event" in group["rates"]["unique_open_rate"]["reason"]


def test_report_splits_by_a_tag_and_says_why_a_rate_is_missing(
    duckpost: Duckpost, warehouse: Path
) -> None:
    shown = duckpost(
        "report", "--by", "tag:color", "--axis", "send-cohort", "--warehouse", warehouse
    )
    assert shown.code == 0
    assert "75.00%" not in shown.out
    assert "2/2" in shown.out
    assert "1/2" in shown.out
    assert "no Click event was ever seen" in shown.out


def test_report_refuses_a_dimension_there_is_not(duckpost: Duckpost, warehouse: Path) -> None:
    refused = duckpost("report", "--by", "mood", "--warehouse", warehouse)
    assert refused.code == 2
    assert "'mood' is no dimension" in refused.err


def test_the_same_file_again_is_all_duplicates(duckpost: Duckpost, warehouse: Path) -> None:
    again = duckpost("ingest", "--json", "--warehouse", warehouse, warehouse.parent / "events.json")
    counts = json.loads(again.out)
    assert (counts["inserted"], counts["duplicates"], counts["quarantined"]) == (0, 9, 0)


def test_quarantine_is_listed_shown_replayed_and_dropped(
    duckpost: Duckpost, warehouse: Path
) -> None:
    listed = duckpost("quarantine", "list", "--json", "--warehouse", warehouse)
    rows = json.loads(listed.out)
    assert {row["reason"] for row in rows} == {"unknown_event_type", "invalid_event"}
    name = next(row["id"] for row in rows if row["reason"] == "unknown_event_type")
    shown = duckpost("quarantine", "show", name, "--warehouse", warehouse)
    assert '"Teleport"' in shown.out
    replayed = duckpost("quarantine", "replay", "--json", "--warehouse", warehouse)
    assert (json.loads(replayed.out)["tried"], json.loads(replayed.out)["left"]) == (2, 0)
    dropped = duckpost("quarantine", "drop", name, "--yes", "--warehouse", warehouse)
    assert dropped.out == "1 dropped\n"
    left = duckpost("quarantine", "list", "--json", "--warehouse", warehouse)
    assert [row["reason"] for row in json.loads(left.out)] == ["invalid_event"]


def test_verify_finds_nothing_wrong(duckpost: Duckpost, warehouse: Path) -> None:
    verified = duckpost("verify", "--json", "--warehouse", warehouse)
    assert verified.code == 0
    assert all(one["is_well"] for one in json.loads(verified.out))


def test_check_looks_at_the_warehouse_without_disturbing_it(
    duckpost: Duckpost, warehouse: Path
) -> None:
    checked = duckpost("check", "--json", "--warehouse", warehouse)
    assert checked.code == 0
    assert json.loads(checked.out)[0]["exit_code"] == 0


def test_find_tells_the_story_of_a_recipient(duckpost: Duckpost, warehouse: Path) -> None:
    shown = duckpost("find", "Reader2@example.net", "--warehouse", warehouse)
    assert shown.code == 0
    assert "reader2@example.net: 1 message" in shown.out
    assert "mail again: nothing speaks against it" in shown.out
    assert "250 2.6.0 Message received" in shown.out


def test_suppression_lists_nobody_where_nobody_bounced(duckpost: Duckpost, warehouse: Path) -> None:
    assert duckpost("suppression", "list", "--warehouse", warehouse).out == "nobody is suppressed\n"
    refused = duckpost("suppression", "lift", "reader1@example.net", "--warehouse", warehouse)
    assert (refused.code, "is not suppressed" in refused.err) == (2, True)
