"""The sources: one table a type, a list of them in the file."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from consumer.settings.section import Section

_LEAST_KEY_CHARS = 16
# Firehose's own bound.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_HttpEndpointConfiguration.html
_HEADER_TEXT = re.compile(r"[!-~]([ -~]{0,4094}[!-~])?")

# The oldest buckets have longer names, with capitals and "_".
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
Bucket = Annotated[
    str, Field(min_length=3, max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]+$")
]
# org.apache.kafka.common.internals.Topic
KafkaTopic = Annotated[str, Field(max_length=249, pattern=r"^[A-Za-z0-9._-]+$")]
BrokerAddress = Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$")]


class StreamSettings(Section):
    """What every source has that never comes to an end."""

    silence_secs: float = Field(
        0.0,
        ge=0,
        description="without an event for this long, `/health` and the metrics call the source "
        "silent; 0 never does. Choose more than your longest usual pause in sending",
    )


class RoleSettings(StreamSettings):
    """What the sources share that read from an AWS account, perhaps another's.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """

    role_arn: str | None = Field(
        None, description="role to assume, for a queue or bucket of another account"
    )
    role_external_id: str | None = Field(
        None,
        min_length=2,
        max_length=1_224,
        pattern=r"^[\w+=,.@:/-]+$",
        description="what that account's role asks for as its external id",
    )
    role_session_name: str = Field(
        "duckpost",
        min_length=2,
        max_length=64,
        pattern=r"^[\w+=,.@-]+$",
        description="how that account's CloudTrail names these sessions",
    )

    @model_validator(mode="after")
    def _has_a_role(self) -> Self:
        if self.role_arn is None and self.role_external_id is not None:
            raise ValueError("role_external_id belongs to role_arn, which is missing")
        return self


SHARED = frozenset(RoleSettings.model_fields)


class SqsSettings(RoleSettings):
    """An SQS queue; credentials come from the usual AWS places unless named here.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """

    type: Literal["sqs"]
    queue: str = Field(
        pattern=r"^(https?://\S+|[A-Za-z0-9_-]{1,80}(\.fifo)?)$",
        description="the queue's URL or name",
    )
    region: str | None = Field(None, description="AWS region; the queue URL's where it is missing")
    profile: str | None = Field(None, description="profile of the shared AWS configuration")
    endpoint_url: str | None = Field(None, description="another endpoint than AWS's")
    s3_endpoint_url: str | None = Field(None, description="the same for S3 objects in notices")
    buckets: list[Bucket] = Field(
        default_factory=list,
        description="buckets whose notices are followed; empty for all. Name them where others "
        "than your bucket may send to the queue",
    )
    receivers: int = Field(4, ge=1, le=32, description="threads that poll the queue")
    long_poll_secs: int = Field(20, ge=0, le=20, description="how long a poll waits; SQS allows 20")
    visibility_secs: int = Field(
        120,
        ge=3,
        le=43_200,
        description="how long a crash delays a message; extended while one is worked on",
    )
    max_in_flight: int = Field(
        10_000, ge=1, le=120_000, description="messages held and not yet acknowledged"
    )
    max_in_flight_bytes: int = Field(
        256 * 1_048_576, ge=1, description="the same in bytes of their bodies"
    )
    nack_secs: int = Field(
        5, ge=0, le=43_200, description="until a message handed back comes again; doubles each time"
    )


class _EndpointSettings(StreamSettings):
    """What the sources share that listen on HTTP."""

    type: Literal["firehose", "sns"]
    path: str = Field(
        pattern=r"^(/[A-Za-z0-9._~-]+)+$", description="where it is served on the HTTP listener"
    )
    max_in_flight: int = Field(
        1_000, ge=1, description="requests held and not answered; one more is answered with 503"
    )
    max_in_flight_bytes: int = Field(
        256 * 1_048_576, ge=64 * 1_048_576, description="the same in bytes of their bodies"
    )


class FirehoseSettings(_EndpointSettings):
    """An HTTP endpoint that a Firehose stream delivers to.

    https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
    """

    type: Literal["firehose"]
    access_keys: list[SecretStr] = Field(
        default_factory=list,
        max_length=2,
        description="a stream must send one of these, of at least 16 characters; two while one is "
        "being changed. Required unless `insecure`",
    )
    insecure: bool = Field(default=False, description="whether anybody may send without a key")

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        keys = [key.get_secret_value() for key in self.access_keys]
        if any(len(key) < _LEAST_KEY_CHARS for key in keys):
            raise ValueError(
                f"access_keys: a key of fewer than {_LEAST_KEY_CHARS} characters can be guessed, "
                "and an empty one lets everybody in; `openssl rand -hex 32` makes a good one"
            )
        if not all(_HEADER_TEXT.fullmatch(key) for key in keys):
            raise ValueError(
                "access_keys: a key travels in a header: 4,096 printable ASCII characters at most, "
                "no space at either end"
            )
        if self.insecure == bool(self.access_keys):
            raise ValueError("give access_keys, or insecure = true to let anybody send; not both")
        return self


