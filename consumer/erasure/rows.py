"""Takes an address out of rows, arriving or stored, and gives those that change their new keys."""

import uuid
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from consumer.addresses import to_token
from consumer.erasure.text import Eraser
from consumer.rows.keys import bounded, to_event_key, to_micros

# Texts that are part of an event's key, by type; docs/metrics.md, "Identity of an event".
_KEYED: Final = {
    "Open": ("ip", "user_agent"),
    "Click": ("ip", "user_agent", "link"),
    "Subscription": ("contact_list", "new_preferences"),
}
_MAILBOXES: Final = frozenset({"recipient", "recipient_as_written", "source"})


def erase_from_rows(rows: pa.Table, eraser: Eraser, secret: bytes) -> pa.Table:
    """Replace the address in every column of rows of ``events``.

    An open or click in whose link (or a subscription in whose preferences) it stood gets the key
    that the rewritten payload has.
    """
    changed = {
        name: column
        for name in rows.schema.names
        if (column := _erase_from_column(rows[name], name, eraser)) is not None
    }
    if not changed:
        return rows
    erased = rows
    for name, column in changed.items():
        erased = erased.set_column(
            erased.schema.get_field_index(name), rows.schema.field(name), column
        )
    if any(name in changed for names in _KEYED.values() for name in names):
        erased = _renew_keys(rows, erased, secret)
    return erased


def _erase_from_column(column: pa.ChunkedArray, name: str, eraser: Eraser) -> pa.Array | None:
    """Return the column without the address; None where it has none."""
    if pa.types.is_string(column.type):
        erase = eraser.erase_mailboxes if name in _MAILBOXES else eraser.erase
        known = {
            text: replaced
            for text in pc.unique(column).to_pylist()
            if text is not None and (replaced := erase(text)) != text
        }
        if not known:
            return None
        return pa.array([known.get(text, text) for text in column.to_pylist()], column.type)
    if pa.types.is_map(column.type):
        values = column.to_pylist()
        erased = [_erase_from_map(value, eraser) for value in values]
        return None if erased == values else pa.array(erased, column.type)
    return None


def _erase_from_map(value: Any, eraser: Eraser) -> Any:  # noqa: ANN401 - pairs of a name and texts
    if value is None:
        return None
    return [(eraser.erase(name), [eraser.erase(one) for one in texts]) for name, texts in value]


def _renew_keys(rows: pa.Table, erased: pa.Table, secret: bytes) -> pa.Table:
    keys = erased["event_key"].to_pylist()
    before, after = _read_key_parts(rows), _read_key_parts(erased)
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        names = _KEYED.get(new["event_type"], ())
        if any(old[name] != new[name] for name in names):
            keys[number] = _to_key(new, secret)
    field = erased.schema.field("event_key")
    position = erased.schema.get_field_index("event_key")
    if pa.types.is_string(field.type):
        return erased.set_column(position, field, pa.array([str(key) for key in keys]))
    plain = pa.array([uuid.UUID(str(key)).bytes for key in keys], pa.binary(16))
    return erased.set_column(position, field, pa.ExtensionArray.from_storage(pa.uuid(), plain))


def _read_key_parts(rows: pa.Table) -> list[dict[str, Any]]:
    texts = {name for names in _KEYED.values() for name in names}
    names = ["event_type", "event_at", "message_id", "recipient", *sorted(texts)]
    parts: list[dict[str, Any]] = rows.select(names).to_pylist()
    return parts


def _to_key(row: dict[str, Any], secret: bytes) -> uuid.UUID:
    event_type, at = row["event_type"], str(to_micros(row["event_at"]))
    token = to_token(row["recipient"], secret) if row["recipient"] else ""
    own: tuple[str, ...]
    if event_type == "Subscription":
        own = (bounded(row["contact_list"]), row["new_preferences"])
    else:
        own = tuple(bounded(row[name]) for name in _KEYED[event_type])
    return uuid.UUID(bytes=to_event_key(event_type, row["message_id"], at, *own, token))
