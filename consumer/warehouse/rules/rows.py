"""One row of each file of rules, and what makes it a valid one."""

import re
from typing import Annotated, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

# Verdicts that rest on no row of a file: SES's own, and a bounce's shape (docs/metrics.md).
SES_BOT: Final = "ses_is_bot_event"
SES_SUPPRESSION: Final = "ses_suppression"
AUTO_REPLY: Final = "auto_reply_shape"
_TAKEN: Final = frozenset({SES_BOT, SES_SUPPRESSION, AUTO_REPLY})


def _require_re2(pattern: str) -> str:
    """Opens and clicks are many, and judged by DuckDB, whose expressions are those of RE2."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


def _require_expression(pattern: str) -> str:
    """Bounces are few, and judged in Python."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


def _require_free_name(rule: str) -> str:
    if rule in _TAKEN:
        raise ValueError(f"{rule!r} is the name of a verdict of duckpost's own; choose another")
    return rule


Re2 = Annotated[str, AfterValidator(_require_re2)]
Expression = Annotated[str, AfterValidator(_require_expression)]
RuleName = Annotated[str, AfterValidator(_require_free_name)]
Domain = Annotated[
    str,
    BeforeValidator(lambda text: text.lower().rstrip(".") if isinstance(text, str) else text),
    Field(pattern=r"^[^@\s.]+(\.[^@\s.]+)*$"),
]


class Row(BaseModel):
    """A line; what it leaves empty is None."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProviderRow(Row):
    """A recipient domain and whose mailboxes it has."""

    domain: Domain
    provider: str
    has_feedback_loop: bool | None = None


class MxRow(Row):
    """A mail host, or all hosts below a name, and whose mailboxes it takes mail for."""

    mx_suffix: Domain
    provider: str


class MachineRule(Row):
    """What tells a machine's open or click from a person's; all conditions must hold."""

    rule: RuleName
    event_type: Literal["Open", "Click"] | None = None
    user_agent_pattern: Re2 | None = None
    ip_prefix: str | None = None
    within_secs: float | None = Field(None, ge=0)
    note: str | None = None

    @property
    def has_condition(self) -> bool:
        """Whether it judges anybody in particular."""
        said = (self.event_type, self.user_agent_pattern, self.ip_prefix, self.within_secs)
        return any(one is not None for one in said)


class BounceRule(Row):
    """What a bounce is about; all conditions must hold. ``X`` in a status is any number."""

    rule: RuleName
    bounce_class: str | None = Field(None, alias="class")
    bounce_type: Literal["Permanent", "Transient", "Undetermined"] | None = None
    bounce_sub_type: str | None = None
    status_pattern: str | None = Field(None, pattern=r"^[245X]\.(\d{1,3}|X)\.(\d{1,3}|X)$")
    diagnostic_pattern: Expression | None = None
    note: str | None = None

    @property
    def has_condition(self) -> bool:
        """Whether it judges any bounce in particular."""
        said = (
            *(self.bounce_type, self.bounce_sub_type, self.status_pattern),
            self.diagnostic_pattern,
        )
        return any(one is not None for one in said)


class ClassRow(Row):
    """A class that bounce rules may give."""

    bounce_class: str = Field(alias="class")
    description: str
    sisimai_reasons: str | None = None
    sparkpost_codes: str | None = None
