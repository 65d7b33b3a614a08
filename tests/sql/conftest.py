"""An empty warehouse with every view, rows written into it by hand, and questions to it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest

from consumer.resources import sql_folder
from consumer.warehouse.rollups.folding import recompute

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]

NOW = "2026-12-01 00:00:00"
PROVIDERS = [("gmail.example", "Gmail", False), ("yahoo.example", "Yahoo", True)]
NOT_A_COMPLAINT = {"not-spam", "auth-failure", "virus"}
TAGS = pa.map_(pa.string(), pa.list_(pa.string()))
TYPES = {"tags": TAGS, "link_tags": TAGS}
ROLLUPS = (
    *("rollup_hourly_by_event_time", "rollup_hourly_by_send_cohort", "rollup_coverage"),
    *("rollup_daily_by_event_time", "rollup_daily_by_send_cohort"),
    *("rollup_tags_daily_by_send_cohort", "rollup_tag_keys"),
    *("rollup_latency_daily_by_event_time", "rollup_latency_daily_by_send_cohort"),
)
SUPPRESSIONS = {"OnAccountSuppressionList", "OnTenantSuppressionList"}


def make_warehouse() -> duckdb.DuckDBPyConnection:
    """Create the tables and, as a start-up does, all views in one transaction."""
    connection = duckdb.connect(config={"enable_external_access": False})
    folder = sql_folder()
    for file in sorted((folder / "migrations").glob("*.sql")):
        connection.execute(file.read_text(encoding="utf-8"))
    connection.execute("begin transaction")
    for file in sorted((folder / "views").glob("*.sql")):
        connection.execute(file.read_text(encoding="utf-8"))
    connection.execute(f"create or replace macro utc_now() as timestamp '{NOW}'")
    connection.execute("commit")
    connection.executemany("insert into providers values (?, ?, ?)", PROVIDERS)
    connection.execute("insert into rollup_providers select distinct provider from providers")
    return connection


def parse_time(text: object) -> datetime:
    return text if isinstance(text, datetime) else datetime.fromisoformat(str(text))


def to_marks(rows: Iterable[Row]) -> list[tuple[object, ...]]:
    """Say who holds which mark, by the definitions and nothing cleverer."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row["is_simulator"]:
            continue
        pair = (row["message_id"], row["recipient"])
        kinds: list[str] = []
        if row["event_type"] == "DeliveryDelay" and row["recipient"] is not None:
            kinds = ["delay"]
        if row["event_type"] in {"Open", "Click"} and row["is_attributable"]:
            name = str(row["event_type"]).lower()
            kinds = [name, "engaged"]
            if row["machine_rule"] is None:
                kinds += [f"human_{name}", "human_engaged"]
        for kind in kinds:
            groups.setdefault((*pair, kind), []).append(row)
        if (
            row["event_type"] == "Complaint"
            and row["complaint_sub_type"] not in SUPPRESSIONS
            and row["complaint_feedback_type"] not in NOT_A_COMPLAINT
        ):
            groups.setdefault((row["feedback_id"], "complaint"), []).append(row)
    marks: list[tuple[object, ...]] = []
    for number, (group, members) in enumerate(groups.items()):
        holder = min(members, key=lambda row: (str(row["event_at"]), str(row["event_key"])))
        marks.append(
            (number, group[-1], holder["event_at"], holder["event_key"], holder["sent_at"])
        )
    marks += [
        (len(marks) + number, "repeat", row["event_at"], row["event_key"], row["sent_at"])
        for number, row in enumerate(to_repeats(rows))
    ]
    return marks


