"""A mail to SES's mailbox simulator, and how far its events come: SES, sources, rows.

https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from consumer.door.access import Access
from consumer.sources.aws import AwsAccess, open_session
from consumer.sources.aws_faults import translate

SIMULATOR: Final = "success@simulator.amazonses.com"
EXPECTED: Final = frozenset({"Send", "Delivery"})
POLL_SECS: Final = 1.0

_ROWS = "select distinct event_type from events where message_id = $1 order by event_type"
_REFUSED = """
select reason, source from quarantine where contains(payload::varchar, $1) order by received_at
"""
_BROUGHT = """
select source, sum(received)::bigint as received from ledger
where committed_at >= $1::timestamp group by source order by source
"""


@dataclass(slots=True)
class Wiring:
    """How far a test mail came, in words; ``is_whole`` when all its events are rows."""

    is_whole: bool = False
    lines: list[str] = field(default_factory=list)


def send_mail(aws: AwsAccess, *, sender: str, configuration_set: str) -> str:
    """Have SES send a mail to the simulator; returns the message's id.

    Mail to the simulator is in no figure. Raises `SourceError` where SES refuses.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
    """
    attempted = f"sending a mail from {sender} through configuration set {configuration_set}"
    try:
        client: Any = open_session(aws).create_client("sesv2", endpoint_url=aws.endpoint_url)
        answer = client.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [SIMULATOR]},
            ConfigurationSetName=configuration_set,
            Content={
                "Simple": {
                    "Subject": {"Data": "duckpost wiring test"},
                    "Body": {"Text": {"Data": "Sent by duckpost check --send-test."}},
                }
            },
        )
    except (BotoCoreError, ClientError) as error:
        raise translate(error, attempted) from error
    return str(answer["MessageId"])


def follow_mail(
    access: Access,
    message_id: str,
    *,
    timeout_secs: float,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Wiring:
    """Wait for the events of a mail just sent, and say where they are or are missing."""
    sent_at = datetime.now(UTC).replace(tzinfo=None)
    began = clock()
    wiring = Wiring(lines=[f"SES accepted it as message {message_id}"])
    while True:
        found = {row["event_type"] for row in _ask(access, _ROWS, message_id)}
        took = clock() - began
        if found >= EXPECTED:
            wiring.is_whole = True
            wiring.lines.append(f"{_list(found)} are rows, after {took:.0f} s")
            return wiring
        refused = _ask(access, _REFUSED, message_id)
        if refused or took >= timeout_secs:
            break
        wait(POLL_SECS)
    if refused:
        reason, source = refused[0]["reason"], refused[0]["source"]
        wiring.lines.append(
            f"{source} brought it, and it went to quarantine ({reason}): duckpost quarantine list"
        )
        return wiring
    if found:
        wiring.lines.append(
            f"{_list(found)} came, {_list(EXPECTED - found)} did not within {timeout_secs:.0f} s: "
            "switch it on in the event destination of the configuration set"
        )
        return wiring
    wiring.lines.append(f"none of its events came within {timeout_secs:.0f} s")
    brought = _ask(access, _BROUGHT, str(sent_at))
    if brought:
        told = ", ".join(f"{row['source']} {row['received']}" for row in brought)
        wiring.lines.append(
            f"events of other mail came: {told}. Does this configuration set have an event "
            "destination, and does that lead to one of these sources?"
        )
    else:
        wiring.lines.append(
            "no source brought anything: is the event destination enabled, is this worker's queue, "
            "bucket or endpoint its topic's or stream's target, and does the target's policy let "
            "it in? /health says whether the sources are well"
        )
    return wiring


def _ask(access: Access, sql: str, parameter: str) -> list[dict[str, Any]]:
    with access.read(sql, [parameter]) as reader:
        return [row for batch in reader for row in batch.to_pylist()]


def _list(event_types: frozenset[str] | set[str]) -> str:
    return " and ".join(sorted(event_types))
