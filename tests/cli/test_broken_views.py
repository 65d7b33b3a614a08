"""A view of the user's own that does not work any more is named wherever figures are asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.warehouse import WarehouseOptions, open_warehouse

if TYPE_CHECKING:
    from tests.cli.conftest import Outcome

Duckpost = Callable[..., "Outcome"]


@pytest.fixture
def path(duckpost: Duckpost, tmp_path: Path) -> Path:
    """A warehouse whose view `my.weekly` reads a column that is gone, as after an upgrade."""
    path = tmp_path / "ses.duckdb"
    made = (
        "create table my.goals as select 1 as goal",
        "create view my.weekly as select goal from my.goals",
        "create or replace table my.goals as select 1 as target",
    )
    open_warehouse(path, WarehouseOptions(min_free_bytes=0)).close()
    for statement in made:
        assert 0 == duckpost("sql", "--write", "--warehouse", path, statement).code
    return path


def test_report_names_it_beside_the_figures(duckpost: Duckpost, path: Path) -> None:
    told = duckpost("report", "--warehouse", path)
    as_json = json.loads(duckpost("report", "--json", "--warehouse", path).out)

    assert 0 == told.code
    assert "your own view my.weekly does not work any more: Binder Error" in told.err
    assert ["weekly"] == list(as_json["broken_views"])


def test_check_names_it_and_fails(duckpost: Duckpost, path: Path) -> None:
    told = duckpost("check", "--warehouse", path)

    assert 1 == told.code
    assert "your own view my.weekly does not work any more" in told.out


def test_it_stays_and_works_again_once_what_it_reads_is_back(
    duckpost: Duckpost, path: Path
) -> None:
    made = "create or replace table my.goals as select 7 as goal"
    duckpost("sql", "--write", "--warehouse", path, made)

    assert "" == duckpost("report", "--warehouse", path).err
    found = duckpost("sql", "--format", "json", "--warehouse", path, "from my.weekly")
    assert [{"goal": 7}] == json.loads(found.out)
