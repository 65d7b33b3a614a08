"""From a value to the events inside it, told by shape alone, whatever is wrapped in what."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import ValidationError
from pydantic_core import from_json

from consumer.decode.limits import Limits
from consumer.decode.stretch import quarantine
from consumer.decode.values import TOPIC_VALIDATION, split_values
from consumer.decoded import Decoded, Ignored, Quarantined, Reason
from schemas.envelopes import EVENTBRIDGE_EVENT, SNS_NOTIFICATION
from schemas.events import (
    EVENT_TYPES,
    NOTIFICATION_TYPES,
    SesEvent,
    parse_event,
    parse_event_object,
)
from schemas.faults import describe_fault

LEAST_RECIPIENT_BYTES: Final = 3  # `"",`: a shorter payload can't name more than its share
_SNIFFED_BYTES: Final = 64
_SHOWN_KEYS: Final = 12
_SHOWN_CHARS: Final = 40
_ARN_REGION: Final = 3
_SUBSCRIBED: Final = "AmazonSnsSubscriptionSucceeded"
_CONFIRMATIONS: Final = {
    "SubscriptionConfirmation": Ignored.SUBSCRIPTION_CONFIRMATION,
    "UnsubscribeConfirmation": Ignored.UNSUBSCRIBE_CONFIRMATION,
}
# End User Messaging: TEXT_DELIVERED, MEDIA_SENT, VOICE_COMPLETED, …
# https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-types.html
_SMS_PREFIXES: Final = ("TEXT_", "MEDIA_", "VOICE_")

Json = Mapping[str, object]


class Unwrapper:
    """Reads one top-level value into its `Decoded`."""

    def __init__(self, into: Decoded, limits: Limits, offset: int = 0) -> None:
        self._into = into
        self._limits = limits
        self._offset = offset

    def read(self, raw: bytes, level: int = 0) -> bool:
        """Read a value's verbatim bytes; False where they are no JSON."""
        try:
            self._read_common(raw, level)
        except ValidationError:
            if raw == TOPIC_VALIDATION:
                self._ignore(Ignored.TOPIC_VALIDATION)
                return True
            try:
                value = from_json(raw)
            except ValueError:
                return False
            self._route(value, raw, level)
        return True

    def _read_common(self, raw: bytes, level: int) -> None:
        """Validate the shapes that nearly all values have, each guessed from the first bytes.

        Raises ``ValidationError`` where the value is another, which says nothing against it.
        """
        head = raw[:_SNIFFED_BYTES]
        if b'"Type"' in head:
            notification = SNS_NOTIFICATION.validate_json(raw)
            self._note_region(notification.get("TopicArn"))
            self._read_text(notification["Message"].encode(), level + 1)
        elif b'"version"' in head and b'"detail-type"' in raw[: 4 * _SNIFFED_BYTES]:
            bridged = EVENTBRIDGE_EVENT.validate_json(raw)
            self._into.region = bridged.get("region") or self._into.region
            self._keep(bridged["detail"], raw)
        else:
            self._keep(parse_event(raw), raw)

    # --- routing ---------------------------------------------------------------------------

    def _route(self, value: object, raw: bytes, level: int) -> None:
        """Follow the shape inwards. ``raw`` are the innermost verbatim bytes that hold it."""
        if level > self._limits.max_wrappings:
            detail = f"more than {self._limits.max_wrappings} wrappings inside each other"
            self._quarantine(Reason.TOO_DEEP, detail, raw)
        elif isinstance(value, str):
            self._read_text(value.encode(), level + 1)
        elif not isinstance(value, dict):
            kind = "a list" if isinstance(value, list) else "a single value"
            self._quarantine(Reason.UNKNOWN_SHAPE, f"{kind}, not an object", raw)
        elif "Message" in value and "Type" in value:
            self._read_sns(value, raw, level)
        elif "detail-type" in value and "detail" in value:
            self._read_eventbridge(value, raw, level)
        elif "eventType" in value or "notificationType" in value:
            self._read_event(value, raw)
        else:
            self._read_wrapping(value, raw, level)

    def _read_event(self, value: Json, raw: bytes) -> None:
        key = "eventType" if "eventType" in value else "notificationType"
        kind = value[key]
        mail = value.get("mail")
        known = EVENT_TYPES if key == "eventType" else NOTIFICATION_TYPES
        if kind in known:
            try:
                self._keep(parse_event_object(value), raw)
            except ValidationError as error:
                self._quarantine(Reason.INVALID_EVENT, describe_fault(error), raw)
        elif kind == "Received":
            self._ignore(Ignored.INBOUND_MAIL)
        elif kind == _SUBSCRIBED:
            self._ignore(Ignored.TOPIC_VALIDATION)
        elif isinstance(kind, str) and kind.startswith(_SMS_PREFIXES) and mail is None:
            self._ignore(Ignored.SMS)
        elif kind == "AwsApiCall":
            self._ignore(Ignored.API_CALL)
        elif isinstance(mail, dict):
            detail = f"{key}: found {_shorten(kind)}, expected one of {', '.join(known)}"
            self._quarantine(Reason.UNKNOWN_EVENT_TYPE, detail, raw)
        else:
            detail = f"{key} is {_shorten(kind)}, but there is no mail; {_list_keys(value)}"
            self._quarantine(Reason.UNKNOWN_SHAPE, detail, raw)

    def _read_sns(self, value: Json, raw: bytes, level: int) -> None:
        self._note_region(value.get("TopicArn"))
        kind, message = value["Type"], value["Message"]
        if isinstance(kind, str) and kind in _CONFIRMATIONS:
            self._ignore(_CONFIRMATIONS[kind])
        elif isinstance(message, str):
            self._read_text(message.encode(), level + 1)
        else:
            self._route(message, raw, level + 1)  # LocalStack publishes an object

    def _read_eventbridge(self, value: Json, raw: bytes, level: int) -> None:
        source, detail, kind = value.get("source"), value["detail"], value["detail-type"]
        region = value.get("region")
        if isinstance(region, str) and region:
            self._into.region = region
        if source == "aws.s3":
            self._ignore(Ignored.S3_NOTICE)
        elif isinstance(kind, str) and kind.endswith("via CloudTrail"):
            self._ignore(Ignored.API_CALL)
        elif isinstance(detail, dict) and "mail" in detail:
            self._route(detail, raw, level + 1)
        elif source == "aws.ses":
            # VDM advisor and tenant status; https://docs.aws.amazon.com/ses/latest/dg/tenants.html
            self._ignore(Ignored.ACCOUNT_STATUS)
        elif isinstance(detail, dict) and ("eventType" in detail or "notificationType" in detail):
            self._route(detail, raw, level + 1)
        else:
            told = f"EventBridge event of source {_shorten(source)}"
            self._quarantine(Reason.UNKNOWN_SHAPE, told, raw)

    def _read_wrapping(self, value: Json, raw: bytes, level: int) -> None:
        records = value.get("Records")
        if value.get("Event") == "s3:TestEvent":
            self._ignore(Ignored.S3_TEST_EVENT)
        elif isinstance(records, list):
            for record in records:
                self._read_lambda_record(record, raw, level + 1)
            if not records:
                self._ignore(Ignored.EMPTY)
        elif "requestId" in value and isinstance(value.get("records"), list):
            self._read_firehose_request(value, level)
        elif "rawData" in value and ("errorCode" in value or "attemptsMade" in value):
            self._read_firehose_error(value, raw, level)
        elif isinstance(value.get("mail"), dict) and "receipt" in value:
            self._ignore(Ignored.INBOUND_MAIL)
        elif isinstance(value.get("body"), str | dict):
            self._route(value["body"], raw, level + 1)  # a request as API Gateway passes it on
        elif "eventtype" in value or "notificationtype" in value:
            hint = "keys in lower case, as Athena and Glue export them: give the original objects"
            self._quarantine(Reason.UNKNOWN_SHAPE, f"{hint}; {_list_keys(value)}", raw)
        else:
            self._quarantine(Reason.UNKNOWN_SHAPE, f"no SES event; {_list_keys(value)}", raw)

    def _read_lambda_record(self, record: object, raw: bytes, level: int) -> None:
        """One of ``Records[]``, the wrapping of Lambda's triggers and of S3's notices."""
        if not isinstance(record, dict):
            self._route(record, raw, level)
            return
        if "s3" in record:
            self._note_region(record.get("eventSourceARN"), region=record.get("awsRegion"))
            self._ignore(Ignored.S3_NOTICE)
        elif "ses" in record:
            self._ignore(Ignored.INBOUND_MAIL)
        elif "Sns" in record:
            self._route(record["Sns"], raw, level)
        elif isinstance(record.get("body"), str | dict):
            self._note_region(record.get("eventSourceARN"))
            self._route(record["body"], raw, level)
        elif isinstance(record.get("kinesis"), dict):
            self._note_region(record.get("eventSourceARN"))
            self._read_base64(record["kinesis"].get("data"), level)
        else:
            self._route(record, raw, level)

    # --- Firehose --------------------------------------------------------------------------

    def _read_firehose_request(self, value: Json, level: int) -> None:
        records = value["records"]
        if not isinstance(records, list) or not records:
            self._ignore(Ignored.EMPTY)
            return
        for record in records:
            self._read_base64(record.get("data") if isinstance(record, dict) else record, level)

    def _read_base64(self, data: object, level: int) -> None:
        decoded = _decode_base64(data)
        if decoded is None:
            shown = data.encode() if isinstance(data, str) else b""
            detail = "data: expected base64 of the record"
            self._quarantine(Reason.INVALID_WRAPPING, detail, shown or repr(data).encode())
        else:
            self._read_text(decoded, level + 1)

    def _read_firehose_error(self, value: Json, raw: bytes, level: int) -> None:
        """Try what Firehose could not deliver; where that is no event, keep the whole record."""
        self._note_region(value.get("lambdaArn"))
        decoded = _decode_base64(value["rawData"])
        trial = replace(self._into, raw=raw, events=[], quarantined=[], ignored=[])
        if decoded is not None:
            Unwrapper(trial, self._limits, self._offset)._read_text(decoded, level + 1)  # noqa: SLF001 - its own class
        if trial.events or trial.ignored:
            self._into.events += trial.events
            self._into.ignored += trial.ignored
            self._into.quarantined += trial.quarantined
            self._into.region = trial.region
            return
        why = trial.quarantined[0].detail if trial.quarantined else "rawData is not base64"
        told = f"Firehose could not deliver it ({_shorten(value.get('errorCode'))}): {why}"
        self._quarantine(Reason.INVALID_WRAPPING, told, raw)

    # --- what was found --------------------------------------------------------------------

    def _read_text(self, text: bytes, level: int) -> None:
        """Read what a wrapping holds: as a rule one value, but a record may hold several."""
        if level > self._limits.max_wrappings:
            self._route(None, text, level)
            return
        if len(text) <= self._limits.max_payload_bytes:
            try:
                # Cutting the text into values costs as much again as reading its only one.
                self._read_common(text.strip(b" \t\r\n"), level)
            except ValidationError:
                pass
            else:
                return
        is_empty = True
        for found in split_values(
            [text], lambda raw, _offset: self.read(raw, level) or None, self._limits
        ):
            is_empty = False
            if isinstance(found, Quarantined):
                self._into.quarantined.append(found)
        if is_empty:
            self._ignore(Ignored.EMPTY)

    def _keep(self, event: SesEvent, raw: bytes) -> None:
        most = self._limits.max_recipients
        if len(raw) > most * LEAST_RECIPIENT_BYTES and (count := count_recipients(event)) > most:
            detail = f"{count} recipients, at most {most} are read from one event"
            self._quarantine(Reason.TOO_MANY_RECIPIENTS, detail, raw)
        else:
            self._into.events.append(event)

    def _ignore(self, what: Ignored) -> None:
        self._into.ignored.append(what)

    def _quarantine(self, reason: Reason, detail: str, payload: bytes) -> None:
        self._into.quarantined.append(quarantine(reason, detail, payload, self._offset))

    def _note_region(self, arn: object, *, region: object = None) -> None:
        parts = arn.split(":") if isinstance(arn, str) else []
        if isinstance(region, str) and region:
            self._into.region = region
        elif len(parts) > _ARN_REGION and parts[0] == "arn" and parts[_ARN_REGION]:
            self._into.region = parts[_ARN_REGION]


def count_recipients(event: SesEvent) -> int:
    """Count the longest list of recipients that an event has."""
    lists: list[object] = [event["mail"].get("destination")]
    for detail in event.values():
        if isinstance(detail, dict):
            lists += [value for key, value in detail.items() if key.lower().endswith("recipients")]
    return max(len(found) if isinstance(found, list) else 0 for found in lists)


def _decode_base64(data: object) -> bytes | None:
    if not isinstance(data, str):
        return None
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        pass  # not even ASCII, or padded in a way that the slower one forgives
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        return None


def _list_keys(value: Json) -> str:
    shown = [_shorten(key) for key in list(value)[:_SHOWN_KEYS]]
    more = ", …" if len(value) > _SHOWN_KEYS else ""
    return f"keys found: {', '.join(shown) or 'none'}{more}"


def _shorten(value: object) -> str:
    if not isinstance(value, str):
        return "nothing" if value is None else f"no text ({type(value).__name__})"
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
