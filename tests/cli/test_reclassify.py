"""`duckpost reclassify`, on the file itself and through the worker that has it open."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Duckpost = Callable[..., Any]


def test_history_that_the_rules_in_force_have_judged_needs_no_change(
    duckpost: Duckpost, warehouse: Path
) -> None:
    shown = duckpost("reclassify", "--warehouse", warehouse)
    assert (0, "of 7 events 0 verdicts got another value\n") == (shown.code, shown.out)


def test_a_users_file_is_read_anew_and_a_dry_run_changes_nothing(
    duckpost: Duckpost, tmp_path: Path
) -> None:
    event = {
        "eventType": "Send",
        "send": {},
        "mail": {
            "timestamp": "2026-03-02T10:00:00.000Z",
            "messageId": "0100019cad000000-1-000000",
            "destination": ["reader@example.net"],
            "tags": {},
        },
    }
    (tmp_path / "send.json").write_text(json.dumps(event), encoding="utf-8")
    (tmp_path / "own.csv").write_text("domain,provider\nexample.net,Post\n", encoding="utf-8")
    path = tmp_path / "ses.duckdb"
    duckpost("ingest", "send.json", "--warehouse", path)
    (tmp_path / "duckpost.toml").write_text(
        '[classification]\nproviders_file = "own.csv"\n', encoding="utf-8"
    )
    asked = ("sql", "select provider from events", "--format", "csv", "--warehouse", path)

    told = duckpost("reclassify", "--dry-run", "--json", "--warehouse", path)
    change = {"column": "provider", "before": "example.net", "after": "Post", "rows": 1}
    assert [change] == json.loads(told.out)["changes"]
    assert "provider\nexample.net\n" == duckpost(*asked).out

    told = duckpost("reclassify", "--warehouse", path)
    assert "of 1 events 1 verdicts got another value" in told.out
    assert "provider\nPost\n" == duckpost(*asked).out

    (tmp_path / "own.csv").write_text("domain,owner\n", encoding="utf-8")
    refused = duckpost("reclassify", "--warehouse", path)
    assert 2 == refused.code
    assert "own.csv:1: unknown column 'owner'" in refused.err
    assert "provider\nPost\n" == duckpost(*asked).out
