"""What the configuration may say, and how it is refused."""

from pathlib import Path

import pytest

from consumer.errors import SettingsError
from consumer.settings import Settings, load_settings, settings_table


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refuse(text: str, environ: dict[str, str] | None = None) -> str:
    file = Path("bad.toml")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refusal:
        load_settings(file, environ=environ or {})
    return str(refusal.value)


def test_without_a_file_everything_has_a_default() -> None:
    assert load_settings(environ={}) == Settings()


def test_the_file_in_the_working_folder_is_read_unasked() -> None:
    Path("duckpost.toml").write_text("[batch]\nmax_rows = 7\n", encoding="utf-8")
    assert load_settings(environ={}).batch.max_rows == 7


def test_the_environment_is_laid_over_the_file_and_the_command_line_over_both() -> None:
    file = Path("some.toml")
    file.write_text('[batch]\nmax_rows = 7\nflush_secs = 9\n[warehouse]\npath = "a"', "utf-8")
    environ = {"DUCKPOST_BATCH_MAX_ROWS": "8", "DUCKPOST_WAREHOUSE": "b", "HOME": "/"}
    settings = load_settings(file, environ=environ)
    assert (settings.batch.max_rows, settings.batch.flush_secs) == (8, 9)
    assert settings.warehouse.path == Path("b")
    assert load_settings(file, warehouse=Path("c"), environ=environ).warehouse.path == Path("c")


def test_sources_can_come_from_the_environment() -> None:
    environ = {"DUCKPOST_SOURCES": '[{"type": "sqs", "queue": "ses-events"}]'}
    (source,) = load_settings(environ=environ).sources
    assert source.type == "sqs"
    assert source.queue == "ses-events"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[batch]\nmax_row = 1", "batch.max_row: unknown setting; did you mean max_rows?"),
        ("[bacth]", "bacth: unknown setting; did you mean batch?"),
        ("[batch]\nmax_rows = 'many'", "batch.max_rows: Input should be a valid integer"),
        ("[batch]\nmax_rows = 0", "greater than or equal to 1, found 0"),
        ("[batch]\nflush_secs = -1", "batch.flush_secs: Input should be greater than 0"),
        ("batch = 3", "batch: "),
        ("[telemetry]\nport = 70000", "telemetry.port: "),
        ("[log]\nlevel = 'loud'", "log.level: "),
        (
            "[warehouse]\nmemory_limit = 'lots'",
            "warehouse.memory_limit: expected such as 512MB or 2GB, found 'lots'",
        ),
        (
            "[warehouse]\nreport_time_zone = 'Europe/Zuerich'",
            "'Europe/Zuerich' is no time zone; did you mean Europe/Zurich?",
        ),
        ("[[sources]]\ntype = 'sqss'", "did you mean sqs?; known: sqs, "),
        ("[[sources]]\nqueue = 'q'", "sources[0]: type is missing; known: sqs, "),
        ("[[sources]]\ntype = 'sqs'", "sources[0].queue: missing"),
        ("[[sources]]\ntype = 'sqs'\nqueue = 'arn:aws:sqs:x:1:q'", "sources[0].queue: "),
        ("[[sources]]\ntype = 'sqs'\nqueue = 'q'\nbuckets = ['s3://b']", "sources[0].buckets.0: "),
        ("[[sources]]\ntype = 's3'\nbucket = 'b/prefix'", "sources[0].bucket: "),
        ("[[sources]]\ntype = 's3'\nbucket = 'b'", "sources[0].bucket: "),
        ("[[sources]]\ntype = 'files'\npaths = []", "sources[0].paths: "),
        (
            "[[sources]]\ntype = 'sqs'\nqueue = 'q'\nregoin = 'eu-west-1'",
            "sources[0].regoin: unknown setting; did you mean region?",
        ),
        ("[batch", "not valid TOML"),
    ],
)
def test_a_bad_setting_is_refused_by_its_path(text: str, said: str) -> None:
    assert said in refuse(text)


def test_an_unknown_variable_is_refused_and_names_the_nearest() -> None:
    said = refuse("", {"DUCKPOST_BATCH_MAXROWS": "1"})
    assert "DUCKPOST_BATCH_MAXROWS: unknown setting; did you mean DUCKPOST_BATCH_MAX_ROWS?" in said


def test_all_faults_are_listed_at_once_one_a_line() -> None:
    said = refuse(
        "[batch]\nmax_row = 1\nflush_secs = 0\n[[sources]]\ntype = 'sqs'",
        {"DUCKPOST_NOPE": "1", "DUCKPOST_SOURCES_": "{"},
    )
    head, *faults = said.splitlines()
    assert head == "bad.toml: 5 faults"
    assert len(faults) == 5


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml: cannot be read: No such file"):
        load_settings(Path("missing.toml"), environ={})


def test_the_table_has_every_setting_with_its_meaning() -> None:
    table = settings_table()
    assert "| `batch.flush_secs` | `2.0` | `DUCKPOST_BATCH_FLUSH_SECS` | " in table
    assert '| `warehouse.path` | `"duckpost.duckdb"` | `DUCKPOST_WAREHOUSE` | ' in table
    assert "| `sources[].queue` (sqs) | required | - | " in table
    assert "None" not in table
