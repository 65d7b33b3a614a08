"""What decoding finds: faults in the data are values here, never exceptions."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from schemas.events import SesEvent


class Reason(StrEnum):
    """Why a payload is in quarantine: a closed set, one metric label each."""

    NOT_JSON = "not_json"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    UNKNOWN_SHAPE = "unknown_shape"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    INVALID_EVENT = "invalid_event"
    INVALID_WRAPPING = "invalid_wrapping"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    BAD_COMPRESSION = "bad_compression"
    DECOMPRESSION_BOMB = "decompression_bomb"
    UNSUPPORTED_FORMAT = "unsupported_format"
    OBJECT_GONE = "object_gone"


class Ignored(StrEnum):
    """Recognised and belonging there, but no sending event: counted and acknowledged."""

    TOPIC_VALIDATION = "topic_validation"
    SUBSCRIPTION_CONFIRMATION = "subscription_confirmation"
    UNSUBSCRIBE_CONFIRMATION = "unsubscribe_confirmation"
    S3_TEST_EVENT = "s3_test_event"
    S3_NOTICE = "s3_notice"
    ACCOUNT_STATUS = "account_status"
    API_CALL = "api_call"
    SMS = "sms"
    INBOUND_MAIL = "inbound_mail"
    EMPTY = "empty"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A payload no schema accepted, verbatim, with its reason.

    Attributes:
        reason: from the closed set.
        detail: for a person: the field's path, what was found, what was expected.
        payload: the bytes; of one past its limit, the first 64 KiB.
        sha256: of the whole payload, in hex: redelivery adds nothing.
        length: of the whole payload, in bytes.
        offset: where it starts in the decompressed body, in bytes.
    """

    reason: Reason
    detail: str
    payload: bytes
    sha256: str
    length: int
    offset: int = 0


@dataclass(slots=True)
class Decoded:
    """One top-level value of an envelope's body and what was in it.

    Attributes:
        raw: the value verbatim, with its wrapping: what the archive keeps and `rebuild` decodes
            again. Of a value past its limit, the part that was kept.
        origin: the envelope's.
        received_at: the envelope's.
        region: AWS region the wrapping names (topic ARN, EventBridge ``region``, queue), if any.
        account: the envelope's.
        events: validated events; more than one where the wrapping holds several.
        quarantined: payloads not understood.
        ignored: recognised non-events, one entry each.
    """

    raw: bytes
    origin: str
    received_at: datetime
    region: str | None = None
    account: str | None = None
    events: list[SesEvent] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
