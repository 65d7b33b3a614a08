"""Which lines a row's rates are over, in words: a colour of its own, that little mail has none of.

A cell of a table is coloured by its own value and nothing else, so one bounce of three mails would
be as red as a thousand of three thousand. What is judged is said in a column beside the rates.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from consumer.dashboards.definitions import Definitions
from consumer.dashboards.thresholds import LINES_OF_RATES, Line
from consumer.dashboards.words import to_words

COLUMN: Final = "over_lines"
NONE: Final = "none"
TOO_LITTLE: Final = "too little mail"
NOTE: Final = (
    f"**{to_words(COLUMN)}** names the rates that have reached a line, and the highest that each "
    f"has; with a denominator under 1,000 a rate is not judged, and where nothing is, it says "
    f"*{TOO_LITTLE}*."
)
_WORST_FIRST: Final = ("red", "orange", "dark-yellow")

Json = dict[str, Any]


def over_lines(definitions: Definitions, rates: Iterable[str]) -> str:
    """Return the column for rates over many rows; those without lines don't matter."""
    return to_column(
        {
            name: (definitions.rate(name), definitions.denominator(name))
            for name in rates
            if name in LINES_OF_RATES
        }
    )


def to_column(judged: Mapping[str, tuple[str, str]]) -> str:
    """Return the column: of each rate, its SQL and that of its denominator."""
    reached = ",\n            ".join(
        _to_case(name, rate, denominator) for name, (rate, denominator) in judged.items()
    )
    too_little = " and ".join(
        f"is_small_sample({denominator})" for _, denominator in judged.values()
    )
    return (
        "coalesce(\n"
        f"        nullif(concat_ws(', ',\n            {reached}\n        ), ''),\n"
        f"        if({too_little}, '{TOO_LITTLE}', '{NONE}')\n"
        f"    ) as {COLUMN}"
    )


def to_mappings() -> list[Json]:
    """Return Grafana's value mappings: the colour of the worst line that a text names."""
    texts: dict[str, list[str]] = {}
    for name, lines in LINES_OF_RATES.items():
        for line in lines:
            texts.setdefault(line.color, []).append(_to_text(name, line))
    worst_first = sorted(texts, key=_WORST_FIRST.index)
    return [
        {
            "type": "regex",
            "options": {
                "pattern": f"/{'|'.join(re.escape(text) for text in texts[color])}/",
                "result": {"color": color, "index": number},
            },
        }
        for number, color in enumerate(worst_first)
    ]


def _to_case(name: str, rate: str, denominator: str) -> str:
    """Return the SQL of the highest line that a rate has reached; NULL for none."""
    reached = " ".join(
        f"when {rate} >= {line.value:g} then '{_to_text(name, line)}'"
        for line in reversed(LINES_OF_RATES[name])
    )
    return f"case when is_small_sample({denominator}) then null {reached} end"


def _to_text(name: str, line: Line) -> str:
    return f"{to_words(name)} ≥ {line.value * 100:g} %"
