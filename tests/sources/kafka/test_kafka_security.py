"""TLS, SCRAM and certificates towards a real broker: who is let in, who is told what."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from certificates import Authority
from consumer.cli.topics import to_kafka_options
from consumer.errors import SourceDenied, SourceError
from consumer.settings import load_settings
from consumer.sources import kafka_client
from consumer.sources.kafka_client import KafkaAccess, probe_topics
from kafka_broker import PASSWORD, USER, Broker

if TYPE_CHECKING:
    from tests.sources.kafka.conftest import Reader

pytestmark = [
    pytest.mark.server,
    # The library leaves sockets of refused connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning"),
]

Send = Callable[[int], bytes]
Read = Callable[..., "Reader"]
Configure = Callable[..., KafkaAccess]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUEST_MS", "CONNECT_MS", "CALL_MS"):
        monkeypatch.setattr(kafka_client, name, 3_000)


@pytest.fixture
def authority_file(started_broker: Broker, tmp_path: Path) -> Path:
    assert started_broker.authority is not None
    file = tmp_path / "ca.pem"
    file.write_bytes(started_broker.authority.certificate_pem)
    return file


@pytest.fixture
def configure() -> Configure:
    """The way from the settings' own text to what a connection is told."""

    def make(address: str, **settings: object) -> KafkaAccess:
        source = {"type": "kafka", "bootstrap_servers": [address], "topics": ["ses"], **settings}
        environ = {"DUCKPOST_SOURCES": json.dumps([source], default=str)}
        [read] = load_settings(environ=environ).sources
        return to_kafka_options(read).access  # type: ignore[arg-type]  # its type is Kafka's

    return make


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram_over_tls_lets_in_who_knows_the_password(  # noqa: PLR0917 - fixtures
    started_broker: Broker,
    authority_file: Path,
    configure: Configure,
    read: Read,
    send: Send,
    mechanism: str,
) -> None:
    topic = started_broker.new_topic()
    started_broker.put(topic, [send(1)])
    known: dict[str, Any] = {
        "security_protocol": "SASL_SSL",
        "ssl_ca_file": authority_file,
        "sasl_mechanism": mechanism,
        "sasl_username": USER,
    }
    access = configure(started_broker.secure_address, **known, sasl_password=PASSWORD)
    reader = read(topic, access=access)
    assert 1 == reader.commit(reader.receive(1)).inserted

    stranger = configure(started_broker.secure_address, **known, sasl_password="canary-text")
    with pytest.raises(SourceError, match=mechanism) as refused:
        probe_topics(stranger, [topic])
    assert "canary-text" not in f"{refused.value!r} {stranger!r}"


def test_a_broker_that_another_authority_certified_gets_no_password(
    started_broker: Broker, configure: Configure, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.found("somebody else").certificate_pem)
    access = configure(
        started_broker.secure_address,
        security_protocol="SASL_SSL",
        ssl_ca_file=other,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=USER,
        sasl_password=PASSWORD,
    )
    with pytest.raises(SourceError, match="SASL_SSL"):
        probe_topics(access, ["ses"])


def test_a_certificate_of_ours_opens_where_brokers_ask_for_one(  # noqa: PLR0917 - fixtures
    started_broker: Broker,
    authority_file: Path,
    configure: Configure,
    read: Read,
    send: Send,
    tmp_path: Path,
) -> None:
    assert started_broker.authority is not None
    client = started_broker.authority.issue("127.0.0.1")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.write_bytes(client.certificate_pem)
    key.write_bytes(client.key_pem("key-quack"))
    topic = started_broker.new_topic()
    started_broker.put(topic, [send(1)])
    known: dict[str, Any] = {"security_protocol": "SSL", "ssl_ca_file": authority_file}
    access = configure(
        started_broker.mutual_address,
        **known,
        ssl_cert_file=certificate,
        ssl_key_file=key,
        ssl_key_password="key-quack",
    )
    assert 1 == len(read(topic, access=access).receive(1))
    with pytest.raises(SourceError):
        probe_topics(configure(started_broker.mutual_address, **known), [topic])


@pytest.mark.parametrize(
    "files",
    [
        {"ssl_ca_file": "absent.pem"},
        {"ssl_ca_file": "damaged.pem"},
        {"ssl_cert_file": "client.pem", "ssl_key_file": "absent.pem"},
        {"ssl_cert_file": "client.pem", "ssl_key_file": "client.key"},
        {"ssl_cert_file": "client.pem", "ssl_key_file": "client.key", "ssl_key_password": "no"},
    ],
)
def test_certificates_that_cannot_be_read_are_named_before_anybody_is_asked(
    configure: Configure, tmp_path: Path, files: dict[str, str]
) -> None:
    authority = Authority.found("one")
    client = authority.issue("127.0.0.1")
    (tmp_path / "damaged.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA")
    (tmp_path / "client.pem").write_bytes(client.certificate_pem)
    (tmp_path / "client.key").write_bytes(client.key_pem("key-quack"))
    paths = {
        name: text if name == "ssl_key_password" else tmp_path / text
        for name, text in files.items()
    }
    access = configure("127.0.0.1:1", security_protocol="SSL", **paths)
    with pytest.raises(SourceDenied, match=next(iter(files.values()))):
        probe_topics(access, ["ses"])


def test_a_certificate_for_another_name_is_refused_unless_told_otherwise(
    started_broker: Broker, authority_file: Path, configure: Configure
) -> None:
    port = started_broker.secure_address.rpartition(":")[2]
    known: dict[str, Any] = {
        "security_protocol": "SASL_SSL",
        "ssl_ca_file": authority_file,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": USER,
        "sasl_password": PASSWORD,
    }
    topic = started_broker.new_topic()
    with pytest.raises(SourceError, match="SASL_SSL"):
        probe_topics(configure(f"localhost:{port}", **known), [topic])
    access = configure(f"localhost:{port}", **known, ssl_check_hostname=False)
    assert probe_topics(access, [topic])
