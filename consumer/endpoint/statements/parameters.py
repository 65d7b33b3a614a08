"""The values of a statement's parameters as SQL."""

import re
from collections.abc import Sequence

from consumer.endpoint.messages.fields import BINARY
from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements.tokens import to_literal
from consumer.endpoint.types import known
from consumer.endpoint.types.values import parse_array, unpack, unpack_array


def to_null(oid: int) -> str:
    """A NULL of the type, for finding out what a statement returns before it has values."""
    duckdb = _to_duckdb(oid)
    return f"null::{duckdb}" if duckdb else "null"


def to_value(data: bytes | None, form: int, oid: int) -> str:
    """A parameter's value as SQL. Raises `Refusal` for bytes that are no such value."""
    try:
        return _to_value(data, form, oid)
    except (known.BadValue, UnicodeDecodeError) as error:
        raise Refusal("22P02", f"invalid parameter: {error}") from error


def _to_value(data: bytes | None, form: int, oid: int) -> str:
    if data is None:
        return to_null(oid)
    item = known.ITEM_BY_ARRAY_OID.get(oid)
    if item is not None:
        if form == BINARY:
            values, item = unpack_array(data)
        else:
            values = parse_array(data.decode())
        inner = ", ".join("null" if one is None else to_literal(one) for one in values)
        return f"[{inner}]::{_plain(item.duckdb, values)}[]"
    type_ = known.BY_OID.get(oid, known.TEXT)
    text = unpack(data, type_) if form == BINARY else data.decode()
    if type_.duckdb == "varchar":
        return to_literal(text)  # fits wherever DuckDB wants something else than text
    if type_.name == "bytea":
        return _to_blob(data if form == BINARY else _parse_bytea(text))
    return f"{to_literal(text)}::{_plain(type_.duckdb, [text])}"


def _plain(duckdb: str, values: Sequence[str | None]) -> str:
    """Decimals have as many digits behind the point as the values need."""
    if not duckdb.startswith("decimal"):
        return duckdb
    if any(value and not re.fullmatch(r"-?\d*\.?\d*", value.strip()) for value in values):
        return "double"
    scale = max((len(value.partition(".")[2]) for value in values if value), default=0)
    return f"decimal(38,{min(scale, 18)})"


def _parse_bytea(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise known.BadValue("bytea is taken in hex, as \\x…")
    try:
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise known.BadValue("bytea is not hex") from error


def _to_blob(data: bytes) -> str:
    return "unhex('" + data.hex() + "')"


def _to_duckdb(oid: int) -> str | None:
    if oid in known.BY_OID:
        return known.BY_OID[oid].duckdb
    if oid in known.ITEM_BY_ARRAY_OID:
        return known.ITEM_BY_ARRAY_OID[oid].duckdb + "[]"
    return None
