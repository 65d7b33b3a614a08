"""A validation error as one line for a person: where, what was found, what was expected."""

from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_QUOTED_CHARS: Final = 80
_UNION_ARMS: Final = frozenset({"datetime", "str", "nullable", "CommonHeaders", "none"})
_EXPECTED: Final = {
    "missing": "it to be there",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "dict_type": "an object",
    "typed_dict_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of 64 bits",
    "int_from_float": "a whole number",
    "finite_number": "a finite number",
    "greater_than_equal": "a number of 64 bits",
    "less_than": "a number of 64 bits",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}


def describe_fault(error: ValidationError) -> str:
    """Say in one line what is wrong with a payload, most telling fault first.

    ``bounce.timestamp: found "yesterday", expected a time such as …``. Quotes no more than the
    offending scalar, shortened to 80 characters, and never an object or a list: those hold
    addresses and subjects.
    """
    details = error.errors(include_url=False)
    faults: dict[str, ErrorDetails] = {}
    for detail in details:
        # of one field's union arms the last is the most lenient: its refusal says what would do
        faults[_join_path(detail["loc"])] = detail
    path, detail = next(iter(faults.items()))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{path or 'payload'}: {_describe(detail)}{more}"


def _join_path(location: tuple[int | str, ...]) -> str:
    # the first step is the union's tag, the event type; the arms of inner unions follow fields
    steps = [
        step
        for step in location[1:]
        if not (isinstance(step, str) and (step in _UNION_ARMS or "[" in step))
    ]
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _describe(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "json_invalid":
        return detail["msg"]
    expected = _EXPECTED.get(kind, detail["msg"])
    if kind == "missing":
        return "missing"
    return f"found {_quote(detail['input'])}, expected {expected}"


def _quote(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            shown = value if len(value) <= _QUOTED_CHARS else value[:_QUOTED_CHARS] + "…"
            return (
                '"'
                + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
                + '"'
            )
        case _:
            return str(value)[:_QUOTED_CHARS]
