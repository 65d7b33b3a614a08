"""A Firehose stream's requests, to the letter of its HTTP endpoint's specification.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
"""

import base64
import gzip
import http.client
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from consumer.decode import decode
from consumer.envelope import Envelope
from consumer.sources.http_firehose import (
    MOST_BODY_BYTES,
    FirehoseOptions,
    FirehoseSource,
    parse_delivery,
)
from consumer.sources.http_refusal import Refusal
from consumer.sources.http_sns import SnsOptions, SnsSource
from consumer.sources.http_source import Bounds

if TYPE_CHECKING:
    from tests.sources.conftest import Acker, Eventually, HttpAnswer, HttpSender, Serve

STREAM = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/ses-events"
HEADERS = {
    "Content-Type": "application/json",
    "X-Amz-Firehose-Protocol-Version": "1.0",
    "X-Amz-Firehose-Request-Id": "request-1",
    "X-Amz-Firehose-Source-Arn": STREAM,
    "X-Amz-Firehose-Access-Key": "the-key",
}
Acking = Callable[[FirehoseSource], "Acker"]


def make_source(keys: Sequence[str] = ("the-key",), **bounds: float) -> FirehoseSource:
    chosen = Bounds(**bounds)  # type: ignore[arg-type]  # by keyword
    return FirehoseSource(FirehoseOptions(path="/firehose", access_keys=tuple(keys), bounds=chosen))


def make_request(*records: bytes, request_id: str = "request-1") -> bytes:
    return json.dumps(
        {
            "requestId": request_id,
            "timestamp": 1_795_348_800_000,
            "records": [{"data": base64.b64encode(record).decode()} for record in records],
        }
    ).encode()


def make_send(number: int) -> bytes:
    mail = {
        "timestamp": "2026-03-01T11:59:00.000Z",
        "source": "news@example.com",
        "sendingAccountId": "111122223333",
        "messageId": f"message-{number}",
        "destination": [f"reader{number}@example.net"],
        "tags": {"ses:configuration-set": ["news"]},
    }
    return json.dumps({"eventType": "Send", "mail": mail, "send": {}}).encode() + b"\n"


def send_aside(
    sender: "HttpSender", body: bytes, headers: dict[str, str] = HEADERS
) -> "tuple[threading.Thread, list[HttpAnswer]]":
    """Post from another thread, for an answer that this one has to bring about."""
    answers: list[HttpAnswer] = []
    thread = threading.Thread(
        target=lambda: answers.append(sender.post("/firehose", body, headers)), daemon=True
    )
    thread.start()
    return thread, answers


def receive_one(source: FirehoseSource) -> Envelope:
    (envelope,) = source.receive(limit=1, wait_secs=10)
    return envelope


def count_events(envelope: Envelope) -> tuple[int, int, int]:
    """Events, quarantined and ignored of an envelope."""
    found = list(decode(envelope))
    return (
        sum(len(one.events) for one in found),
        sum(len(one.quarantined) for one in found),
        sum(len(one.ignored) for one in found),
    )


def test_the_answer_has_exactly_the_form_that_firehose_demands(
    serve: "Serve", acking: Acking
) -> None:
    source = make_source()
    sender = serve(source)
    acking(source)
    answer = sender.post("/firehose", make_request(make_send(1)), HEADERS)
    assert 200 == answer.status
    assert "application/json" == answer.headers["content-type"]
    assert "content-encoding" not in answer.headers
    assert {"requestId", "timestamp"} == set(answer.json())
    assert "request-1" == answer.json()["requestId"]
    assert isinstance(answer.json()["timestamp"], int)


def test_there_is_no_answer_before_the_ack(serve: "Serve") -> None:
    source = make_source()
    thread, answers = send_aside(serve(source), make_request(make_send(1)))
    envelope = receive_one(source)
    thread.join(0.2)
    assert not answers
    source.ack([envelope])
    thread.join(10)
    assert [200] == [answer.status for answer in answers]
    assert (0, 0) == source.in_flight


def test_what_is_nacked_is_answered_with_503_and_retry_after(serve: "Serve") -> None:
    source = make_source()
    thread, answers = send_aside(serve(source), make_request(make_send(1)))
    source.nack([receive_one(source)])
    thread.join(10)
    assert [(503, "5")] == [(one.status, one.headers["retry-after"]) for one in answers]
    assert "request-1" == answers[0].json()["requestId"]
    assert "errorMessage" in answers[0].json()


