"""The rules that classify, read from files: those that come with duckpost, and a user's own.

A user's rows go before ours. A provider's domain is whoever's the user says; a rule named as one
of ours takes its place, and switches it off where its row has no condition.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from consumer.errors import SettingsError
from consumer.warehouse.rules.rows import (
    BounceRule,
    ClassRow,
    MachineRule,
    MxRow,
    ProviderRow,
    Row,
)

_NAMES: Final = (*("providers", "mx_providers", "machine_rules", "bounce_rules", "bounce_classes"),)
_MOST_FAULTS: Final = 20


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """A user's own files; None where there is none.

    Attributes:
        uses_mx: whether domains that are in no file are whoever's host takes their mail.
    """

    providers: Path | None = None
    machine_rules: Path | None = None
    bounce_rules: Path | None = None
    mx_providers: Path | None = None
    uses_mx: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that classifies, in the order in which it is tried.

    Attributes:
        mx_providers: none where mail hosts are not to be asked for.
        digest: of the files; equal files classify equally.
    """

    providers: Sequence[ProviderRow]
    mx_providers: Sequence[MxRow]
    machine_rules: Sequence[MachineRule]
    bounce_rules: Sequence[BounceRule]
    bounce_classes: Sequence[ClassRow]
    digest: str

    @property
    def looped(self) -> frozenset[str]:
        """Providers that tell SES who complained."""
        return frozenset(row.provider for row in self.providers if row.has_feedback_loop)


_AnyRow = TypeVar("_AnyRow", bound=Row)
_AnyRule = TypeVar("_AnyRule", MachineRule, BounceRule)


def digest_rules(seeds: Path, files: RuleFiles) -> str:
    """Hash the files as they are, unread. Raises `SettingsError` for one that cannot be opened."""
    digest = hashlib.sha256()
    ours = [seeds / f"{name}.csv" for name in _NAMES]
    own = (files.providers, files.mx_providers, files.machine_rules, files.bounce_rules)
    for file in (*ours, *own):
        digest.update(b"\0" if file is None else hashlib.sha256(_read(file)).digest())
    digest.update(b"\1" if files.uses_mx else b"\0")
    return digest.hexdigest()


def read_rules(seeds: Path, files: RuleFiles) -> Rules:
    """Read the seeds and lay a user's own files over them.

    Raises `SettingsError` with a line for every fault, each with its file and line.
    """
    faults: list[str] = []
    digest = digest_rules(seeds, files)
    classes = [row for _, row in _parse(seeds / "bounce_classes.csv", ClassRow, faults)]
    known = {row.bounce_class for row in classes}
    providers = _merge_providers(
        _parse(seeds / "providers.csv", ProviderRow, faults),
        _parse(files.providers, ProviderRow, faults),
        faults,
    )
    hosts = _merge_hosts(
        _parse(seeds / "mx_providers.csv", MxRow, faults),
        _parse(files.mx_providers, MxRow, faults),
        faults,
    )
    machines = _merge_rules(
        _parse(seeds / "machine_rules.csv", MachineRule, faults),
        _parse(files.machine_rules, MachineRule, faults),
        faults,
    )
    bounces = _merge_rules(
        _parse(seeds / "bounce_rules.csv", BounceRule, faults),
        _parse(files.bounce_rules, BounceRule, faults),
        faults,
    )
    for place, rule in bounces:
        if rule.bounce_class not in known:
            said = "no class" if rule.bounce_class is None else f"class {rule.bounce_class!r}"
            faults.append(f"{place}: {said}; known: {', '.join(sorted(known))}")
    faults.extend(_find_split_rules(bounces))
    if faults:
        left = len(faults) - _MOST_FAULTS
        shown = [*faults[:_MOST_FAULTS], *([f"and {left} more"] if left > 0 else [])]
        lines = "\n".join(f"  {fault}" for fault in shown)
        raise SettingsError(
            f"rules for classifying: {len(faults)} fault{'s' * (len(faults) > 1)}; nothing is "
            f"changed\n{lines}"
        )
    return Rules(
        providers,
        hosts if files.uses_mx else [],
        [rule for _, rule in machines],
        [rule for _, rule in bounces],
        classes,
        digest,
    )


_Parsed = Sequence[tuple[str, _AnyRow]]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error


