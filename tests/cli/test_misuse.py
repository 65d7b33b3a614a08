"""Commands that cannot work: one clear line, and the documented exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer import cli, errors

Duckpost = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sql", "select 1"], errors.EXIT_USAGE, "there is no warehouse duckpost.duckdb"),
        (["sql", "select 1", "-c", "no.toml"], errors.EXIT_USAGE, "no.toml: cannot be read"),
        (["report", "--since", "soon"], errors.EXIT_USAGE, "'soon' is no span of time"),
        (["ingest", "nowhere.json"], errors.EXIT_USAGE, "nowhere.json"),
        (["ingest"], errors.EXIT_USAGE, "Missing argument"),
        (["check", "--send-test"], errors.EXIT_USAGE, "needs --from ADDRESS"),
        (["rebuild", "--new-key", "--salvage"], errors.EXIT_USAGE, "choose one"),
        (["backup"], errors.EXIT_USAGE, "Missing argument"),
        (["fly"], errors.EXIT_USAGE, "No such command"),
        (["rebuild"], errors.EXIT_WAREHOUSE, "there is no archive"),
        (
            ["ingest", "--warehouse", "no/such/folder/ses.duckdb", "/dev/null"],
            errors.EXIT_WAREHOUSE,
            "no/such/folder does not exist",
        ),
    ],
)
def test_a_command_that_cannot_work_says_why(
    duckpost: Duckpost, arguments: list[str], code: int, said: str
) -> None:
    refused = duckpost(*arguments)
    assert refused.code == code
    assert said in refused.err
    assert "Traceback" not in refused.err


def test_run_without_a_source_says_how_to_get_one(duckpost: Duckpost) -> None:
    refused = duckpost("run")
    assert refused.code == errors.EXIT_USAGE
    assert "no source is configured" in refused.err


def test_check_lists_every_problem_at_once(
    duckpost: Duckpost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    sources = [{"type": "files", "paths": ["a.json"]}, {"type": "files", "paths": ["b.json"]}]
    monkeypatch.setenv("DUCKPOST_SOURCES", json.dumps(sources))
    checked = duckpost("check", "--json", "--warehouse", "no/such/ses.duckdb")
    assert checked.code == errors.EXIT_WAREHOUSE
    assert [one["exit_code"] for one in json.loads(checked.out)] == [4, 2, 2]


def test_every_fault_of_ours_becomes_one_line_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.DuckpostError)
    ]
    assert len(faults) > 10
    for fault in faults:

        def fail(*_: object, _fault: type[errors.DuckpostError] = fault, **__: object) -> None:
            raise _fault("[bold]what was attempted[/bold]")

        monkeypatch.setattr(cli.duckpost, "main", fail)
        with pytest.raises(SystemExit) as ended:
            cli.main(["sql"])
        assert ended.value.code == fault.exit_code
        assert capsys.readouterr().err == "error: [bold]what was attempted[/bold]\n"


def test_the_version_is_told(duckpost: Duckpost) -> None:
    shown = duckpost("--version")
    assert shown.code == 0
    assert shown.out.startswith("duckpost, version ")


@pytest.mark.parametrize(("no_color", "color"), [("1", False), ("", None)])
def test_whoever_wants_no_colour_gets_none(
    monkeypatch: pytest.MonkeyPatch, no_color: str, color: bool | None
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(cli.duckpost, "main", lambda *_, **options: asked.update(options))
    cli.main(["report"])

    assert color is asked["color"]


def test_after_damage_to_the_archive_alone_nobody_is_sent_to_rebuild_from_it(
    duckpost: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "one.json").write_text('{"no": "event"}', encoding="utf-8")
    duckpost("ingest", tmp_path / "one.json", "--warehouse", "ses.duckdb")
    (file,) = (tmp_path / "ses.archive").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    verified = duckpost("verify", "--warehouse", "ses.duckdb")

    assert 4 == verified.code
    assert "restore it from a backup" in verified.err
    assert "duckpost rebuild" not in verified.err
