"""SNS's HTTP(S) subscription: signed messages, verified before anything in them is used.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
"""

import asyncio
import hmac
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import structlog
from cryptography.x509 import Certificate
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from consumer.errors import SourceUnavailable
from consumer.sources.http_body import read_body
from consumer.sources.http_certificates import Certificates, Fetch, HttpsFetcher, is_subscribe_url
from consumer.sources.http_refusal import Refusal, Why
from consumer.sources.http_signature import (
    SUBSCRIPTION,
    UNSUBSCRIPTION,
    SignedMessage,
    check_signature,
    parse_message,
)
from consumer.sources.http_source import Bounds, HttpSource, find_arn_region

# A message has 256 KiB at most, of which JSON's escapes can make six times as much.
MOST_BODY_BYTES = 2 * 1024 * 1024
WAITS_SECS = 12.0  # SNS gives up after 15 s
# Keys of a confirmation that whoever reads the archive could subscribe with.
_KEPT_TO_OURSELVES = frozenset({"Token", "SubscribeURL"})

_BOUNDS = Bounds(answer_secs=WAITS_SECS)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsOptions:
    """What an SNS subscription's endpoint may be told.

    Attributes:
        path: where it is served.
        topics: ARNs that may send; a good signature alone only proves somebody's topic.
        confirms: whether a subscription of these topics is confirmed when SNS asks.
        raw_secret: what follows the path where raw messages, which carry no signature, are
            taken; None takes none.
        max_confirmation_age: older requests to confirm are refused as replayed.
        bounds: what is held at most.
    """

    path: str
    topics: frozenset[str]
    confirms: bool = False
    raw_secret: str | None = None
    max_confirmation_age: timedelta = timedelta(hours=1)
    bounds: Bounds = _BOUNDS


