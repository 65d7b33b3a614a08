"""Who opens and clicks a delivered message: people, their providers' machines, and scanners."""

from typing import Any

from consumer.demo.traffic.cast import (
    IMAGE_PROXY_AGENT,
    IMAGE_PROXY_IP,
    LINKS,
    PEOPLE_AGENTS,
    PRIVACY_AGENT,
    SCANNER_AGENT,
)
from consumer.demo.traffic.events import to_timestamp
from consumer.demo.traffic.story import Addressee, Story

_MINUTE_MS = 60_000
_LATEST_MS = 22 * 60 * _MINUTE_MS


class Reading:
    """Everything readers do with one message, told and counted in its story.

    A machine is one beyond doubt here: Amazon says so (``isBotEvent``), or its name does.
    A person never acts within ten minutes of sending, so that no rule about haste can take them
    for one.
    """

    def __init__(self, story: Story) -> None:
        self._story = story
        self._rng = story.rng
        self._taken: set[int] = set()
        self._has_human_open = self._has_human_click = False
        self._has_open = self._has_click = False

    def read(self) -> None:
        """Let each recipient who got the message read it, or not."""
        story, rng = self._story, self._rng
        stream = story.message.stream
        for addressee in story.addressees:
            if addressee.delivered_ms is None or addressee.has_bounced:
                continue
            if not stream.reader_share:
                continue
            if rng.random() < 0.03:
                self._scan(addressee)
            if rng.random() < 0.5:
                self._fetch_ahead(addressee)
            if rng.random() < stream.reader_share:
                self._read_as_person(addressee)
            if stream.contact_list and rng.random() < 0.006:
                self._change_preferences(addressee, stream.contact_list)
        if len(story.addressees) == 1:
            # Who of several read it can't be known, so only mail to one has unique readers.
            figures = story.figures
            figures.unique_opens += self._has_open
            figures.unique_human_opens += self._has_human_open
            figures.unique_clicks += self._has_click
            figures.unique_human_clicks += self._has_human_click
            figures.unique_engaged += self._has_open or self._has_click
            figures.unique_human_engaged += self._has_human_open or self._has_human_click

    def _scan(self, addressee: Addressee) -> None:
        """A security product fetches every link seconds after delivery; Amazon calls it a bot."""
        at_ms = (addressee.delivered_ms or 0) + self._rng.randint(1_500, 20_000)
        ip = f"198.51.100.{self._rng.randrange(1, 255)}"
        self._open(at_ms, ip, SCANNER_AGENT, bot="Likely", is_machine=True)
        for link in LINKS:
            at_ms += self._rng.randint(20, 300)
            self._click(at_ms, ip, SCANNER_AGENT, link, bot="Likely")

    def _fetch_ahead(self, addressee: Addressee) -> None:
        """The provider loads the picture before anybody reads; Amazon doesn't call that a bot."""
        rng, delivered_ms = self._rng, addressee.delivered_ms or 0
        match addressee.provider.domain:
            case "gmail.com":
                at_ms = self._story.message.sent_ms + rng.randint(4_000, 9_500)
                ip, agent = IMAGE_PROXY_IP.format(rng.randrange(1, 255)), IMAGE_PROXY_AGENT
            case "icloud.com":
                at_ms = delivered_ms + rng.randint(2_000, 3_600_000)
                ip, agent = f"104.28.40.{rng.randrange(1, 255)}", PRIVACY_AGENT
            case _:
                return
        if at_ms > delivered_ms:
            self._open(at_ms, ip, agent, bot="Unlikely", is_machine=True)

    def _read_as_person(self, addressee: Addressee) -> None:
        rng = self._rng
        agent = rng.choice(PEOPLE_AGENTS)
        ip = f"203.0.113.{rng.randrange(1, 255)}"
        is_proxied = addressee.provider.domain == "gmail.com"
        at_ms = (addressee.delivered_ms or 0) + 10 * _MINUTE_MS
        at_ms += int(rng.lognormvariate(0, 1.1) * 70 * _MINUTE_MS)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if is_proxied:
                # Gmail's servers fetch the picture, so nothing tells this from their fetching
                # ahead: by the rules it is a machine's.
                proxy_ip = IMAGE_PROXY_IP.format(rng.randrange(1, 255))
                self._open(at_ms, proxy_ip, IMAGE_PROXY_AGENT, bot="Unlikely", is_machine=True)
            else:
                bot = "Unlikely" if rng.random() < 0.8 else None
                self._open(at_ms, ip, agent, bot=bot, is_machine=False)
            at_ms += rng.randint(_MINUTE_MS, 90 * _MINUTE_MS)
        for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
            self._click(at_ms, ip, agent, rng.choice(LINKS), bot=None)
            at_ms += rng.randint(3_000, 20 * _MINUTE_MS)

    def _open(self, at_ms: int, ip: str, agent: str, *, bot: str | None, is_machine: bool) -> None:
        at_ms = self._take(at_ms)
        body: dict[str, Any] = {
            "timestamp": to_timestamp(at_ms),
            "ipAddress": ip,
            "userAgent": agent,
        }
        if bot is not None:
            body["isBotEvent"] = bot
        self._story.tell("Open", body, at_ms=at_ms)
        figures = self._story.figures
        figures.opens += 1
        figures.machine_opens += is_machine
        self._has_open = True
        self._has_human_open |= not is_machine

    def _click(self, at_ms: int, ip: str, agent: str, link: str, *, bot: str | None) -> None:
        at_ms = self._take(at_ms)
        body: dict[str, Any] = {
            "timestamp": to_timestamp(at_ms),
            "ipAddress": ip,
            "userAgent": agent,
            "link": link,
            "linkTags": {"section": ["lead"]} if link == LINKS[0] else None,
        }
        if bot is not None:
            body["isBotEvent"] = bot
        self._story.tell("Click", body, at_ms=at_ms)
        figures = self._story.figures
        figures.clicks += 1
        figures.machine_clicks += bot is not None
        self._has_click = True
        self._has_human_click |= bot is None

    def _change_preferences(self, addressee: Addressee, contact_list: str) -> None:
        """A recipient of mail to one goes to the subscription page; not all of them leave."""
        if len(self._story.addressees) > 1:
            return
        everything_before, topic_before, everything_after, topic_after = self._rng.choice(
            (
                (False, "OptIn", True, "OptOut"),
                (False, "OptIn", False, "OptOut"),
                (False, "OptIn", True, "OptIn"),
                (False, "OptOut", False, "OptOut"),  # pressed the button once more
                (False, "OptOut", False, "OptIn"),  # came back
            )
        )
        at_ms = (addressee.delivered_ms or 0) + self._rng.randint(1, 900) * _MINUTE_MS
        body = {
            "contactList": contact_list,
            "timestamp": to_timestamp(at_ms),
            "source": "UnsubscribeHeader",
            "newTopicPreferences": _to_preferences(everything_after, topic_after),
            "oldTopicPreferences": _to_preferences(everything_before, topic_before),
        }
        self._story.tell("Subscription", body, at_ms=at_ms)
        leaves_all = everything_after and not everything_before
        leaves_topic = topic_after == "OptOut" and topic_before == "OptIn"
        self._story.figures.unsubscribes += leaves_all or leaves_topic

    def _take(self, at_ms: int) -> int:
        """Keep instants of a message apart: equal ones could be one event sent twice."""
        at_ms = min(at_ms, self._story.message.sent_ms + _LATEST_MS)
        while at_ms in self._taken:
            at_ms += 1
        self._taken.add(at_ms)
        return at_ms


def _to_preferences(unsubscribes_all: bool, status: str) -> dict[str, Any]:
    return {
        "unsubscribeAll": unsubscribes_all,
        "topicSubscriptionStatus": [{"topicName": "Updates", "subscriptionStatus": status}],
    }
