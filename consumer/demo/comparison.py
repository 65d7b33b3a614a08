"""duckpost's figures beside the simulator's, cell by cell."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from consumer.demo.traffic.truth import FIGURE_NAMES, Figures, StreamKey, Truth

Read = Callable[[str], list[dict[str, object]]]

_KEY = ("account", "region", "configuration_set")
_AXES = ("by_send_cohort", "by_event_time")
# By cohort alone: on the event axis a numerator is no subset of its denominator.
_COHORT_ONLY = frozenset({"accepted"})
_RATE_SUMS = (
    "deliveries", "sent_deliveries", "delivery_sends", "attempted_or_outcomes", "hard_bounces",
    "soft_bounces", "undetermined_bounces", "block_bounces", "aws_bounces", "aws_mail",
    "complaints", "fbl_complaints", "fbl_deliveries", "delays", "delay_attempts", "unsubscribes",
    "list_deliveries", "unique_human_opens", "open_tracked_deliveries", "unique_human_clicks",
    "click_tracked_deliveries", "unique_clicks", "unique_engaged",
)  # fmt: skip
_DELIVERED = (
    "select sum(payloads) as payloads, sum(received) as received, sum(inserted) as inserted,"
    " sum(superseded) + sum(duplicates) as repeated, sum(quarantined) as quarantined,"
    " sum(ignored) as ignored from ledger"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure twice: what duckpost says, and what happened."""

    figure: float | None
    truth: float | None

    @property
    def is_equal(self) -> bool:
        """Whether duckpost has it right; NULL is right where there is nothing to divide by."""
        if self.figure is None or self.truth is None:
            return self.figure is self.truth
        return math.isclose(self.figure, self.truth, rel_tol=1e-12)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every figure that the simulator knows the truth of.

    Attributes:
        columns: by configuration set, then by figure, by send cohort.
        by_event_time: the same on the other axis.
        rates: of the counts by event time, over the whole time.
        pipeline: what came over the wire and became of it.
        strangers: configuration sets that duckpost reports and nobody used.
    """

    columns: Mapping[StreamKey, Mapping[str, Cell]]
    by_event_time: Mapping[StreamKey, Mapping[str, Cell]]
    rates: Mapping[StreamKey, Mapping[str, Cell]]
    pipeline: Mapping[str, Cell]
    strangers: frozenset[StreamKey]

    @property
    def cells(self) -> list[Cell]:
        """All of them."""
        groups = (self.columns, self.by_event_time, self.rates)
        columns = (*(column for group in groups for column in group.values()), self.pipeline)
        return [cell for column in columns for cell in column.values()]

    @property
    def equal_count(self) -> int:
        """How many are right."""
        return sum(cell.is_equal for cell in self.cells)

    @property
    def is_equal(self) -> bool:
        """Whether all are right and nothing else is there."""
        return self.equal_count == len(self.cells) and not self.strangers


def compare(truth: Truth, read: Read) -> Comparison:
    """Ask the views for every figure, over the whole time, and lay the truth beside it.

    Args:
        truth: complete.
        read: answers one query with a row a dictionary.
    """
    cohort, event_time = (_ask(truth, axis, read) for axis in _AXES)
    ledger = read(_DELIVERED)[0]
    return Comparison(
        columns=cohort[0],
        by_event_time=event_time[0],
        rates=_ask_rates(truth, read),
        pipeline={
            name: Cell(_to_int(ledger[name]), value)
            for name, value in asdict(truth.pipeline).items()
        },
        strangers=cohort[1] | event_time[1],
    )


def _ask(
    truth: Truth, axis: str, read: Read
) -> tuple[dict[StreamKey, dict[str, Cell]], frozenset[StreamKey]]:
    names = [n for n in FIGURE_NAMES if axis == "by_send_cohort" or n not in _COHORT_ONLY]
    sums = ", ".join(f"sum({name}) as {name}" for name in names)
    key = ", ".join(_KEY)
    rows = read(f"select {key}, {sums} from configuration_sets_daily_{axis} group by {key}")  # noqa: S608 - our own names
    found = {_to_key(row): row for row in rows}
    columns = {
        stream: {
            name: Cell(_to_int(found.get(stream, {}).get(name)), value)
            for name, value in asdict(figures).items()
            if name in names
        }
        for stream, figures in truth.figures.items()
    }
    return columns, frozenset(found) - frozenset(truth.figures)


def _ask_rates(truth: Truth, read: Read) -> dict[StreamKey, dict[str, Cell]]:
    """Let duckpost's own definitions divide its sums, and divide the truth by hand."""
    sums = ", ".join(f"sum({name}) as {name}" for name in _RATE_SUMS)
    key, rates = ", ".join(_KEY), ", ".join(_true_rates(Figures()))
    rows = read(
        f"with sums as (select {key}, {sums} from configuration_sets_daily_by_event_time"  # noqa: S608 - our own names
        f" group by {key}) select {key}, {rates} from rates_by_event_time('sums')"
    )
    found = {_to_key(row): row for row in rows}
    return {
        stream: {
            name: Cell(_to_float(found.get(stream, {}).get(name)), value)
            for name, value in _true_rates(figures).items()
        }
        for stream, figures in truth.figures.items()
    }


def _true_rates(figures: Figures) -> dict[str, float | None]:
    """Divide as the metrics are defined.

    Where Send is not published, recipients with an outcome stand in for those attempted.
    """
    tried = figures.attempted or figures.outcomes
    return {
        "delivery_rate": _divide(figures.deliveries if figures.sends else 0, figures.sends),
        "hard_bounce_rate": _divide(figures.hard_bounces, tried),
        "soft_bounce_rate": _divide(figures.soft_bounces, tried),
        "undetermined_bounce_rate": _divide(figures.undetermined_bounces, tried),
        "complaint_rate": _divide(figures.complaints, figures.deliveries),
        # Unknown as long as no DeliveryDelay was ever published.
        "delay_rate": _divide(figures.delays, tried) if figures.delays else None,
        "click_to_open_rate": _divide(figures.unique_clicks, figures.unique_engaged),
    }


def _divide(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def _to_float(value: object) -> float | None:
    return None if value is None else float(str(value))


def _to_int(value: object) -> int | None:
    return None if value is None else int(str(value))


def _to_key(row: dict[str, object]) -> StreamKey:
    name = row["configuration_set"]
    return StreamKey(str(row["account"]), str(row["region"]), None if name is None else str(name))
