"""The changelog keeps the grammar that it states."""

import re
from itertools import pairwise
from pathlib import Path

LINES = (Path(__file__).parents[2] / "CHANGELOG.md").read_text().splitlines()
KINDS = ["Figures", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_releases_are_headed_by_version_and_date_with_the_unreleased_first() -> None:
    first, *released = [line for line in LINES if line.startswith("## ")]

    assert first == "## [Unreleased]"
    for heading in released:
        assert re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading), heading


def test_kinds_of_change_stand_in_their_order_and_are_never_empty() -> None:
    body = [line for line in LINES[LINES.index("## [Unreleased]") :] if line]

    ranks: list[int] = []
    for line, following in pairwise([*body, "## end"]):
        if line.startswith("## "):
            ranks = []
        elif line.startswith("### "):
            ranks.append(KINDS.index(line.removeprefix("### ")))
            assert ranks == sorted(set(ranks)), line
            assert following.startswith("- "), line


def test_an_entry_is_a_whole_sentence() -> None:
    text = "\n".join(LINES[LINES.index("## [Unreleased]") :])

    for entry in re.findall(r"^- (.*(?:\n  .*)*)", text, flags=re.MULTILINE):
        assert entry.endswith("."), entry
