"""What is wrong with a setting, in words a person can act on."""

from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from consumer.settings.model import Settings, source_models, source_tags
from consumer.settings.section import Section, suggest

_SECRETS: Final = frozenset(
    {"access_keys", "password", "users", "raw_secret"}
)  # no fault may show what stands there


def describe_fault(fault: ErrorDetails) -> str:
    """One line a person can act on: the setting's path, what was found, what was expected."""
    *parents, key = fault["loc"]
    model = _model_at(parents)
    # Pydantic puts the chosen type of a source into the path; nobody wrote it there.
    path = ".".join(str(part) for part in _without_tag(fault["loc"]))
    match fault["type"]:
        case "extra_forbidden":
            text = f"unknown setting{suggest(str(key), model.model_fields)}"
        case "missing":
            text = "missing"
        case "union_tag_invalid":
            tag = str(fault.get("ctx", {})["tag"])
            known = source_tags()
            text = f"type {tag!r} is no source{suggest(tag, known)}; known: {', '.join(known)}"
        case "union_tag_not_found":
            text = f"type is missing; known: {', '.join(source_tags())}"
        case "value_error":
            text = fault["msg"].removeprefix("Value error, ")
        case _ if _SECRETS.intersection(fault["loc"]):
            text = fault["msg"]
        case "string_pattern_mismatch" if examples := _examples_of(model, str(key)):
            text = f"expected such as {' or '.join(examples)}, found {fault['input']!r}"
        case _:
            found = fault["input"]
            # A table or list may hold a secret further in.
            shown = type(found).__name__ if isinstance(found, dict | list) else repr(found)
            text = f"{fault['msg']}, found {shown}"
    return f"{path}: {text}"


def _examples_of(model: type[BaseModel], key: str) -> list[str]:
    """Return what a person may write there; a pattern says little to them."""
    field = model.model_fields.get(key)
    return [str(example) for example in (field and field.examples) or ()]


def _model_at(parents: list[int | str]) -> type[Section]:
    match parents:
        case []:
            return Settings
        case ["sources", int(), str(tag), *_]:
            return dict(zip(source_tags(), source_models(), strict=True))[tag]
        case [str(section), *_]:
            annotation = Settings.model_fields[section].annotation
            return annotation if isinstance(annotation, type) else Settings
    return Settings


def _without_tag(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    match loc:
        case ("sources", int(index), str(), *rest):
            return (f"sources[{index}]", *rest)
        case ("sources", int(index)):
            return (f"sources[{index}]",)
    return loc
