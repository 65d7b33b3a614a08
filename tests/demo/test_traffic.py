"""The simulator's traffic and its truth, recounted from the payloads in another way."""

import gzip
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumer.demo.traffic import generate, write_firehose_objects
from consumer.demo.traffic.truth import Figures, Truth

MESSAGES = 3_000

JsonObject = dict[str, Any]


def unwrap(payload: bytes) -> JsonObject | None:
    """The SES event in a payload, whatever its wrapping; None where there is none."""
    try:
        value = json.loads(payload)
        if value.get("Type") == "Notification":
            value = json.loads(value["Message"])
    except ValueError:
        return None
    value = value.get("detail", value)
    return value if "mail" in value and "Teleported" not in str(value.get("eventType")) else None


def events_of(payloads: Iterable[bytes]) -> Iterator[JsonObject]:
    return (event for payload in payloads if (event := unwrap(payload)) is not None)


def type_of(event: JsonObject) -> str:
    return str(event.get("eventType") or event["notificationType"])


def deduplicate(events: Iterable[JsonObject]) -> list[JsonObject]:
    """One of each event, told apart by what SES says identifies it; outside the simulator."""
    found: dict[object, JsonObject] = {}
    for event in events:
        mail, kind = event["mail"], type_of(event)
        if mail["destination"][0].endswith("@simulator.amazonses.com"):
            continue
        own = next((v for k, v in event.items() if k != "mail" and isinstance(v, dict)), {})
        key = own.get("feedbackId") or (kind, mail["messageId"], json.dumps(own, sort_keys=True))
        found.setdefault(key, event)
    return list(found.values())


def is_opened_by_machine(event: JsonObject) -> bool:
    """Amazon says so, or it is Apple's privacy proxy or Gmail's image proxy."""
    agent = event["open"]["userAgent"]
    is_proxy = agent == "Mozilla/5.0" or "GoogleImageProxy" in agent
    return is_proxy or event["open"].get("isBotEvent") == "Likely"


@pytest.fixture(scope="module")
def delivered() -> tuple[list[bytes], Truth]:
    traffic = generate(MESSAGES, seed=7)
    return list(traffic.payloads), traffic.truth


def total(truth: Truth, name: str) -> int:
    return sum(getattr(figures, name) for figures in truth.figures.values())


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(generate(200, seed=3).payloads) == list(generate(200, seed=3).payloads)


def test_another_seed_gives_other_traffic() -> None:
    first, second = (next(generate(200, seed=seed).payloads) for seed in (3, 4))

    assert first != second


def test_the_whole_truth_is_told_once_the_payloads_are_exhausted() -> None:
    traffic = generate(100, seed=3)
    assert traffic.truth.messages == 0

    payloads = list(traffic.payloads)

    assert traffic.truth.messages == 100
    assert len(payloads) == traffic.truth.pipeline.payloads


def test_payloads_are_made_as_they_are_taken() -> None:
    traffic = generate(10_000_000, seed=3)

    assert len(list(itertools.islice(traffic.payloads, 50))) == 50
    assert traffic.truth.messages < 5_000


def test_what_is_received_is_inserted_repeated_quarantined_or_ignored(
    delivered: tuple[list[bytes], Truth],
) -> None:
    pipeline = delivered[1].pipeline

    fates = (pipeline.inserted, pipeline.repeated, pipeline.quarantined, pipeline.ignored)
    assert pipeline.received == sum(fates)
    assert all(fate > 0 for fate in fates)


def test_every_payload_that_holds_no_event_is_malformed_or_a_non_event(
    delivered: tuple[list[bytes], Truth],
) -> None:
    payloads, truth = delivered

    without_event = sum(unwrap(payload) is None for payload in payloads)
    assert truth.pipeline.quarantined + truth.pipeline.ignored == without_event


def test_every_type_and_both_forms_and_all_wrappings_occur(
    delivered: tuple[list[bytes], Truth],
) -> None:
    payloads, _ = delivered
    events = list(events_of(payloads))

    assert {
        "Bounce", "Click", "Complaint", "Delivery", "DeliveryDelay", "Open", "Reject",
        "Rendering Failure", "Send", "Subscription",
    } == {type_of(event) for event in events}  # fmt: skip
    assert {True, False} == {"eventType" in event for event in events}
    wrappings = Counter(next(iter(json.loads(p))) for p in payloads if unwrap(p) is not None)
    assert {"Type", "eventType", "notificationType", "version"} == set(wrappings)


def test_counts_of_events_are_those_of_the_payloads(delivered: tuple[list[bytes], Truth]) -> None:
    payloads, truth = delivered
    seen: Counter[str] = Counter()
    for event in deduplicate(events_of(payloads)):
        match type_of(event):
            case "Send":
                seen["sends"] += len(event["mail"]["destination"])
            case "Reject":
                seen["rejects"] += len(event["mail"]["destination"])
            case "Rendering Failure":
                seen["rendering_failures"] += len(event["mail"]["destination"])
            case "Delivery":
                seen["deliveries"] += len(event["delivery"]["recipients"])
            case "Open":
                seen["opens"] += 1
                seen["machine_opens"] += is_opened_by_machine(event)
            case "Click":
                seen["clicks"] += 1
                seen["machine_clicks"] += event["click"].get("isBotEvent") == "Likely"

    assert {name: total(truth, name) for name in seen} == dict(seen)


