"""Our list of whom not to mail and SES's account list, laid against each other region by region.

SES keeps a list for each account and region, and stores addresses as they were written, so every
spelling of an address counts as that address here.
https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html

Nothing is remembered between runs: each starts from the lists as they are, so that one which was
broken off goes on where it stopped.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from consumer.addresses import normalise, parse_address
from consumer.door.access import Access
from consumer.errors import SourceError
from consumer.sources.aws import AwsAccess
from consumer.sources.aws_calls import AwsCaller
from consumer.warehouse.ses_suppressions import Listed

Direction = Literal["from-ses", "to-ses", "both"]
Action = Literal["put", "delete", "learn", "forget"]

_PAGE: Final = 1_000

# SES's list knows two reasons; whoever unsubscribed from one sender's list may want another's mail.
_OURS: Final = """
select recipient, hard_bounced_at, complained_at from suppressed_recipients
where (hard_bounced_at is not null or complained_at is not null)
    and (list_count(accounts) = 0 or list_contains(accounts, $1))
order by recipient
"""
_LIFTS: Final = "select recipient, max(lifted_at) as lifted_at from suppression_lifts group by all"
_KNOWN: Final = """
select recipient, reason, updated_at from ses_suppressions where account = $1 and region = $2
"""
_REGIONS: Final = """
select distinct unnest(regions) as region from suppressed_recipients order by region
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An address on SES's list, as SES has it."""

    written: str
    reason: str
    updated_at: datetime

    @property
    def recipient(self) -> str:
        """The normalised address."""
        return normalise(self.written)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the lists.

    Attributes:
        action: ``put`` on SES's list or ``delete`` from it; ``learn`` into the warehouse or
            ``forget`` there.
        address: as SES has it or gets it.
        reason: ``BOUNCE`` or ``COMPLAINT``.
        at: when it bounced or complained, was lifted, or SES last listed it (UTC).
    """

    action: Action
    address: str
    reason: str
    at: datetime


@dataclass(slots=True)
class RegionSync:
    """What came of a region.

    Attributes:
        changes: the differences, in the order in which they are settled.
        done: how many of them were, 0 without ``--apply``.
        erased: how many of ours are known by their token alone, so that SES cannot be told.
        faults: what AWS refused, with what to do.
    """

    region: str
    account: str | None = None
    changes: list[Change] = field(default_factory=list)
    done: int = 0
    erased: int = 0
    faults: list[SourceError] = field(default_factory=list)


class SesList:
    """SES's account suppression list in one region.

    Args:
        access: whose credentials.
        region: the AWS region.
        sleep: how it waits when SES asks to slow down.
    """

    def __init__(
        self, access: AwsAccess, region: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.region = region
        self.sts = AwsCaller(access, "sts", region, sleep=sleep)
        self.ses = AwsCaller(access, "sesv2", region, sleep=sleep)

    def read_account(self) -> str:
        """Ask whose list it is."""
        return str(self.sts.call("get_caller_identity")["Account"])

    def read(self) -> Iterator[Entry]:
        """Yield all of it, page by page.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
        """
        token: str | None = None
        while True:
            page = {"NextToken": token} if token else {}
            answer = self.ses.call("list_suppressed_destinations", PageSize=_PAGE, **page)
            for one in answer.get("SuppressedDestinationSummaries", []):
                at = one["LastUpdateTime"].astimezone(UTC).replace(tzinfo=None)
                yield Entry(one["EmailAddress"], one["Reason"], at)
            token = answer.get("NextToken")
            if not token:
                return

    def put(self, address: str, reason: str) -> None:
        """Put an address on it.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html
        """
        self.ses.call("put_suppressed_destination", EmailAddress=address, Reason=reason)

    def delete(self, address: str) -> None:
        """Take an address off it; one that is gone already is no fault.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteSuppressedDestination.html
        """
        try:
            self.ses.call("delete_suppressed_destination", EmailAddress=address)
        except SourceError as fault:
            if _code_of(fault) != "NotFoundException":
                raise


def find_regions(access: Access) -> list[str]:
    """Return the regions whose events suppressed somebody."""
    return [row["region"] for row in _ask(access, _REGIONS) if row["region"] is not None]


def sync_region(
    access: Access,
    open_list: Callable[[], SesList],
    region: str,
    *,
    direction: Direction = "both",
    is_applied: bool = False,
) -> RegionSync:
    """Lay both lists against each other, and settle the differences if asked to.

    1. Read SES's list whole; where that fails nothing is changed.
    2. Find the differences. From SES's list only that goes which a later lift of ours names, and
       which no later bounce or complaint brought back.
    3. Change SES's list, one address after another.
    4. Keep SES's list in the warehouse, in one transaction.
    """
    sync = RegionSync(region)
    try:
        # 1
        ses = open_list()
        sync.account = account = ses.read_account()
        entries = list(ses.read())
        # 2
        if direction != "from-ses":
            _find_for_ses(access, account, entries, sync)
        if direction != "to-ses":
            _find_for_us(access, account, entries, sync)
        if not is_applied:
            return sync
        # 3
        gone = _change_ses(ses, sync)
    except SourceError as fault:
        sync.faults.append(fault)
        return sync
    # 4
    if direction != "to-ses":
        left = [one for one in entries if one.written not in gone]
        access.keep_ses_list(account, region, list(_to_listed(left).values()))
        sync.done += sum(one.action in {"learn", "forget"} for one in sync.changes)
    return sync


def _find_for_ses(access: Access, account: str, entries: list[Entry], sync: RegionSync) -> None:
    listed = {one.recipient for one in entries}
    ours = {row["recipient"]: row for row in _ask(access, _OURS, account)}
    lifts = {row["recipient"]: row["lifted_at"] for row in _ask(access, _LIFTS)}
    for entry in entries:
        names = (entry.recipient, parse_address(entry.recipient, access.secret).hidden)
        lifted_at = max((lifts[name] for name in names if name in lifts), default=None)
        if (
            lifted_at is not None
            and lifted_at > entry.updated_at
            and not any(name in ours for name in names)
        ):
            sync.changes.append(Change("delete", entry.written, entry.reason, lifted_at))
    for recipient, row in ours.items():
        if recipient.startswith("~"):
            sync.erased += 1
        elif recipient not in listed:
            # who complained exists: the graver reason, and the one a bounce must not hide
            reason = "COMPLAINT" if row["complained_at"] is not None else "BOUNCE"
            at = row["complained_at"] or row["hard_bounced_at"]
            sync.changes.append(Change("put", recipient, reason, at))


def _find_for_us(access: Access, account: str, entries: list[Entry], sync: RegionSync) -> None:
    known = {
        row["recipient"]: Listed(row["recipient"], row["reason"], row["updated_at"])
        for row in _ask(access, _KNOWN, account, sync.region)
    }
    listed = _to_listed(entries)
    leaving = {normalise(one.address) for one in sync.changes if one.action == "delete"}
    seen = set()
    for recipient, one in listed.items():
        hidden = parse_address(recipient, access.secret).hidden
        seen |= {recipient, hidden}
        before = known.get(recipient) or known.get(hidden)
        is_same = before is not None and before[1:] == one[1:]
        if not is_same and recipient not in leaving:
            sync.changes.append(Change("learn", recipient, one.reason, one.updated_at))
    for recipient, one in known.items():
        if recipient not in seen or recipient in leaving:
            sync.changes.append(Change("forget", recipient, one.reason, one.updated_at))


def _to_listed(entries: list[Entry]) -> dict[str, Listed]:
    """Make one of all spellings of an address, the latest."""
    listed: dict[str, Listed] = {}
    for entry in sorted(entries, key=lambda one: (one.updated_at, one.written)):
        listed[entry.recipient] = Listed(entry.recipient, entry.reason, entry.updated_at)
    return listed


def _change_ses(ses: SesList, sync: RegionSync) -> set[str]:
    """Put and delete; returns which left SES's list, as SES had written them."""
    gone = set()
    for change in sync.changes:
        try:
            if change.action == "put":
                ses.put(change.address, change.reason)
            elif change.action == "delete":
                ses.delete(change.address)
                gone.add(change.address)
            else:
                continue
        except SourceError as fault:
            # an address that SES does not take is no reason to leave the others
            if _code_of(fault) != "BadRequestException":
                raise
            sync.faults.append(fault)
            continue
        sync.done += 1
    return gone


def _code_of(fault: SourceError) -> str | None:
    cause = fault.__cause__
    return cause.response["Error"].get("Code") if isinstance(cause, ClientError) else None


def _ask(access: Access, sql: str, *params: object) -> list[dict[str, Any]]:
    with access.read(sql, params) as reader:
        return [row for batch in reader for row in batch.to_pylist()]
