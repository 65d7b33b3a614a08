"""What becomes of one message at its recipients' servers, and the true count of it."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from consumer.demo.traffic.cast import SIMULATOR_DOMAIN, Provider
from consumer.demo.traffic.events import Event, Message, to_timestamp
from consumer.demo.traffic.truth import Figures

_MINUTE_MS = 60_000
_RETRIED_FOR_MS = 840 * _MINUTE_MS  # SES gives up after 14 hours
_SUPPRESSED = {
    "Suppressed": (
        "Amazon SES has suppressed sending to this address because it has a recent history of"
        " bouncing as an invalid address."
    ),
    "OnAccountSuppressionList": (
        "Amazon SES did not send the message to this address because it is on the suppression"
        " list for your account."
    ),
    "UnsubscribedRecipient": (
        "Amazon SES did not send the message because the contact is unsubscribed from the topic."
    ),
}


@dataclass(slots=True)
class Addressee:
    """One recipient of a message and what became of them.

    Attributes:
        address: as the sender wrote it.
        is_suppressed: SES never tried.
        is_suppressed_by_user: because of a list of the user's, not of its global one.
        has_bounced: by a bounce that counts.
    """

    address: str
    provider: Provider
    is_suppressed: bool = False
    is_suppressed_by_user: bool = False
    delivered_ms: int | None = None
    has_bounced: bool = False


class Refusal(NamedTuple):
    """What SES says of a bounce, and what the server said to SES."""

    bounce_type: str
    sub_type: str
    status: str
    diagnostic: str


class Story:
    """The events of one message, told step by step, each step counted in ``figures``.

    Attributes:
        rng: the simulator's, so that one seed decides everything.
    """

    def __init__(
        self,
        message: Message,
        addressees: Sequence[Addressee],
        *,
        rng: random.Random,
        figures: Figures,
    ) -> None:
        self.message = message
        self.addressees = addressees
        self.rng = rng
        self.figures = figures
        self._events: list[Event] = []
        self._is_sent = False
        self._is_stopped = False

    def tell(
        self, event_type: str, body: Mapping[str, Any], *, at_ms: int | None = None, rows: int = 1
    ) -> None:
        """Add an event in the forms that the stream's wiring gives it."""
        message, stream, rng = self.message, self.message.stream, self.rng
        if stream.configuration_set is None:
            published, notified = None, message.notify(event_type, body)
        else:
            published, notified = message.publish(event_type, body), None
            if event_type in ("Bounce", "Complaint"):
                chance = rng.random()
                if chance < stream.identity_copy_share:
                    notified = message.notify(event_type, body)
                elif chance > 1 - stream.identity_only_share:
                    published, notified = None, message.notify(event_type, body)
        at_ms = message.sent_ms if at_ms is None else at_ms
        self._events.append(Event(event_type, at_ms, rows, stream, published, notified))

    def send(self) -> None:
        """SES accepts the message. Identity notifications never tell of it."""
        self._is_sent = self.message.stream.configuration_set is not None
        if self._is_sent:
            self.tell("Send", {}, rows=len(self.addressees))
            self.figures.sends += len(self.addressees)

    def reject(self, *, is_sent_first: bool) -> None:
        """SES finds a virus. Amazon doesn't say whether a Send comes first: both happen here."""
        if is_sent_first:
            self.send()
        self.tell("Reject", {"reason": "Bad content"}, rows=len(self.addressees))
        self.figures.rejects += len(self.addressees)
        self._is_stopped = True

    def fail_rendering(self, *, is_sent_first: bool) -> None:
        """The template lacks an attribute; the same holds for the Send."""
        if is_sent_first:
            self.send()
        failure = {
            "errorMessage": "Attribute 'firstName' is not present in the rendering data.",
            "templateName": self.message.stream.template,
        }
        self.tell("Rendering Failure", failure, rows=len(self.addressees))
        self.figures.rendering_failures += len(self.addressees)
        self._is_stopped = True

    def groups(self) -> Iterator[tuple[Provider, list[Addressee]]]:
        """Split the recipients as SES does when it delivers: by server."""
        for domain, group in itertools.groupby(self.addressees, lambda a: _domain_of(a.address)):
            del domain
            together = list(group)
            yield together[0].provider, together

    def deliver_or_not(self, provider: Provider, group: list[Addressee]) -> None:
        """Let the recipients at one server meet their fate, together or one by one."""
        stream, rng = self.message.stream, self.rng
        hard = stream.hard_share * provider.hard_factor
        for part in [group] if rng.random() < 0.6 else [[one] for one in group]:
            chance = rng.random()
            if (chance := chance - hard) < 0:
                self.bounce_hard(provider, part)
            elif (chance := chance - hard * 0.7) < 0:
                self.bounce_soft(provider, part, self._after(provider))
            elif (chance := chance - hard * 0.6) < 0:
                self.suppress(part)
            elif (chance := chance - hard * 0.1) < 0:
                self.bounce_undetermined(provider, part)
            elif (chance := chance - 0.0008) < 0:
                continue  # SES never tells
            elif chance - provider.delay_share < 0:
                self.delay(provider, part)
            else:
                self.deliver(provider, part)

    def deliver(self, provider: Provider, group: list[Addressee], at_ms: int | None = None) -> None:
        """The server takes the mail; a few of those come back, reply or complain."""
        at_ms = self._after(provider) if at_ms is None else at_ms
        body = {
            "timestamp": to_timestamp(at_ms),
            "processingTimeMillis": at_ms - self.message.sent_ms,
            "recipients": [addressee.address for addressee in group],
            "smtpResponse": provider.accepted,
            "remoteMtaIp": provider.server_ip,
            "reportingMTA": f"a8-{10 + at_ms % 80}.smtp-out.amazonses.com",
        }
        self.tell("Delivery", body, at_ms=at_ms, rows=len(group))
        self.figures.deliveries += len(group)
        for addressee in group:
            addressee.delivered_ms = at_ms
        if provider.domain != SIMULATOR_DOMAIN:
            self._follow_up(provider, group, at_ms)

    def _follow_up(self, provider: Provider, group: list[Addressee], at_ms: int) -> None:
        stream, rng = self.message.stream, self.rng
        for addressee in group:
            if rng.random() < stream.hard_share * 0.1:
                self.bounce_hard(provider, [addressee], at_ms + rng.randint(1, 120) * _MINUTE_MS)
            elif rng.random() < 0.004:
                self.reply_automatically(addressee)
        # A crowd is likelier to hold somebody who complains; SES then lists them all.
        if provider.has_feedback_loop and rng.random() < stream.complaint_share * len(group) ** 3:
            self.complain(provider, group)

    def delay(self, provider: Provider, group: list[Addressee]) -> None:
        """The server wants to be asked again; at last it takes the mail, or SES gives up."""
        rng = self.rng
        delay_type, status, diagnostic = provider.delay
        if rng.random() < 0.15:
            delay_type = "SendingDeferral"
        at_ms = self.message.sent_ms
        for _ in range(rng.randint(1, 3)):
            at_ms += rng.randint(5 * _MINUTE_MS, 40 * _MINUTE_MS)
            body = {
                "timestamp": to_timestamp(at_ms),
                "delayType": delay_type,
                "expirationTime": to_timestamp(self.message.sent_ms + _RETRIED_FOR_MS),
                "delayedRecipients": [
                    {"emailAddress": a.address, "status": status, "diagnosticCode": diagnostic}
                    for a in group
                ],
            }
            # Identity notifications know no delays.
            if self.message.stream.configuration_set:
                self.tell("DeliveryDelay", body, at_ms=at_ms, rows=len(group))
        if self.message.stream.configuration_set:
            self.figures.delays += len(group)
            if delay_type == "SendingDeferral":
                self.figures.ses_delays += len(group)
            else:
                self.figures.receiver_delays += len(group)
        if rng.random() < 0.85:
            self.deliver(provider, group, at_ms + rng.randint(1, 30 * _MINUTE_MS))
            return
        text = "smtp; 554 4.4.7 Message expired: unable to deliver in 840 minutes."
        expired_ms = self.message.sent_ms + _RETRIED_FOR_MS
        said = f"{text}<{diagnostic.removeprefix('smtp; ')}>"
        refusal = Refusal("Transient", "General", "4.4.7", said)
        self._bounce(refusal, group, expired_ms, provider)
        self.figures.soft_bounces += len(group)

    def bounce_hard(
        self, provider: Provider, group: list[Addressee], at_ms: int | None = None
    ) -> None:
        """The server says there is no such user, at once or, after a Delivery, by mail."""
        at_ms = self._after(provider) if at_ms is None else at_ms
        sub_type = "NoEmail" if self.rng.random() < 0.1 else "General"
        self._bounce(Refusal("Permanent", sub_type, *provider.hard), group, at_ms, provider)
        self.figures.hard_bounces += len(group)
        self.figures.aws_bounces += len(group)

    def bounce_soft(self, provider: Provider, group: list[Addressee], at_ms: int) -> None:
        """The server can't take this mail now, or not this one."""
        self._bounce(Refusal("Transient", *provider.soft), group, at_ms, provider)
        self.figures.soft_bounces += len(group)

    def bounce_undetermined(self, provider: Provider, group: list[Addressee]) -> None:
        """SES can't make out what the server meant."""
        said = "smtp; 554 Transaction failed"
        refusal = Refusal("Undetermined", "Undetermined", "5.0.0", said)
        self._bounce(refusal, group, self._after(provider), provider)
        self.figures.undetermined_bounces += len(group)

    def suppress(self, group: list[Addressee]) -> None:
        """SES has the address on a list and never tries; it says so by a Bounce or a Complaint."""
        rng = self.rng
        at_ms = self.message.sent_ms + rng.randint(200, 900)
        self.figures.suppressed += len(group)
        sub_type = rng.choice(tuple(_SUPPRESSED))
        is_complaint = rng.random() < 0.1
        is_global = sub_type == "Suppressed" and not is_complaint
        self.figures.aws_bounces += len(group) if is_global else 0
        for addressee in group:
            addressee.is_suppressed = True
            addressee.is_suppressed_by_user = not is_global
        if is_complaint:
            self._complain(group, at_ms, {"complaintSubType": "OnAccountSuppressionList"})
            return
        recipients = [
            {
                "emailAddress": addressee.address,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": _SUPPRESSED[sub_type],
            }
            for addressee in group
        ]
        extra = {"reportingMTA": "dns; amazonses.com"}
        self._tell_bounce("Permanent", sub_type, recipients, at_ms, extra)

    def reply_automatically(self, addressee: Addressee) -> None:
        """Out of office: a Bounce by name, told from one by what it lacks."""
        at_ms = (addressee.delivered_ms or self.message.sent_ms) + self.rng.randint(-40, 90_000)
        recipients = [{"emailAddress": addressee.address}]
        bounce_type = "Transient" if self.rng.random() < 0.9 else "Undetermined"
        sub_type = "General" if bounce_type == "Transient" else "Undetermined"
        self._tell_bounce(bounce_type, sub_type, recipients, at_ms, {})
        self.figures.auto_replies += 1

    def complain(self, provider: Provider, group: list[Addressee]) -> None:
        """Somebody of the group calls it spam; the report may be something else."""
        kind: str | None = "abuse"
        if provider.domain != SIMULATOR_DOMAIN:
            kinds = ("abuse", "not-spam", "auth-failure", "virus", None)
            kind = self.rng.choices(kinds, (80, 5, 2, 1, 12))[0]
        latest_ms = max(a.delivered_ms or 0 for a in group)
        at_ms = latest_ms + self.rng.randint(5 * _MINUTE_MS, 600 * _MINUTE_MS)
        report: dict[str, Any] = {"complaintSubType": None}
        if kind is not None:
            report |= {
                "userAgent": "Feedback-Loop/2.0",
                "complaintFeedbackType": kind,
                "arrivalDate": to_timestamp(at_ms - 900),
            }
        self._complain(group, at_ms, report)
        self.figures.complaints += kind in ("abuse", None)
        self.figures.auth_failure_complaints += kind == "auth-failure"
        self.figures.virus_complaints += kind == "virus"

    def close(self) -> Sequence[Event]:
        """Count what only the whole story tells, and return its events in order of time."""
        figures = self.figures
        for addressee in self.addressees:
            is_delivered = addressee.delivered_ms is not None
            figures.attempted += (
                self._is_sent and not self._is_stopped and not addressee.is_suppressed
            )
            figures.outcomes += is_delivered or addressee.has_bounced
            figures.single_recipient_deliveries += is_delivered and len(self.addressees) == 1
            figures.accepted += is_delivered and not addressee.has_bounced
            # AWS leaves out what the user's own lists kept back, and keeps what its own did.
            figures.aws_sends += self._is_sent and not addressee.is_suppressed_by_user
        return sorted(self._events, key=lambda event: event.at_ms)

    def _bounce(
        self, refusal: Refusal, group: list[Addressee], at_ms: int, provider: Provider
    ) -> None:
        recipients = []
        for addressee in group:
            addressee.has_bounced = True
            # The address of a DSN is the server's spelling of it.
            address = addressee.address.lower()
            text = refusal.diagnostic.replace("<user>", f"<{address}>")
            recipients.append(
                {
                    "emailAddress": address,
                    "action": "failed",
                    "status": refusal.status,
                    "diagnosticCode": text,
                }
            )
        extra = {
            "reportingMTA": f"dns; a8-{10 + at_ms % 80}.smtp-out.amazonses.com",
            "remoteMtaIp": provider.server_ip,
        }
        self._tell_bounce(refusal.bounce_type, refusal.sub_type, recipients, at_ms, extra)

    def _tell_bounce(
        self,
        bounce_type: str,
        sub_type: str,
        recipients: list[dict[str, str]],
        at_ms: int,
        extra: dict[str, str],
    ) -> None:
        body = {
            "feedbackId": self._new_feedback_id(),
            "bounceType": bounce_type,
            "bounceSubType": sub_type,
            "bouncedRecipients": recipients,
            "timestamp": to_timestamp(at_ms),
            **extra,
        }
        self.tell("Bounce", body, at_ms=at_ms, rows=len(recipients))

    def _complain(self, group: list[Addressee], at_ms: int, report: Mapping[str, Any]) -> None:
        body = {
            "feedbackId": self._new_feedback_id(),
            "complainedRecipients": [{"emailAddress": a.address} for a in group],
            "timestamp": to_timestamp(at_ms),
            **report,
        }
        self.tell("Complaint", body, at_ms=at_ms, rows=len(group))

    def _new_feedback_id(self) -> str:
        return f"{self.message.message_id[:16]}-{self.rng.getrandbits(64):016x}-000000"

    def _after(self, provider: Provider) -> int:
        return self.message.sent_ms + int(self.rng.lognormvariate(0, 0.6) * provider.median_ms)


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()
