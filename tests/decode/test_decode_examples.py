"""Every documented shape, wrapped in every documented way, against what INDEX.json expects."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.events import EVENT_TYPES, NOTIFICATION_TYPES

EXAMPLES = Path(__file__).parent.parent / "examples"
INDEX: list[dict[str, Any]] = json.loads((EXAMPLES / "INDEX.json").read_bytes())
EVENTS = [
    entry["file"] for entry in INDEX if entry["file"].startswith(("published-", "identity-b"))
]
TOPIC_ARN = "arn:aws:sns:eu-central-1:111122223333:ses-events"


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_an_example_decodes_to_what_the_index_says(
    decode_all: Callable[..., Any], entry: dict[str, Any]
) -> None:
    outcome = decode_all((EXAMPLES / entry["file"]).read_bytes())
    assert entry.get("events", []) == outcome.types
    assert entry.get("ignored", []) == outcome.ignored
    assert entry.get("quarantined", []) == outcome.reasons
    assert entry.get("region") == outcome.decoded[0].region


def test_every_example_is_in_the_index_and_names_its_page() -> None:
    files = {path.name for path in EXAMPLES.iterdir()} - {"INDEX.json"}
    assert files == {entry["file"] for entry in INDEX}
    assert all(entry["page"].startswith("https://docs.aws.amazon.com/") for entry in INDEX)


def test_every_event_type_has_an_example_in_each_form_it_comes_in() -> None:
    def name(kind: str) -> str:
        spaced = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.replace(" ", ""))
        return spaced.strip("-")

    files = {entry["file"] for entry in INDEX}
    expected = {f"published-{name(kind)}.json" for kind in EVENT_TYPES}
    expected |= {f"eventbridge-{name(kind)}.json" for kind in EVENT_TYPES}
    expected |= {f"identity-{name(kind)}.json" for kind in NOTIFICATION_TYPES}
    assert expected <= files


def wrap_sns(text: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": TOPIC_ARN, "Message": text}, indent=2)


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "line": lambda text: text + "\n",
    "windows line": lambda text: text + "\r\n",
    "byte order mark": lambda text: "\ufeff" + text,
    "array": lambda text: f"[{text}]",
    "sns": wrap_sns,
    "sns with a line end": lambda text: wrap_sns(text + "\n"),
    "sns of sns": lambda text: wrap_sns(wrap_sns(text)),
    "encoded twice": json.dumps,
    "sns, encoded twice": lambda text: wrap_sns(json.dumps(text)),
    "lambda sqs": lambda text: json.dumps({"Records": [{"body": wrap_sns(text)}]}),
    "lambda kinesis": lambda text: json.dumps({"Records": [{"kinesis": {"data": encode(text)}}]}),
    "firehose http": lambda text: json.dumps(
        {"requestId": "r", "timestamp": 1, "records": [{"data": encode(wrap_sns(text))}]}
    ),
    "firehose error": lambda text: json.dumps({"errorCode": "c", "rawData": encode(text)}),
    "eventbridge": lambda text: json.dumps(
        {"source": "aws.ses", "detail-type": "Email", "detail": json.loads(text)}
    ),
    "eventbridge, version first": lambda text: json.dumps(
        {"version": "0", "detail-type": "x", "source": "aws.ses", "detail": json.loads(text)}
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("file", EVENTS)
def test_an_event_is_the_same_whatever_it_is_wrapped_in(
    decode_all: Callable[..., Any], example: Callable[[str], bytes], file: str, wrapping: str
) -> None:
    text = example(file).decode()
    [bare] = decode_all(text.encode()).decoded
    outcome = decode_all(WRAPPINGS[wrapping](text).encode())
    assert [bare.events] == [found.events for found in outcome.decoded]
    assert [] == outcome.quarantined


def test_event_type_decides_where_both_names_are_there(decode_all: Callable[..., Any]) -> None:
    event = json.loads((EXAMPLES / "published-send.json").read_bytes())
    outcome = decode_all(json.dumps({"notificationType": "Bounce"} | event).encode())
    assert ["Send"] == outcome.types


def test_wrappings_have_an_end(decode_all: Callable[..., Any]) -> None:
    text = '{"eventType": "Send"}'
    for _ in range(10):
        text = wrap_sns(text)
    assert ["too_deep"] == decode_all(text.encode()).reasons


def test_the_topic_names_the_region(decode_all: Callable[..., Any]) -> None:
    [found] = decode_all(wrap_sns("{}").encode()).decoded
    assert "eu-central-1" == found.region
