"""Every question of every dashboard, asked as Grafana asks it, gives what its panel can draw."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from consumer.dashboards.definitions import Definitions
from consumer.dashboards.expansion import Range, expand
from consumer.dashboards.rules import GROUPS, Rule
from consumer.dashboards.rules import question as to_sql
from consumer.resources import dashboards_folder
from consumer.warehouse import Warehouse

Ask = Callable[[str], pa.Table]
Chosen = Mapping[str, Sequence[str] | None]

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(tzinfo=None)
WEEK = Range(NOW - timedelta(days=8), NOW, 3600)
QUARTER = Range(NOW - timedelta(days=90), NOW, 86_400)
MINUTES = Range(NOW - timedelta(minutes=5), NOW, 60)
HOSTILE = ["o'neil'; drop table events; --", "$__timeFilter(", "(none)", "/* ü */"]


# What the simulator has none of.
NOTHING_WRONG = {
    "duckpost-complaints Sends to addresses that were known to be wrong A",
    "duckpost-latency Delayed and unresolved A",
    "duckpost-latency Waiting, by age A",
    "duckpost-providers Responses that are new or rising A",  # what the last 24 hours hold
}


@dataclass(frozen=True)
class Question:
    board: str
    title: str
    sql: str
    is_series: bool
    kind: str
    fixed: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.board} {self.title}"


def questions() -> Iterator[Question]:
    for file in sorted((dashboards_folder() / "json").glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        fixed = tuple(
            (one["name"], one["current"]["value"])
            for one in board["templating"]["list"]
            if one["type"] == "custom"
        )
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                is_series = target["format"] == "time_series"
                title = f"{panel['title']} {target['refId']}"
                yield Question(
                    board["uid"], title, target["rawSql"], is_series, panel["type"], fixed
                )
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                yield Question(board["uid"], one["name"], one["query"], False, "variable", fixed)


ALL_QUESTIONS = list(questions())
each_question = pytest.mark.parametrize("question", ALL_QUESTIONS, ids=str)


# What Grafana's data source makes numbers of; anything else it shows as text.
NUMBERS = {20, 21, 23, 700, 701, 1700}
TEXTS = {25, 1043}
TIMES = {1114, 1184, *NUMBERS}
RULES = [rule for group in GROUPS for rule in group.rules]


class Everything(dict[str, Sequence[str] | None]):
    """A choice for whatever variable: the same for all but those with a value of their own."""

    def __init__(self, values: Sequence[str] | None, question: Question) -> None:
        super().__init__({name: [value] for name, value in question.fixed})
        self.values_of_all = values

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Sequence[str] | None:
        return self.values_of_all


def check(question: Question, table: pa.Table) -> None:
    for name, column in zip(table.column_names, table.columns, strict=True):
        assert not pa.types.is_decimal(column.type), f"{name} is wider than Grafana's numbers"
        assert not pa.types.is_nested(column.type), f"{name} is no single value"
    assert len(set(table.column_names)) == len(table.column_names)
    if question.kind == "variable":
        assert 1 == table.num_columns
        assert pa.types.is_string(table.column(0).type)
        assert 0 == table.column(0).null_count
    if not question.is_series:
        return
    assert "time" == table.column_names[0]
    times = table.column("time").to_pylist()
    assert 0 == table.column("time").null_count
    assert sorted(times) == times
    rest = table.schema.remove(0)
    numbers = [f.name for f in rest if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)]
    texts = [field.name for field in rest if pa.types.is_string(field.type)]
    assert len(numbers) + len(texts) == len(rest)
    assert numbers
    assert texts in ([], ["metric"])
    labels = table.column("metric").to_pylist() if texts else [""] * len(times)
    assert None not in labels
    assert len(times) == len(set(zip(times, labels, strict=True))), "two rows are one point"
    if texts:
        assert 1 == len(numbers)


@each_question
def test_a_week_of_everything(question: Question, ask: Ask, warehouse: Warehouse) -> None:
    """The simulator's week has something for every panel but those that show what is wrong."""
    everything = Everything(None, question)
    everything["tag_key"] = ["campaign"]
    everything["look_for"] = ask("select message_id from events limit 1")["message_id"].to_pylist()
    table = ask(expand(question.sql, WEEK, everything))

    check(question, table)
    assert table.num_rows > 0 or str(question) in NOTHING_WRONG


@each_question
def test_values_that_are_hostile_over_a_quarter(question: Question, ask: Ask) -> None:
    check(question, ask(expand(question.sql, QUARTER, Everything(HOSTILE, question))))


@each_question
def test_nothing_chosen_and_nothing_sent(question: Question, ask: Ask) -> None:
    check(question, ask(expand(question.sql, MINUTES, Everything([], question))))


@each_question
def test_the_endpoint_answers_what_grafana_can_draw(question: Question, grafana: PGconn) -> None:
    chosen = Everything(None, question)
    chosen["tag_key"] = ["campaign"]
    answer = grafana.exec_(expand(question.sql, QUARTER, chosen).encode())

    assert answer.status == ExecStatus.TUPLES_OK, answer.error_message
    if not question.is_series:
        return
    columns = {answer.fname(n): (n, answer.ftype(n)) for n in range(answer.nfields)}
    assert columns.pop(b"time")[1] in TIMES
    if b"metric" in columns:
        number, oid = columns.pop(b"metric")
        assert oid in TEXTS
        assert None not in {answer.get_value(row, number) for row in range(answer.ntuples)}
    assert {oid for _, oid in columns.values()} <= NUMBERS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.view)
def test_an_alert_has_labels_that_are_text_and_one_number(
    rule: Rule, grafana: PGconn, definitions: Definitions
) -> None:
    answer = grafana.exec_(to_sql(rule).encode())

    assert answer.status == ExecStatus.TUPLES_OK, answer.error_message
    types = [answer.ftype(n) for n in range(answer.nfields)]
    assert set(types[:-1]) <= TEXTS
    assert types[-1] in NUMBERS
    assert f"alert_{rule.view}" in definitions.words
    for row in range(answer.ntuples):
        assert None not in {answer.get_value(row, n) for n in range(answer.nfields)}
