"""Decides what becomes of each message, writes its events, and keeps the true count of them."""

import itertools
import math
import random
from collections.abc import Sequence

from consumer.demo.traffic.cast import (
    FIRM_COUNT,
    FIRMS,
    PROVIDERS,
    SIMULATOR_DOMAIN,
    STREAMS,
    Provider,
    Stream,
)
from consumer.demo.traffic.events import Event, Message
from consumer.demo.traffic.reading import Reading
from consumer.demo.traffic.story import Addressee, Story
from consumer.demo.traffic.truth import Figures, StreamKey, Truth

_HOUR_MS = 3_600_000
_PEOPLE = 200_000

# The first four digits of a message id name its region (seen in recorded events).
_REGION_DIGITS = {"us-east-1": "0100", "eu-west-1": "0102"}

_EVERY_PROVIDER = (*PROVIDERS, FIRMS)
_PROVIDER_WEIGHTS = tuple(itertools.accumulate(item.weight for item in _EVERY_PROVIDER))

_MAILBOX_SIMULATOR = Provider(
    SIMULATOR_DOMAIN, 0.0, 0.0, 0.0, 600, True,
    SIMULATOR_DOMAIN, "72.21.217.125", "250 Ok",
    ("5.1.1", "smtp; 550 5.1.1 As requested: user unknown"),
    ("General", "4.0.0", ""), ("General", "4.0.0", ""),
)  # fmt: skip


class Simulator:
    """A world that sends mail through SES: the same seed sends the same mail.

    Holds nothing of a message once it is played, so a million need no more memory than one.

    Args:
        seed: decides everything.
        start_ms: when the first message may be sent, in ms since 1970.
        days: over how many days the messages are spread. What becomes of a message happens
            within 22 hours of its sending.
        streams: who sends.

    Attributes:
        truth: complete for the messages played so far.
    """

    def __init__(
        self, *, seed: int, start_ms: int, days: float, streams: Sequence[Stream] = STREAMS
    ) -> None:
        self.truth = Truth()
        self._streams = streams
        self._weights = list(itertools.accumulate(stream.weight for stream in streams))
        self._rng = random.Random(seed)
        self._start_ms = start_ms
        self._span_ms = max(1, int(days * 24 * _HOUR_MS))

    def play(self) -> Sequence[Event]:
        """Send one message and return all that SES will ever say of it, in order of time."""
        rng = self._rng
        self.truth.messages += 1
        stream = rng.choices(self._streams, cum_weights=self._weights)[0]
        if rng.random() < 0.004 and stream.configuration_set:
            return self._play_mailbox_simulator(stream)
        addressees = self._choose_addressees(stream)
        story = self._begin(stream, addressees, self._figures_of(stream))
        chance = rng.random()
        if stream.configuration_set and chance < 0.0015:
            story.reject(is_sent_first=rng.random() < 0.5)
        elif stream.template and chance < 0.008:
            story.fail_rendering(is_sent_first=rng.random() < 0.5)
        else:
            story.send()
            for provider, group in story.groups():
                story.deliver_or_not(provider, group)
            if stream.configuration_set:
                Reading(story).read()
        return story.close()

    def _play_mailbox_simulator(self, stream: Stream) -> Sequence[Event]:
        """Mail to SES's mailbox simulator: stored by duckpost, and outside every figure.

        docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
        """
        kind = self._rng.choice(("success", "bounce", "ooto", "complaint"))
        address = f"{kind}+probe{self._rng.randrange(100)}@{SIMULATOR_DOMAIN}"
        group = [Addressee(address, _MAILBOX_SIMULATOR)]
        story = self._begin(stream, group, Figures())
        story.send()
        if kind == "bounce":
            story.bounce_hard(_MAILBOX_SIMULATOR, group)
        else:
            story.deliver(_MAILBOX_SIMULATOR, group)
        if kind == "ooto":
            story.reply_automatically(group[0])
        if kind == "complaint":
            story.complain(_MAILBOX_SIMULATOR, group)
        return story.close()

    def _begin(self, stream: Stream, addressees: list[Addressee], figures: Figures) -> Story:
        rng = self._rng
        sent_ms = self._choose_instant()
        number = rng.randrange(10_000, 100_000)
        campaign = rng.choice(stream.campaigns)
        message = Message(
            message_id=f"{_REGION_DIGITS[stream.region]}{sent_ms:012x}-{to_uuid(rng)}-000000",
            stream=stream,
            sent_ms=sent_ms,
            destination=[addressee.address for addressee in addressees],
            subject=rng.choice(stream.subjects).format(n=number),
            tags={"campaign": campaign, "user_type": rng.choice(("new", "regular", "vip"))},
            is_templated=stream.template is not None,
        )
        return Story(message, addressees, rng=rng, figures=figures)

    def _choose_instant(self) -> int:
        """Spread over the days with more mail by day than by night."""
        while True:
            at_ms = self._start_ms + self._rng.randrange(self._span_ms)
            hour = at_ms / _HOUR_MS % 24
            if self._rng.random() < 0.6 + 0.4 * math.sin((hour - 8) / 24 * 2 * math.pi):
                return at_ms

    def _choose_addressees(self, stream: Stream) -> list[Addressee]:
        rng = self._rng
        first = self._choose_addressee()
        if rng.random() >= stream.crowd_share:
            return [first]
        addressees = {first.address.lower(): first}
        # Half of the crowds are colleagues or family at one provider.
        provider = first.provider if rng.random() < 0.5 else None
        for _ in range(rng.randint(1, 3)):
            another = self._choose_addressee(provider)
            addressees.setdefault(another.address.lower(), another)
        return list(addressees.values())

    def _choose_addressee(self, provider: Provider | None = None) -> Addressee:
        rng = self._rng
        if provider is None:
            provider = rng.choices(_EVERY_PROVIDER, cum_weights=_PROVIDER_WEIGHTS)[0]
        domain = provider.domain
        if provider is FIRMS:
            domain = f"firm-{rng.randrange(FIRM_COUNT):02d}.example"
        address = f"user{rng.randrange(_PEOPLE):06d}@{domain}"
        if rng.random() < 0.03:
            address = address.title()  # senders keep what people typed; SES keeps it too
        return Addressee(address, provider)

    def _figures_of(self, stream: Stream) -> Figures:
        key = StreamKey(stream.account, stream.region, stream.configuration_set)
        return self.truth.figures.setdefault(key, Figures())


def to_uuid(rng: random.Random) -> str:
    """Write 128 random bits as a UUID: ids that a seed decides."""
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
