"""Amazon Data Firehose's HTTP endpoint: a request of many records, answered once they are safe.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
"""

import asyncio
import binascii
import contextlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consumer.envelope import Bundle
from consumer.sources.http_body import read_body
from consumer.sources.http_refusal import Refusal, Why
from consumer.sources.http_source import Bounds, HttpSource, find_arn_region

# The largest body that Firehose sends. A 413 makes it drop the records without its backup
# bucket, so nothing that could come from it may get one.
MOST_BODY_BYTES = 64 * 1024 * 1024
MOST_RECORDS = 100_000  # ten times what Firehose sends
PROTOCOL_VERSION = "1.0"
WAITS_SECS = 170.0  # Firehose gives up after three minutes
_BOUNDS = Bounds(answer_secs=WAITS_SECS)
_PARSED_INLINE_BYTES = 256 * 1024
_SHOWN_CHARS = 64
# Names of common attributes that count, without case, "-" and "_", and what they may hold.
_REGION_NAMES = frozenset({"region", "awsregion"})
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")
_ACCOUNT_NAMES = frozenset({"account", "accountid", "awsaccount", "awsaccountid"})
_ACCOUNT = re.compile(r"[0-9]{12}")
# Part of what is stored with each payload, so nothing but a stream's ARN may get there.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
_STREAM_ARN = re.compile(
    r"arn:aws[a-z-]{0,16}:firehose:[a-z0-9-]{1,32}:[0-9]{12}:deliverystream/[a-zA-Z0-9_.-]{1,64}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirehoseOptions:
    """What a Firehose endpoint may be told.

    Attributes:
        path: where it is served.
        access_keys: of which a request must bring one; two, so that a key can be changed without
            a gap. Empty: anybody may send.
        bounds: what is held at most.
    """

    path: str
    access_keys: tuple[str, ...]
    bounds: Bounds = _BOUNDS


class FirehoseSource(HttpSource):
    """A Firehose endpoint as a `consumer.sources.base.Source`; an envelope is one request.

    Neither a request id nor a body seen before is remembered: Firehose's retry of what is
    committed holds the same events, is found to be duplicates, and gets the same answer.
    """

    def __init__(
        self, options: FirehoseOptions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("firehose", options.path, options.bounds, clock=clock)
        self._keys = [key.encode() for key in options.access_keys]
        self._parsing = asyncio.Lock()  # one large body at a time is held twice

    async def _take(self, request: Request) -> Response:
        """Take one request in.

        1. Who sends, and in which protocol: before a byte of the body is read.
        2. The body, within bounds.
        3. Its records to the worker; wait for the commit.
        """
        self._check_key(request)  # 1
        version = request.headers.get("x-amz-firehose-protocol-version")
        if version != PROTOCOL_VERSION:
            told = f"X-Amz-Firehose-Protocol-Version: expected {PROTOCOL_VERSION}"
            raise Refusal(Why.BAD_REQUEST, told)
        with self._admitted() as admission:
            raw = await read_body(  # 2
                request,
                most_bytes=MOST_BODY_BYTES,
                grow=lambda size: self._grow(admission, size),
            )
            delivery = await self._parse(raw)
            request.state.request_id = delivery.request_id
            del raw  # a large one lives on in its records alone
            about = _read_about(request)
            await self._deliver(  # 3
                admission,
                delivery.bundle,
                region=about.region,
                account=about.account,
                sender=about.stream,
            )
        return _say(200, delivery.request_id)

    def _to_response(self, request: Request, refusal: Refusal) -> Response:
        # The header's is the body's, and there for whoever is refused before the body is read.
        told = request.headers.get("x-amz-firehose-request-id")
        request_id = told or str(getattr(request.state, "request_id", ""))
        return _say(refusal.status, request_id, str(refusal))

    def _check_key(self, request: Request) -> None:
        if not self._keys:
            return
        given = request.headers.getlist("x-amz-firehose-access-key")
        if not given or given == [""]:
            raise Refusal(Why.KEY_MISSING, "X-Amz-Firehose-Access-Key is missing")
        # Every key is compared, so that the time taken says nothing about which one was near.
        matches = [hmac.compare_digest(key, given[0].encode("latin-1")) for key in self._keys]
        if len(given) > 1 or not any(matches):
            raise Refusal(Why.KEY_WRONG, "X-Amz-Firehose-Access-Key is not one of ours")

    async def _parse(self, raw: bytes) -> "Delivery":
        if len(raw) <= _PARSED_INLINE_BYTES:
            return parse_delivery(raw)
        async with self._parsing:
            return await asyncio.to_thread(parse_delivery, raw)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request's records, each as it was before Firehose wrapped it."""

    request_id: str
    bundle: Bundle


def parse_delivery(raw: bytes) -> Delivery:
    """Read a request's body; its records are judged later, one by one. Raises `Refusal`.

    Base64 is undone here, so that neither the archive nor anything that follows bears it. A record
    whose data is none stays a request with that record alone, which decoding refuses by name.
    """
    try:
        value = from_json(raw, cache_strings="none")
    except ValueError as error:
        raise Refusal(Why.BAD_REQUEST, f"the body is not valid JSON: {error}") from error
    request_id = value.get("requestId") if isinstance(value, dict) else None
    records = value.get("records") if isinstance(value, dict) else None
    if not isinstance(request_id, str) or not request_id:
        raise Refusal(Why.BAD_REQUEST, "requestId: expected text")
    if not isinstance(records, list):
        raise Refusal(Why.BAD_REQUEST, "records: expected a list")
    if len(records) > MOST_RECORDS:
        raise Refusal(Why.BAD_REQUEST, f"records: expected at most {MOST_RECORDS}")
    shown = request_id[:_SHOWN_CHARS]  # repeated for each bad record, so not of any length
    return Delivery(request_id, Bundle([_to_payload(shown, record) for record in records]))


def _to_payload(request_id: str, record: object) -> bytes:
    data = record.get("data") if isinstance(record, dict) else None
    if isinstance(data, str) and data:
        with contextlib.suppress(ValueError):
            return binascii.a2b_base64(data, strict_mode=True)
    return json.dumps({"requestId": request_id, "records": [record]}).encode()


def _say(status: int, request_id: str, error: str | None = None) -> Response:
    """Answer as Firehose demands: anything but this form is a failed delivery to it."""
    content: dict[str, object] = {"requestId": request_id, "timestamp": time.time_ns() // 1_000_000}
    if error is not None:
        content["errorMessage"] = error
    return JSONResponse(content, status_code=status)


@dataclass(frozen=True, slots=True)
class _About:
    """What a request says of where its records are from.

    Attributes:
        stream: the stream's ARN, for the origin. It names the stream's owner, who is another
            account than the sender where a topic or a bus stands between: never the account.
        region: the common attribute's, else the stream's.
        account: the common attribute's alone: whoever set it said whose events these are.
    """

    stream: str
    region: str | None
    account: str | None


def _read_about(request: Request) -> _About:
    arn = request.headers.get("x-amz-firehose-source-arn", "")
    try:
        value = from_json(request.headers.get("x-amz-firehose-common-attributes", "{}"))
    except ValueError:
        value = None
    found = value.get("commonAttributes") if isinstance(value, dict) else None
    attributes = found if isinstance(found, dict) else {}
    stream = arn if _STREAM_ARN.fullmatch(arn) else ""
    return _About(
        stream=stream,
        region=_find_attribute(attributes, _REGION_NAMES, _REGION) or find_arn_region(stream),
        account=_find_attribute(attributes, _ACCOUNT_NAMES, _ACCOUNT),
    )


def _find_attribute(
    attributes: Mapping[str, object], names: frozenset[str], form: re.Pattern[str]
) -> str | None:
    for key, value in attributes.items():
        is_meant = key.lower().replace("-", "").replace("_", "") in names
        if is_meant and isinstance(value, str) and form.fullmatch(value):
            return value
    return None
