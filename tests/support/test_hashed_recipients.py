"""Recipients as tokens alone: the same figures, and no file that holds an address."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.addresses import parse_address
from consumer.batch import BatchBuilder
from consumer.decode import decode
from consumer.decoded import Decoded
from consumer.door import server as door
from consumer.door.access import OpenedWarehouse
from consumer.door.client import DoorClient
from consumer.envelope import Envelope
from consumer.erasure import Hider
from consumer.errors import SettingsError, WarehouseError
from consumer.find import find
from consumer.replay import replay
from consumer.resources import sql_folder
from consumer.suppression.recipients import lift
from consumer.warehouse import Warehouse, WarehouseOptions, WriteResult, open_warehouse
from consumer.warehouse.archive import read_file
from consumer.warehouse.connection import open_file
from consumer.warehouse.recovery.rebuild import rebuild
from consumer.warehouse.ses_suppressions import Listed, keep_list

Desk = Any
Letter = Any
NewLetter = Callable[..., Letter]

HASHED = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0, recipients="hashed")
UNSAID = WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0)
RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = b"k" * 32
CANARY = "Cora.Canary+Shop@Example.com"
# somebody whom no event names as recipient: a forwarder's mailbox
BEHIND = "cora.private@mail.example.net"
SENDER = "news@shop.example.org"
IN_A_LINK = "https://shop.example.org/?to=cora.canary%2Bshop%40example.com&n=1"
# They tell of bytes and of the clock, which differ from one file to the next.
OF_THE_WORKER = frozenset({"disk_hourly", "pipeline_hourly"})
FACTS = """
select
    event_key, event_type, event_at, recipient_domain, provider, identity, from_domain,
    is_simulator, bounce_class, machine_rule, is_ambiguous,
from events order by event_key
"""
ROWS = "select * exclude (received_at) from events order by event_key"


def make_traffic(new_letter: NewLetter) -> list[dict[str, Any] | bytes]:
    """Every place of a payload in which an address was seen or could be."""
    letter = new_letter(to=[CANARY], tags={"user": [CANARY.lower()], "campaign": ["spring"]})
    send = letter.send()
    send["mail"]["commonHeaders"]["subject"] = f"Hello {CANARY}"
    send["mail"]["commonHeaders"]["to"] = [f'"Canary, Cora" <{CANARY}>, Bob <bob@example.com>']
    send["mail"]["headers"].append({"name": "To", "value": f'"Cora, Dear" <{CANARY}>'})
    bounce = letter.bounce()
    (bounced,) = bounce["bounce"]["bouncedRecipients"]
    bounced["emailAddress"] = f"Cora <{CANARY}>"
    bounced["diagnosticCode"] = f"smtp; 550-5.1.1\n550 5.1.1 <{CANARY}>, {BEHIND}: no such user"
    delivery = letter.delivery()
    delivery["delivery"]["smtpResponse"] = f"250 ok queued for {CANARY.lower()}"
    wrapped = {
        "Type": "Notification",
        "MessageId": "5f2c9f4e-1111-4222-8333-444455556666",
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:ses-events",
        "Message": json.dumps(letter.complaint()),
        "Timestamp": "2026-03-02T09:30:15.422Z",
    }
    packed = base64.b64encode(json.dumps(new_letter(message_id="m5", to=[CANARY]).send()).encode())
    crowd = new_letter(message_id="m2", to=["bob@example.com", f"Cora <{CANARY}>"])
    lone = new_letter(message_id="m4", to=[CANARY])
    returned = new_letter(message_id="m6", to=[CANARY]).send()
    returned["mail"]["source"] = "bounces+cora.canary+shop=example.com@shop.example.org"
    to_oneself = new_letter(message_id="m7", to=[SENDER, CANARY])
    return [
        send,
        delivery,
        bounce,
        letter.open(),
        letter.click(link="https://shop.example.org/spring"),
        letter.subscription(),
        wrapped,
        {"requestId": "1", "timestamp": 1, "records": [{"data": packed.decode()}]},
        crowd.send(),
        crowd.open(),
        crowd.complaint(),
        lone.by_identity(lone.delivery()),
        lone.delivery(),
        lone.delay(),
        returned,
        to_oneself.send(),
        to_oneself.delivery(),
        json.dumps({"eventType": "Teleport", "to": CANARY, "mail": {}}).encode(),
        f"no JSON, but {CANARY} and cora.canary%2Bshop%40example.com".encode(),
        b'{"cut": "' + base64.b64encode(json.dumps({"for": CANARY}).encode())[:-6],
    ]


def write(warehouse: Warehouse, *payloads: dict[str, Any] | bytes) -> WriteResult:
    builder = warehouse.new_builder("sqs:ses-events")
    for decoded in read(*payloads):
        builder.add(decoded)
    return warehouse.write(builder.finish())


def read(*payloads: dict[str, Any] | bytes) -> Iterator[Decoded]:
    for payload in payloads:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        yield from decode(Envelope(body, None, "sqs:ses-events", RECEIVED))


def ask(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    with warehouse.read(sql) as reader:
        rows: list[dict[str, Any]] = reader.read_all().to_pylist()
    return rows


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse just made with hashed recipients, closed, to copy from; nothing compressed."""

    def open_plainly(*arguments: Any) -> Any:  # noqa: ANN401 - as the real one
        connection = open_file(*arguments)
        connection.execute("set global force_compression = 'uncompressed'")
        return connection

    path = tmp_path_factory.mktemp("made") / "ses.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consumer.warehouse.connection.open_file", open_plainly)
        open_warehouse(path, HASHED).close()
    return path


