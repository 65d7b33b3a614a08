"""From settings to Kafka topics; imported where one is configured, as its client is slow to."""

from pathlib import Path

from pydantic import SecretStr

from consumer.settings import KafkaSettings
from consumer.sources.kafka import KafkaOptions, KafkaSource
from consumer.sources.kafka_client import KafkaAccess, probe_topics


def open_group(settings: KafkaSettings) -> KafkaSource:
    """Make the source that reads topics as a member of its group; nothing is connected yet."""
    return KafkaSource(to_kafka_options(settings))


def probe_group(settings: KafkaSettings) -> list[str]:
    """Say how the topics are, joining no group; raises `SourceError` if ill."""
    return probe_topics(_to_access(settings), settings.topics)


def to_kafka_options(settings: KafkaSettings) -> KafkaOptions:
    """Return what the settings mean for the source; every one of them is passed on."""
    return KafkaOptions(
        access=_to_access(settings),
        topics=tuple(settings.topics),
        group=settings.group,
        member=settings.member,
        start=settings.start,
        session_secs=settings.session_secs,
    )


def _to_access(settings: KafkaSettings) -> KafkaAccess:
    return KafkaAccess(
        bootstrap_servers=tuple(settings.bootstrap_servers),
        security_protocol=settings.security_protocol,
        sasl_mechanism=settings.sasl_mechanism,
        sasl_username=settings.sasl_username,
        sasl_password=_reveal(settings.sasl_password),
        ssl_ca_file=_to_text(settings.ssl_ca_file),
        ssl_cert_file=_to_text(settings.ssl_cert_file),
        ssl_key_file=_to_text(settings.ssl_key_file),
        ssl_key_password=_reveal(settings.ssl_key_password),
        ssl_check_hostname=settings.ssl_check_hostname,
    )


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _to_text(path: Path | None) -> str | None:
    return None if path is None else str(path)
