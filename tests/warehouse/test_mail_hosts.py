"""Whose mailboxes hosted domains have: by DNS for what comes in, by reclassifying for history."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dns.rcode
import pytest
from structlog.testing import capture_logs

from consumer.mail_hosts.exchanges import Exchanges
from consumer.mail_hosts.learning import AT_ONCE, Learned, Learner
from consumer.settings import PrivacySettings
from consumer.upkeep import Upkeep
from consumer.warehouse import WarehouseOptions
from consumer.warehouse.retention import Retention
from consumer.warehouse.rules.files import RuleFiles
from consumer.warehouse.rules.reclassification import reclassify
from dns_server import DnsServer, Zone, serve_dns

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk

GOOGLE = ["1 aspmx.l.google.com.", "5 alt1.aspmx.l.google.com."]
ZONES: dict[str, Zone] = {
    "example.com": GOOGLE,
    "example.net": ["10 mail.example.net."],
    "example.org": dns.rcode.SERVFAIL,
    "gmail.com": GOOGLE,
}


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with serve_dns(dict(ZONES)) as server:
        yield server


@pytest.fixture
def options(tmp_path: Path) -> WarehouseOptions:
    own = tmp_path / "own.csv"
    own.write_text("domain,provider\n", encoding="utf-8")
    files = RuleFiles(providers=own, uses_mx=True)
    return WarehouseOptions(memory_limit="256MB", threads=1, min_free_bytes=0, rule_files=files)


@pytest.fixture
def desk(new_desk: Callable[..., "Desk"], options: WarehouseOptions) -> "Desk":
    return new_desk(options)


def ask(server: DnsServer) -> Exchanges:
    return Exchanges([server.address], try_secs=0.2, timeout_secs=0.4)


def providers(desk: "Desk") -> list[tuple[str, str]]:
    rows = desk.rows("from events order by recipient, event_at, event_type desc")
    return [(row["event_type"], row["provider"]) for row in rows]


def test_what_comes_in_goes_by_the_answer_at_once_and_history_when_reclassified(
    desk: "Desk", letter: "Letter", server: DnsServer
) -> None:
    desk.write(letter.send())
    assert Learned(1, 0, 1) == Learner(desk.warehouse, ask(server)).learn_all()
    desk.write(letter.delivery(), letter.complaint(), letter.open())
    assert ("Send", "example.com") == providers(desk)[0]
    assert {"Google Workspace"} == {provider for _, provider in providers(desk)[1:]}
    assert [] == desk.faults()

    reclassify(desk.warehouse)
    assert {"Google Workspace"} == {provider for _, provider in providers(desk)}
    assert [] == desk.faults()


def test_answers_outlast_an_opening_and_new_rules(
    desk: "Desk", letter: "Letter", server: DnsServer, options: WarehouseOptions
) -> None:
    desk.write(letter.send())
    Learner(desk.warehouse, ask(server)).learn_all()
    own = options.rule_files.providers
    assert own is not None
    own.write_text("domain,provider\nexample.com,Ours\n", encoding="utf-8")
    desk.warehouse.reopen()
    desk.write(letter.delivery())
    own.write_text("domain,provider\n", encoding="utf-8")
    desk.warehouse.reopen()
    desk.write(letter.bounce())
    assert [("Send", "example.com"), ("Delivery", "Ours"), ("Bounce", "Google Workspace")] == (
        providers(desk)
    )


def test_a_domain_of_the_map_and_one_asked_before_are_not_asked_about(
    desk: "Desk", new_letter: Callable[..., "Letter"], server: DnsServer
) -> None:
    for number, to in enumerate(
        ("a@gmail.com", "b@example.com", "c@example.net", "d@[192.0.2.1]", "e@localhost")
    ):
        desk.write(new_letter(message_id=f"message-{number}", to=[to]).send())
    learner = Learner(desk.warehouse, ask(server))
    assert Learned(2, 0, 1) == learner.learn_all()
    assert Learned(0, 0, 0) == learner.learn_all()
    assert ["example.com", "example.net"] == sorted(server.asked)
    assert {"c@example.net": "example.net"}.items() <= {
        row["recipient"]: row["provider"] for row in desk.rows("from events")
    }.items()


def test_an_answer_expires_and_one_that_failed_leaves_the_host_that_was_known(
    desk: "Desk", letter: "Letter", server: DnsServer
) -> None:
    desk.write(letter.send())
    Learner(desk.warehouse, ask(server)).learn_all()
    server.zones = {"example.com": dns.rcode.SERVFAIL}
    desk.warehouse.change(
        "ageing answers",
        lambda connection: connection.execute(
            "update mx_answers set expires_at = asked_at - interval 1 second"
        ),
    )
    assert Learned(1, 0, 0) == Learner(desk.warehouse, ask(server)).learn_all()
    assert ("failed", "aspmx.l.google.com", "Google Workspace") == tuple(
        desk.rows("select outcome, mx_host, provider from mx_answers")[0].values()
    )
    server.zones = {"example.com": ["10 mx.zoho.eu."]}
    desk.warehouse.change(
        "ageing answers",
        lambda connection: connection.execute("update mx_answers set expires_at = asked_at"),
    )
    assert Learned(1, 0, 1) == Learner(desk.warehouse, ask(server)).learn_all()
    desk.write(letter.delivery())
    assert ("Delivery", "Zoho") == providers(desk)[1]


def test_dns_that_does_not_answer_leaves_domains_their_own_names_and_is_given_up(
    desk: "Desk", new_letter: Callable[..., "Letter"], server: DnsServer
) -> None:
    server.zones = {f"shop-{number}.example": None for number in range(3 * AT_ONCE)}
    for number, domain in enumerate(server.zones):
        desk.write(new_letter(message_id=f"message-{number}", to=[f"a@{domain}"]).send())
    learned = Learner(desk.warehouse, ask(server)).learn_all()
    assert Learned(AT_ONCE, AT_ONCE, 0) == learned
    assert learned.is_mute
    reclassify(desk.warehouse)
    assert [] == desk.rows("from events where provider != recipient_domain")


def test_a_worker_asks_for_some_of_what_came_in_and_for_the_rest_the_next_time(
    desk: "Desk", new_letter: Callable[..., "Letter"], server: DnsServer
) -> None:
    for number in range(3):
        desk.write(new_letter(message_id=f"message-{number}", to=["a@example.net"]).send())
    desk.write(new_letter(message_id="message-9", to=["a@example.com"]).send())
    received = desk.value("select max(received_at) from events")
    learner = Learner(desk.warehouse, ask(server), now=lambda: received.replace(tzinfo=UTC))
    assert Learned(1, 0, 0) == learner.learn_some(1, is_ended=lambda: False)
    assert Learned(0, 0, 0) == learner.learn_some(1, is_ended=lambda: True)
    assert Learned(1, 0, 1) == learner.learn_some(1, is_ended=lambda: False)
    assert Learned(0, 0, 0) == learner.learn_some(1, is_ended=lambda: False)
    assert ["example.net", "example.com"] == server.asked


def test_answers_mean_nothing_where_mail_hosts_are_not_to_be_asked_for(
    desk: "Desk", letter: "Letter", server: DnsServer, options: WarehouseOptions
) -> None:
    desk.write(letter.send())
    Learner(desk.warehouse, ask(server)).learn_all()
    files = RuleFiles(providers=options.rule_files.providers)
    desk.warehouse.options = WarehouseOptions(
        memory_limit="256MB", threads=1, min_free_bytes=0, rule_files=files
    )
    desk.warehouse.reopen()
    desk.write(letter.delivery())
    reclassify(desk.warehouse)
    assert {"example.com"} == {provider for _, provider in providers(desk)}


def test_the_worker_says_once_that_dns_does_not_answer_and_then_that_it_does(
    desk: "Desk", new_letter: Callable[..., "Letter"], server: DnsServer
) -> None:
    server.zones = {"example.net": None, "example.org": None, "example.com": GOOGLE}

    def receive(*domains: str) -> None:
        letters = [new_letter(message_id=f"of {one}", to=[f"a@{one}"]) for one in domains]
        sends = [letter.send() for letter in letters]
        desk.warehouse.write(desk.batch(*sends, received_at=datetime.now(UTC)))

    def wait_for(outcome: str, domain: str) -> None:
        found = f"from mx_answers where outcome = '{outcome}' and domain = '{domain}'"
        deadline = time.monotonic() + 20
        while not desk.rows(found) and time.monotonic() < deadline:
            threading.Event().wait(0.02)

    upkeep = Upkeep(
        desk.warehouse,
        PrivacySettings(),
        Retention(),
        Learner(desk.warehouse, ask(server)),
        on_rewrite_due=lambda: None,
        on_broken=lambda: None,
        learn_secs=0.01,
    )
    with capture_logs() as log, upkeep:
        for outcome, domain in (
            *(("no_answer", "example.net"), ("no_answer", "example.org")),
            ("found", "example.com"),
        ):
            receive(domain)
            wait_for(outcome, domain)

    assert ["DNS does not answer", "mail hosts looked up"] == [one["event"] for one in log]
    assert {"asked": 1, "unanswered": 0, "changed": 1}.items() <= log[1].items()