def test_a_slow_commit_is_answered_with_503_before_firehose_gives_up_and_may_still_be_acked(
    serve: "Serve",
) -> None:
    source = make_source(answer_secs=0.3)
    thread, answers = send_aside(serve(source), make_request(make_send(1)))
    envelope = receive_one(source)
    thread.join(10)
    assert [503] == [answer.status for answer in answers]
    assert 1 == source.in_flight[0]  # the worker has it
    source.ack([envelope])
    assert (0, 0) == source.in_flight


def test_what_nobody_took_in_time_is_not_handed_out_afterwards(serve: "Serve") -> None:
    source = make_source(answer_secs=0.1)
    thread, answers = send_aside(serve(source), make_request(make_send(1)))
    thread.join(10)
    assert [503] == [answer.status for answer in answers]
    assert [] == source.receive(limit=1, wait_secs=0)
    assert (0, 0) == source.in_flight


def test_closing_answers_what_waits_and_what_comes_with_503(
    serve: "Serve", eventually: "Eventually"
) -> None:
    source = make_source()
    sender = serve(source)
    thread, answers = send_aside(sender, make_request(make_send(1)))
    eventually(lambda: source.in_flight[0] == 1)
    source.close()
    thread.join(10)
    assert [503] == [answer.status for answer in answers]
    assert 503 == sender.post("/firehose", make_request(make_send(2)), HEADERS).status


def test_closing_answers_what_is_handed_out_and_not_acked_with_503(serve: "Serve") -> None:
    source = make_source()
    thread, answers = send_aside(serve(source), make_request(make_send(1)))
    envelope = receive_one(source)
    source.close()
    thread.join(10)
    assert [503] == [answer.status for answer in answers]
    source.ack([envelope])
    assert (0, 0) == source.in_flight


def test_the_same_request_again_gets_the_same_answer_and_the_same_envelope(
    serve: "Serve", acking: Acking
) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    body = make_request(make_send(1))
    first, second = (sender.post("/firehose", body, HEADERS) for _ in range(2))
    assert (first.status, first.json()["requestId"]) == (second.status, second.json()["requestId"])
    assert [make_send(1) + b"\n"] * 2 == worker.bodies()


def test_one_request_id_with_two_bodies_is_two_envelopes(serve: "Serve", acking: Acking) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    events = [make_send(number) for number in (1, 2)]
    requests = [make_request(event) for event in events]
    assert [200, 200] == [sender.post("/firehose", body, HEADERS).status for body in requests]
    assert [event + b"\n" for event in events] == worker.bodies()


# --- who may send ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (["the-key"], 200),
        (["the-next-key"], 200),
        ([], 401),
        ([""], 401),
        (["another-key"], 401),
        (["the-ke"], 401),
        (["the-keyy"], 401),
        (["THE-KEY"], 401),
        (["the-key", "the-key"], 401),
        (["another-key", "the-key"], 401),
        (["the-key, the-next-key"], 401),
        (["k" * 4096], 401),
        (["\u00fc"], 401),
    ],
)
def test_only_one_of_the_keys_opens(
    serve: "Serve", acking: Acking, given: list[str], status: int
) -> None:
    source = make_source(keys=("the-key", "the-next-key"))
    sender = serve(source)
    worker = acking(source)
    connection = http.client.HTTPConnection("127.0.0.1", sender.port, timeout=10)
    connection.putrequest("POST", "/firehose")
    body = make_request(make_send(1))
    rest = {key: value for key, value in HEADERS.items() if not key.endswith("Access-Key")}
    for key, value in [*rest.items(), ("Content-Length", str(len(body)))]:
        connection.putheader(key, value)
    for key in given:
        connection.putheader("X-Amz-Firehose-Access-Key", key.encode("latin-1"))
    connection.endheaders(body)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    assert status == response.status
    assert "request-1" == answer["requestId"]
    assert ("errorMessage" in answer) == (status != 200)
    assert (status == 200) == bool(worker.taken)