@pytest.fixture
def hashed(_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """Opened by settings that say nothing of recipients: what was made hashed stays so."""

    def open_plainly(*arguments: Any) -> Any:  # noqa: ANN401 - as the real one
        connection = open_file(*arguments)
        connection.execute("set global force_compression = 'uncompressed'")
        return connection

    monkeypatch.setattr("consumer.warehouse.connection.open_file", open_plainly)
    folder = tmp_path / "hashed"
    shutil.copytree(_made.parent, folder)
    warehouse = open_warehouse(folder / "ses.duckdb", UNSAID)
    yield warehouse
    warehouse.close()


def find_canary(folder: Path) -> list[str]:
    """Name the files that hold a part of an address, or of a name beside it."""
    found = []
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = file.read_bytes()
        if file.suffix == ".zst":
            frames = (one[1] for one in read_file(file) if isinstance(one, tuple))
            content = b"".join(
                zstandard.ZstdDecompressor().decompressobj().decompress(frame) for frame in frames
            )
        packed = base64.b64encode(b"Cora.Canary")[2:-2]
        if b"cora" in content.lower() or packed in content:
            found.append(file.name)
    return found


def test_no_file_ever_holds_the_address(hashed: Warehouse, new_letter: NewLetter) -> None:
    traffic = make_traffic(new_letter)
    write(hashed, *traffic)
    listed = [Listed(CANARY.lower(), "BOUNCE", RECEIVED), Listed(BEHIND, "BOUNCE", RECEIVED)]
    keep_list(hashed, "111122223333", "eu-west-1", listed)
    lift(OpenedWarehouse(hashed), CANARY, note=f"{CANARY} asked")
    # as a kill leaves it: the log is not in the file yet
    assert [] == find_canary(hashed.path.parent)
    assert hashed.place.wal.stat().st_size > 0

    hashed.checkpoint()
    hashed.close()
    assert [] == find_canary(hashed.path.parent)
    assert any(b"spring" in one.read_bytes() for one in hashed.path.parent.glob("ses.duckdb")), (
        "a search that finds nothing at all proves nothing above"
    )


def test_figures_and_keys_are_those_of_a_warehouse_that_keeps_addresses(
    hashed: Warehouse, desk: Desk, new_letter: NewLetter
) -> None:
    # the same key, so that tokens may be laid beside each other
    path = desk.path
    desk.warehouse.close()
    path.with_suffix(".key").write_text(f"{hashed.secret.hex()}\n")
    desk.reopen(UNSAID)
    traffic = make_traffic(new_letter)
    plain = desk.warehouse

    results = [write(one, *traffic) for one in (plain, hashed)]

    assert [results[0].received, results[0].inserted, results[0].quarantined] == [
        results[1].received, results[1].inserted, results[1].quarantined,
    ]  # fmt: skip
    for sql in (
        FACTS,
        "select * from marks order by all",
        "select reason, count(*) as n from quarantine group by reason order by reason",
    ):
        assert ask(plain, sql) == ask(hashed, sql), sql
    tokens = {
        one["recipient"]: parse_address(one["recipient"], hashed.secret).hidden
        for one in ask(plain, "select distinct recipient from events where recipient is not null")
    }
    assert sorted(tokens.values()) == [
        one["recipient"]
        for one in ask(
            hashed,
            "select distinct recipient from events where recipient is not null order by all",
        )
    ]
    hide = Hider(hashed.secret).hide_text
    for view in sorted(file.stem[3:] for file in sql_folder().glob("views/20_*.sql")):
        if view not in OF_THE_WORKER:
            columns = "columns(lambda name: name not in ('age_hours', 'cohort_age_hours'))"
            sql = f"select {columns} from {view}"  # noqa: S608 - a view's own name
            expected = [hide(repr(row)) for row in ask(plain, sql)]
            assert sorted(expected) == sorted(repr(row) for row in ask(hashed, sql)), view


def test_who_knows_the_address_finds_it(hashed: Warehouse, new_letter: NewLetter) -> None:
    write(hashed, *make_traffic(new_letter))
    access = OpenedWarehouse(hashed)

    story = find(access, CANARY)

    hidden = parse_address(CANARY, hashed.secret).hidden
    assert (6, True) == (story.total, story.is_hidden)
    assert story.advice is not None
    assert {"hard_bounce", "complaint"} <= set(story.advice.reasons)
    (lifted,) = lift(access, f"Cora <{CANARY}>", note=None)
    assert hidden == lifted.recipient
    assert 0 == access.erase(CANARY).events
    assert SENDER in {row["source"] for row in ask(hashed, "select source from events")}


def test_what_comes_again_changes_nothing_and_a_rebuild_gives_the_same(
    hashed: Warehouse, new_letter: NewLetter
) -> None:
    traffic = make_traffic(new_letter)
    first = write(hashed, *traffic)
    again = write(hashed, *traffic)
    assert (0, 0, first.received) == (again.inserted, again.quarantined, again.duplicates)
    replay(OpenedWarehouse(hashed), [])
    kept = "select sha256, reason, detail, payload, payload_bytes from quarantine order by all"
    before = ask(hashed, ROWS), ask(hashed, kept), ask(hashed, "from marks order by all")
    hashed.close()

    rebuild(hashed.path, UNSAID)

    with open_warehouse(hashed.path, HASHED) as rebuilt:
        assert rebuilt.is_hashed
        after = ask(rebuilt, ROWS), ask(rebuilt, kept), ask(rebuilt, "from marks order by all")
    assert before == after


def test_a_rebuild_under_a_new_key_stays_hashed(hashed: Warehouse, new_letter: NewLetter) -> None:
    write(hashed, *make_traffic(new_letter))
    hashed.close()
    hashed.place.key.unlink()

    rebuild(hashed.path, UNSAID, has_new_key=True)

    with open_warehouse(hashed.path, UNSAID) as rebuilt:
        assert rebuilt.is_hashed
        write(rebuilt, new_letter(message_id="m9", to=[CANARY]).send())
    assert [] == find_canary(hashed.path.parent)


def test_a_warehouse_is_the_one_or_the_other_from_its_start(
    hashed: Warehouse, desk: Desk, new_letter: NewLetter
) -> None:
    plain = desk.warehouse
    plain_batch = plain.new_builder("sqs:ses-events")
    hashed_batch = hashed.new_builder("sqs:ses-events")
    for decoded in read(new_letter(to=[CANARY]).send()):
        plain_batch.add(decoded)
        hashed_batch.add(decoded)
    for warehouse, batch in ((hashed, plain_batch.finish()), (plain, hashed_batch.finish())):
        with pytest.raises(WarehouseError, match="made for another warehouse"):
            warehouse.write(batch)
    hashed.close()
    plain.close()
    with pytest.raises(SettingsError, match=r"'plain', but .* was made with 'hashed'"):
        open_warehouse(hashed.path, WarehouseOptions(recipients="plain"))
    with pytest.raises(SettingsError, match=r"'hashed', but .* was made with 'plain'"):
        open_warehouse(desk.path, HASHED)
    desk.reopen()
    desk.write(new_letter().send())
    desk.warehouse.close()
    with pytest.raises(SettingsError, match=r"'hashed', but .* was made with 'plain'"):
        rebuild(desk.path, HASHED)
    desk.reopen()


def test_whoever_comes_through_the_door_hashes_too(
    hashed: Warehouse, new_letter: NewLetter
) -> None:
    app = door.to_app(OpenedWarehouse(hashed), on_broken=lambda: None)
    with door.listen(app, hashed.place.socket):
        client = DoorClient(hashed.path)
        assert client.is_hashed
        hide = Hider(client.secret)
        builder = BatchBuilder("files", client.secret, hide=hide)
        for decoded in read(*make_traffic(new_letter)):
            builder.add(decoded)
        client.write(builder.finish())
        assert 6 == find(client, CANARY).total
    assert [] == find_canary(hashed.path.parent)


def test_a_payload_that_was_cut_keeps_no_half_of_an_address(new_letter: NewLetter) -> None:
    (cut,) = read(b'{"eventType": "Teleport", "to": "cora.can')
    (verdict,) = cut.quarantined
    verdict = type(verdict)(
        verdict.reason, verdict.detail, verdict.payload, verdict.sha256, verdict.length + 100
    )
    cut.quarantined = [verdict]
    (hidden,) = Hider(SECRET)(cut)
    (again,) = Hider(SECRET)(hidden)
    assert b"cora" not in hidden.quarantined[0].payload
    assert b"cora" not in hidden.raw
    assert hidden == again


_LOCAL = st.text("abcXYZ019._+-'!#~%=/\"é ", min_size=1, max_size=20)
_TEXT = st.text('ab @.<>%40=~\\"{},&;:/é\n', max_size=60)


@settings(max_examples=60, deadline=None)
@given(local=_LOCAL, around=_TEXT)
def test_hiding_is_total_and_doing_it_twice_changes_nothing(local: str, around: str) -> None:
    written = f"{local}@example.com"
    event = {
        "eventType": "Bounce",
        "mail": {
            "timestamp": "2026-03-02T09:30:15.422Z",
            "messageId": "m1",
            "source": SENDER,
            "destination": [written],
            "tags": {"user": [f"{around}{written}{around}"]},
        },
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "timestamp": "2026-03-02T09:30:17.422Z",
            "bouncedRecipients": [{"emailAddress": written, "diagnosticCode": around}],
        },
    }
    plain = list(read(event))
    once = [hidden for one in plain for hidden in Hider(SECRET)(one)]
    twice = [hidden for one in once for hidden in Hider(SECRET)(one)]
    assert [one.raw for one in once] == [one.raw for one in twice]
    assert [one.events for one in once] == [one.events for one in twice]
    assert len(plain[0].events) == len(once[0].events)
    token = parse_address(written, SECRET).token
    (destination,) = once[0].events[0]["mail"]["destination"]  # type: ignore[misc]  # it is there
    assert token == parse_address(destination, SECRET).token
