"""The light client beside what boto3 would do."""

import hashlib
import json
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import boto3
import pytest
from mypy_boto3_sqs import SQSClient

from consumer.demo.loopback import LoopbackQueue
from consumer.errors import SourceDenied, SourceUnavailable
from consumer.sources.aws import AwsAccess
from consumer.sources.sqs_client import FailedEntry, SqsClient, find_region


def _open(server: LoopbackQueue, pauses: list[float] | None = None) -> SqsClient:
    return SqsClient(
        AwsAccess(endpoint_url=server.endpoint_url),
        server.url,
        pause=(pauses if pauses is not None else []).append,
    )


def test_a_message_comes_as_it_was_sent_and_deletes(loopback: LoopbackQueue) -> None:
    loopback.send(["héllo \U0001f4e7"])
    client = _open(loopback)
    [message] = client.receive(visibility_secs=30)
    assert ("héllo \U0001f4e7".encode(), 1) == (message.body, message.receive_count)
    assert not client.delete([message.handle])
    assert 1 == loopback.queue.deleted
    client.close()


def test_moto_takes_our_requests_for_boto3s(moto_sqs: SQSClient, moto_endpoint: str) -> None:
    name = f"client-{uuid.uuid4().hex}"
    url = moto_sqs.create_queue(QueueName=name)["QueueUrl"]
    moto_sqs.send_message(QueueUrl=url, MessageBody="one")
    client = SqsClient(AwsAccess(endpoint_url=moto_endpoint), name)
    assert url == client.queue_url
    [message] = client.receive(visibility_secs=30)
    assert b"one" == message.body
    assert not client.change_visibility([(message.handle, 0)])
    [again] = client.receive(visibility_secs=30)
    assert 2 == again.receive_count
    assert not client.delete([again.handle])
    assert "0" == client.read_attributes()["ApproximateNumberOfMessagesNotVisible"]
    client.close()


# spring-cloud-aws#1654, redpanda#182: two entries with one id, and the whole batch was refused
def test_one_handle_twice_in_a_batch_is_no_fault(loopback: LoopbackQueue) -> None:
    loopback.send(["one"])
    client = _open(loopback)
    [message] = client.receive(visibility_secs=30)
    assert not client.delete([message.handle, message.handle])
    client.close()


def test_what_a_batch_could_not_do_is_told_by_position(loopback: LoopbackQueue) -> None:
    loopback.send(["one", "two"])
    client = _open(loopback)
    handles = [message.handle for message in client.receive(visibility_secs=30)]
    loopback.fail("DeleteMessageBatch", "InternalError", status=500, entries=[1])
    expected = [FailedEntry(1, "InternalError", "InternalError, as a test asked for.", False)]
    assert expected == client.delete(handles)
    client.close()


@pytest.mark.parametrize(
    ("code", "status"),
    [("ServiceUnavailable", 503), ("InternalError", 500), ("RequestThrottled", 403)],
)
def test_what_passes_is_tried_three_times_with_growing_pauses(
    loopback: LoopbackQueue, code: str, status: int
) -> None:
    loopback.fail("ReceiveMessage", code, status=status, times=3)
    loopback.send(["one"])
    pauses: list[float] = []
    client = _open(loopback, pauses)
    with pytest.raises(SourceUnavailable, match=f"ReceiveMessage on ses-events.*{code}"):
        client.receive(visibility_secs=30)
    assert 3 == loopback.requests["ReceiveMessage"]
    first, second = pauses
    assert first <= 1
    assert second <= 2
    assert 1 == len(client.receive(visibility_secs=30))
    client.close()


def test_a_refusal_is_not_tried_again(loopback: LoopbackQueue) -> None:
    loopback.fail("ReceiveMessage", "AccessDenied", status=403)
    client = _open(loopback)
    with pytest.raises(SourceDenied):
        client.receive(visibility_secs=30)
    assert 1 == loopback.requests["ReceiveMessage"]
    client.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with LoopbackQueue() as server:
        url, endpoint_url = server.url, server.endpoint_url
    client = SqsClient(AwsAccess(endpoint_url=endpoint_url), url, pause=lambda _: None)
    with pytest.raises(SourceUnavailable, match=r"Could not connect.*passes by itself"):
        client.receive(visibility_secs=30)


