"""How people are taken out of a payload: JSON, JSON and base64 inside of its texts, or neither."""

import base64
from abc import ABC, abstractmethod
from typing import Any, Final

from pydantic_core import from_json, to_json

# Fields that hold a payload in base64: Firehose's and Kinesis' wrappings.
PACKED: Final = frozenset({"data", "rawData"})


class TakesOut(ABC):
    """Takes people out of what strangers wrote; whom, and from which fields how, others say."""

    @abstractmethod
    def erase(self, text: str) -> str:
        """Return a text without them."""

    @abstractmethod
    def erase_field(self, text: str, name: str) -> str:
        """Return the text of a field without them; ``name`` is the field's, in lower case."""

    def erase_unparsed(self, text: str) -> str:
        """Return what is no JSON without them."""
        return self.erase(text)

    def erase_content(self, content: bytes) -> bytes:
        """Return a payload without them, JSON or not; as it was where nobody is in there."""
        try:
            value = from_json(content)
        except ValueError:
            text = content.decode("utf-8", "surrogateescape")
            return self.erase_unparsed(text).encode("utf-8", "surrogateescape")
        erased = self._erase_value(value)
        return content if erased == value else to_json(erased)

    def _erase_value(self, value: Any, key: str = "") -> Any:  # noqa: ANN401 - whatever JSON holds
        if isinstance(value, str):
            return self._erase_string(value, key)
        if isinstance(value, list):
            return [self._erase_value(one, key) for one in value]
        if isinstance(value, dict):
            is_header = set(value) == {"name", "value"} and isinstance(value["name"], str)
            named = value["name"] if is_header else None
            return {
                self.erase(name): self._erase_value(inner, named or name)
                for name, inner in value.items()
            }
        return value

    def _erase_string(self, text: str, key: str) -> str:
        if key in PACKED and (unpacked := _unpack(text)) is not None:
            erased = self.erase_content(unpacked)
            return text if erased == unpacked else base64.b64encode(erased).decode()
        if text[:1] in "{[" and text:
            try:
                value = from_json(text)
            except ValueError:
                pass
            else:
                erased_value = self._erase_value(value)
                return text if erased_value == value else to_json(erased_value).decode()
        return self.erase_field(text, key.lower())


def _unpack(text: str) -> bytes | None:
    """Return what a text is the base64 of; None where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
