"""The session's settings that drivers set and show; none of them changes anything of DuckDB's."""

from collections.abc import Mapping
from typing import Final

from consumer.endpoint.sqlstate import Refusal

SERVER_VERSION: Final = "15.0"

# Told to every client as it connects, because PostgreSQL does and drivers rely on it.
REPORTED: Final = (
    "server_version", "server_encoding", "client_encoding", "application_name", "is_superuser",
    "session_authorization", "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes",
    "standard_conforming_strings", "default_transaction_read_only", "in_hot_standby",
)  # fmt: skip

_FIXED: Final = {
    "server_version": SERVER_VERSION,
    "server_version_num": "150000",
    "server_encoding": "UTF8",
    "is_superuser": "off",
    "integer_datetimes": "on",
    "in_hot_standby": "off",
    "transaction_read_only": "on",
    "transaction_isolation": "read committed",
    "lc_collate": "C",
    "lc_ctype": "C",
    "lc_messages": "C",
    "max_identifier_length": "63",
    "max_index_keys": "32",
    "block_size": "8192",
    "ssl": "on",
}
_DEFAULTS: Final = {
    "application_name": "",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "datestyle": "ISO, MDY",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "on",
    "escape_string_warning": "on",
    "extra_float_digits": "1",
    "geqo": "on",
    "idle_in_transaction_session_timeout": "0",
    "intervalstyle": "postgres",
    "jit": "off",
    "lock_timeout": "0",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "search_path": '"$user", public',
    "session_authorization": "",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "synchronize_seqscans": "on",
    "timezone": "UTC",
    "transaction": "",
    "xmloption": "content",
}
# What can have one value alone, as it comes in many spellings.
_ONLY: Final = {
    "client_encoding": frozenset({"utf8", "utf-8", "unicode"}),
    "standard_conforming_strings": frozenset({"on", "true", "1"}),
    "bytea_output": frozenset({"hex"}),
    "intervalstyle": frozenset({"postgres"}),
}


class Variables:
    """One session's settings."""

    def __init__(self, user: str, startup: Mapping[str, str]) -> None:
        self._user = user
        self._start = dict(_DEFAULTS) | {"session_authorization": user}
        self._values = dict(self._start)
        for name, value in startup.items():
            lower = name.lower()
            # what a client wants at the start and cannot have is as if it had not asked
            if lower in _DEFAULTS and lower not in _ONLY and lower != "timezone":
                self._values[lower] = self._start[lower] = value

    def set(self, name: str, value: str | None) -> None:
        """Set one; None for its default. Raises `Refusal` for what is not known here."""
        lower = name.lower()
        if lower in _FIXED:
            raise Refusal("55P02", f'parameter "{name}" cannot be changed')
        if lower == "all" and value is None:
            self.reset()
            return
        if lower not in _DEFAULTS:
            raise Refusal(
                "42501",
                f'permission denied to set parameter "{name}"',
                hint="Readers change no setting of the warehouse; duckpost.toml has them.",
            )
        if value is None:
            self._values[lower] = self._start[lower]
            return
        only = _ONLY.get(lower)
        if only is not None and value.lower() not in only:
            raise Refusal("22023", f'invalid value for parameter "{name}": "{value}"')
        if lower in ("timezone", "default_transaction_read_only"):
            return  # times are sent in UTC, with their offset; and nothing is ever written
        self._values[lower] = value

    def show(self, name: str) -> str:
        """The value of one. Raises `Refusal` for an unknown one."""
        lower = name.lower()
        value = _FIXED.get(lower) or self._values.get(lower)
        if value is None:
            raise Refusal("42704", f'unrecognized configuration parameter "{name}"')
        return value

    def show_all(self) -> list[tuple[str, str]]:
        """Every setting and its value, by name."""
        return sorted({**self._values, **_FIXED}.items())

    def reset(self) -> None:
        """Everything as it was when the session began."""
        self._values = dict(self._start)

    def statement_timeout_secs(self, most: float) -> float:
        """The client's own limit where it is the lower one; PostgreSQL counts milliseconds."""
        text = self._values["statement_timeout"].strip().lower()
        for unit, secs in (("ms", 0.001), ("min", 60.0), ("s", 1.0), ("", 0.001)):
            number = text.removesuffix(unit).strip() if text.endswith(unit) else ""
            if number.replace(".", "", 1).isdigit():
                return min(float(number) * secs or most, most)
        return most
