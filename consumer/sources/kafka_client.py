"""Connections to Kafka: how they are opened, and what their faults mean."""

import logging
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from kafka import KafkaAdminClient, KafkaConsumer
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient

from consumer.errors import SourceDenied, SourceError, SourceUnavailable

REQUEST_MS: Final = 10_000
CONNECT_MS: Final = 10_000
CALL_MS: Final = 10_000
METADATA_MS: Final = 30_000
RECONNECT_MS: Final = 5_000
# What one fetch brings is held decompressed: bounds memory; a larger record still comes, alone.
FETCH_BYTES: Final = 16 * 1_048_576

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_DENIED: Final = (
    kafka_errors.AuthorizationError,
    kafka_errors.DelegationTokenAuthDisabledError,
    kafka_errors.FencedInstanceIdError,
    kafka_errors.IllegalSaslStateError,
    kafka_errors.InvalidGroupIdError,
    kafka_errors.InvalidSessionTimeoutError,
    kafka_errors.InvalidTopicError,
    kafka_errors.InconsistentGroupProtocolError,
    kafka_errors.GroupMaxSizeReachedError,
    kafka_errors.KafkaConfigurationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.SecurityDisabledError,
    kafka_errors.UnsupportedCodecError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.UnsupportedVersionError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """How a cluster is reached.

    Attributes:
        bootstrap_servers: ``host:port``, any of the cluster's brokers.
        security_protocol: whether TLS and SASL are used.
        sasl_mechanism, sasl_username, sasl_password: for the ``SASL_`` protocols.
        ssl_ca_file: PEM of the authorities to trust; the system's where it is missing.
        ssl_cert_file, ssl_key_file, ssl_key_password: PEM of our own certificate, for brokers
            that ask for one.
        ssl_check_hostname: whether the broker's certificate must be for its name.
    """

    bootstrap_servers: tuple[str, ...]
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_ca_file: str | None = None
    ssl_cert_file: str | None = None
    ssl_key_file: str | None = None
    ssl_key_password: str | None = None
    ssl_check_hostname: bool = True

    def __repr__(self) -> str:
        """Name the servers; the rest may hold secrets."""
        return f"KafkaAccess({', '.join(self.bootstrap_servers)})"

    def to_options(self) -> dict[str, Any]:
        """Return what every kind of client is told; raises `SourceDenied` for bad certificates."""
        # Else Python prints the library's warnings on stderr, between our lines of JSON.
        logging.getLogger("kafka").addHandler(logging.NullHandler())
        return {
            "bootstrap_servers": list(self.bootstrap_servers),
            "client_id": "duckpost",
            "bootstrap_timeout_ms": CONNECT_MS,
            "request_timeout_ms": REQUEST_MS,
            "reconnect_backoff_max_ms": RECONNECT_MS,
            "metadata_max_age_ms": METADATA_MS,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
            "ssl_context": self._open_tls(),
        }

    def _open_tls(self) -> ssl.SSLContext | None:
        """Read the certificates ourselves: the library only logs that it cannot, and times out."""
        if not self.security_protocol.endswith("SSL"):
            return None
        file = self.ssl_ca_file
        try:
            context = ssl.create_default_context(cafile=file)
            context.check_hostname = self.ssl_check_hostname
            if self.ssl_cert_file is not None:
                file = f"{self.ssl_cert_file} and {self.ssl_key_file}"
                # A password always, or OpenSSL asks the terminal for one.
                password = self.ssl_key_password or ""
                context.load_cert_chain(self.ssl_cert_file, self.ssl_key_file, password)
        except OSError as error:
            raise SourceDenied(f"certificates for Kafka: {file}: {error}") from error
        return context


def open_consumer(access: KafkaAccess, *, group: str, session_secs: float) -> KafkaConsumer:
    """Connect a consumer that leaves every offset to us. Raises `SourceError`.

    Aborted transactions are never read, topics never made, and an offset that is out of range
    is an error rather than somewhere else.
    """
    with translated(access, "connecting to"), _closed_on_failure() as make:
        return KafkaConsumer(
            **access.to_options(),
            kafka_client=make,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            session_timeout_ms=int(session_secs * 1_000),
            heartbeat_interval_ms=int(session_secs * 1_000 / 4),
            fetch_max_bytes=FETCH_BYTES,
            metrics_enabled=False,
        )


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the cluster describes it; ``fault`` says why it cannot be read, if so."""

    topic_id: str
    partitions: int
    fault: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster and the topics that were asked for."""

    cluster_id: str
    topics: Mapping[str, Topic]


class Watch:
    """Asks the cluster about topics, afresh each time, over a connection of its own.

    What a consumer knows of topics may be minutes old, and a topic made anew meanwhile would look
    like the old one.
    """

    def __init__(self, access: KafkaAccess) -> None:
        self.access = access
        self._client: KafkaAdminClient | None = None

    def look(self, topics: Sequence[str]) -> Cluster:
        """Describe the cluster and topics, those that do not exist included.

        Raises `SourceError`; the next call connects anew.
        """
        try:
            with translated(self.access, "asking"):
                if self._client is None:
                    with _closed_on_failure() as make:
                        self._client = KafkaAdminClient(
                            **self.access.to_options(), kafka_client=make
                        )
                cluster_id = self._client.describe_cluster()["cluster_id"]
                found = self._client.describe_topics(list(topics))
        except SourceError:
            self.close()
            raise
        return Cluster(cluster_id or "", {one["name"]: _to_topic(one) for one in found})

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None


def probe_topics(access: KafkaAccess, topics: Sequence[str]) -> list[str]:
    """Ask for topics without joining a group or reading a record: a line for each.

    Raises `SourceDenied` naming every topic that cannot be read, else what `Watch.look` does.
    """
    watch = Watch(access)
    try:
        cluster = watch.look(topics)
    finally:
        watch.close()
    faults = [topic.fault for topic in cluster.topics.values() if topic.fault]
    if faults:
        servers = ", ".join(access.bootstrap_servers)
        raise SourceDenied(f"asking Kafka at {servers}: {'; '.join(faults)}")
    return [
        f"topic {name}: {topic.partitions} partitions, cluster {cluster.cluster_id}"
        for name, topic in sorted(cluster.topics.items())
    ]


def _to_topic(about: Mapping[str, Any]) -> Topic:
    name, error = about["name"], kafka_errors.for_code(about["error_code"])
    fault = ""
    if error is kafka_errors.UnknownTopicOrPartitionError:
        fault = f"topic {name} does not exist"
    elif error is not kafka_errors.NoError:
        fault = f"topic {name}: {error.__name__}"
    return Topic(str(about["topic_id"] or ""), len(about["partitions"]), fault)


@contextmanager
def _closed_on_failure() -> Iterator[Callable[..., KafkaNetClient]]:
    """Close what a client under construction opened: failing, it leaves its thread running."""
    made: list[KafkaNetClient] = []

    def make(**options: Any) -> KafkaNetClient:  # noqa: ANN401 - the library's own
        made.append(KafkaNetClient(**options))
        return made[-1]

    try:
        yield make
    except kafka_errors.KafkaError:
        for one in made:
            one.close()
        raise


@contextmanager
def translated(access: KafkaAccess, doing: str) -> Iterator[None]:
    """Translate what the client library raises into `SourceDenied` or `SourceUnavailable`."""
    servers = ", ".join(access.bootstrap_servers)
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise to_source_fault(error, f"{doing} Kafka at {servers}", access) from error


def to_source_fault(error: kafka_errors.KafkaError, doing: str, access: KafkaAccess) -> SourceError:
    """Return what the library's error means: whether waiting may help, or somebody must act."""
    text = str(error)
    if isinstance(error, _DENIED):
        return SourceDenied(f"{doing}: {text}")
    if isinstance(error, kafka_errors.KafkaTimeoutError):
        # A broker closes the connection on a wrong password as it does on a wrong protocol.
        hint = f"no answer, or none to security_protocol {access.security_protocol}"
        if access.sasl_mechanism is not None:
            hint += f" with {access.sasl_mechanism} and this user and password"
        return SourceUnavailable(f"{doing}: {text}: {hint}")
    return SourceUnavailable(f"{doing}: {text}")
