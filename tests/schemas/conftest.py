"""Events to validate, and to bend out of shape."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="session")
def make_event() -> Callable[..., dict[str, Any]]:
    """Read an example and set fields by dotted path; `...` removes one."""

    def make(name: str, **fields: object) -> dict[str, Any]:
        event: dict[str, Any] = json.loads((EXAMPLES / name).read_bytes())
        for path, value in fields.items():
            *parents, last = path.split("__")
            target = event
            for parent in parents:
                target = target[parent]
            if value is ...:
                target.pop(last, None)
            else:
                target[last] = value
        return event

    return make