def to_repeats(rows: Iterable[Row]) -> list[Row]:
    """Say which Deliveries near their sending come after another of their recipient."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        late = parse_time(row["event_at"]) - parse_time(row["sent_at"])
        if (
            row["event_type"] == "Delivery"
            and row["recipient"] is not None
            and not row["is_simulator"]
            and timedelta(hours=-1) <= late <= timedelta(hours=24)
        ):
            groups.setdefault((row["message_id"], row["recipient"]), []).append(row)
    return [
        row
        for members in groups.values()
        for row in sorted(members, key=lambda row: (str(row["event_at"]), str(row["event_key"])))[
            1:
        ]
    ]


def insert_rows(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    """Replace what is in the warehouse by these rows and their marks."""
    connection.execute("delete from events")
    connection.execute("delete from marks")
    for table in ROLLUPS:
        connection.execute(f"delete from {table}")  # noqa: S608  our own names
    if not rows:
        return
    names = sorted({name for row in rows for name in row})
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns["event_key"] = [str(key) for key in columns["event_key"]]
    arrays = {name: pa.array(values, TYPES.get(name)) for name, values in columns.items()}
    connection.register("logged", pa.table(arrays))
    connection.execute("insert into events by name select * from logged")
    connection.unregister("logged")
    marks = to_marks(rows)
    if marks:
        connection.executemany("insert into marks values (?, ?, ?, ?, ?)", marks)
    recompute(connection)


@pytest.fixture(scope="session")
def shared_warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with make_warehouse() as connection:
        yield connection


@pytest.fixture
def warehouse(shared_warehouse: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for table in ("disk_looks", "events", "identities", "ledger", "marks", "quarantine", "waiting"):
        shared_warehouse.execute(f"delete from {table}")  # noqa: S608  our own names
    shared_warehouse.execute("delete from warehouse_facts")
    return shared_warehouse


@pytest.fixture
def rows() -> list[Row]:
    return []


@pytest.fixture
def log(rows: list[Row]) -> Log:
    """Return what adds an event: ``log("Send", at="2026-03-01 10:00", recipient=...)``."""
    keys = count(1)

    def add(event_type: str, at: str, **columns: object) -> Row:
        event_at = parse_time(at)
        recipient = columns.get("recipient", "reader@example.net")
        domain = None if recipient is None else str(recipient).rpartition("@")[2]
        mapped = {name: provider for name, provider, _ in PROVIDERS}
        row: Row = {
            "event_key": UUID(int=next(keys)),
            "event_type": event_type,
            "event_at": event_at,
            "sent_at": event_at,
            "received_at": event_at,
            "is_identity_notification": False,
            "message_id": "message-1",
            "recipient": recipient,
            "recipient_domain": domain,
            "provider": mapped.get(str(domain), domain),
            "destination_count": 1,
            "is_attributable": True,
            "is_simulator": False,
            "account": "111122223333",
            "region": "us-east-1",
            "configuration_set": "news",
            "identity": "example.com",
            "source": "news@example.com",
            "from_domain": "example.com",
            "machine_rule": None,
            "bounce_rule": None,
            "bounce_class": None,
            "feedback_id": None,
            "complaint_sub_type": None,
            "complaint_feedback_type": None,
        }
        if event_type == "Bounce":
            row |= {"bounce_type": "Permanent", "bounce_sub_type": "General"}
            row |= {"is_auto_reply": False, "feedback_id": f"feedback-{row['event_key']}"}
        if event_type == "Complaint":
            row |= {"feedback_id": f"feedback-{row['event_key']}", "is_ambiguous": False}
        row |= columns
        for name in ("sent_at", "received_at"):
            row[name] = parse_time(row[name])
        rows.append(row)
        return row

    return add


@pytest.fixture
def ask(warehouse: duckdb.DuckDBPyConnection, rows: list[Row]) -> Ask:
    """Return what answers a question over the logged events as rows by column name."""

    def answer(query: str, *parameters: object) -> list[Row]:
        insert_rows(warehouse, rows)
        cursor = warehouse.execute(query, parameters)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    return answer


@pytest.fixture
def set_fact(warehouse: duckdb.DuckDBPyConnection) -> Callable[[str, str], None]:
    def put(name: str, value: str) -> None:
        warehouse.execute("insert into warehouse_facts values (?, ?)", [name, value])

    return put


@pytest.fixture
def replace_rows(warehouse: duckdb.DuckDBPyConnection) -> Callable[[Sequence[Row]], None]:
    def put(rows: Sequence[Row]) -> None:
        insert_rows(warehouse, rows)

    return put


@pytest.fixture
def view_files() -> Mapping[str, str]:
    folder: Path = sql_folder() / "views"
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.sql"))}
