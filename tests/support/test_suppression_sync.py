"""Our list and SES's account list, laid against each other.

Answers have the shapes of these pages:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteSuppressedDestination.html
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from consumer.addresses import parse_address
from consumer.door import server as door
from consumer.door.client import DoorClient
from consumer.errors import SourceDenied
from consumer.sources.aws import AwsAccess
from consumer.suppression.recipients import lift
from consumer.suppression.sync import RegionSync, SesList, find_regions, sync_region
from consumer.warehouse.erasure.erasing import erase

Desk = Any
NewLetter = Callable[..., Any]
Verb = Callable[..., Any]

ACCOUNT = "111122223333"
REGION = "eu-west-1"
LISTED_AT = datetime(2026, 3, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


class FakeList:
    """SES's list in one region: it answers what it was told to, in order, and nothing else."""

    def __init__(self, region: str = REGION) -> None:
        self.waits: list[float] = []
        self.list = SesList(AwsAccess(), region, sleep=self.waits.append)
        self._sts, self._ses = Stubber(self.list.sts.client), Stubber(self.list.ses.client)
        for stub in (self._sts, self._ses):
            stub.activate()

    def known(self) -> "FakeList":
        arn = f"arn:aws:iam::{ACCOUNT}:user/duckpost"
        answer = {"Account": ACCOUNT, "UserId": "AIDA", "Arn": arn}
        self._sts.add_response("get_caller_identity", answer)
        return self

    def holds(
        self, *addresses: str, at: datetime = LISTED_AT, token: str | None = None
    ) -> "FakeList":
        """The next page of the list."""
        entries = [
            {"EmailAddress": one, "Reason": "BOUNCE", "LastUpdateTime": at} for one in addresses
        ]
        page = {"NextToken": token} if token else {}
        answer = {"SuppressedDestinationSummaries": entries, **page}
        self._ses.add_response("list_suppressed_destinations", answer)
        return self

    def takes(self, address: str, reason: str) -> "FakeList":
        expected = {"EmailAddress": address, "Reason": reason}
        self._ses.add_response("put_suppressed_destination", {}, expected)
        return self

    def loses(self, address: str) -> "FakeList":
        self._ses.add_response("delete_suppressed_destination", {}, {"EmailAddress": address})
        return self

    def refuses(self, operation: str, code: str, status: int = 400) -> "FakeList":
        self._ses.add_client_error(operation, code, "no", http_status_code=status)
        return self

    def finish(self) -> None:
        """Fail where something was not asked."""
        self._sts.assert_no_pending_responses()
        self._ses.assert_no_pending_responses()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def ses() -> FakeList:
    return FakeList().known()


def sync(desk: Desk, ses: FakeList, **options: Any) -> RegionSync:  # noqa: ANN401 - its own
    synced = sync_region(desk.access, lambda: ses.list, REGION, **options)
    ses.finish()
    return synced


def changes(synced: RegionSync) -> list[tuple[str, str, str]]:
    return [(one.action, one.address, one.reason) for one in synced.changes]


@pytest.fixture
def suppressing(desk: Desk, new_letter: NewLetter) -> Desk:
    """Ann bounced hard, Bob complained, Cleo unsubscribed from everything."""
    cleo = new_letter(message_id="m3", to=["cleo@example.com"])
    desk.write(
        new_letter(message_id="m1").bounce(),
        new_letter(message_id="m2", to=["bob@example.com"]).complaint(),
        cleo.subscription(),
    )
    return desk


def test_a_dry_run_says_what_differs_and_changes_nothing(suppressing: Desk, ses: FakeList) -> None:
    ses.holds("Dora@Example.com")

    synced = sync(suppressing, ses)

    assert [
        ("put", "ann@example.com", "BOUNCE"),
        ("put", "bob@example.com", "COMPLAINT"),
        ("learn", "dora@example.com", "BOUNCE"),
    ] == changes(synced)
    assert 0 == synced.done
    assert [] == suppressing.rows("from ses_suppressions")


def test_applied_both_lists_have_both(suppressing: Desk, ses: FakeList) -> None:
    ses.holds("Dora@Example.com").takes("ann@example.com", "BOUNCE")
    ses.takes("bob@example.com", "COMPLAINT")

    assert 3 == sync(suppressing, ses, is_applied=True).done

    [dora] = suppressing.rows(
        "select reasons, accounts, regions, events from suppressed_recipients "
        "where recipient = 'dora@example.com'"
    )
    assert {
        "reasons": ["on_ses_list"],
        "accounts": [ACCOUNT],
        "regions": [REGION],
        "events": 0,
    } == dora


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("from-ses", {"learn"}), ("to-ses", {"put"}), ("both", {"learn", "put"})],
)
def test_one_direction_leaves_the_other_alone(
    suppressing: Desk, ses: FakeList, direction: str, expected: set[str]
) -> None:
    ses.holds("dora@example.com")
    synced = sync(suppressing, ses, direction=direction)
    assert expected == {one.action for one in synced.changes}


