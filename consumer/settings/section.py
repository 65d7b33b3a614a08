"""What every table of the settings is made of."""

import difflib
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every table of the file: unknown keys are refused, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def suggest(word: str, known: Mapping[str, object] | set[str] | list[str]) -> str:
    """Return a half-sentence that names the known word nearest to ``word``, or nothing."""
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]}?" if nearest else ""
