"""Every setting, read in one place: `duckpost.toml`, overridden by `DUCKPOST_…`.

A setting in the section ``batch`` called ``max_rows`` is ``DUCKPOST_BATCH_MAX_ROWS`` in the
environment; ``DUCKPOST_WAREHOUSE`` is short for the warehouse's path, and ``DUCKPOST_SOURCES``
holds the list of sources as JSON. Unknown keys are refused, all faults at once.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticUndefined

from consumer.errors import SettingsError

DEFAULT_FILE = Path("duckpost.toml")
ENV_PREFIX = "DUCKPOST_"

_Tables = dict[str, Any]
_SECRETS = frozenset({"access_keys", "raw_secret"})  # no fault may show what stands there


class Section(BaseModel):
    """Base of every table of the file: unknown keys are refused, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WarehouseSettings(Section):
    """Where rows go and how much of the machine that may take."""

    path: Path = Field(Path("duckpost.duckdb"), description="the warehouse file")
    memory_limit: str = Field(
        "512MB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        examples=["512MB", "2GB"],
        description="DuckDB's memory limit, shared by the writer and all readers",
    )
    threads: int = Field(2, ge=1, description="DuckDB's threads")
    report_time_zone: str = Field("UTC", description="whose days daily figures are of")
    store_subject: bool = Field(default=True, description="whether subjects are kept")
    archive: bool = Field(
        default=True, description="whether raw payloads are kept beside the file, for `rebuild`"
    )
    min_free_bytes: int = Field(
        256 * 1024 * 1024, ge=0, description="receiving pauses below this much free disk"
    )

    standby: bool = Field(
        default=False,
        description="whether `run` waits for a warehouse that another worker has open, and takes "
        "over when that one is gone, instead of ending with an error",
    )

    @field_validator("report_time_zone")
    @classmethod
    def _is_known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no time zone{_suggest(value, available_timezones())}")
        return value


class BatchSettings(Section):
    """When a batch closes: on rows, bytes or time, whichever comes first."""

    max_rows: int = Field(5_000, ge=1, description="rows in one transaction")
    max_bytes: int = Field(16 * 1024 * 1024, ge=1, description="payload bytes in one transaction")
    flush_secs: float = Field(
        2.0, gt=0, le=300, description="a quiet stream is committed after this long"
    )


class TelemetrySettings(Section):
    """Where `/metrics` and `/health` listen; they carry no address, but names of your queues."""

    host: str = Field("127.0.0.1", description="address to listen on, this machine alone at first")
    port: int = Field(9464, ge=0, le=65_535, description="0 takes any free port")
    enabled: bool = Field(default=True, description="whether to listen at all")


class HttpSettings(Section):
    """Where sources of the types `firehose` and `sns` listen, all on one port."""

    host: str = Field("127.0.0.1", description="address to listen on, this machine alone at first")
    port: int = Field(8080, ge=0, le=65_535, description="0 takes any free port")
    certificate_file: Path | None = Field(
        None, description="PEM file of the certificate and its chain, for HTTPS without a proxy"
    )
    key_file: Path | None = Field(None, description="PEM file of the certificate's private key")
    max_connections: int = Field(800, ge=1, description="at once; an idle one makes room")
    max_connections_per_address: int = Field(
        600, ge=1, description="the same of one address; behind a proxy that is the proxy's"
    )

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together: one of them is missing")
        return self


