"""Asks DNS which host takes a domain's mail. Nothing but the domain leaves the machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from consumer.errors import SettingsError

TRY_SECS: Final = 1.5
TIMEOUT_SECS: Final = 4.0


class Outcome(StrEnum):
    """What came of asking; stored as it is written here."""

    FOUND = "found"
    NO_MAIL = "no_mail"  # a null MX (RFC 7505): the domain takes none
    NO_MX = "no_mx"  # mail goes to the domain's own address then (RFC 5321, 5.1)
    NO_DOMAIN = "no_domain"
    FAILED = "failed"  # DNS answered that it cannot tell, or the name is none
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Who takes a domain's mail first; ``host`` is None unless it was found."""

    outcome: Outcome
    host: str | None = None


class Exchanges:
    """DNS, asked from several threads at once.

    Args:
        servers: whom to ask, ``address`` or ``address:port``; none is as the system is set up.
        try_secs: until a server is asked again, or the next one.
        timeout_secs: until asking is given up.

    Raises `SettingsError` where the system names no server.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        try_secs: float = TRY_SECS,
        timeout_secs: float = TIMEOUT_SECS,
    ) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration as error:
            raise SettingsError(
                "looking up mail hosts: this system names no DNS server; name one in "
                "classification.dns_servers"
            ) from error
        if servers:
            self._resolver.nameservers = [_to_nameserver(server) for server in servers]
        self._resolver.timeout = try_secs
        self._resolver.lifetime = timeout_secs

    def ask(self, domain: str) -> Exchange:
        """Return who takes the domain's mail: of several that are equal the first by name."""
        try:
            name = dns.name.from_text(domain)
            found = self._resolver.resolve(name, dns.rdatatype.MX, search=False)
        except dns.resolver.NXDOMAIN:
            return Exchange(Outcome.NO_DOMAIN)
        except dns.resolver.NoAnswer:
            return Exchange(Outcome.NO_MX)
        except dns.resolver.LifetimeTimeout:
            return Exchange(Outcome.NO_ANSWER)
        except (dns.exception.DNSException, UnicodeError):
            return Exchange(Outcome.FAILED)
        _, host = min((one.preference, one.exchange.to_text().lower()) for one in found)
        if host == ".":
            return Exchange(Outcome.NO_MAIL)
        return Exchange(Outcome.FOUND, host.rstrip("."))


def _to_nameserver(server: str) -> dns.nameserver.Nameserver:
    address, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "53")
    return dns.nameserver.Do53Nameserver(address, int(port))
