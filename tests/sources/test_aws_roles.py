"""Roles of other accounts: what is asked for them, and that they are renewed before they end."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest

from consumer.cli.buckets import to_s3_options
from consumer.cli.sources import to_sqs_options
from consumer.errors import SettingsError, SourceDenied
from consumer.settings import load_settings
from consumer.sources.aws import AwsAccess, open_session
from consumer.sources.s3_bucket import S3Bucket, S3Place
from consumer.sources.sqs_client import SqsClient

USER = "arn:aws:iam::111122223333:user/worker"
ROLE = "arn:aws:iam::444455556666:role/duckpost"


class Sts:
    """An STS whose sessions last as long as a test says; `asked` is what came.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.lasting = timedelta(hours=1)
        self.status = 200

    def refuse(self, action: str) -> bytes:
        """Answer as to somebody whom the role does not trust.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html
        """
        said = f"User: {USER} is not authorized to perform: {action} on resource: {ROLE}"
        return f"""
            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{said}</Message></Error>
              <RequestId>r</RequestId>
            </ErrorResponse>""".encode()

    def answer(self, body: str) -> bytes:
        if self.status != 200:
            return self.refuse("sts:AssumeRole")
        self.asked.append({key: values[0] for key, values in parse_qs(body).items()})
        until = (datetime.now(UTC) + self.lasting).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"""
            <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <AssumeRoleResult>
                <AssumedRoleUser>
                  <Arn>{ROLE}/session</Arn><AssumedRoleId>AROA:session</AssumedRoleId>
                </AssumedRoleUser>
                <Credentials>
                  <AccessKeyId>ASIA{len(self.asked):016}</AccessKeyId>
                  <SecretAccessKey>secret</SecretAccessKey>
                  <SessionToken>token-{len(self.asked)}</SessionToken>
                  <Expiration>{until}</Expiration>
                </Credentials>
              </AssumeRoleResult>
              <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
            </AssumeRoleResponse>""".encode()


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    served = Sts()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            answer = served.answer(self.rfile.read(length).decode())
            self.send_response(served.status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002, ANN401 - the base's

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def read_key(access: AwsAccess) -> Callable[[], str]:
    credentials = open_session(access).get_credentials()
    assert credentials is not None
    return lambda: str(credentials.get_frozen_credentials().access_key)


@pytest.mark.parametrize(
    ("source", "to_access"),
    [
        ({"type": "sqs", "queue": "q"}, lambda read: to_sqs_options(read).access),
        ({"type": "s3", "bucket": "ses-events"}, lambda read: to_s3_options(read).place.access),
    ],
)
def test_each_source_assumes_the_role_its_own_settings_name(
    sts: Sts, source: dict[str, str], to_access: Callable[[Any], AwsAccess]
) -> None:
    about = {
        **source,
        "role_arn": ROLE,
        "role_external_id": "the-agreed-one",
        "role_session_name": "reports",
    }
    [read] = load_settings(environ={"DUCKPOST_SOURCES": json.dumps([about])}).sources
    assert "ASIA0000000000000001" == read_key(to_access(read))()
    [asked] = sts.asked
    expected = {"RoleArn": ROLE, "ExternalId": "the-agreed-one", "RoleSessionName": "reports"}
    assert expected == {key: asked.get(key) for key in expected}


def test_no_external_id_is_sent_that_nobody_set(sts: Sts) -> None:
    read_key(AwsAccess(role_arn=ROLE))()
    assert ("duckpost", None) == (
        sts.asked[0]["RoleSessionName"],
        sts.asked[0].get("ExternalId"),
    )


def test_one_worker_holds_sessions_of_many_accounts(sts: Sts) -> None:
    other = "arn:aws:iam::777788889999:role/duckpost"
    keys = {read_key(AwsAccess(role_arn=role))() for role in (ROLE, other)}
    assert 2 == len(keys)
    assert [ROLE, other] == [asked["RoleArn"] for asked in sts.asked]


def test_a_session_is_kept_while_it_lasts_and_renewed_before_it_ends(sts: Sts) -> None:
    find_key = read_key(AwsAccess(role_arn=ROLE))
    assert find_key() == find_key()
    assert 1 == len(sts.asked)

    sts.lasting = timedelta(minutes=9)  # less than botocore wants left of it
    find_key = read_key(AwsAccess(role_arn=ROLE))
    first = find_key()
    sts.lasting = timedelta(hours=1)
    second = find_key()
    assert first != second == find_key()
    assert 3 == len(sts.asked)


def test_a_queue_of_another_account_is_read_with_its_session(
    monkeypatch: pytest.MonkeyPatch, moto_endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_endpoint)
    session = boto3.client("sts", endpoint_url=moto_endpoint).assume_role(
        RoleArn=ROLE, RoleSessionName="its-own"
    )["Credentials"]
    theirs = boto3.client(
        "sqs",
        endpoint_url=moto_endpoint,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    url = theirs.create_queue(QueueName="theirs")["QueueUrl"]
    assert "/444455556666/" in url
    theirs.send_message(QueueUrl=url, MessageBody="one")
    access = AwsAccess(role_arn=ROLE, role_external_id="the-agreed-one", endpoint_url=moto_endpoint)
    client = SqsClient(access, "theirs")
    assert url == client.queue_url
    assert [b"one"] == [one.body for one in client.receive(visibility_secs=30)]
    client.close()


@pytest.mark.parametrize("kind", ["sqs", "s3"])
def test_a_role_that_may_not_be_assumed_is_named_with_what_lacks(sts: Sts, kind: str) -> None:
    sts.status = 403
    access = AwsAccess(role_arn=ROLE, region="eu-west-1")
    url = "https://sqs.eu-west-1.amazonaws.com/444455556666/theirs"
    ask: dict[str, Callable[[], object]] = {
        "sqs": lambda: SqsClient(access, url).receive(visibility_secs=30),
        "s3": lambda: S3Bucket(S3Place(bucket="theirs", access=access)).probe(),
    }
    with pytest.raises(SourceDenied) as refused:
        ask[kind]()

    assert f"sts:AssumeRole on resource: {ROLE}" in str(refused.value)
    assert "allow the action in the policy of this identity" in str(refused.value)
    assert 3 == refused.value.exit_code


def test_an_external_id_without_a_role_is_refused() -> None:
    about = [{"type": "sqs", "queue": "q", "role_external_id": "the-agreed-one"}]
    with pytest.raises(SettingsError, match="role_external_id belongs to role_arn"):
        load_settings(environ={"DUCKPOST_SOURCES": json.dumps(about)})