class LogSettings(Section):
    """What the log says and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is written"
    )
    format: Literal["auto", "json", "pretty"] = Field(
        "auto", description="`auto` is pretty on a terminal and JSON elsewhere"
    )


class StreamSettings(Section):
    """What every source has that never comes to an end."""

    silence_secs: float = Field(
        0.0,
        ge=0,
        description="without an event for this long, `/health` and the metrics call the source "
        "silent; 0 never does. Choose more than your longest usual pause in sending",
    )


_SHARED = frozenset(StreamSettings.model_fields)


class SqsSettings(StreamSettings):
    """An SQS queue; credentials come from the usual AWS places unless named here.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """

    type: Literal["sqs"]
    queue: str = Field(min_length=1, description="the queue's URL or name")
    region: str | None = Field(None, description="AWS region; the queue URL's where it is missing")
    profile: str | None = Field(None, description="profile of the shared AWS configuration")
    role_arn: str | None = Field(None, description="role to assume, for another account's queue")
    endpoint_url: str | None = Field(None, description="another endpoint than AWS's")
    s3_endpoint_url: str | None = Field(None, description="the same for S3 objects in notices")
    buckets: list[str] = Field(
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
        description="a stream must send one of these; two while one is being changed. Required "
        "unless `insecure`",
    )
    insecure: bool = Field(default=False, description="whether anybody may send without a key")

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if any(not key.get_secret_value() for key in self.access_keys):
            raise ValueError("access_keys: an empty key lets everybody in")
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


class S3Settings(StreamSettings):
    """A bucket that sends no notices, or whose lost notices are to be found: it is listed.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """

    type: Literal["s3"]
    bucket: str = Field(min_length=1, pattern=r"^[^/:]+$", description="the bucket's name")
    prefix: str = Field("", description="what keys begin with; empty for all objects")
    region: str | None = Field(None, description="AWS region")
    profile: str | None = Field(None, description="profile of the shared AWS configuration")
    role_arn: str | None = Field(None, description="role to assume, for another account's bucket")
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
    bootstrap_servers: list[str] = Field(min_length=1, description="brokers, as `host:port`")
    topics: list[str] = Field(min_length=1, description="topics to read")
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


class Settings(Section):
    """The whole configuration."""

    warehouse: WarehouseSettings = WarehouseSettings()
    batch: BatchSettings = BatchSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    sources: list[SourceSettings] = Field(default_factory=list)

    @field_validator("sources")
    @classmethod
    def _share_no_path(cls, value: list[SourceSettings]) -> list[SourceSettings]:
        paths = [one.path for one in value if isinstance(one, FirehoseSettings | SnsSettings)]
        doubled = sorted({path for path in paths if paths.count(path) > 1})
        if doubled:
            raise ValueError(f"path {', '.join(doubled)} is given to more than one source")
        return value


def load_settings(
    file: Path | None = None,
    *,
    warehouse: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read the file, lay the environment over it, then the command line's ``warehouse``.

    Without ``file``, `./duckpost.toml` is read when it is there. Raises `SettingsError` with
    one line for every fault.
    """
    tables = _read_file(file)
    faults = _lay_environment_over(tables, environ)
    if warehouse is not None:
        tables.setdefault("warehouse", {})["path"] = warehouse
    try:
        settings = Settings.model_validate(tables)
    except ValidationError as error:
        faults += [_describe(fault) for fault in error.errors()]
    if faults:
        origin = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else "the environment")
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(f"{origin}: {len(faults)} fault{'s' * (len(faults) > 1)}\n{lines}")
    return settings


def _read_file(file: Path | None) -> _Tables:
    if file is None:
        if not DEFAULT_FILE.exists():
            return {}
        file = DEFAULT_FILE
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8: {error}") from error
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error


def _lay_environment_over(tables: _Tables, environ: Mapping[str, str]) -> list[str]:
    """Write what ``DUCKPOST_…`` says into ``tables``; return a line for each that says nothing."""
    known = dict(_environment_names())
    faults = []
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX):
            continue
        value: object = environ[name]
        if name == f"{ENV_PREFIX}SOURCES":
            try:
                tables["sources"] = json.loads(environ[name])
            except ValueError as error:
                faults.append(f"{name}: not valid JSON: {error}")
        elif name in known:
            section, key = known[name]
            table = tables.setdefault(section, {})
            if isinstance(table, dict):  # else the file is wrong there, and validation says so
                table[key] = value
        else:
            faults.append(f"{name}: unknown setting{_suggest(name, known)}")
    return faults


def _environment_names() -> Iterator[tuple[str, tuple[str, str]]]:
    yield f"{ENV_PREFIX}WAREHOUSE", ("warehouse", "path")
    for section, key, _ in _section_fields():
        yield f"{ENV_PREFIX}{section}_{key}".upper(), (section, key)


