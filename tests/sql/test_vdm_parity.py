"""VDM's rules to the letter, in small truths counted by hand.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BatchGetMetricDataQuery.html
"""

from collections.abc import Callable

import pytest

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]

# the conftest's clock stands at 2026-12-01 00:00
AT = "2026-11-20 10:00"
COUNTS = (
    "sends, deliveries, fbl_deliveries, permanent_bounces, transient_bounces, complaints, "
    "unique_opens, unique_clicks"
)


def parity(ask: Ask) -> tuple[int, ...]:
    names = COUNTS.split(", ")
    sums = ", ".join(f"coalesce(sum({name}), 0)::integer as {name}" for name in names)
    [found] = ask(f"select {sums} from vdm_parity_daily")  # noqa: S608  our own names
    return tuple(int(str(found[name])) for name in names)


def test_each_event_of_single_recipient_mail_counts_once_under_its_metric(
    log: Log, ask: Ask
) -> None:
    log("Send", AT)
    log("Delivery", AT)
    log("Delivery", AT, message_id="m2", recipient="ann@yahoo.example")
    log("Bounce", AT, message_id="m3")
    log("Bounce", AT, message_id="m4", bounce_type="Transient")
    log("Bounce", AT, message_id="m5", bounce_type="Undetermined")
    log("Complaint", AT)
    log("Open", AT)
    log("Open", "2026-11-20 11:00")
    log("Click", AT)
    log("Click", "2026-11-21 11:00", link="https://example.com/2")

    assert (1, 2, 1, 1, 1, 1, 1, 1) == parity(ask)


@pytest.mark.parametrize(
    "outside",
    [
        {"is_simulator": True},
        {"destination_count": 2},
        {"identity_account": "999988887777"},
        {"at": "2026-10-02 23:59"},
    ],
)
def test_simulator_several_recipients_delegates_and_old_mail_are_outside(
    log: Log, ask: Ask, outside: Row
) -> None:
    columns = {"at": AT, "is_attributable": "destination_count" not in outside, **outside}
    at = str(columns.pop("at"))
    for event_type in ("Send", "Delivery", "Bounce", "Complaint", "Open", "Click"):
        log(event_type, at, **columns)

    assert (0,) * 8 == parity(ask)


def test_sixty_days_are_today_and_fifty_nine_before(log: Log, ask: Ask) -> None:
    log("Send", "2026-10-03 00:00")
    assert 1 == parity(ask)[0]


def test_the_identitys_own_account_is_no_delegate(log: Log, ask: Ask) -> None:
    log("Send", AT, identity_account="111122223333")
    assert 1 == parity(ask)[0]


@pytest.mark.parametrize(
    ("sub_type", "bounces"),
    [
        ("General", 1),
        ("Suppressed", 1),
        ("OnTenantSuppressionList", 1),
        ("OnAccountSuppressionList", 0),
    ],
)
def test_the_accounts_suppression_list_is_out_of_bounces_and_not_out_of_sends(
    log: Log, ask: Ask, sub_type: str, bounces: int
) -> None:
    log("Send", AT)
    log("Bounce", AT, bounce_sub_type=sub_type)

    [found] = ask("select sends, permanent_bounces, permanent_bounce_rate from vdm_parity_daily")
    assert {
        "sends": 1,
        "permanent_bounces": bounces,
        "permanent_bounce_rate": float(bounces),
    } == found


@pytest.mark.parametrize(("sub_type", "complaints"), [(None, 1), ("OnAccountSuppressionList", 0)])
def test_the_accounts_suppression_list_is_out_of_complaints(
    log: Log, ask: Ask, sub_type: str | None, complaints: int
) -> None:
    log("Delivery", AT, recipient="ann@yahoo.example")
    log("Complaint", AT, recipient="ann@yahoo.example", complaint_sub_type=sub_type)

    [found] = ask("select complaints, complaint_rate from vdm_parity_daily")
    assert {"complaints": complaints, "complaint_rate": float(complaints)} == found


def test_days_are_utc_and_sets_identities_and_providers_apart(log: Log, ask: Ask) -> None:
    log("Send", "2026-11-20 23:59")
    log("Send", "2026-11-21 00:00", message_id="m2", configuration_set="receipts")

    assert [("2026-11-20", "news", 1), ("2026-11-21", "receipts", 1)] == [
        (str(row["event_date"]), row["configuration_set"], row["sends"])
        for row in ask("from vdm_parity_daily order by event_date")
    ]
