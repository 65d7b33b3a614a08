"""Values of parameters, binary or of arrays, as the texts of them."""

import struct
import uuid
from collections.abc import Callable
from datetime import date
from decimal import InvalidOperation
from typing import Final

from consumer.endpoint.types.epoch import EPOCH, EPOCH_DAY, EPOCH_UTC, MICROSECOND
from consumer.endpoint.types.known import BY_OID, TEXT, BadValue, PgType
from consumer.endpoint.types.numeric import unpack_numeric


def _unpack_interval(data: bytes) -> str:
    micros, days, months = struct.unpack("!qii", data)
    return f"{months} months {days} days {micros} microseconds"


_UNPACKERS: Final[dict[str, Callable[[bytes], str]]] = {
    "bool": lambda data: "true" if struct.unpack("!?", data)[0] else "false",
    "int2": lambda data: str(struct.unpack("!h", data)[0]),
    "int4": lambda data: str(struct.unpack("!i", data)[0]),
    "int8": lambda data: str(struct.unpack("!q", data)[0]),
    "oid": lambda data: str(struct.unpack("!I", data)[0]),
    "float4": lambda data: str(struct.unpack("!f", data)[0]),
    "float8": lambda data: str(struct.unpack("!d", data)[0]),
    "numeric": unpack_numeric,
    "date": lambda data: date.fromordinal(struct.unpack("!i", data)[0] + EPOCH_DAY).isoformat(),
    "time": lambda data: str((EPOCH + struct.unpack("!q", data)[0] * MICROSECOND).time()),
    "timestamp": lambda data: (EPOCH + struct.unpack("!q", data)[0] * MICROSECOND).isoformat(
        sep=" "
    ),
    "timestamptz": lambda data: (EPOCH_UTC + struct.unpack("!q", data)[0] * MICROSECOND).isoformat(
        sep=" "
    ),
    "interval": _unpack_interval,
    "uuid": lambda data: str(uuid.UUID(bytes=data)),
    "jsonb": lambda data: data[1:].decode(),  # a version comes before it
}


def unpack(data: bytes, type_: PgType) -> str:
    """A parameter's binary value as the text of it. Raises `BadValue`."""
    try:
        return _UNPACKERS.get(type_.name, bytes.decode)(data)
    except (struct.error, ValueError, OverflowError, InvalidOperation) as error:
        raise BadValue(f"{len(data)} bytes are no binary {type_.name}") from error


def unpack_array(data: bytes) -> tuple[list[str | None], PgType]:
    """A parameter's binary array, of one dimension, as texts. Raises `BadValue`."""
    try:
        dimensions, _, oid = struct.unpack_from("!iiI", data)
        item = BY_OID.get(oid, TEXT)
        if dimensions == 0:
            return [], item
        if dimensions != 1:
            raise BadValue("arrays of more than one dimension are not taken as parameters")
        (count,) = struct.unpack_from("!i", data, 12)
        at, values = 20, list[str | None]()
        for _ in range(count):
            (length,) = struct.unpack_from("!i", data, at)
            at += 4
            if length < 0:
                values.append(None)
                continue
            if at + length > len(data):
                raise BadValue("an array ends before its last item")
            values.append(unpack(data[at : at + length], item))
            at += length
    except struct.error as error:
        raise BadValue(f"{len(data)} bytes are no binary array") from error
    return values, item


def parse_array(text: str) -> list[str | None]:
    """An array of one dimension as PostgreSQL writes it, ``{a,"b c",NULL}``. Raises `BadValue`."""
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise BadValue(f"no array: {text[:50]!r}")
    values: list[str | None] = []
    at, end = 1, len(inner) - 1
    while at < end:
        part, is_quoted = "", False
        if inner[at] == '"':
            is_quoted = True
            at += 1
            while at < end and inner[at] != '"':
                at += inner[at] == "\\"
                part += inner[at]
                at += 1
            at += 1
        else:
            while at < end and inner[at] != ",":
                if inner[at] in '{}"':
                    raise BadValue("arrays of more than one dimension are not taken as parameters")
                at += inner[at] == "\\"
                part += inner[at]
                at += 1
            part = part.strip()
        if at < end and inner[at] != ",":
            raise BadValue(f"no array: {text[:50]!r}")
        at += 1
        values.append(None if part.upper() == "NULL" and not is_quoted else part)
    return values
