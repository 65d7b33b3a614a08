"""Which identity stands behind a source address: the least event that names one decides."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from consumer.errors import WarehouseError

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

MakeDesk = Callable[..., "Desk"]
MakeLetter = Callable[..., "Letter"]

SAID = "select account, region, source, identity, identity_account from identities order by all"


def test_an_identity_is_learned_from_an_event_that_names_it(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.open())
    assert [] == desk.rows(SAID)
    desk.write(letter.delivery())

    assert [
        {
            "account": "111122223333",
            "region": "eu-west-1",
            "source": "news@shop.example.org",
            "identity": "shop.example.org",
            "identity_account": "111122223333",
        }
    ] == desk.rows(SAID)


def test_the_earliest_event_decides_whatever_came_first(
    new_desk: MakeDesk, new_letter: MakeLetter
) -> None:
    start = new_letter().sent
    sends = [
        new_letter(
            message_id=f"0102-{name}", sent=start + timedelta(hours=hours), identity=name
        ).send()
        for hours, name in enumerate(["example.org", "shop.example.org", "news@shop.example.org"])
    ]
    for order in itertools.permutations(sends):
        apart, together = new_desk(), new_desk()
        for send in order:
            apart.write(send)
        together.write(*order)

        expected = [{"identity": "example.org"}]
        assert expected == apart.rows("select identity from identities")
        assert expected == together.rows("select identity from identities")


def test_accounts_and_regions_keep_their_own(desk: "Desk", new_letter: MakeLetter) -> None:
    def elsewhere(message_id: str, account: str | None, arn: str) -> dict[str, Any]:
        event = new_letter(message_id=message_id, account=account).send()
        return {**event, "mail": {**event["mail"], "sourceArn": arn}}

    desk.write(
        elsewhere("m1", "111122223333", "arn:aws:ses:eu-west-1:111122223333:identity/one.org"),
        elsewhere("m2", "111122223333", "arn:aws:ses:us-east-1:111122223333:identity/two.org"),
        elsewhere("m3", "444455556666", "arn:aws:ses:us-east-1:111122223333:identity/three.org"),
        elsewhere("m4", None, "arn:aws:ses:us-east-1:111122223333:identity/four.org"),
    )
    desk.write(elsewhere("m5", None, "arn:aws:ses:us-east-1:111122223333:identity/four.org"))

    assert ["four.org", "one.org", "three.org", "two.org"] == [
        row["identity"] for row in desk.rows("select identity from identities order by identity")
    ]


def test_both_forms_of_an_event_say_the_same(new_desk: MakeDesk, letter: "Letter") -> None:
    """The identity copy's instant is cut to the second; what is learned must not tell."""
    event = letter.delivery()
    first, second = new_desk(), new_desk()
    first.write(letter.by_identity(event))
    first.write(event)
    second.write(event)
    second.write(letter.by_identity(event))

    assert second.rows("select * from identities") == first.rows("select * from identities")


def test_what_a_rolled_back_batch_said_is_learned_when_it_comes_again(
    desk: "Desk", letter: "Letter", monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write(letter.delivery())
    earlier = letter.send()
    with monkeypatch.context() as patch:
        patch.setattr(
            "consumer.warehouse.writing.write._LEDGER", "insert into no_such_table values (1)"
        )
        with pytest.raises(WarehouseError, match="no_such_table"):
            desk.write(earlier)
    desk.write(earlier)

    assert [{"event_at": letter.sent.replace(microsecond=0, tzinfo=None)}] == desk.rows(
        "select event_at from identities"
    )
    assert [] == desk.faults()


def test_a_holder_that_somebody_took_out_is_learned_anew(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send())
    desk.warehouse.change(
        "forgetting", lambda connection: connection.execute("delete from identities")
    )
    desk.write(letter.delivery())

    assert 1 == desk.value("select count(*) from identities")


def test_more_sources_than_are_remembered_are_learned_all_the_same(
    desk: "Desk", new_letter: MakeLetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.writing.identities._MOST_REMEMBERED", 2)
    for number in range(4):
        source = f"bounces+{number}@shop.example.org"
        desk.write(new_letter(message_id=f"0102-{number}", source=source).send())
        desk.write(new_letter(message_id=f"0102-{number}", source=source).delivery())

    assert 4 == desk.value("select count(*) from identities")
