"""Every way botocore can fail has its place in our tree."""

import inspect

import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from consumer.errors import SourceDenied, SourceUnavailable
from consumer.sources.aws_faults import DENIED, UNAVAILABLE, translate

# Roots, translated by what they carry; and what is no BotoCoreError and met only by those who
# build clients from service models.
_ROOTS = {"BotoCoreError", "ClientError", "EventStreamError"}
_MODEL_BUILDERS = {"UndefinedModelAttributeError", "MissingServiceIdError"}

_CLASSES = [
    found
    for name, found in vars(botocore.exceptions).items()
    if inspect.isclass(found)
    and issubclass(found, Exception)
    and not issubclass(found, Warning)
    and found.__module__ == botocore.exceptions.__name__
    and name not in _ROOTS | _MODEL_BUILDERS
]


@pytest.mark.parametrize("kind", _CLASSES, ids=lambda kind: kind.__name__)
def test_every_exception_of_botocore_is_either_passing_or_denied(kind: type[Exception]) -> None:
    is_passing, is_denied = issubclass(kind, UNAVAILABLE), issubclass(kind, DENIED)
    assert is_passing != is_denied, f"give {kind.__name__} its place in consumer.sources.aws_faults"


@pytest.mark.parametrize("kind", _CLASSES, ids=lambda kind: kind.__name__)
def test_every_exception_of_botocore_becomes_one_of_ours(kind: type[BotoCoreError]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "what it says")
    expected = SourceDenied if issubclass(kind, DENIED) else SourceUnavailable
    fault = translate(error, "receiving from the queue q")
    assert expected is type(fault)
    assert str(fault).startswith("receiving from the queue q: ")


def test_an_exception_nobody_knows_is_worth_another_try() -> None:
    assert isinstance(translate(BotoCoreError(), "doing this"), SourceUnavailable)


def _refuse(code: str, status: int) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "because"},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "ReceiveMessage",
    )


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ThrottlingException", 400, SourceUnavailable),
        ("RequestThrottled", 403, SourceUnavailable),
        ("OverLimit", 403, SourceUnavailable),
        ("KmsThrottled", 400, SourceUnavailable),
        ("com.amazonaws.sqs#RequestThrottled", 400, SourceUnavailable),
        ("SlowDown", 503, SourceUnavailable),
        ("AnythingAtAll", 500, SourceUnavailable),
        ("429", 429, SourceUnavailable),
        ("AccessDenied", 403, SourceDenied),
        ("com.amazonaws.sqs#QueueDoesNotExist", 400, SourceDenied),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, SourceDenied),
        ("InvalidClientTokenId", 403, SourceDenied),
        ("ExpiredToken", 403, SourceDenied),
        ("SignatureDoesNotMatch", 403, SourceDenied),
        ("SomethingNew", 400, SourceDenied),
    ],
)
def test_a_refusal_is_passing_or_denied_by_its_code(
    code: str, status: int, expected: type[Exception]
) -> None:
    assert expected is type(translate(_refuse(code, status), "receiving"))


def test_a_message_says_what_was_attempted_what_came_and_what_to_do() -> None:
    fault = translate(_refuse("com.amazonaws.sqs#QueueDoesNotExist", 400), "receiving from q")
    expected = (
        "receiving from q: AWS refused with QueueDoesNotExist (because); "
        "check the queue's name, account and region"
    )
    assert expected == str(fault)
