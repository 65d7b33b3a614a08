"""Learns from DNS whose mailboxes domains have that are in no file of providers."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from consumer.mail_hosts.exchanges import Exchange, Exchanges, Outcome
from consumer.warehouse import Warehouse
from consumer.warehouse.rules.mail_hosts import Answer, find_unasked

# At once, and between two looks whether to go on.
AT_ONCE: Final = 8
# Who takes a domain's mail changes rarely, far more rarely than DNS lets answers expire.
_EXPIRES: Final = {
    Outcome.FOUND: timedelta(days=30),
    Outcome.NO_MAIL: timedelta(days=7),
    Outcome.NO_MX: timedelta(days=7),
    Outcome.NO_DOMAIN: timedelta(days=7),
    Outcome.FAILED: timedelta(days=1),
    Outcome.NO_ANSWER: timedelta(hours=1),
}
# Domains that came in before the worker started are asked for too, as far back.
_FIRST_LOOK: Final = timedelta(days=1)
# A batch that is committed late was received before the last look.
_OVERLAP: Final = timedelta(minutes=10)
_EVER: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC, like the columns


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of asking: domains asked for, not answered, and with another provider now."""

    asked: int = 0
    unanswered: int = 0
    changed: int = 0

    @property
    def is_mute(self) -> bool:
        """Whether DNS did not answer at all."""
        return 0 < self.asked == self.unanswered

    def __add__(self, other: "Learned") -> "Learned":
        return Learned(
            self.asked + other.asked,
            self.unanswered + other.unanswered,
            self.changed + other.changed,
        )


class Learner:
    """Asks for the domains of events, those of most events first, and keeps what DNS says.

    Args:
        warehouse: open.
        exchanges: DNS.
        now: gives the time (UTC).
    """

    def __init__(
        self,
        warehouse: Warehouse,
        exchanges: Exchanges,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._warehouse = warehouse
        self._exchanges = exchanges
        self._now = now
        self._looked_at: datetime | None = None
        self._pending: dict[str, None] = {}

    def learn_some(self, most: int, *, is_ended: Callable[[], bool]) -> Learned:
        """Ask for ``most`` domains of what came in of late; the rest waits for the next time."""
        now = self._naive_now()
        since = now - _FIRST_LOOK if self._looked_at is None else self._looked_at - _OVERLAP
        found = find_unasked(self._warehouse, since=since, now=now)
        self._looked_at = now
        self._pending.update(dict.fromkeys(found))
        domains = list(islice(self._pending, most))
        learned = self._learn(domains, lambda _: not is_ended())
        for domain in domains[: learned.asked]:
            del self._pending[domain]
        return learned

    def learn_all(self, on_progress: Callable[[int, int], None] | None = None) -> Learned:
        """Ask for every domain of history that nobody knows.

        It ends early when DNS does not answer, and with what ``on_progress`` raises, which gets
        domains done and in all. What was answered is kept either way.
        """
        domains = find_unasked(self._warehouse, since=_EVER, now=self._naive_now())

        def step(done: int) -> bool:
            if on_progress is not None:
                on_progress(done, len(domains))
            return True

        return self._learn(domains, step)

    def _learn(self, domains: Sequence[str], step: Callable[[int], bool]) -> Learned:
        learned = Learned()
        with ThreadPoolExecutor(AT_ONCE, "dns") as threads:
            for start in range(0, len(domains), AT_ONCE):
                if not step(start):
                    break
                asked = domains[start : start + AT_ONCE]
                some = self._keep(asked, list(threads.map(self._exchanges.ask, asked)))
                learned += some
                if some.is_mute:  # the others would not be answered either, and take as long
                    break
        return learned

    def _keep(self, domains: Sequence[str], exchanges: Sequence[Exchange]) -> Learned:
        now = self._naive_now()
        answers = [
            Answer(domain, one.outcome.value, one.host, now, now + _EXPIRES[one.outcome])
            for domain, one in zip(domains, exchanges, strict=True)
        ]
        changed = self._warehouse.learn(answers)
        unanswered = sum(one.outcome is Outcome.NO_ANSWER for one in exchanges)
        return Learned(len(domains), unanswered, changed)

    def _naive_now(self) -> datetime:
        return self._now().astimezone(UTC).replace(tzinfo=None)
