"""PostgreSQL's binary numeric: groups of four digits, as its source's numeric.c has it."""

import struct
from decimal import Decimal
from typing import Final

from consumer.endpoint.types.known import BadValue

_SIGN_NEGATIVE, _SIGN_NAN, _SIGN_INFINITY, _SIGN_MINUS_INFINITY = 0x4000, 0xC000, 0xD000, 0xF000
_DIGITS: Final = 4  # PostgreSQL keeps numerics in base 10,000


def pack_numeric(value: str) -> bytes:
    """A number, NaN and the infinities too, as its bytes."""
    number = Decimal(value)
    if number.is_nan():
        return struct.pack("!hhHh", 0, 0, _SIGN_NAN, 0)
    if number.is_infinite():
        sign = _SIGN_INFINITY if number > 0 else _SIGN_MINUS_INFINITY
        return struct.pack("!hhHh", 0, 0, sign, 0)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - finite
    text = "".join(map(str, digits)) + "0" * max(exponent, 0)
    scale = max(-exponent, 0)
    text = text.rjust(scale + 1, "0")
    whole, fraction = text[: len(text) - scale], text[len(text) - scale :]
    whole = whole.rjust(-(-len(whole) // _DIGITS) * _DIGITS, "0")
    fraction = fraction.ljust(-(-len(fraction) // _DIGITS) * _DIGITS, "0")
    groups = [
        int((whole + fraction)[at : at + _DIGITS])
        for at in range(0, len(whole + fraction), _DIGITS)
    ]
    weight = len(whole) // _DIGITS - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    head = struct.pack(
        "!hhHh", len(groups), weight if groups else 0, _SIGN_NEGATIVE if sign else 0, scale
    )
    return head + struct.pack(f"!{len(groups)}h", *groups)


def unpack_numeric(data: bytes) -> str:
    """Bytes as the decimal text of their number. Raises `BadValue` for what is not finite."""
    count, weight, sign, scale = struct.unpack_from("!hhHh", data)
    if sign in (_SIGN_NAN, _SIGN_INFINITY, _SIGN_MINUS_INFINITY):
        raise BadValue("numeric parameters have to be finite")
    groups = struct.unpack_from(f"!{count}h", data, 8)
    number = sum(
        (Decimal(group).scaleb((weight - at) * _DIGITS) for at, group in enumerate(groups)),
        Decimal(0),
    )
    text = format(number, "f") if scale else str(int(number))
    return f"-{text}" if sign == _SIGN_NEGATIVE else text
