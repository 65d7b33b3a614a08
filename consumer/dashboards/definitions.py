"""The words and formulas of figures, from the warehouse's own catalogues and nowhere else."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from consumer.warehouse import Warehouse, WarehouseOptions, open_warehouse


@dataclass(frozen=True, slots=True)
class Definitions:
    """What ``metric_catalogue`` and ``catalogue`` say.

    Attributes:
        words: what a metric, a view or a ``view.column`` means.
        parts: numerator and denominator of each rate.
    """

    words: dict[str, str]
    parts: dict[str, tuple[str, str]]

    def explain(self, *names: str, note: str = "") -> str:
        """Return a panel's description: the definition of each name, then the note.

        Raises `KeyError` for a name that no catalogue has.
        """
        lines = [f"**{name}**: {self.words[name]}" for name in names]
        return "\n\n".join([*lines, *([note] if note else [])])

    def rate(self, name: str, alias: str = "m") -> str:
        """Return the SQL of a rate over many rows: of the sums that the catalogue names."""
        numerator, denominator = self.parts[name]
        return f"rate(sum({alias}.{numerator}), sum({alias}.{denominator}))"

    def denominator(self, name: str, alias: str = "m") -> str:
        """Return the SQL of what stands under a rate over many rows."""
        return f"sum({alias}.{self.parts[name][1]})"


def count(name: str, alias: str = "m") -> str:
    """Return the SQL of a count over many rows: a plain integer, as sums of integers are wider."""
    return f"sum({alias}.{name})::bigint"


def read_definitions(warehouse: Warehouse) -> Definitions:
    """Ask a warehouse for its catalogues."""
    metrics = "select metric, numerator, denominator, description from metric_catalogue"
    with warehouse.read(metrics) as reader:
        rows = reader.read_all().to_pylist()
    words = {row["metric"]: row["description"] for row in rows}
    parts = {row["metric"]: (row["numerator"], row["denominator"]) for row in rows}
    with warehouse.read("select view_name, column_name, description from catalogue") as reader:
        for row in reader.read_all().to_pylist():
            name = ".".join(filter(None, (row["view_name"], row["column_name"])))
            words.setdefault(name, row["description"])
    return Definitions(words, {name: pair for name, pair in parts.items() if all(pair)})


def load_definitions() -> Definitions:
    """Return the definitions of this version: of an empty warehouse, made for the purpose."""
    with tempfile.TemporaryDirectory(prefix="duckpost-") as folder:
        options = WarehouseOptions(min_free_bytes=0, archive=False)
        with open_warehouse(Path(folder) / "empty.duckdb", options) as warehouse:
            return read_definitions(warehouse)