def test_without_keys_anybody_may_send(serve: "Serve", acking: Acking) -> None:
    source = make_source(keys=())
    sender = serve(source)
    acking(source)
    headers = {key: value for key, value in HEADERS.items() if not key.endswith("Access-Key")}
    assert 200 == sender.post("/firehose", make_request(make_send(1)), headers).status


def test_a_wrong_key_is_refused_before_the_body_is_read(serve: "Serve") -> None:
    sender = serve(make_source())
    connection = http.client.HTTPConnection("127.0.0.1", sender.port, timeout=10)
    connection.putrequest("POST", "/firehose")
    connection.putheader("Content-Length", "1000")
    connection.endheaders()
    assert 401 == connection.getresponse().status
    connection.close()


# --- bodies ------------------------------------------------------------------------------------


def test_a_body_may_be_gzipped_as_a_whole(serve: "Serve", acking: Acking) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    events = [make_send(number) for number in range(500)]
    body = gzip.compress(make_request(*events))
    headers = {**HEADERS, "Content-Encoding": "gzip"}
    assert 200 == sender.post("/firehose", body, headers).status
    assert [b"\n".join([*events, b""])] == worker.bodies()


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (gzip.compress(make_request(make_send(1)))[:-9], "gzip", 400),
        (gzip.compress(make_request(make_send(1))) + b"more", "gzip", 400),
        (b"", "gzip", 400),
        (make_request(make_send(1)), "gzip", 400),
        (gzip.compress(gzip.compress(make_request(make_send(1)))), "gzip", 400),
        (gzip.compress(gzip.compress(make_request(make_send(1)))), "gzip, gzip", 415),
        (make_request(make_send(1)), "br", 415),
        (gzip.compress(b" " * (MOST_BODY_BYTES + 1)), "gzip", 413),
        (b"", "identity", 400),
        (b"{", "identity", 400),
        (b"[]", "identity", 400),
        (b"\xff\xfe", "identity", 400),
        (b"[" * 200_000, "identity", 400),
        (b'{"records": []}', "identity", 400),
        (b'{"requestId": "", "records": []}', "identity", 400),
        (b'{"requestId": 1, "records": []}', "identity", 400),
        (b'{"requestId": "r"}', "identity", 400),
        (b'{"requestId": "r", "records": {}}', "identity", 400),
    ],
)
def test_a_body_that_is_no_request_is_refused_and_writes_nothing(
    serve: "Serve", acking: Acking, body: bytes, coding: str, status: int
) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    answer = sender.post("/firehose", body, {**HEADERS, "Content-Encoding": coding})
    assert status == answer.status
    assert {"requestId", "timestamp", "errorMessage"} == set(answer.json())
    assert not worker.taken
    assert (0, 0) == source.in_flight


@pytest.mark.parametrize("version", ["", "2.0", "1"])
def test_another_protocol_version_is_refused(serve: "Serve", version: str) -> None:
    headers = {**HEADERS, "X-Amz-Firehose-Protocol-Version": version}
    assert 400 == serve(make_source()).post("/firehose", make_request(), headers).status


def test_a_body_that_says_it_is_larger_than_any_of_firehoses_is_refused_unread(
    serve: "Serve",
) -> None:
    sender = serve(make_source())
    connection = http.client.HTTPConnection("127.0.0.1", sender.port, timeout=10)
    connection.putrequest("POST", "/firehose")
    for key, value in {**HEADERS, "Content-Length": str(MOST_BODY_BYTES + 1)}.items():
        connection.putheader(key, value)
    connection.endheaders()
    assert 413 == connection.getresponse().status
    connection.close()


def test_the_largest_body_of_firehoses_is_taken(serve: "Serve", acking: Acking) -> None:
    source = make_source(max_in_flight_bytes=MOST_BODY_BYTES)
    sender = serve(source)
    worker = acking(source)
    records = [make_send(number) + b" " * 700_000 for number in range(60)]
    body = make_request(*records)
    body += b" " * (MOST_BODY_BYTES - len(body))
    assert 200 == sender.post("/firehose", body, HEADERS).status
    (envelope,) = worker.taken
    assert (60, 0, 0) == count_events(envelope)


