"""Readers that want all memory: the writer keeps its share, and loses nothing."""

import threading
from collections.abc import Callable
from contextlib import closing
from itertools import cycle
from typing import TYPE_CHECKING

import duckdb

from consumer.errors import QueryError, WarehouseFull
from consumer.warehouse import Warehouse, WarehouseOptions
from consumer.warehouse.memory import Memory

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

# Some 80 MB each and more on the way: a sort, which spills where memory ends, and a list, which
# cannot.
GREEDY = (
    """
    select sum(place)::bigint as answer from (
        select row_number() over (order by text) as place
        from (select repeat(md5(range::varchar), 20) as text from range(120_000))
    )
    """,
    """
    select length(list(text)) as answer
    from (select repeat(md5(range::varchar), 20) as text from range(120_000))
    """,
)


def test_writing_may_use_more_than_readers_and_its_commit_all_of_it() -> None:
    with closing(duckdb.connect(config={"memory_limit": "1000MiB"})) as connection:

        def limit() -> str:
            ((value,),) = connection.execute("select current_setting('memory_limit')").fetchall()
            return str(value)

        memory = Memory(connection)
        found = [limit()]
        for step in (memory.make_room_to_write, memory.make_room_to_commit):
            step()
            found.append(limit())
        memory.leave_to_readers()

        assert ["920.0 MiB", "960.0 MiB", "1000.0 MiB"] == found
        assert "920.0 MiB" == limit()


def read_greedily(warehouse: Warehouse, is_over: threading.Event, outcomes: list[str]) -> None:
    for sql in cycle(GREEDY):
        if is_over.is_set():
            return
        try:
            with warehouse.read(sql) as reader:
                reader.read_all()
            outcomes.append("answered")
        except QueryError as error:
            outcomes.append(str(error))


def test_readers_that_want_all_memory_cost_no_batch(
    new_desk: Callable[..., "Desk"], new_letter: Callable[..., "Letter"]
) -> None:
    desk = new_desk(WarehouseOptions(memory_limit="160MB", threads=2, min_free_bytes=0))
    is_over, outcomes = threading.Event(), list[str]()
    readers = [
        threading.Thread(target=read_greedily, args=[desk.warehouse, is_over, outcomes])
        for _ in range(2)
    ]
    for reader in readers:
        reader.start()
    written = tries = 0
    try:
        while written < 6 or len(outcomes) < 4:
            letters = [new_letter(message_id=f"m-{written}-{n}") for n in range(20)]
            batch = desk.batch(*[event for one in letters for event in (one.send(), one.open())])
            while True:  # one that finds no room is rolled back, and comes again
                tries += 1
                assert tries < 200, "readers kept the writer from it"
                try:
                    result = desk.warehouse.write(batch)
                except WarehouseFull:
                    continue
                break
            assert (40, 40) == (result.inserted, result.rows)
            written += 1
    finally:
        is_over.set()
        for reader in readers:
            reader.join()

    assert {"answered"} == {one for one in outcomes if "emory" not in one}
    assert 40 * written == desk.value("select count(*) as n from events")
    assert written == desk.value("select count(*) as n from ledger")
    assert [] == desk.faults()  # the figures among it
