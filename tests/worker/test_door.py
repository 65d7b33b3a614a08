"""The door under hard use: strangers, silence, crowds, old sockets, and work that is broken off."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consumer.decode import decode
from consumer.door import bodies
from consumer.door import server as door
from consumer.door.access import OpenedWarehouse, open_access
from consumer.door.client import PROTOCOL, PROTOCOL_HEADER, DoorClient
from consumer.envelope import Envelope
from consumer.errors import QueryError, UsageError, WarehouseError
from consumer.settings import WarehouseSettings
from consumer.sources.http_protocol import ConnectionLimits
from consumer.warehouse import Warehouse

MANY_ROWS = "select range as number, repeat('x', 200) as text from range(2_000_000)"
# Hours, and not a row before its end.
ENDLESS = (
    "select count(*) from range(10_000_000) as a, range(10_000_000) as b where a.range > b.range"
)
PATIENCE_SECS = 20.0


@pytest.fixture(autouse=True)
def _lean(lean_sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.warehouse.connection.sql_folder", lambda: lean_sql)


@pytest.fixture
def served(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A warehouse whose door is open, as in a worker."""
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
    with door.listen(app, warehouse.place.socket):
        yield warehouse


def count(client: DoorClient, sql: str = "select 1") -> int:
    with client.read(sql) as reader:
        return sum(batch.num_rows for batch in reader)


