"""Who takes a domain's mail, by a DNS server on loopback."""

import dns.rcode
import dns.resolver
import pytest

from consumer.errors import SettingsError
from consumer.mail_hosts.exchanges import Exchange, Exchanges, Outcome
from dns_server import Zone, serve_dns

ZONES: dict[str, Zone] = {
    "hosted.example": ["20 backup.example.", "10 ASPMX.L.Google.com.", "10 zz.example."],
    # RFC 7505, 3: one MX, preference 0, and the root
    "no-mail.example": ["0 ."],
    "plain.example": [],
    "broken.example": dns.rcode.SERVFAIL,
    "refused.example": dns.rcode.REFUSED,
    "silent.example": None,
}


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("hosted.example", Exchange(Outcome.FOUND, "aspmx.l.google.com")),
        ("no-mail.example", Exchange(Outcome.NO_MAIL)),
        ("plain.example", Exchange(Outcome.NO_MX)),
        ("nowhere.example", Exchange(Outcome.NO_DOMAIN)),
        ("broken.example", Exchange(Outcome.FAILED)),
        ("refused.example", Exchange(Outcome.FAILED)),
        ("silent.example", Exchange(Outcome.NO_ANSWER)),
        ("a..example", Exchange(Outcome.FAILED)),
        (f"{'x' * 64}.example", Exchange(Outcome.FAILED)),
        (f"ü{'x' * 64}.example", Exchange(Outcome.FAILED)),
    ],
)
def test_every_answer_is_an_outcome(domain: str, expected: Exchange) -> None:
    with serve_dns(ZONES) as server:
        exchanges = Exchanges([server.address], try_secs=0.1, timeout_secs=0.3)
        assert expected == exchanges.ask(domain)


def test_nothing_but_the_domain_itself_is_asked_about() -> None:
    with serve_dns(ZONES) as server:
        Exchanges([server.address], timeout_secs=2).ask("nowhere.example")
    assert ["nowhere.example"] == server.asked


def test_a_system_without_a_dns_server_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find_none(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr("dns.resolver.Resolver.read_resolv_conf", find_none)
    with pytest.raises(SettingsError, match=r"classification\.dns_servers"):
        Exchanges()
