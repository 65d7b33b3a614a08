"""What a bounce is about: the first rule that fits, and the class that it gives.

Rules are rows of ``bounce_rules``. Equal bounces are asked about once: receivers say the same to
many recipients. A statement with so many patterns took 50 ms to plan, Arrow 30 to compile them.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.rules.rows import AUTO_REPLY, SES_SUPPRESSION, BounceRule

# What a verdict rests on.
SAID: Final = ("bounce_type", "bounce_sub_type", "is_auto_reply", "status", "diagnostic_code")
# As the macro is_suppression has them.
SUPPRESSIONS: Final = (
    *("Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"),
    *("EmailValidationSuppressed", "UnsubscribedRecipient"),
)
# Diagnostic texts are long and may never repeat: so many are a few megabytes.
_MOST_REMEMBERED: Final = 4096
# Of a text; receivers write it, and an expression's time grows with it.
_MOST_CHARACTERS: Final = 1_000
# The enhanced status code (RFC 3463): SES's, or the text's own where that is missing or says no
# more than 5.0.0.
_CODE: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![\d])")
_CODE_IN_TEXT: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d]|\.\d)")
_SAYS_NOTHING: Final = frozenset({"2.0.0", "4.0.0", "5.0.0"})


class Verdict(NamedTuple):
    """What a bounce is about; ``rule`` is None where no rule fits."""

    rule: str | None
    bounce_class: str


_UNDETERMINED: Final = Verdict(None, "undetermined")


class Bounces:
    """Judges bounces by rules of which the first that fits gives its class.

    SES's own words that say it all go first: that it did not even try, and automatic replies.

    Args:
        rules: the first to try first; each has a condition.
    """

    def __init__(self, rules: Sequence[BounceRule]) -> None:
        self._rules = [_Rule(rule) for rule in rules]
        self._known: dict[tuple[Any, ...], Verdict] = {}

    def judge(self, rows: pa.Table) -> pa.Table:
        """Return the rows with ``bounce_rule`` and ``bounce_class``, NULL for what is no bounce."""
        is_bounce = pc.equal(rows["event_type"], "Bounce").combine_chunks()
        said = rows.select(SAID).filter(is_bounce).to_pylist()
        names = [tuple(bounce.values()) for bounce in said]
        for name in set(names) - self._known.keys():
            self._known[name] = self._find(*name)
        verdicts = [self._known[name] for name in names]
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        for place, column in enumerate(("bounce_rule", "bounce_class")):
            nothing = pa.nulls(rows.num_rows, pa.string())
            found = pa.array([verdict[place] for verdict in verdicts], pa.string())
            rows = rows.append_column(column, pc.replace_with_mask(nothing, is_bounce, found))
        return rows

    def _find(
        self,
        bounce_type: str | None,
        sub_type: str | None,
        is_auto_reply: bool | None,
        status: str | None,
        text: str | None,
    ) -> Verdict:
        if sub_type in SUPPRESSIONS:
            return Verdict(SES_SUPPRESSION, "suppressed")
        if is_auto_reply:
            return Verdict(AUTO_REPLY, "auto_reply")
        text = (text or "")[:_MOST_CHARACTERS]
        code = _find_code(status, text)
        for rule in self._rules:
            if rule.fits(bounce_type, sub_type, code, text):
                return rule.verdict
        return _UNDETERMINED


class _Rule:
    """A rule with its expressions compiled."""

    def __init__(self, rule: BounceRule) -> None:
        self.verdict = Verdict(rule.rule, str(rule.bounce_class))
        self._type = rule.bounce_type
        self._sub_type = rule.bounce_sub_type
        self._code = rule.status_pattern and re.compile(
            re.escape(rule.status_pattern).replace("X", r"\d+")
        )
        self._text = rule.diagnostic_pattern and re.compile(rule.diagnostic_pattern)

    def fits(self, bounce_type: str | None, sub_type: str | None, code: str, text: str) -> bool:
        """Whether all conditions hold."""
        return (
            (self._type is None or self._type == bounce_type)
            and (self._sub_type is None or self._sub_type == sub_type)
            and (not self._code or bool(self._code.fullmatch(code)))
            and (not self._text or bool(self._text.search(text)))
        )


def _find_code(status: str | None, text: str) -> str:
    said = _CODE.match(status or "")
    if said and said[0] not in _SAYS_NOTHING:
        return said[0]
    in_text = _CODE_IN_TEXT.search(text)
    return in_text[0] if in_text else ""