def test_what_ses_has_in_another_spelling_is_not_put_again(
    suppressing: Desk, ses: FakeList
) -> None:
    ses.holds("ANN@example.com", "Bob@Example.com")
    assert [] == changes(sync(suppressing, ses, direction="to-ses", is_applied=True))


def test_what_we_know_nothing_of_stays_on_sess_list(desk: Desk, ses: FakeList) -> None:
    ses.holds("dora@example.com")
    assert [] == changes(sync(desk, ses, direction="to-ses", is_applied=True))


def test_a_later_lift_takes_every_spelling_off_sess_list(suppressing: Desk, ses: FakeList) -> None:
    lift(suppressing.access, "ann@example.com")
    ses.holds("Ann@Example.com", "ann@example.com", "bob@example.com")
    ses.loses("Ann@Example.com").loses("ann@example.com")

    synced = sync(suppressing, ses, direction="to-ses", is_applied=True)

    assert ["delete", "delete"] == [one.action for one in synced.changes]
    assert 2 == synced.done


def test_what_ses_listed_after_the_lift_stays(suppressing: Desk, ses: FakeList) -> None:
    lift(suppressing.access, "ann@example.com")
    ses.holds("ann@example.com", "bob@example.com", at=LATER)
    assert [] == changes(sync(suppressing, ses, direction="to-ses", is_applied=True))


def test_what_was_lifted_and_bounced_again_stays(
    suppressing: Desk, ses: FakeList, new_letter: NewLetter
) -> None:
    lift(suppressing.access, "ann@example.com")
    suppressing.write(new_letter(message_id="m9", sent=LATER).bounce(feedback_id="again"))
    ses.holds("ann@example.com", "bob@example.com")
    assert [] == changes(sync(suppressing, ses, direction="to-ses", is_applied=True))


def test_a_lift_of_what_only_ses_listed_goes_to_ses_and_is_forgotten_here(
    desk: Desk, ses: FakeList
) -> None:
    ses.holds("dora@example.com")
    sync(desk, ses, is_applied=True)
    lift(desk.access, "dora@example.com")
    again = FakeList().known().holds("dora@example.com").loses("dora@example.com")

    synced = sync(desk, again, is_applied=True)

    assert ["delete", "forget"] == [one.action for one in synced.changes]
    assert [] == desk.rows("from ses_suppressions")


def test_what_left_sess_list_is_forgotten_here(desk: Desk, ses: FakeList) -> None:
    ses.holds("dora@example.com")
    sync(desk, ses, is_applied=True)

    synced = sync(desk, FakeList().known().holds(), is_applied=True)

    assert [("forget", "dora@example.com", "BOUNCE")] == changes(synced)
    assert [] == desk.rows("from suppressed_recipients")


def test_an_erased_address_is_kept_under_its_token_and_told_to_nobody(
    suppressing: Desk, ses: FakeList
) -> None:
    ann = parse_address("ann@example.com", suppressing.warehouse.secret)
    erase(suppressing.warehouse, ann)
    ses.holds("ann@example.com").takes("bob@example.com", "COMPLAINT")

    assert 1 == sync(suppressing, ses, is_applied=True).erased

    assert [{"recipient": ann.hidden}] == suppressing.rows("select recipient from ses_suppressions")
    again = FakeList().known().holds("ann@example.com", "bob@example.com")
    assert [("learn", "bob@example.com", "BOUNCE")] == changes(sync(suppressing, again))


def test_an_erasure_reaches_what_was_learned_from_ses(desk: Desk, ses: FakeList) -> None:
    ses.holds("dora@example.com")
    sync(desk, ses, is_applied=True)
    dora = parse_address("dora@example.com", desk.warehouse.secret)

    erase(desk.warehouse, dora)

    assert [{"recipient": dora.hidden}] == desk.rows("select recipient from ses_suppressions")


def test_all_pages_are_read(desk: Desk, ses: FakeList) -> None:
    ses.holds("dora@example.com", token="more").holds("eve@example.com")
    assert 2 == len(sync(desk, ses).changes)


