"""Finds an address in any text that strangers write, in the forms in which it travels."""

import base64
import re
from functools import cached_property
from typing import Final

from consumer.addresses import Address, normalise
from consumer.erasure.payloads import PACKED, TakesOut

# What may stand right before an address without being part of it, though it ends in letters: an
# escape of a URL, of JSON, of quoted-printable.
_BEFORE: Final = (
    r"(?:(?<![a-z0-9._+-])|(?<=%[0-9a-f]{2})|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{4})"
    r"|(?<==(?-i:[0-9A-F]{2})))"
)
_AFTER: Final = r"(?![a-z0-9-]|\.[a-z0-9])"
# Fields that hold mailboxes, whose display names are the person's too.
_MAILBOXES: Final = frozenset(
    {"bcc", "cc", "destination", "emailaddress", "from", "recipients", "replyto", "reply-to"}
    | {"returnpath", "return-path", "sender", "source", "to"}
)
# A display name right before its mailbox; looked for in so many characters at most.
_NAME: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,;:<>"]*)\s*\Z')
_LONGEST_NAME: Final = 200
_IN_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")


class Eraser(TakesOut):
    """Replaces one address by its token and keeps the domain.

    Found are upper and lower case, percent-encoding, JSON's escapes, quoted-printable, the ``=`` of
    return paths, display names in fields of mailboxes, and base64 of the lower-case address. What
    was replaced is found no more: doing it twice changes nothing.

    Attributes:
        hints: runs of letters and digits that are in every text with the address, once that is in
            lower case; texts with its base64 have one of ``cores`` instead.

    Args:
        address: whom to erase.
    """

    def __init__(self, address: Address) -> None:
        local, _, domain = address.text.rpartition("@")
        self.address = address
        self._token = f"~{address.token}"
        self.cores = _to_base64_cores(address.text)
        parts = [re.findall(r"[a-z0-9]+", part) for part in (local, domain)]
        self.hints = [max(runs, key=len) for runs in parts if runs]

    @cached_property
    def _mailbox(self) -> str:
        local, _, domain = self.address.text.rpartition("@")
        spelled = _spell(local)
        return rf'(?:"{spelled}"|{spelled})(?P<rest>{_spell("@", "=")}{_spell(domain)})'

    # compiled when a text first needs it: that takes milliseconds, and most addresses never do

    @cached_property
    def _bare(self) -> re.Pattern[str]:
        return re.compile(rf"{_BEFORE}{self._mailbox}{_AFTER}", re.IGNORECASE)

    @cached_property
    def _enclosed(self) -> re.Pattern[str]:
        return re.compile(f"<{self._mailbox}>", re.IGNORECASE)

    def may_be_in(self, text: str, lower: str) -> bool:
        """Whether a text, also given in lower case, is worth `erase`; False is certain."""
        return all(hint in lower for hint in self.hints) or any(core in text for core in self.cores)

    def may_touch(self, content: bytes) -> bool:
        """Whether a closer look is worth its time; False is certain."""
        # in base64 that an address starts anywhere, with capitals, no search finds it
        if any(f'"{name}"'.encode() in content for name in PACKED):
            return True
        lower = content.lower()
        return all(hint.encode() in lower for hint in self.hints) or any(
            core.encode() in content for core in self.cores
        )

    def erase(self, text: str) -> str:
        """Replace the address wherever it stands in a text."""
        text = self._bare.sub(lambda found: self._token + found["rest"], text)
        return self._erase_packed(text)

    def erase_field(self, text: str, name: str) -> str:
        """Replace the address in a field: in those of mailboxes, display names and all."""
        return self.erase_mailboxes(text) if name in _MAILBOXES else self.erase(text)

    def erase_mailboxes(self, text: str) -> str:
        """Replace the address in a list of mailboxes, display names and all."""
        if normalise(text) == self.address.text:
            # quotes, comments, white space: whatever is around it is the person's
            domain = text.rpartition("@")[2].strip().rstrip('>"; ')
            is_named = "<" in text
            bare = f"{self._token}@{domain}"
            return f"<{bare}>" if is_named else bare
        return self.erase(self._erase_names(text))

    def _erase_names(self, text: str) -> str:
        parts, done = [], 0
        for found in self._enclosed.finditer(text):
            start = max(done, found.start() - _LONGEST_NAME)
            name = _NAME.search(text[start : found.start()])
            kept = start + (name.start() if name else found.start() - start)
            parts += [text[done:kept], f"<{self._token}{found['rest']}>"]
            done = found.end()
        return "".join([*parts, text[done:]])

    def _erase_packed(self, text: str) -> str:
        """Replace whole runs of base64: what is left of one would be unreadable anyway."""
        for core in self.cores:
            at = text.find(core)
            while at >= 0:
                start, end = at, at + len(core)
                while start and text[start - 1] in _IN_BASE64:
                    start -= 1
                while end < len(text) and (text[end] in _IN_BASE64 or text[end] == "="):
                    end += 1
                text = f"{text[:start]}{self._token}{text[end:]}"
                at = text.find(core, start + len(self._token))
        return text


def _spell(text: str, *others: str) -> str:
    """Return a pattern of all the ways in which a text is written in a URL, JSON or a header."""
    return "".join(_spell_character(one, others) for one in text)


def _spell_character(character: str, others: tuple[str, ...]) -> str:
    if character.isascii() and character.isalnum():
        return character
    octets = character.encode("utf-8", "surrogatepass")
    ways = [
        re.escape(character),
        "".join(f"%{octet:02x}" for octet in octets),
        "".join(f"={octet:02x}" for octet in octets),
        rf"\\+u{ord(character):04x}",
        f"&#{ord(character)};",
        *map(re.escape, others),
    ]
    return f"(?:{'|'.join(ways)})"


def _to_base64_cores(text: str) -> list[str]:
    """Return what of a text's base64 does not depend on what stands around it, for each offset."""
    octets = text.encode("utf-8", "surrogatepass")
    cores = []
    for lead in range(3):
        whole = base64.b64encode(b"\0" * lead + octets).decode().rstrip("=")
        start = (0, 2, 3)[lead]
        end = (lead + len(octets)) * 8 // 6
        cores.append(whole[start:end])
    return cores
