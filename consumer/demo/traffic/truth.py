"""The simulator's own ledger: what it made happen, counted as it made it.

Counted in plain Python from the metrics' definitions while the events are written, never from
the events: a fault in duckpost's decoding or SQL can't repeat itself here.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple, Self


class StreamKey(NamedTuple):
    """What figures are kept by: a configuration set is one of an account and a region."""

    account: str
    region: str
    configuration_set: str | None


@dataclass(slots=True)
class Figures:
    """The true counts of one stream, named as the columns of the views are."""

    sends: int = 0
    rejects: int = 0
    rendering_failures: int = 0
    suppressed: int = 0
    attempted: int = 0
    outcomes: int = 0
    deliveries: int = 0
    single_recipient_deliveries: int = 0
    accepted: int = 0
    hard_bounces: int = 0
    soft_bounces: int = 0
    undetermined_bounces: int = 0
    auto_replies: int = 0
    aws_bounces: int = 0
    aws_sends: int = 0
    complaints: int = 0
    auth_failure_complaints: int = 0
    virus_complaints: int = 0
    delays: int = 0
    ses_delays: int = 0
    receiver_delays: int = 0
    opens: int = 0
    machine_opens: int = 0
    unique_opens: int = 0
    unique_human_opens: int = 0
    clicks: int = 0
    machine_clicks: int = 0
    unique_clicks: int = 0
    unique_human_clicks: int = 0
    unique_engaged: int = 0
    unique_human_engaged: int = 0
    unsubscribes: int = 0


FIGURE_NAMES = tuple(item.name for item in fields(Figures))


@dataclass(slots=True)
class Pipeline:
    """What went over the wire, in payloads times recipients unless it says otherwise.

    ``received`` is ``inserted + repeated + quarantined + ignored``; which copy of a repeated
    event came first decides whether duckpost calls it superseded or duplicate.
    """

    payloads: int = 0
    received: int = 0
    inserted: int = 0
    repeated: int = 0
    quarantined: int = 0
    ignored: int = 0


@dataclass(slots=True)
class Truth:
    """All that can be known about the traffic so far; complete once the payloads are."""

    messages: int = 0
    figures: dict[StreamKey, Figures] = field(default_factory=dict)
    pipeline: Pipeline = field(default_factory=Pipeline)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values, for a pipe between processes."""
        return {
            "messages": self.messages,
            "figures": [[*key, asdict(figures)] for key, figures in self.figures.items()],
            "pipeline": asdict(self.pipeline),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        return cls(
            messages=values["messages"],
            figures={StreamKey(*key): Figures(**counts) for *key, counts in values["figures"]},
            pipeline=Pipeline(**values["pipeline"]),
        )