def wait_until(is_so: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + PATIENCE_SECS
    turn = threading.Event()
    while not is_so() and time.monotonic() < until:
        turn.wait(0.02)
    return is_so()


def stop_reading(path: Path, sql: str = MANY_ROWS, *, at: str = "/v1/query") -> socket.socket:
    """Ask for many rows and read none of them."""
    body = json.dumps({"sql": sql}).encode()
    knocking = socket.socket(socket.AF_UNIX)
    knocking.connect(str(path))
    knocking.sendall(to_head(at, len(body)) + body)
    return knocking


def stop_sending(path: Path, at: str) -> socket.socket:
    """Begin a request whose end never comes."""
    knocking = socket.socket(socket.AF_UNIX)
    knocking.connect(str(path))
    knocking.sendall(to_head(at, 1_000_000) + b'{"replaces": []}\n' + bytes(1_000))
    return knocking


def to_head(at: str, length: int, protocol: object = PROTOCOL) -> bytes:
    spoken = "" if protocol is None else f"{PROTOCOL_HEADER}: {protocol}\r\n"
    return (
        f"POST {at} HTTP/1.1\r\nHost: localhost\r\n{spoken}Content-Length: {length}\r\n\r\n"
    ).encode()


def is_at_work() -> bool:
    return any(thread.name == "door work" for thread in threading.enumerate())


def test_a_socket_of_another_user_is_refused(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    with pytest.raises(WarehouseError, match=f"belongs to user {mine}, not to you"):
        DoorClient(served.path)


def test_nobody_else_may_knock(served: Warehouse) -> None:
    assert 0o600 == served.place.socket.stat().st_mode & 0o777


@pytest.mark.parametrize("spoken", [PROTOCOL - 1, PROTOCOL + 1])
def test_a_worker_of_another_version_is_told_apart(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch, spoken: int
) -> None:
    monkeypatch.setattr(door, "PROTOCOL", spoken)
    told = f"of another version of duckpost than this command: it speaks protocol {spoken}"
    with pytest.raises(WarehouseError, match=told) as refused:
        DoorClient(served.path)

    assert f"PID {os.getpid()}" in str(refused.value)
    assert 4 == refused.value.exit_code


@pytest.mark.parametrize("about", ["{}", '{"protocol": 99}', "[]", "<html>", "x" * 200_000])
def test_a_worker_that_says_of_itself_what_nobody_understands_is_of_another_version(
    warehouse: Warehouse, about: str
) -> None:
    async def answer(_request: Request) -> Response:
        return Response(about)

    app = Starlette(routes=[Route("/v1/about", answer)])
    with (
        door.listen(app, warehouse.place.socket),
        pytest.raises(WarehouseError, match="of another version of duckpost than this command"),
    ):
        DoorClient(warehouse.path)


def test_a_worker_that_knows_no_such_question_is_of_another_version(warehouse: Warehouse) -> None:
    with (
        door.listen(Starlette(), warehouse.place.socket),
        pytest.raises(WarehouseError, match="of another version of duckpost than this command"),
    ):
        DoorClient(warehouse.path)


@pytest.mark.parametrize("protocol", [None, PROTOCOL - 1, PROTOCOL + 1, "x" * 1_000])
def test_a_worker_refuses_what_a_client_of_another_version_asks(
    served: Warehouse, protocol: object
) -> None:
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(PATIENCE_SECS)
        knocking.connect(str(served.place.socket))
        knocking.sendall(to_head("/v1/quarantine/drop", 1_000_000, protocol))  # and no body
        answer = b""
        while b"use the duckpost it runs" not in answer:
            part = knocking.recv(4_096)
            assert part, answer
            answer += part

    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b'"kind":"WarehouseError"' in answer
    assert f"the worker {PROTOCOL}.".encode() in answer
    assert len(answer) < 2_000


def test_a_client_that_the_worker_does_not_understand_any_more_says_so(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = DoorClient(served.path)  # and then the worker is replaced by another version
    monkeypatch.setattr(door, "PROTOCOL", PROTOCOL + 1)
    with pytest.raises(WarehouseError, match="this command is of another version"):
        client.verify()
    with pytest.raises(WarehouseError, match="this command is of another version"):
        count(client)


def test_a_path_that_the_worker_does_not_know_is_another_version_s(served: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="does not know /v1/divine"):
        DoorClient(served.path)._ask("POST", "/v1/divine")


def test_clients_that_stop_reading_do_not_keep_others_from_it(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.door.work.STALLED_SECS", 0.3)
    deaf = [stop_reading(served.place.socket) for _ in range(door.MOST_READERS)]
    try:
        assert 1 == count(DoorClient(served.path))
    finally:
        for one in deaf:
            one.close()


def test_clients_that_hang_up_free_their_place(served: Warehouse) -> None:
    for _ in range(3 * door.MOST_READERS):
        stop_reading(served.place.socket).close()

    assert 1 == count(DoorClient(served.path))


def test_a_client_that_hangs_up_before_the_first_row_ends_its_query(served: Warehouse) -> None:
    for _ in range(3 * door.MOST_READERS):
        stop_reading(served.place.socket, ENDLESS).close()

    assert 1 == count(DoorClient(served.path))


def test_a_worker_that_leaves_ends_what_is_asked_and_its_file_closes(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
    with ThreadPoolExecutor(1) as clients:
        with door.listen(app, warehouse.place.socket):
            before = time.process_time()
            asked = clients.submit(count, DoorClient(warehouse.path), ENDLESS)
            assert wait_until(lambda: time.process_time() - before > 0.3)  # it computes
        warehouse.close()
        with pytest.raises(QueryError):
            asked.result(PATIENCE_SECS)

    assert [] == [record for record in caplog.records if record.exc_info]


def test_an_own_table_that_its_client_waits_for_no_more_ends_and_batches_go_on_meanwhile(
    served: Warehouse,
) -> None:
    asked = stop_reading(served.place.socket, f"create table my.endless as {ENDLESS}", at="/v1/own")
    before = time.process_time()
    assert wait_until(lambda: time.process_time() - before > 0.3)  # it computes
    client = DoorClient(served.path)
    client.write(served.new_builder("files").finish())
    assert is_at_work()

    asked.close()

    assert wait_until(lambda: not is_at_work())
    assert "mine" == client.change_own("create table my.mine as select 1 as n")
    assert 0 == count(client, "from duckdb_tables() where table_name = 'endless'")


def test_clients_that_stop_sending_keep_nobody_from_the_writer(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = [
        stop_sending(served.place.socket, at)
        for at in ("/v1/write", "/v1/quarantine/drop", "/v1/suppression/lift", "/v1/own")
        for _ in range(2 * door.MOST_WRITERS)
    ]
    try:
        client = DoorClient(served.path)
        client.write(served.new_builder("files").finish())
        client.lift_suppression("reader@example.com", None)
        assert 0 == client.drop_quarantined(None)
    finally:
        for one in stuck:
            one.close()


def test_a_client_that_stops_sending_is_cut_off_in_time(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door, "LIMITS", ConnectionLimits(head_secs=0.3, body_secs=0.3))
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
    with door.listen(app, warehouse.place.socket):
        for at in ("/v1/write", "/v1/erase"):
            with stop_sending(warehouse.place.socket, at) as stuck:
                stuck.settimeout(PATIENCE_SECS)
                assert stuck.recv(1_000).startswith(b"HTTP/1.1 408 ")
                assert b"" == stuck.recv(1_000).removeprefix(b"the body did not come in time\n")
        assert 1 == count(DoorClient(warehouse.path))

    assert [] == [record for record in caplog.records if record.exc_info]


def test_a_request_that_is_too_large_is_refused_and_a_large_one_leaves_no_file(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = DoorClient(served.path)
    before = sorted(served.path.parent.iterdir())
    with pytest.raises(UsageError, match="bytes at most"):
        client.change_own("-- " + "x" * bodies.MAX_QUERY_BYTES)
    assert 0 == client.drop_quarantined([f"{number:064}" for number in range(50_000)])

    assert before == sorted(served.path.parent.iterdir())


def test_a_door_with_too_many_connections_says_so(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = ConnectionLimits(max_connections=2, max_connections_per_address=2)
    monkeypatch.setattr(door, "LIMITS", most)
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
    with door.listen(app, warehouse.place.socket):
        stuck = [stop_sending(warehouse.place.socket, "/v1/write") for _ in range(2)]
        try:
            with pytest.raises(WarehouseError, match=r"no more connections.*again"):
                DoorClient(warehouse.path)
        finally:
            for one in stuck:
                one.close()


def test_a_hundred_clients_are_all_answered(served: Warehouse) -> None:
    def ask(number: int) -> int:
        return count(DoorClient(served.path), f"from range({number})")

    with ThreadPoolExecutor(100) as clients:
        assert list(range(100)) == list(clients.map(ask, range(100)))


def test_more_readers_than_places_are_asked_to_come_again(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "READER_WAIT_SECS", 0.1)
    deaf = [stop_reading(served.place.socket) for _ in range(door.MOST_READERS)]
    client = DoorClient(served.path)

    def is_refused() -> bool:
        try:
            count(client)
        except QueryError as error:
            return "try again" in str(error)
        return False

    try:
        assert wait_until(is_refused)
    finally:
        for one in deaf:
            one.close()


def test_a_worker_that_is_killed_after_the_first_word_is_told_in_one_line(
    warehouse: Warehouse,
) -> None:
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
    with door.listen(app, warehouse.place.socket):
        client = DoorClient(warehouse.path)
    left = socket.socket(socket.AF_UNIX)
    warehouse.place.socket.unlink(missing_ok=True)
    left.bind(str(warehouse.place.socket))  # as kill -9 leaves it: a name, and nobody behind it
    left.close()
    batch = warehouse.new_builder("files").finish()
    with pytest.raises(WarehouseError, match=r"went away.*give the command again"):
        client.write(batch)
    with pytest.raises(WarehouseError, match="went away"):
        client.verify()
    with pytest.raises(QueryError, match="it was stopped"):
        count(client)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_socket_that_a_killed_worker_left_is_no_obstacle(
    warehouse: Warehouse, is_live: bool
) -> None:
    path = warehouse.place.socket
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(ConnectionRefusedError):
        DoorClient(warehouse.path)
    if not is_live:
        warehouse.close()
        open_access(WarehouseSettings(path=warehouse.path, min_free_bytes=0)).close()
        return
    app = door.to_app(OpenedWarehouse(warehouse), on_broken=lambda: None)
    with door.listen(app, path):
        assert 1 == count(DoorClient(warehouse.path))


def test_work_that_its_client_breaks_off_ends_and_leaves_nothing(
    served: Warehouse, tmp_path: Path
) -> None:
    (served.place.archive).mkdir()
    for number in range(40):  # something to be copied for a while
        (served.place.archive / f"20260302T09-{number:03}.zst").write_bytes(bytes(2**22))
    folder = tmp_path / "copies"
    folder.mkdir()

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DoorClient(served.path).back_up(folder / "copy", on_progress=interrupt)

    assert wait_until(lambda: not list(folder.iterdir()))
    with served.held():  # the writer is free
        pass


def test_long_work_gives_progress_and_the_same_result(served: Warehouse, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    client = DoorClient(served.path)
    findings = client.verify(on_progress=lambda *one: told.append(one))
    result = client.back_up(tmp_path / "copy")

    assert OpenedWarehouse(served).verify() == findings
    assert told
    assert str(tmp_path / "copy") == result.folder


def test_a_verification_that_is_broken_off_ends_at_its_next_step(served: Warehouse) -> None:
    told: list[tuple[int, int]] = []

    def interrupt(done: int, total: int) -> None:
        told.append((done, total))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DoorClient(served.path).verify(on_progress=interrupt)

    assert told[0][0] < told[0][1]
    assert wait_until(lambda: not is_at_work())
    assert all(finding.is_well for finding in DoorClient(served.path).verify())


def test_a_fault_in_long_work_comes_back_as_what_it_is(served: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").touch()
    with pytest.raises(UsageError, match="not an empty folder") as refused:
        DoorClient(served.path).back_up(tmp_path / "copy")

    assert 2 == refused.value.exit_code


def test_a_drop_that_its_client_breaks_off_ends_after_its_portion(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.warehouse._DROPPED", 10)
    builder = served.new_builder("files")
    for number in range(500):
        nonsense = json.dumps({"nonsense": number}).encode()
        for decoded in decode(Envelope(nonsense, None, "files", datetime.now(UTC))):
            builder.add(decoded)
    served.write(builder.finish())
    client = DoorClient(served.path)

    def interrupt(_done: int, total: int) -> None:
        assert 500 == total
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.drop_quarantined(None, on_progress=interrupt)

    assert wait_until(lambda: not is_at_work())
    left = count(client, "from quarantine")
    assert 0 < left < 500
    assert 0 == left % 10
    assert all(finding.is_well for finding in client.verify())
    assert left == client.drop_quarantined(None)


@pytest.mark.parametrize("at", ["/v1/erase", "/v1/verify", "/v1/prune", "/v1/reclassify"])
def test_a_statement_of_long_work_ends_when_its_client_has_gone(
    served: Warehouse, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def compute(_warehouse: Warehouse, *_: object, **__: object) -> None:
        with served.read(ENDLESS) as reader:
            reader.read_all()

    for name in ("erase", "verify", "prune", "reclassify"):
        monkeypatch.setattr(f"consumer.door.access.{name}", compute)
    asked = {"address": "reader@example.com", "retention": {}, "is_dry_run": False}
    body = json.dumps(asked).encode()
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.connect(str(served.place.socket))
        knocking.sendall(to_head(at, len(body)) + body)
        before = time.process_time()
        assert wait_until(lambda: time.process_time() - before > 0.3)  # it computes
        assert is_at_work()

    assert wait_until(lambda: not is_at_work())