def test_throttled_calls_are_repeated(suppressing: Desk, ses: FakeList) -> None:
    ses.holds("bob@example.com")
    for _ in range(2):
        ses.refuses("put_suppressed_destination", "TooManyRequestsException", 429)
    ses.takes("ann@example.com", "BOUNCE")

    assert 1 == sync(suppressing, ses, direction="to-ses", is_applied=True).done
    assert [0.5, 1.0] == ses.waits


def test_a_run_that_broke_off_goes_on_where_it_stopped(suppressing: Desk, ses: FakeList) -> None:
    ses.holds().takes("ann@example.com", "BOUNCE")
    ses.refuses("put_suppressed_destination", "AccessDeniedException", 403)

    broken = sync(suppressing, ses, is_applied=True)

    assert 1 == broken.done
    assert [SourceDenied] == [type(fault) for fault in broken.faults]
    rest = FakeList().known().holds("ann@example.com").takes("bob@example.com", "COMPLAINT")
    assert 2 == sync(suppressing, rest, is_applied=True).done


def test_an_address_that_ses_does_not_take_leaves_the_others(
    suppressing: Desk, ses: FakeList
) -> None:
    ses.holds().refuses("put_suppressed_destination", "BadRequestException")
    ses.takes("bob@example.com", "COMPLAINT")

    synced = sync(suppressing, ses, direction="to-ses", is_applied=True)

    assert (1, 1) == (synced.done, len(synced.faults))


def test_what_is_gone_from_ses_already_is_no_fault(suppressing: Desk, ses: FakeList) -> None:
    lift(suppressing.access, "ann@example.com")
    ses.holds("ann@example.com", "bob@example.com")
    ses.refuses("delete_suppressed_destination", "NotFoundException", 404)

    synced = sync(suppressing, ses, direction="to-ses", is_applied=True)

    assert (1, []) == (synced.done, synced.faults)


def test_a_list_that_cannot_be_read_whole_changes_nothing(desk: Desk, ses: FakeList) -> None:
    ses.holds("dora@example.com", token="more")
    ses.refuses("list_suppressed_destinations", "AccessDeniedException", 403)

    synced = sync(desk, ses, is_applied=True)

    assert ([], 1) == (synced.changes, len(synced.faults))
    assert [] == desk.rows("from ses_suppressions")


def test_a_worker_keeps_sess_list_for_a_verb_that_comes_through_its_door(
    desk: Desk, ses: FakeList
) -> None:
    ses.holds("dora@example.com")
    app = door.to_app(desk.access, on_broken=lambda: None)
    with door.listen(app, desk.warehouse.place.socket):
        sync_region(DoorClient(desk.path), lambda: ses.list, REGION, is_applied=True)

    assert [{"recipient": "dora@example.com", "updated_at": LISTED_AT.replace(tzinfo=None)}] == (
        desk.rows("select recipient, updated_at from ses_suppressions")
    )


def test_only_mail_of_the_account_goes_on_its_list(
    desk: Desk, ses: FakeList, new_letter: NewLetter
) -> None:
    desk.write(new_letter(account="999988887777").bounce())
    ses.holds()
    assert [] == changes(sync(desk, ses))
    assert [REGION] == find_regions(desk.access)


def test_the_verb_shows_differences_and_settles_them_with_apply(
    suppressing: Desk, duckpost: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = [FakeList().known().holds("dora@example.com") for _ in range(3)]
    fakes[1].takes("ann@example.com", "BOUNCE").takes("bob@example.com", "COMPLAINT")
    left = iter(fakes)
    monkeypatch.setattr(
        "consumer.cli.suppression.SesList", lambda _access, _region: next(left).list
    )

    dry = duckpost("suppression", "sync")
    done = duckpost("suppression", "sync", "--apply")
    told = json.loads(duckpost("suppression", "sync", "--direction", "from-ses", "--json").out)

    assert 0 == dry.code
    assert "+ SES ann@example.com  BOUNCE, happened" in dry.out
    assert "+ duckpost dora@example.com  BOUNCE, listed by SES 2026-03-01" in dry.out
    assert "3 differences; --apply settles them" in dry.out
    assert "3 of 3 differences settled" in done.out
    assert [([], [])] == [(one["changes"], one["refusals"]) for one in told]


def test_the_verb_ends_with_3_where_aws_refuses(
    suppressing: Desk, duckpost: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = FakeList().known()
    refused.refuses("list_suppressed_destinations", "AccessDeniedException", 403)
    monkeypatch.setattr("consumer.cli.suppression.SesList", lambda _access, _region: refused.list)

    ended = duckpost("suppression", "sync")

    assert 3 == ended.code
    assert "allow the action in the policy" in ended.err