def test_bounces_and_complaints_fall_into_their_classes(
    delivered: tuple[list[bytes], Truth],
) -> None:
    payloads, truth = delivered
    suppressions = {"Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"}
    seen: Counter[str] = Counter()
    for event in deduplicate(events_of(payloads)):
        if (bounce := event.get("bounce")) is not None:
            recipients = bounce["bouncedRecipients"]
            kinds = {"Permanent": "hard", "Transient": "soft", "Undetermined": "undetermined"}
            if bounce["bounceSubType"] in suppressions:
                name = "suppressed"
            elif "action" not in recipients[0]:
                name = "auto_replies"
            else:
                name = f"{kinds[bounce['bounceType']]}_bounces"
            seen[name] += len(recipients)
        if (complaint := event.get("complaint")) is not None:
            if complaint["complaintSubType"] in suppressions:
                seen["suppressed"] += len(complaint["complainedRecipients"])
            elif complaint.get("complaintFeedbackType") in {None, "abuse"}:
                seen["complaints"] += 1

    names = (
        "suppressed", "auto_replies", "hard_bounces", "soft_bounces", "undetermined_bounces",
        "complaints",
    )  # fmt: skip
    assert {name: total(truth, name) for name in names} == {name: seen[name] for name in names}
    assert all(seen[name] > 0 for name in names)


def test_attempts_and_outcomes_are_sets_of_recipients(delivered: tuple[list[bytes], Truth]) -> None:
    payloads, truth = delivered
    recipients: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for event in deduplicate(events_of(payloads)):
        message_id = event["mail"]["messageId"]
        kind = type_of(event)
        addresses = event["mail"]["destination"]
        if kind == "Delivery":
            addresses = event["delivery"]["recipients"]
        elif kind == "DeliveryDelay":
            listed = event["deliveryDelay"]["delayedRecipients"]
            addresses = [recipient["emailAddress"] for recipient in listed]
        elif kind == "Bounce":
            listed = event["bounce"]["bouncedRecipients"]
            addresses = [recipient["emailAddress"] for recipient in listed]
            if event["bounce"].get("reportingMTA") == "dns; amazonses.com":
                kind = "suppressed"
            elif "action" not in listed[0]:
                kind = "auto_reply"
        elif kind == "Complaint" and event["complaint"]["complaintSubType"]:
            listed = event["complaint"]["complainedRecipients"]
            addresses = [recipient["emailAddress"] for recipient in listed]
            kind = "suppressed"
        recipients[kind] |= {(message_id, address.lower()) for address in addresses}

    stopped = recipients["Reject"] | recipients["Rendering Failure"] | recipients["suppressed"]
    assert total(truth, "attempted") == len(recipients["Send"] - stopped)
    assert total(truth, "outcomes") == len(recipients["Delivery"] | recipients["Bounce"])
    assert total(truth, "accepted") == len(recipients["Delivery"] - recipients["Bounce"])
    assert total(truth, "delays") == len(recipients["DeliveryDelay"])


def test_nothing_happens_later_than_a_day_after_the_last_sending() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    traffic = generate(1_000, seed=5, start=start, days=2)

    for event in events_of(traffic.payloads):
        own = next(v for k, v in event.items() if k != "mail" and isinstance(v, dict))
        at = datetime.fromisoformat(own.get("timestamp", event["mail"]["timestamp"]))
        assert -60 < (at - start).total_seconds() < 3 * 86_400


def test_a_configuration_set_of_one_name_in_two_accounts_is_two() -> None:
    traffic = generate(500, seed=1)
    list(traffic.payloads)

    names = [key.configuration_set for key in traffic.truth.figures]
    assert names.count("transactional") == 2
    assert None in names


def test_the_truth_survives_a_pipe_between_processes() -> None:
    traffic = generate(300, seed=1)
    list(traffic.payloads)

    assert traffic.truth == Truth.from_dict(json.loads(json.dumps(traffic.truth.to_dict())))


def test_firehose_objects_hold_every_line_and_are_the_same_for_the_same_seed(
    tmp_path: Path,
) -> None:
    first, second = (
        write_firehose_objects(tmp_path / name, 600, seed=2, object_bytes=500_000)
        for name in ("first", "second")
    )

    assert len(first.paths) > 1
    assert [path.read_bytes() for path in first.paths] == [
        path.read_bytes() for path in second.paths
    ]
    lines = [
        line for path in first.paths for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert first.events == len(lines) == first.truth.pipeline.payloads
    sends = sum(
        len(event["mail"]["destination"])
        for event in deduplicate(json.loads(line) for line in lines)
        if event["eventType"] == "Send"
    )
    assert sum(figures.sends for figures in first.truth.figures.values()) == sends


def test_figures_start_at_nothing() -> None:
    assert not any(getattr(Figures(), name) for name in Figures.__dataclass_fields__)
