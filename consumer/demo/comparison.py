"""duckpost's figures beside the simulator's, cell by cell."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from consumer.demo.traffic_truth import FIGURE_NAMES, StreamKey, Truth

Read = Callable[[str], list[dict[str, object]]]

_KEY = ("account", "region", "configuration_set")
_AXES = ("by_send_cohort", "by_event_time")
# By cohort alone: on the event axis a numerator is no subset of its denominator.
_COHORT_ONLY = frozenset({"accepted"})
_DELIVERED = (
    "select sum(payloads) as payloads, sum(received) as received, sum(inserted) as inserted,"
    " sum(superseded) + sum(duplicates) as repeated, sum(quarantined) as quarantined,"
    " sum(ignored) as ignored from ledger"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure twice: what duckpost says, and what happened."""

    figure: int | None
    truth: int

    @property
    def is_equal(self) -> bool:
        """Whether duckpost has it right."""
        return self.figure == self.truth


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every figure that the simulator knows the truth of.

    Attributes:
        columns: by configuration set, then by figure, by send cohort.
        by_event_time: the same on the other axis.
        pipeline: what came over the wire and became of it.
        strangers: configuration sets that duckpost reports and nobody used.
    """

    columns: Mapping[StreamKey, Mapping[str, Cell]]
    by_event_time: Mapping[StreamKey, Mapping[str, Cell]]
    pipeline: Mapping[str, Cell]
    strangers: frozenset[StreamKey]

    @property
    def cells(self) -> list[Cell]:
        """All of them."""
        columns = (*self.columns.values(), *self.by_event_time.values(), self.pipeline)
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
    found = {StreamKey(*(_to_text(row[part]) for part in _KEY)): row for row in rows}  # type: ignore[arg-type] # account and region are never null here
    columns = {
        stream: {
            name: Cell(_to_int(found.get(stream, {}).get(name)), value)
            for name, value in asdict(figures).items()
            if name in names
        }
        for stream, figures in truth.figures.items()
    }
    return columns, frozenset(found) - frozenset(truth.figures)


def _to_int(value: object) -> int | None:
    return None if value is None else int(str(value))


def _to_text(value: object) -> str | None:
    return None if value is None else str(value)