def test_a_body_that_was_damaged_on_its_way_is_left_for_redelivery(
    loopback: LoopbackQueue,
) -> None:
    [damaged, _] = loopback.queue.send(["one", "two"])
    damaged.md5 = "0" * 32
    client = _open(loopback)
    assert [b"two"] == [message.body for message in client.receive(visibility_secs=30)]
    client.close()


def test_a_lone_surrogate_in_a_body_is_handed_on(loopback: LoopbackQueue) -> None:
    [message] = loopback.queue.send(["placeholder"])
    message.body = "\ud800"
    message.md5 = hashlib.md5(b"\xed\xa0\x80", usedforsecurity=False).hexdigest()
    client = _open(loopback)
    assert [b"\xed\xa0\x80"] == [found.body for found in client.receive(visibility_secs=30)]
    client.close()


@pytest.mark.parametrize(
    "answer", [b"<html>log in first</html>", b"[]", b'{"Messages":[{}]}', b'{"Messages":7}']
)
def test_an_address_that_is_no_sqs_is_unavailable_and_says_so(answer: bytes) -> None:
    class Portal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        client = SqsClient(AwsAccess(endpoint_url=url), f"{url}/0/q", pause=lambda _: None)
        with pytest.raises(SourceUnavailable, match="ReceiveMessage on q"):
            client.receive(visibility_secs=30)
        client.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", "cn-north-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/q", "us-gov-west-1"),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/q", "eu-west-1"),
        ("http://127.0.0.1:9324/000000000000/q", None),
        ("http://localhost/sqs.eu-west-1.amazonaws.com/q", None),
    ],
)
def test_a_queue_url_tells_its_region(url: str, region: str | None) -> None:
    assert region == find_region(url)


def test_a_queue_urls_region_wins_over_the_environment_and_a_setting_over_both() -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
    by_url = SqsClient(AwsAccess(), url)
    by_setting = SqsClient(AwsAccess(region="eu-central-1"), url)
    by_environment = SqsClient(AwsAccess(), "q")
    expected = ["https://sqs.eu-west-1.amazonaws.com/", "eu-central-1", "us-east-1"]
    assert expected == [by_url.endpoint_url, by_setting.region, by_environment.region]


def test_endpoint_comes_from_boto3s_environment_variable(
    monkeypatch: pytest.MonkeyPatch, loopback: LoopbackQueue
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", loopback.endpoint_url)
    loopback.send(["one"])
    client = SqsClient(AwsAccess(), "ses-events")
    assert 1 == len(client.receive(visibility_secs=30))
    client.close()


def test_missing_credentials_are_denied_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceDenied, match=r"no AWS credentials found.*AWS_PROFILE"):
        SqsClient(AwsAccess(), "q")


def test_a_missing_region_is_denied_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SourceDenied, match="no AWS region; set it in the settings, or AWS_REGION"):
        SqsClient(AwsAccess(), "q")


def test_the_region_of_the_environment_is_the_one_that_every_sdk_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert "eu-west-3" == SqsClient(AwsAccess(), "q").region
    assert "eu-north-1" == SqsClient(AwsAccess(region="eu-north-1"), "q").region


def test_an_unknown_profile_is_denied() -> None:
    with pytest.raises(SourceDenied, match=r"opening the queue q.*no-such-profile"):
        SqsClient(AwsAccess(profile="no-such-profile"), "q")


def test_a_profile_brings_its_credentials_and_region(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile mail]\nregion = eu-west-3\naws_access_key_id = A\naws_secret_access_key = B\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "eu-west-3" == SqsClient(AwsAccess(profile="mail"), "q").region


def test_a_role_is_assumed_for_the_queue(
    monkeypatch: pytest.MonkeyPatch, moto_endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_endpoint)
    role_arn = "arn:aws:iam::123456789012:role/duckpost"
    client = SqsClient(AwsAccess(role_arn=role_arn), "q")
    credentials = client._credentials.get_frozen_credentials()
    assert str(credentials.access_key).startswith("ASIA")
    assert credentials.token


def test_boto3_speaks_to_the_loopback_queue(loopback: LoopbackQueue) -> None:
    client = boto3.client("sqs", endpoint_url=loopback.endpoint_url)
    url = client.get_queue_url(QueueName="ses-events")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody=json.dumps({"n": 1}))
    [message] = client.receive_message(QueueUrl=url)["Messages"]
    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert '{"n": 1}' == message["Body"]
    assert "Messages" not in client.receive_message(QueueUrl=url)
