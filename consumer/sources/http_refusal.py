"""Why a request is not taken, and what its sender is told."""

from enum import Enum
from http import HTTPStatus
from typing import ClassVar


class Why(Enum):
    """A closed set: each value is a label of `duckpost_http_requests_total`."""

    OVERLOADED = "overloaded"
    CLOSING = "closing"
    RETURNED = "returned"
    LATE = "late"
    TOO_LARGE = "too_large"
    BAD_REQUEST = "bad_request"
    BAD_ENCODING = "bad_encoding"
    KEY_MISSING = "key_missing"
    KEY_WRONG = "key_wrong"
    SECRET_WRONG = "secret_wrong"  # noqa: S105 - the name of a fault
    RAW_DELIVERY = "raw_delivery"
    TOPIC = "topic"
    MESSAGE = "message"
    CERTIFICATE = "certificate"
    CERTIFICATE_UNREACHABLE = "certificate_unreachable"
    SIGNATURE = "signature"
    TOO_OLD = "too_old"
    CONFIRMATION_OFF = "confirmation_off"
    CONFIRMATION_URL = "confirmation_url"
    CONFIRMATION_FAILED = "confirmation_failed"


_STATUS = {
    Why.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Why.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Why.BAD_ENCODING: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Why.KEY_MISSING: HTTPStatus.UNAUTHORIZED,
    Why.KEY_WRONG: HTTPStatus.UNAUTHORIZED,
    Why.SECRET_WRONG: HTTPStatus.FORBIDDEN,
    Why.RAW_DELIVERY: HTTPStatus.FORBIDDEN,
    Why.TOPIC: HTTPStatus.FORBIDDEN,
    Why.MESSAGE: HTTPStatus.FORBIDDEN,
    Why.CERTIFICATE: HTTPStatus.FORBIDDEN,
    Why.SIGNATURE: HTTPStatus.FORBIDDEN,
    Why.TOO_OLD: HTTPStatus.FORBIDDEN,
    Why.CONFIRMATION_OFF: HTTPStatus.FORBIDDEN,
    Why.CONFIRMATION_URL: HTTPStatus.FORBIDDEN,
}


class Refusal(Exception):  # noqa: N818 - what a sender gets; never leaves the HTTP sources
    """A request that is not taken.

    What the sender may try again unchanged gets 503; all else is its own fault and gets a 4xx,
    which SNS does not try again and Firehose does, until its retry duration ends.

    Attributes:
        why: for the counters.
        status: for the sender.
    """

    UNAVAILABLE: ClassVar[int] = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why
        self.status = int(_STATUS.get(why, HTTPStatus.SERVICE_UNAVAILABLE))
