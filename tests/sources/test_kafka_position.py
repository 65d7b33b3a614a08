"""Where a partition is read on, and which faults of Kafka wait for somebody; no broker needed."""

import json
from pathlib import Path
from typing import Any

import kafka.record.util
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import errors as kafka_errors

from consumer.cli.sources import open_sources
from consumer.cli.topics import to_kafka_options
from consumer.errors import SettingsError, SourceDenied, SourceUnavailable
from consumer.settings import KafkaSettings, load_settings
from consumer.sources.base import FencedSource, ResumingSource
from consumer.sources.kafka_client import KafkaAccess, to_source_fault
from consumer.sources.kafka_position import Identity, Log, Placed, Position, Refused, place

OLD = Identity("topic-1", "cluster-1")
ACCESS = KafkaAccess(bootstrap_servers=("broker:9092",))


def log(low: int, high: int, identity: Identity = OLD) -> Log:
    return Log(identity, low, high)


@given(st.integers(min_value=0), st.text(), st.text())
def test_a_position_is_read_as_it_was_written(offset: int, topic: str, cluster: str) -> None:
    position = Position(offset, Identity(topic, cluster))
    assert position == Position.from_text(position.to_text())


def test_a_partition_never_read_starts_where_the_settings_say() -> None:
    assert Placed(3) == place("ses/0", None, log(3, 9), "earliest")
    assert Placed(9) == place("ses/0", None, log(3, 9), "latest")


@pytest.mark.parametrize("offset", [3, 5, 9])
def test_what_is_stored_wins_over_the_start(offset: int) -> None:
    assert Placed(offset) == place("ses/0", Position(offset, OLD), log(3, 9), "latest")


def test_what_is_gone_is_skipped_and_counted() -> None:
    assert Placed(3, skipped=2) == place("ses/0", Position(1, OLD), log(3, 9), "earliest")


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (log(0, 99, Identity("topic-2", "cluster-1")), "topic"),
        (log(0, 99, Identity("topic-1", "cluster-2")), "cluster"),
        (log(0, 4), "ends at 4"),
    ],
)
def test_another_log_is_refused_however_far_it_goes(now: Log, word: str) -> None:
    outcome = place("ses/0", Position(5, OLD), now, "earliest")
    assert isinstance(outcome, Refused)
    assert word in outcome.why
    assert "group" in outcome.why


def test_brokers_without_topic_ids_are_judged_by_offsets_alone() -> None:
    now = log(0, 9, Identity("", "cluster-1"))
    assert Placed(5) == place("ses/0", Position(5, OLD), now, "earliest")


def _subclasses(of: type[Exception]) -> list[type[Exception]]:
    """A class of exceptions and all below it."""
    return [of, *(deeper for one in of.__subclasses__() for deeper in _subclasses(one))]


@pytest.mark.parametrize("kind", sorted(set(_subclasses(kafka_errors.KafkaError)), key=str))
def test_what_the_library_calls_retriable_is_never_a_denial(
    kind: Any,  # noqa: ANN401 - the library has no types
) -> None:
    error = kind.__new__(kind)
    fault = to_source_fault(error, "reading", ACCESS)
    assert isinstance(fault, SourceDenied | SourceUnavailable)
    if kind.retriable:
        assert isinstance(fault, SourceUnavailable)
    if issubclass(kind, kafka_errors.AuthorizationError):
        assert isinstance(fault, SourceDenied)


def test_checksums_are_not_made_in_python() -> None:
    assert "crc32c" == kafka.record.util.crc32c_c.__module__.partition(".")[0]


def test_settings_reach_the_source(tmp_path: Path) -> None:
    file = tmp_path / "duckpost.toml"
    file.write_text(
        """
        [[sources]]
        type = "kafka"
        bootstrap_servers = ["broker:9093"]
        topics = ["ses"]
        group = "mail"
        member = 2
        security_protocol = "SASL_SSL"
        sasl_mechanism = "SCRAM-SHA-512"
        sasl_username = "duckpost"
        sasl_password = "canary-text"
        """
    )
    settings = load_settings(file, environ={})
    [chosen] = settings.sources
    assert isinstance(chosen, KafkaSettings)
    assert "canary-text" not in f"{settings!r} {to_kafka_options(chosen)!r}"
    assert "canary-text" == to_kafka_options(chosen).access.sasl_password
    [source] = open_sources(settings.sources)
    assert "kafka:mail#2" == source.name
    assert isinstance(source, FencedSource)
    assert not isinstance(source, ResumingSource)
    source.close()


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("topics", "ses events"),
        ("topics", "s" * 250),
        ("topics", ""),
        ("bootstrap_servers", "broker"),
        ("bootstrap_servers", "kafka://broker:9092"),
        ("bootstrap_servers", "one:9092,two:9092"),
        ("bootstrap_servers", "::1:9092"),
    ],
)
def test_names_that_cannot_be_are_refused_before_anything_connects(key: str, bad: str) -> None:
    about = {"type": "kafka", "bootstrap_servers": ["broker:9092"], "topics": ["ses"], key: [bad]}
    with pytest.raises(SettingsError, match=rf"sources\[0\]\.{key}\.0: "):
        load_settings(environ={"DUCKPOST_SOURCES": json.dumps([about])})


def test_a_broker_may_be_an_address() -> None:
    servers = ["[2001:db8::1]:9092", "192.0.2.7:9092", "broker_1.example.net:9092"]
    about = {"type": "kafka", "bootstrap_servers": servers, "topics": ["ses.events_1-a"]}
    [chosen] = load_settings(environ={"DUCKPOST_SOURCES": json.dumps([about])}).sources
    assert isinstance(chosen, KafkaSettings)
    assert servers == chosen.bootstrap_servers


@pytest.mark.parametrize(
    "more",
    [
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "me"},
        {"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": "secret"},
    ],
)
def test_half_a_login_is_refused(more: dict[str, str]) -> None:
    about = {"type": "kafka", "bootstrap_servers": ["broker:9092"], "topics": ["ses"], **more}
    with pytest.raises(SettingsError, match="sasl_mechanism, sasl_username and sasl_password"):
        load_settings(environ={"DUCKPOST_SOURCES": json.dumps([about])})