def test_what_is_kept_of_a_record_is_what_was_in_it_and_of_a_bad_one_all_that_came() -> None:
    request = json.loads(make_request(make_send(1), make_send(2)))
    request["records"].insert(1, {"data": "no base64!"})
    delivery = parse_delivery(json.dumps(request).encode())
    first, bad, second = delivery.bundle.payloads
    assert (make_send(1), make_send(2)) == (first, second)
    assert [{"data": "no base64!"}] == json.loads(bad)["records"]
    verdicts = decode(Envelope(delivery.bundle, None, "here", datetime.now(UTC)))
    assert [first.rstrip(), bad, second.rstrip()] == [found.raw for found in verdicts]


def test_a_path_below_one_with_a_secret_is_still_its_own(serve: "Serve", acking: Acking) -> None:
    topics = frozenset({"arn:aws:sns:eu-west-1:111122223333:ses-events"})
    above = SnsSource(SnsOptions(path="/in", topics=topics, raw_secret="a-secret-of-16-letters"))
    options = FirehoseOptions(path="/in/firehose", access_keys=("the-key",))
    source = FirehoseSource(options)
    sender = serve(above, source)
    acking(source)
    assert 200 == sender.post("/in/firehose", make_request(make_send(1)), HEADERS).status


def test_a_long_request_id_is_not_copied_for_every_bad_record() -> None:
    request = {"requestId": "r" * 100_000, "records": [0] * 2_000}
    bundle = parse_delivery(json.dumps(request).encode()).bundle
    assert 400_000 > sum(map(len, bundle.payloads))


def test_more_records_than_firehose_ever_sends_are_refused() -> None:
    with pytest.raises(Refusal, match="at most 100000"):
        parse_delivery(json.dumps({"requestId": "r", "records": [0] * 100_001}).encode())


def test_a_record_cut_off_takes_nothing_from_the_next() -> None:
    bundle = parse_delivery(make_request(make_send(1)[:-40], make_send(2))).bundle
    assert (1, 1, 0) == count_events(Envelope(bundle, None, "here", datetime.now(UTC)))


@pytest.mark.parametrize(
    ("records", "counts"),
    [
        ([], (0, 0, 1)),
        ([b""], (0, 0, 1)),
        ([b"\n"], (0, 0, 1)),
        ([b"".join(map(make_send, range(10)))], (10, 0, 0)),
        ([make_send(1), b"nonsense", make_send(2)], (2, 1, 0)),
    ],
)
def test_a_record_may_hold_ten_events_or_none_or_nonsense(
    serve: "Serve", acking: Acking, records: list[bytes], counts: tuple[int, int, int]
) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    assert 200 == sender.post("/firehose", make_request(*records), HEADERS).status
    assert counts == count_events(worker.taken[0])


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("bad", ["not base64!", "", None, 7, {"deeper": []}])
def test_a_bad_record_is_quarantined_and_spoils_no_other(
    serve: "Serve", acking: Acking, bad: object, is_large: bool
) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    count = 1_500 if is_large else 2
    request = json.loads(make_request(*map(make_send, range(count))))
    request["records"].insert(1, {"data": bad})
    assert 200 == sender.post("/firehose", json.dumps(request).encode(), HEADERS).status
    events, quarantined, ignored = count_events(worker.taken[0])
    assert (count, 1) == (events, quarantined + ignored)


# --- where from, how much ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "region"),
    [
        ({}, "eu-west-1"),
        ({"X-Amz-Firehose-Source-Arn": ""}, None),
        ({"X-Amz-Firehose-Source-Arn": "nonsense"}, None),
        ({"X-Amz-Firehose-Source-Arn": STREAM.replace("eu-west-1", "<b>")}, None),
        (
            {"X-Amz-Firehose-Common-Attributes": '{"commonAttributes":{"region":"us-east-1"}}'},
            "us-east-1",
        ),
        ({"X-Amz-Firehose-Common-Attributes": '{"commonAttributes":{"stage":"x"}}'}, "eu-west-1"),
        ({"X-Amz-Firehose-Common-Attributes": "{"}, "eu-west-1"),
        ({"X-Amz-Firehose-Common-Attributes": "[]"}, "eu-west-1"),
    ],
)
def test_the_region_is_the_common_attributes_or_the_streams(
    serve: "Serve", acking: Acking, changes: dict[str, str], region: str | None
) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    sender.post("/firehose", make_request(make_send(1)), {**HEADERS, **changes})
    assert [region] == [envelope.region for envelope in worker.taken]