def _section_fields() -> Iterator[tuple[str, str, Any]]:
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            for key, inner in field.annotation.model_fields.items():
                yield section, key, inner


def _source_models() -> tuple[type[Section], ...]:
    union, _ = get_args(SourceSettings)
    models: tuple[type[Section], ...] = get_args(union)
    return models


def _describe(fault: ErrorDetails) -> str:
    """One line a person can act on: the setting's path, what was found, what was expected."""
    *parents, key = fault["loc"]
    model = _model_at(parents)
    # Pydantic puts the chosen type of a source into the path; nobody wrote it there.
    path = ".".join(str(part) for part in _without_tag(fault["loc"]))
    match fault["type"]:
        case "extra_forbidden":
            text = f"unknown setting{_suggest(str(key), model.model_fields)}"
        case "missing":
            text = "missing"
        case "union_tag_invalid":
            tag = str(fault.get("ctx", {})["tag"])
            text = f"type {tag!r} is no source{_suggest(tag, _tags())}; known: {', '.join(_tags())}"
        case "union_tag_not_found":
            text = f"type is missing; known: {', '.join(_tags())}"
        case "value_error":
            text = fault["msg"].removeprefix("Value error, ")
        case _ if _SECRETS.intersection(fault["loc"]):
            text = fault["msg"]
        case "string_pattern_mismatch" if examples := _examples_of(model, str(key)):
            text = f"expected such as {' or '.join(examples)}, found {fault['input']!r}"
        case _:
            found = fault["input"]
            # A table or list may hold a secret further in.
            shown = type(found).__name__ if isinstance(found, dict | list) else repr(found)
            text = f"{fault['msg']}, found {shown}"
    return f"{path}: {text}"


def _examples_of(model: type[BaseModel], key: str) -> list[str]:
    """Return what a person may write there; a pattern says little to them."""
    field = model.model_fields.get(key)
    return [str(example) for example in (field and field.examples) or ()]


def _tags() -> list[str]:
    return [get_args(model.model_fields["type"].annotation)[0] for model in _source_models()]


def _model_at(parents: list[int | str]) -> type[Section]:
    match parents:
        case []:
            return Settings
        case ["sources", int(), str(tag), *_]:
            return dict(zip(_tags(), _source_models(), strict=True))[tag]
        case [str(section), *_]:
            annotation = Settings.model_fields[section].annotation
            return annotation if isinstance(annotation, type) else Settings
    return Settings


def _without_tag(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    match loc:
        case ("sources", int(index), str(), *rest):
            return (f"sources[{index}]", *rest)
        case ("sources", int(index)):
            return (f"sources[{index}]",)
    return loc


def _suggest(word: str, known: Mapping[str, object] | set[str] | list[str]) -> str:
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def settings_table() -> str:
    """Render every setting as the Markdown table that the README shows."""
    lines = ["| setting | default | environment | meaning |", "|---|---|---|---|"]
    for section, key, field in _section_fields():
        env = f"{ENV_PREFIX}{section}_{key}".upper()
        if (section, key) == ("warehouse", "path"):
            env = f"{ENV_PREFIX}WAREHOUSE"
        lines.append(f"| `{section}.{key}` | {_default(field)} | `{env}` | {field.description} |")
    for tag, model in zip(_tags(), _source_models(), strict=True):
        # what a source shares with others comes after its own
        fields = sorted(model.model_fields.items(), key=lambda item: item[0] in _SHARED)
        for key, field in fields:
            meaning = f'`"{tag}"`' if key == "type" else field.description
            lines.append(f"| `sources[].{key}` ({tag}) | {_default(field)} | - | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(field: Any) -> str:  # noqa: ANN401 - pydantic's FieldInfo is no public annotation
    if field.default is None or field.default_factory is not None:
        return "-"
    if field.default is PydanticUndefined:
        return "required"
    value = str(field.default) if isinstance(field.default, Path) else field.default
    return f"`{json.dumps(value)}`"
