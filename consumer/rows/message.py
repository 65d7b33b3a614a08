"""What an event says about its message: who sent it, from where, under which names."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from consumer.addresses import normalise

# SES's own tags that have a column of their own; every other tag stays in ``tags``.
# https://docs.aws.amazon.com/ses/latest/dg/monitor-using-event-publishing.html
COLUMN_TAGS = frozenset(
    {
        "ses:configuration-set",
        "ses:tenant-name",
        "ses:from-domain",
        "ses:caller-identity",
        "ses:operation",
        "ses:source-ip",
        "ses:source-tls-version",
        "ses:outgoing-ip",
        "ses:outgoing-tls-version",
    }
)

# The first four digits of a message id follow the region; seen, not documented.
_REGIONS = {
    "0100": "us-east-1",
    "0101": "us-west-2",
    "0102": "eu-west-1",
    "0106": "ap-northeast-1",
    "0107": "eu-central-1",
}


class Sender(NamedTuple):
    """The verified identity behind an ARN: ``arn:aws:ses:REGION:ACCOUNT:identity/NAME``."""

    region: str | None
    account: str | None
    identity: str | None


_NOBODY = Sender(None, None, None)


@lru_cache(maxsize=16_384)
def parse_source_arn(arn: str) -> Sender:
    """Take an identity's ARN apart; what is no such ARN says nothing."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":  # noqa: PLR2004 - an ARN's six fields
        return _NOBODY
    kind, _, name = parts[5].partition("/")
    identity = name.lower() if kind == "identity" and name else None
    return Sender(parts[3] or None, parts[4] or None, identity)


@lru_cache(maxsize=16_384)
def parse_source(source: str) -> tuple[str, str | None]:
    """Reduce the envelope sender to its bare address and domain."""
    text = normalise(source)
    _, at, domain = text.rpartition("@")
    return text, domain if at and domain else None


def region_of(sender: Sender, message_id: str, hint: str | None) -> str | None:
    """Name the region: the ARN's, else what the message id tells, else the wrapping's."""
    return sender.region or _REGIONS.get(message_id[:4]) or hint


def split_tags(
    tags: Mapping[str, Sequence[str]],
) -> tuple[dict[str, str], list[tuple[str, Sequence[str]]]]:
    """Part SES's own tags that have a column (their first value: they have one) from the rest.

    The rest keeps SES's order and all values.
    """
    own: dict[str, str] = {}
    rest: list[tuple[str, Sequence[str]]] = []
    for tag in tags.items():
        name, values = tag
        if name in COLUMN_TAGS:
            if values:
                own[name] = values[0]
        else:
            rest.append(tag)
    return own, rest