class SnsSettings(_EndpointSettings):
    """An HTTP or HTTPS subscription of an SNS topic.

    https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
    """

    type: Literal["sns"]
    topics: list[
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$")]
    ] = Field(min_length=1, description="ARNs of the topics that may send; all others get 403")
    confirm: bool = Field(
        default=False, description="whether a subscription to these topics is confirmed when asked"
    )
    raw_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="takes raw messages, which nobody signs, at `path/raw_secret`",
    )
    certificate_folder: Path | None = Field(
        None,
        description="folder with SNS's signing certificates under their own names, for machines "
        "that cannot fetch them",
    )

    @field_validator("raw_secret")
    @classmethod
    def _fits_a_path(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9._~-]+", value.get_secret_value()):
            raise ValueError("only letters, digits and ._~- may stand in it: it is part of a path")
        return value


class S3Settings(RoleSettings):
    """A bucket that sends no notices, or whose lost notices are to be found: it is listed.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """

    type: Literal["s3"]
    bucket: Bucket = Field(description="the bucket's name")
    prefix: str = Field("", description="what keys begin with; empty for all objects")
    region: str | None = Field(None, description="AWS region")
    profile: str | None = Field(None, description="profile of the shared AWS configuration")
    endpoint_url: str | None = Field(
        None, description="an S3-compatible server; addressed in path style"
    )
    expected_owner: str | None = Field(
        None,
        pattern=r"^\d{12}$",
        description="account that the bucket must belong to; a bucket of another is refused",
    )
    poll_secs: float = Field(60.0, ge=1, le=86_400, description="how often new keys are looked for")
    sweep_secs: float = Field(
        3_600.0,
        ge=1,
        le=604_800,
        description="how often all keys are listed, where that takes more than ten requests",
    )
    look_back_secs: float = Field(
        86_400.0,
        ge=0,
        description="keys this late are found by the next poll, later ones by the next sweep",
    )
    objects_at_once: int = Field(8, ge=1, le=64, description="objects read at the same time")


class KafkaSettings(StreamSettings):
    """Topics of a Kafka cluster; the warehouse keeps the offsets, the group shares the work.

    https://kafka.apache.org/documentation/#consumerconfigs
    """

    type: Literal["kafka"]
    bootstrap_servers: list[BrokerAddress] = Field(
        min_length=1, description="brokers, as `host:port`"
    )
    topics: list[KafkaTopic] = Field(min_length=1, description="topics to read")
    group: str = Field(
        "duckpost",
        min_length=1,
        description="consumer group; offsets are kept under it, so another reads everything anew",
    )
    member: int = Field(
        1,
        ge=1,
        description="a second consumer of the group in this worker is a source of its own with "
        "`member = 2`",
    )
    start: Literal["earliest", "latest"] = Field(
        "earliest", description="where a partition is begun that was never read"
    )
    session_secs: float = Field(
        10.0,
        ge=1,
        le=1_800,
        description="how long the group waits for a worker that was killed; the broker allows "
        "from 6 on, unless told otherwise",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="whether TLS and SASL are used"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="for the `SASL_` protocols, with user and password"
    )
    sasl_username: str | None = Field(None, description="SASL user")
    sasl_password: SecretStr | None = Field(None, description="SASL password")
    ssl_ca_file: Path | None = Field(
        None, description="PEM of the authorities to trust; the system's where it is missing"
    )
    ssl_cert_file: Path | None = Field(
        None, description="PEM of our certificate, where brokers ask for one"
    )
    ssl_key_file: Path | None = Field(None, description="PEM of its key")
    ssl_key_password: SecretStr | None = Field(None, description="password of that key")
    ssl_check_hostname: bool = Field(
        default=True, description="whether a broker's certificate must be for its name"
    )

    @model_validator(mode="after")
    def _knows_its_user(self) -> "KafkaSettings":
        given = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if self.security_protocol.startswith("SASL_") != all(one is not None for one in given):
            raise ValueError(
                "sasl_mechanism, sasl_username and sasl_password belong to security_protocol "
                '"SASL_SSL" or "SASL_PLAINTEXT", all three of them'
            )
        return self


class FilesSettings(Section):
    """Files, folders and globs, read once from start to end when the worker starts."""

    type: Literal["files"]
    paths: list[str] = Field(min_length=1, description="files, folders or globs")


SourceSettings = Annotated[
    SqsSettings | S3Settings | FirehoseSettings | SnsSettings | KafkaSettings | FilesSettings,
    Field(discriminator="type"),
]