class SnsSource(HttpSource):
    """An SNS subscription as a `consumer.sources.base.Source`; an envelope is one message.

    The envelope's body is written anew from the signed fields, so that decoding sees nothing
    that was not verified: a field added beside them could otherwise pass for an event.

    SNS tries again after a 5xx and not after a 4xx: what is not the message's own fault is 503.

    Args:
        options: topics and bounds.
        fetch_certificate: how to get a signing certificate.
        fetch: how to visit a SubscribeURL.
        clock: monotonic seconds.
        wall_clock: the time now, aware; the age of a request to confirm is judged by it.
    """

    def __init__(
        self,
        options: SnsOptions,
        *,
        fetch_certificate: Fetch | None = None,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__("sns", options.path, options.bounds, clock=clock)
        self._options = options
        self._fetch = fetch or HttpsFetcher()
        self._certificates = Certificates(fetch_certificate or self._fetch)
        self._wall_clock = wall_clock
        self._is_cut_off = False  # from the certificates

    @property
    def paths(self) -> Sequence[str]:
        """The path, and with a secret behind it the one for raw messages."""
        if self._options.raw_secret is None:
            return [self.path]
        return [self.path, f"{self.path}/{{secret}}"]

    async def _take(self, request: Request) -> Response:
        """Take one message in.

        1. The secret, where the path has one: before a byte of the body is read.
        2. The body, within bounds.
        3. Topic, certificate, signature.
        4. The message to the worker; wait for the commit.
        """
        is_raw = self._check_secret(request)  # 1
        with self._admitted() as admission:
            body = await read_body(  # 2
                request,
                most_bytes=MOST_BODY_BYTES,
                grow=lambda size: self._grow(admission, size),
            )
            if is_raw:
                topic = request.headers.get("x-amz-sns-topic-arn", "")
                self._check_topic(topic)  # 3
            else:
                message = parse_message(_parse_json(body))
                topic = message.fields["TopicArn"]
                self._check_topic(topic)
                check_signature(message, await self._find_certificate(message.certificate_url))
                if message.fields["Type"] == SUBSCRIPTION:
                    await self._confirm(message)
                elif message.fields["Type"] == UNSUBSCRIPTION:
                    _log.warning("topic no longer sends here", source=self.name, topic=topic)
                body = _to_envelope_body(message)
            await self._deliver(admission, body, region=find_arn_region(topic))  # 4
        return PlainTextResponse("")

    def _to_response(self, request: Request, refusal: Refusal) -> Response:  # noqa: ARG002 - Firehose's answer needs it
        return PlainTextResponse(f"{refusal}\n", status_code=refusal.status)

    def _check_secret(self, request: Request) -> bool:
        """Whether to take the message raw, which only the secret path may."""
        is_raw = request.headers.get("x-amz-sns-rawdelivery", "").lower() == "true"
        given = request.path_params.get("secret")
        if given is None:
            if is_raw:
                raise Refusal(
                    Why.RAW_DELIVERY,
                    "raw messages carry no signature: turn raw delivery off, or set raw_secret "
                    "and subscribe PATH/SECRET",
                )
            return False
        expected = self._options.raw_secret or ""
        if not expected or not hmac.compare_digest(expected.encode(), str(given).encode()):
            raise Refusal(Why.SECRET_WRONG, "no such endpoint")
        return is_raw

    def _check_topic(self, topic: str) -> None:
        if topic not in self._options.topics:
            raise Refusal(Why.TOPIC, "TopicArn is not one of this source's topics")

    async def _find_certificate(self, url: str) -> Certificate:
        known = self._certificates.find_known(url)
        if known is not None:
            return known
        found = await asyncio.to_thread(self._certificates.find, url)
        if self._is_cut_off:
            self._is_cut_off = False
            _log.info("signing certificate fetched again", source=self.name)
        return found

    def _warn(self, refusal: Refusal) -> None:
        """Log as all do, but certificates out of reach once an outage, with what to do."""
        if refusal.why is not Why.CERTIFICATE_UNREACHABLE:
            super()._warn(refusal)
        elif not self._is_cut_off:
            self._is_cut_off = True
            _log.warning(
                "signing certificate out of reach",
                source=self.name,
                detail=str(refusal),
                advice="let this machine reach SNS by HTTPS, or set certificate_folder; until then "
                "messages are answered with 503 and SNS sends them again",
            )

    async def _confirm(self, message: SignedMessage) -> None:
        """Visit the SubscribeURL of a request that is verified, recent and leads to SNS."""
        topic = message.fields["TopicArn"]
        if not self._options.confirms:
            raise Refusal(
                Why.CONFIRMATION_OFF,
                "confirming subscriptions is off: set confirm = true and request it again",
            )
        if abs(self._wall_clock() - message.sent_at) > self._options.max_confirmation_age:
            raise Refusal(Why.TOO_OLD, "the request to confirm is too old: request it again")
        url = message.fields["SubscribeURL"]
        asked = {
            "Action": ["ConfirmSubscription"],
            "TopicArn": [topic],
            "Token": [message.fields["Token"]],
        }
        if not is_subscribe_url(url) or parse_qs(urlsplit(url).query) != asked:
            raise Refusal(Why.CONFIRMATION_URL, "SubscribeURL does not confirm this topic at SNS")
        try:
            status, _ = await asyncio.to_thread(self._fetch, url)
        except SourceUnavailable as error:
            raise Refusal(Why.CONFIRMATION_FAILED, str(error)) from error
        if status != 200:  # noqa: PLR2004 - a redirect is a no too
            raise Refusal(Why.CONFIRMATION_FAILED, f"SNS answers {status} to the confirmation")
        _log.info("subscription confirmed", source=self.name, topic=topic)


def _parse_json(body: bytes) -> object:
    try:
        value: object = from_json(body)
    except ValueError as error:
        raise Refusal(Why.BAD_REQUEST, "the body is not valid JSON") from error
    return value


def _to_envelope_body(message: SignedMessage) -> bytes:
    """Write the verified fields as an SNS envelope, its type first: so decoding tells it fastest.

    A confirmation keeps its secrets to itself; it is only counted.
    """
    fields = {"Type": message.fields["Type"], **message.fields}
    kept = {key: value for key, value in fields.items() if key not in _KEPT_TO_OURSELVES}
    return json.dumps(kept, ensure_ascii=False).encode()