@pytest.mark.parametrize(
    ("attributes", "account"),
    [
        ({}, None),
        ({"account": "444455556666"}, "444455556666"),
        ({"AWS_Account-Id": "444455556666"}, "444455556666"),
        ({"account": "Example Corp.", "accountId": "444455556666"}, "444455556666"),
        ({"account": "4444555566667"}, None),
        ({"account": 444455556666}, None),
        ({"accountant": "444455556666"}, None),
    ],
)
def test_the_account_is_the_common_attributes_and_never_the_streams_owner(
    serve: "Serve", acking: Acking, attributes: dict[str, object], account: str | None
) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    told = {"X-Amz-Firehose-Common-Attributes": json.dumps({"commonAttributes": attributes})}
    sender.post("/firehose", make_request(make_send(1)), {**HEADERS, **told})
    assert [account] == [envelope.account for envelope in worker.taken]


@pytest.mark.parametrize(
    ("arn", "origin"),
    [
        (STREAM, f"firehose:/firehose {STREAM}"),
        ("", "firehose:/firehose"),
        (f"{STREAM}{'x' * 64}", "firehose:/firehose"),
        ("arn:aws:firehose:eu-west-1:111122223333:deliverystream/a b", "firehose:/firehose"),
    ],
)
def test_the_origin_names_the_stream(serve: "Serve", acking: Acking, arn: str, origin: str) -> None:
    source = make_source()
    sender = serve(source)
    worker = acking(source)
    headers = {**HEADERS, "X-Amz-Firehose-Source-Arn": arn}
    sender.post("/firehose", make_request(make_send(1)), headers)
    assert [origin] == [envelope.origin for envelope in worker.taken]


def test_one_request_more_than_the_bound_is_answered_with_503_at_once(
    serve: "Serve", eventually: "Eventually"
) -> None:
    source = make_source(max_in_flight=1)
    sender = serve(source)
    thread, answers = send_aside(sender, make_request(make_send(1)))
    eventually(lambda: source.in_flight[0] == 1)
    refused = sender.post("/firehose", make_request(make_send(2)), HEADERS)
    assert (503, "5") == (refused.status, refused.headers["retry-after"])
    source.ack([receive_one(source)])
    thread.join(10)
    assert [200] == [answer.status for answer in answers]
    assert {(200, "committed"): 1, (503, "overloaded"): 1} == source.count_answers()


def test_a_refusal_names_the_bodys_request_where_no_header_does(
    serve: "Serve", eventually: "Eventually"
) -> None:
    source = make_source()
    headers = {name: value for name, value in HEADERS.items() if "Request-Id" not in name}
    sender = serve(source)
    thread, answers = send_aside(sender, make_request(make_send(1)), headers)
    eventually(lambda: source.in_flight[0] == 1)
    source.nack([receive_one(source)])
    thread.join(10)
    (answer,) = answers
    assert (503, "request-1") == (answer.status, json.loads(answer.body)["requestId"])
    assert 1 == json.loads(answer.body)["errorMessage"].count("send it again")


def test_more_bytes_than_the_bound_are_answered_with_503_never_with_413(serve: "Serve") -> None:
    source = make_source(max_in_flight_bytes=1_000)
    body = make_request(b" " * 1_000)
    assert 503 == serve(source).post("/firehose", body, HEADERS).status
    assert (0, 0) == source.in_flight


def test_a_sender_that_goes_away_gives_its_share_back(
    serve: "Serve", eventually: "Eventually"
) -> None:
    source = make_source()
    sender = serve(source)
    connection = http.client.HTTPConnection("127.0.0.1", sender.port, timeout=10)
    connection.putrequest("POST", "/firehose")
    for key, value in {**HEADERS, "Content-Length": "1000"}.items():
        connection.putheader(key, value)
    connection.endheaders(b"half")
    eventually(lambda: source.in_flight[0] == 1)
    connection.close()
    eventually(lambda: source.in_flight == (0, 0))


def test_a_refusal_says_nothing_of_what_was_sent() -> None:
    with pytest.raises(Refusal) as refusal:
        parse_delivery(b'{"requestId": "r", "records": "reader@example.net"}')
    assert "reader" not in str(refusal.value)
