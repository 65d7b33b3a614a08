"""docs/metrics.md and the warehouse tell of the same definitions."""

import re
from pathlib import Path

from consumer.warehouse import WarehouseOptions, open_warehouse

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_definitions_version_is_the_one_the_page_is_about(tmp_path: Path) -> None:
    sql = "select definitions_version() as said, value as kept from warehouse_facts where name = ?"
    with (
        open_warehouse(tmp_path / "ses.duckdb", WarehouseOptions(min_free_bytes=0)) as warehouse,
        warehouse.read(sql, ["definitions_version"]) as reader,
    ):
        versions = reader.read_all().to_pylist()

    stated = re.search(r"^Definitions, version (\d+)", PAGE, re.MULTILINE)
    assert stated is not None
    assert [{"said": stated[1], "kept": stated[1]}] == versions


def test_every_version_of_the_definitions_says_what_it_changed(tmp_path: Path) -> None:
    sql = """
    select max(version)::varchar as newest, count(taken_up_at) as taken_up from definition_changes
    """
    with (
        open_warehouse(tmp_path / "ses.duckdb", WarehouseOptions(min_free_bytes=0)) as warehouse,
        warehouse.read(sql) as reader,
    ):
        ((newest, taken_up),) = (row.values() for row in reader.read_all().to_pylist())

    stated = re.search(r"^Definitions, version (\d+)", PAGE, re.MULTILINE)
    assert stated is not None
    assert stated[1] == newest
    assert taken_up
