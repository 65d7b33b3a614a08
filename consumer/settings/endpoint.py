"""The table of the SQL endpoint."""

import ipaddress
import json
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from consumer.settings.section import Section


class EndpointUser(Section):
    """Somebody who may connect to the SQL endpoint."""

    name: str = Field(min_length=1, max_length=63, description="as clients give it")
    password: SecretStr = Field(min_length=12, description="never sent: SCRAM-SHA-256 proves it")
    role: Literal["reader", "support"] = Field(
        "reader", description="`reader` sees tokens and domains, `support` sees addresses"
    )


class EndpointSettings(Section):
    """Where PostgreSQL's protocol is spoken, and to whom; nobody until users are named."""

    enabled: bool = Field(default=True, description="whether to listen, once there are users")
    host: str = Field("127.0.0.1", description="address to listen on, this machine alone at first")
    port: int = Field(5433, ge=0, le=65_535, description="0 takes any free port")
    users: list[EndpointUser] = Field(
        default_factory=list,
        description="who may connect: tables of `name`, `password` (12 characters or more) and "
        "`role`, which is `reader` (tokens and domains in place of addresses) or `support`; as "
        "JSON in the environment",
    )
    certificate_file: Path | None = Field(
        None,
        description="PEM file of the certificate and its chain; TLS is required then, and without "
        "it only this machine can be listened to",
    )
    key_file: Path | None = Field(None, description="PEM file of the certificate's private key")
    insecure: bool = Field(
        default=False,
        description="whether other machines may connect without TLS, as in a container's own "
        "network; what they read crosses it in the clear",
    )
    max_connections: int = Field(64, ge=1, le=1_000, description="at once; one more is refused")
    max_active_queries: int = Field(
        4, ge=1, le=64, description="queries that run at once; others wait for their turn"
    )
    max_result_rows: int = Field(
        5_000_000, ge=1, description="a query that gives more is cut off with an error"
    )
    statement_timeout_secs: float = Field(
        60.0, gt=0, le=86_400, description="a statement that takes longer is cancelled"
    )
    idle_timeout_secs: float = Field(
        3_600.0, gt=0, description="a connection that asks nothing for this long is closed"
    )

    @field_validator("users", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError("not valid JSON: expected a list of users") from None
        return value

    @field_validator("users")
    @classmethod
    def _name_once(cls, value: list[EndpointUser]) -> list[EndpointUser]:
        if len({user.name for user in value}) < len(value):
            raise ValueError("two users have the same name")
        return value

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together: one of them is missing")
        is_clear = self.certificate_file is None and not self.insecure
        if self.is_open and is_clear and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines: give certificate_file "
                "and key_file for TLS, or insecure = true where the network is trusted"
            )
        return self

    @property
    def is_open(self) -> bool:
        """Whether the endpoint listens at all."""
        return self.enabled and bool(self.users)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
