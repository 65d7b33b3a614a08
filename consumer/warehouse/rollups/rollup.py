"""What a rollup is: the table, what it is made of, and the SQL that makes its rows of that."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumer.warehouse.rollups.counts import COUNTS

DIMENSIONS: Final = (
    *("account", "region", "configuration_set", "identity", "source", "from_domain", "provider"),
)
SUMMED: Final = ("events", *COUNTS)
# Who sent, where there is no configuration set that says as much.
WITHOUT_SET: Final = {
    name: f"if(configuration_set is null, {name}, null)"
    for name in ("identity", "source", "from_domain")
}


def to_counts(names: Iterable[str]) -> str:
    """Give the columns of changes' counts: ``n`` times each bit that is set."""
    bits = {name: f"n * ((counts >> {bit}) & 1)" for bit, name in enumerate(COUNTS)}
    return ", ".join(f"{bits.get(name, 'n')} as {name}" for name in names)


@dataclass(frozen=True, slots=True)
class Basis:
    """What rollups are made of: changes of one form, from batches or counted again from events.

    Attributes:
        deltas: the table of changes that are not folded yet.
        remains: the table of what is pruned and lies in hours that are not frozen yet.
        recounted: the temporary table of events that are counted again.
        dated: the question for the rows of such a ``{table}``, with hours and days on both axes.
        to_changes: gives the question for events in this form, of a condition on ``o``: hours of
            both axes and instants.
        to_remains: gives the same, for ``remains``.
        recount: gives the question for what `Rollup.to_rows` is to count, of a condition on hours
            and days and of what is frozen.
        has_bits: whether changes have ``n`` of each of the ``counts``, not a column a count.
    """

    deltas: str
    remains: str
    recounted: str
    dated: str
    to_changes: Callable[[str], str]
    to_remains: Callable[[str], str]
    recount: Callable[[str, datetime | None], str]
    has_bits: bool

    def to_dated(self, table: str) -> str:
        """Give the question for the rows of a table in this form, with hours and days."""
        return self.dated.format(table=table)


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table, or the part of one that an axis has.

    Attributes:
        basis: what it is made of.
        table: its name.
        axis: ``event`` or ``cohort``.
        when: the column that says when; the start of an hour (UTC), or a day of
            ``report_time_zone``.
        is_daily: which of the two.
        keys: columns and how they are made of a change, with the axis's own first.
        counted: columns to be added up.
        part: a condition on the rows of this axis.
        of: the relation that ``keys`` are made of, with ``{rows}`` for events or changes.
    """

    basis: Basis
    table: str
    axis: str
    when: str
    is_daily: bool
    keys: dict[str, str]
    counted: tuple[str, ...]
    part: str = "true"
    of: str = "({rows})"

    @property
    def name(self) -> str:
        """What `verify` calls it."""
        return self.table if self.part == "true" else f"{self.table} by {self.axis}_day"

    @property
    def deltas(self) -> str:
        """The question for changes that are not folded yet, with hours and days."""
        return self.basis.to_dated(self.basis.deltas)

    @property
    def recounted(self) -> str:
        """The same for events that were counted again."""
        return self.basis.to_dated(self.basis.recounted)

    def to_rows(self, rows: str) -> str:
        """Give the question for its rows of these rows, a column a count, added up."""
        return (
            f"select {self._made}, {self._to_sums()} from {self.of.format(rows=rows)} "
            f"group by all {self._not_empty}"
        )

    def to_rows_of(self, changes: str) -> str:
        """Give the question for its rows of these changes, with hours and days, added up.

        What counts alike under one key is added up first: forty sums of fewer rows.
        """
        if not self.basis.has_bits:
            return self.to_rows(changes)
        source = self.of.format(rows=changes)
        alike = f"select {self._made}, counts, sum(n)::bigint as n from {source} group by all"
        return (
            f"select {', '.join(self.keys)}, {self._to_sums()} from ("
            f"select {', '.join(self.keys)}, {to_counts(self.counted)} from ({alike})"
            f") group by all {self._not_empty}"
        )

    def to_compacted(self, condition: str, **other: str) -> str:
        """Give the question for its rows that meet a condition, one a key; none for nothing.

        ``other`` says what stands in the place of keys of those names.
        """
        keys = (f"{other[name]} as {name}" if name in other else name for name in self.keys)
        return (
            f"select {', '.join(keys)}, {self._to_sums()} from {self.table} "
            f"where {self.part} and {condition} group by all {self._not_empty}"
        )

    def between(self, start: datetime | None, end: datetime | None) -> str:
        """The condition on its rows of the periods from ``start`` to before ``end`` (UTC).

        A day that ``start`` lies in does not begin then, and counts as before it.
        """
        if not self.is_daily:
            return between(self.when, start, end)
        bounds = [f"{self.when} > {_day_before(start)}"] if start is not None else []
        bounds += [f"{self.when} <= {_day_before(end)}"] if end is not None else []
        return " and ".join(bounds) or "true"

    @property
    def _made(self) -> str:
        return ", ".join(f"{made} as {name}" for name, made in self.keys.items())

    @property
    def _not_empty(self) -> str:
        """Leaves out keys of which everything went as it came."""
        return f"having not ({' and '.join(f'sum({name}) = 0' for name in self.counted)})"

    def _to_sums(self) -> str:
        return ", ".join(f"sum({name})::bigint as {name}" for name in self.counted)


def between(column: str, start: datetime | None, end: datetime | None) -> str:
    """The condition that an instant lies from ``start`` to before ``end``; None is no bound."""
    bounds = []
    if start is not None:
        bounds.append(f"{column} >= timestamp '{start}'")
    if end is not None:
        bounds.append(f"{column} < timestamp '{end}'")
    return " and ".join(bounds) or "true"


def _day_before(at: datetime) -> str:
    """The day that ends by then, or is cut by it."""
    return f"report_day(timestamp '{at}' - interval 1 microsecond)"
