"""The tables of the file that there is one of each."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator, model_validator

from consumer.settings.section import Section, suggest


class WarehouseSettings(Section):
    """Where rows go and how much of the machine that may take."""

    path: Path = Field(Path("duckpost.duckdb"), description="the warehouse file")
    memory_limit: str = Field(
        "512MB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        examples=["512MB", "2GB"],
        description="DuckDB's memory limit, shared by the writer and all readers; where it is not "
        "set, `ingest` without a worker takes 256 MB",
    )
    threads: int = Field(2, ge=1, description="DuckDB's threads")
    report_time_zone: str = Field("UTC", description="whose days daily figures are of")
    store_subject: bool = Field(default=True, description="whether subjects are kept")
    recipients: Literal["plain", "hashed"] | None = Field(
        None,
        description="`hashed` keeps of recipients a keyed hash and the domain alone, in rows, "
        "quarantine and archive; said when a warehouse is made, and its for good. Not set, a new "
        "one keeps them `plain`",
    )
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
            raise ValueError(f"{value!r} is no time zone{suggest(value, available_timezones())}")
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


class GrafanaSettings(Section):
    """Where `duckpost dashboards push` brings dashboards, and how that Grafana asks the worker."""

    url: str | None = Field(None, pattern="^https?://", description="address of a Grafana")
    token: SecretStr | None = Field(
        None, description="token of a service account there, with the role Admin"
    )
    sql_address: str = Field(
        "127.0.0.1:5433", description="host and port of the SQL endpoint, as Grafana reaches it"
    )
    sql_user: str = Field("grafana", description="user that Grafana asks as")
    sql_password: SecretStr | None = Field(None, description="that user's password")
    sql_sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = Field(
        "require", description="how Grafana connects; `disable` on one machine only"
    )


class LogSettings(Section):
    """What the log says and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is written"
    )
    format: Literal["auto", "json", "pretty"] = Field(
        "auto", description="`auto` is pretty on a terminal and JSON elsewhere"
    )


class RetentionSettings(Section):
    """How long what is kept; figures outlive their events, and nothing goes unless it is set."""

    events_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="events go this many days after their message was sent; figures stay",
    )
    failure_events_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="the same of bounces, complaints, rejects and rendering failures, which "
        "`find` and `suppression` go by; as events_days where it is not set",
    )
    archive_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="raw payloads go this many days after they were received; `rebuild` needs them",
    )
    quarantine_days: int | None = Field(
        None, ge=1, le=36_500, description="the same of payloads in quarantine"
    )

    @model_validator(mode="after")
    def _keeps_failures_for_longer(self) -> Self:
        if self.failure_events_days is None:
            return self
        if self.events_days is None or self.failure_events_days < self.events_days:
            raise ValueError(
                "failure_events_days keeps failures longer than other events: set events_days too, "
                "to no more"
            )
        return self


class ClassificationSettings(Section):
    """Your own rules, as CSV files whose rows go before duckpost's, and whether DNS is asked."""

    providers_file: Path | None = Field(
        None, description="whose mailboxes a domain has: domain, provider, has_feedback_loop"
    )
    machine_rules_file: Path | None = Field(
        None, description="what tells a machine's open or click from a person's"
    )
    bounce_rules_file: Path | None = Field(None, description="what a bounce is about")
    mx_lookups: bool = Field(
        default=False,
        description="whether DNS is asked who takes the mail of domains that are in no file; only "
        "recipients' domains leave the machine",
    )
    mx_providers_file: Path | None = Field(
        None, description="whose a host is that takes mail, or all hosts below: mx_suffix, provider"
    )
    dns_servers: list[str] = Field(
        default_factory=list,
        description="whom to ask, each an IPv4 address, or one with a port; none is as the system "
        "is set up",
    )

    @field_validator("dns_servers")
    @classmethod
    def _are_addresses(cls, value: list[str]) -> list[str]:
        for server in value:
            address, colon, port = server.partition(":")
            try:
                IPv4Address(address)
                is_port = not colon or 0 < int(port) < 65_536  # noqa: PLR2004 - ports have 16 bits
            except ValueError:
                is_port = False
            if not is_port:
                raise ValueError(f"{server!r} is no address such as 192.0.2.53 or 127.0.0.1:5353")
        return value


class PrivacySettings(Section):
    """How soon what is to be forgotten has left the disk."""

    erase_rewrite_days: float = Field(
        7.0,
        ge=0,
        description="how long after `erase` the worker rewrites the file, so that the last bytes "
        "of the address leave it; one rewrite serves all erasures until then",
    )