def _parse(file: Path | None, model: type[_AnyRow], faults: list[str]) -> _Parsed[_AnyRow]:
    """Return the file's rows, each with its place for messages; faults are noted."""
    if file is None:
        return []
    try:
        text = _read(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.append(f"{file}: not UTF-8: {error}")
        return []
    columns = [field.alias or name for name, field in model.model_fields.items()]
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    rows: list[tuple[str, _AnyRow]] = []
    try:
        header = reader.fieldnames or []
        unknown = [name for name in header if name not in columns]
        doubled = sorted({name for name in header if header.count(name) > 1})
        if unknown or doubled or not header:
            what = (
                f"unknown column {', '.join(map(repr, unknown))}"
                if unknown
                else f"column {', '.join(doubled)} occurs twice"
                if doubled
                else "no header"
            )
            faults.append(f"{file}:1: {what}; known: {', '.join(columns)}")
            return []
        for record in reader:
            place = f"{file}:{reader.line_num}"
            if None in record or None in record.values():
                faults.append(f"{place}: the header has {len(header)} fields, this line has not")
                continue
            said = {name: value.strip() for name, value in record.items() if value.strip()}
            try:
                rows.append((place, model.model_validate(said)))
            except ValidationError as error:
                faults.extend(_describe(place, said, error))
    except csv.Error as error:
        faults.append(f"{file}:{reader.line_num}: not valid CSV: {error}")
    return rows


def _describe(place: str, said: Mapping[str, str], error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        column = str(fault["loc"][0])
        found = f", found {said[column]!r}" if column in said else ""
        match fault["type"]:
            case "value_error":
                text = fault["msg"].removeprefix("Value error, ")
            case "missing":
                text = "missing"
            case "string_pattern_mismatch" if column == "status_pattern":
                text = f"expected such as 5.1.1 or X.7.X{found}"
            case "string_pattern_mismatch":
                text = f"expected such as example.com{found}"
            case _:
                text = f"{fault['msg']}{found}"
        yield f"{place}: {column}: {text}"


def _merge_providers(
    ours: _Parsed[ProviderRow], own: _Parsed[ProviderRow], faults: list[str]
) -> list[ProviderRow]:
    """Let the user's domains go first; who has a feedback loop is said once for a provider."""
    _refuse_doubles(((place, row.domain) for place, row in ours), faults)
    _refuse_doubles(((place, row.domain) for place, row in own), faults)
    looped = {row.provider: row.has_feedback_loop or False for _, row in ours}
    said: dict[str, tuple[str, bool]] = {}
    for place, row in own:
        if row.has_feedback_loop is None:
            continue
        before = said.setdefault(row.provider, (place, row.has_feedback_loop))
        if before[1] != row.has_feedback_loop:
            faults.append(
                f"{place}: has_feedback_loop of {row.provider!r} differs from that of {before[0]}"
            )
    looped |= {provider: has for provider, (_, has) in said.items()}
    domains = {row.domain for _, row in own}
    kept = [*(row for _, row in own), *(row for _, row in ours if row.domain not in domains)]
    return [
        row.model_copy(update={"has_feedback_loop": looped.get(row.provider, False)})
        for row in kept
    ]


def _merge_hosts(ours: _Parsed[MxRow], own: _Parsed[MxRow], faults: list[str]) -> list[MxRow]:
    """Put the user's hosts in the place of ours of the same names."""
    for rows in (ours, own):
        _refuse_doubles(((place, row.mx_suffix) for place, row in rows), faults)
    named = {row.mx_suffix for _, row in own}
    return [*(row for _, row in own), *(row for _, row in ours if row.mx_suffix not in named)]


def _merge_rules(
    ours: _Parsed[_AnyRule], own: _Parsed[_AnyRule], faults: list[str]
) -> _Parsed[_AnyRule]:
    """Put the user's rules first, in the place of ours of the same names."""
    for rows in (ours, own):
        _refuse_doubles(
            ((place, str(row.model_dump(exclude={"note"}))) for place, row in rows),
            faults,
            what="this row",
        )
    names = {row.rule for _, row in own}
    known = {row.rule for _, row in ours}
    faults.extend(
        f"{place}: rule {row.rule!r} has no condition: it would judge everything; only one of "
        "duckpost's rules is switched off so"
        for place, row in own
        if not row.has_condition and row.rule not in known
    )
    merged = [(place, row) for place, row in own if row.has_condition]
    merged.extend((place, row) for place, row in ours if row.rule not in names)
    return merged


def _refuse_doubles(
    named: Iterable[tuple[str, str]], faults: list[str], *, what: str | None = None
) -> None:
    seen: dict[str, str] = {}
    for place, name in named:
        if name in seen:
            faults.append(f"{place}: {what or repr(name)} stands in {seen[name]} already")
        seen.setdefault(name, place)


def _find_split_rules(bounces: _Parsed[BounceRule]) -> Iterator[str]:
    classes: dict[str, tuple[str, str | None]] = {}
    for place, rule in bounces:
        first, named = classes.setdefault(rule.rule, (place, rule.bounce_class))
        if named != rule.bounce_class:
            yield f"{place}: rule {rule.rule!r} has another class than in {first}"
