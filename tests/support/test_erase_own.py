"""`duckpost erase` in what users made, and in slices: nobody waits for its search."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from consumer.addresses import parse_address
from consumer.warehouse.erasure import tables
from consumer.warehouse.erasure.erasing import ErasureResult, erase

Desk = Any
Verb = Callable[..., Any]

CANARY = "cora.canary+shop@example.com"
VIEWS = """
create view my.watched as select * from events where recipient = '{her}'
create macro if not exists my.is_hers(a, her := '{her}') as a = her
create macro my.hers() as table select * from events where recipient = '{her}'
create table my.kept as select '{her}' as who, message_id from events -- {her}
create view my.others as select 1 as n
"""
STUBBORN = """
create table my.sends as select 1 as n
create view my.broken as select n, '{her}' as who from my.sends
create or replace table my.sends as select 1 as other
create view my."{her}" as select 1 as n
create table my.defaults (who varchar default '{her}')
"""
NOTES = """
create table my.notes as
select '{her}' as who, map {{'{her}': ['x']}} as named, [null, '{her}'] as several,
    {{'a': '{her}', 'n': 1}} as one, '{her}'::blob as raw
from range(3)
union all
select 'else', null, null, null, null
"""
TEXTS = """
select sql from duckdb_views()
union all
select macro_definition from duckdb_functions()
union all
select statement from own_objects
"""


def make(desk: Desk, statements: str) -> None:
    for sql in statements.strip().splitlines():
        desk.access.change_own(sql.format(her=CANARY))


def erase_canary(desk: Desk) -> ErasureResult:
    return erase(desk.warehouse, parse_address(CANARY, desk.warehouse.secret))


def test_views_and_macros_that_name_the_address_are_made_anew_with_its_token(
    desk: Desk, new_letter: Callable[..., Any]
) -> None:
    desk.write(new_letter(to=[CANARY]).send(), new_letter(message_id="m2").send())
    make(desk, VIEWS)

    result = erase_canary(desk)

    hidden = parse_address(CANARY, desk.warehouse.secret).hidden
    assert () == tuple(result.left)
    assert [{"recipient": hidden}] == desk.rows("select recipient from my.watched")
    assert [{"recipient": hidden}] == desk.rows("select recipient from my.hers()")
    asked = "select my.is_hers(who) as hers, my.is_hers('x') as xs from (select $1 as who)"
    with desk.warehouse.read(asked, [hidden]) as reader:
        assert [{"hers": True, "xs": False}] == reader.read_all().to_pylist()
    held = [row["sql"] for row in desk.rows(TEXTS) if row["sql"]]
    assert [] == [text for text in held if CANARY in text.lower()]
    assert 4 == sum(hidden in text for text in held if text.startswith("create") and "my." in text)
    desk.warehouse.reopen()
    assert [{"recipient": hidden}] == desk.rows("select recipient from my.watched")


def test_what_cannot_be_made_anew_is_named(desk: Desk, duckpost: Verb) -> None:
    make(desk, STUBBORN)

    done = duckpost("erase", CANARY, "--yes")
    told = json.loads(duckpost("erase", CANARY, "--yes", "--json").out)

    assert sorted(["broken", "defaults", CANARY]) == told["left"]
    for name in told["left"]:
        assert f"still names it: my.{name}" in done.out


def test_an_own_table_of_any_types_is_erased(desk: Desk) -> None:
    desk.access.change_own(NOTES.format(her=CANARY))

    # five columns, in three rows each, and the statement
    assert 16 == erase_canary(desk).others
    assert [] == desk.rows("from my.notes as n where contains(lower(n::varchar), 'cora.canary')")
    assert 4 == len(desk.rows("from my.notes"))


def test_quarantine_is_looked_through_in_slices(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = [json.dumps({"number": number, "to": CANARY}).encode() for number in range(7)]
    desk.write(*payloads, b'{"number": 8}')
    monkeypatch.setattr(tables, "_AT_ONCE", 2)
    doings: list[str] = []
    change = desk.warehouse.change

    def note(doing: str, work: Callable[..., Any]) -> Any:  # noqa: ANN401 - as the real one
        doings.append(doing)
        return change(doing, work)

    with monkeypatch.context() as patch:
        patch.setattr(desk.warehouse, "change", note)
        assert 7 == erase_canary(desk).others

    assert 4 == doings.count("erasing from quarantine")
    assert 8 == len(desk.rows("from quarantine"))
    assert 1 == len(desk.rows("from quarantine where not contains(payload::varchar, '~')"))
    assert [] == desk.faults()
