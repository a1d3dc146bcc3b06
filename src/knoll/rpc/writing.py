"""Writes the wire format of Protocol Buffers (proto3), for the messages of `messages`."""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.rpc.fields import BYTES, FIXED32, KINDS, NUMBERS, VARINT, Schema

__all__ = ["encode"]


def encode(value: Mapping[str, Any], message: str, schema: Schema) -> bytes:
    """The message as bytes. Without need, zeros and empty texts are left out."""
    return b"".join(_encoded(value, message, schema))


def _encoded(value: Mapping[str, Any], message: str, schema: Schema) -> Iterator[bytes]:
    for field in schema[message]:
        if (given := value.get(field.name)) is None:
            continue
        if field.label == "map":
            for key, one in given.items():
                yield from _long(field.number, encode({"key": key, "value": one}, field.kind, schema))
        elif field.is_repeated and field.kind in KINDS:
            if len(given):
                yield from _long(field.number, _packed(given, field.kind))
        elif field.kind in KINDS:
            if given or field.label:
                yield _tag(field.number, KINDS[field.kind]) + _packed([given], field.kind)
        else:
            for one in given if field.is_repeated else [given]:
                made = one.encode() if isinstance(one, str) else one
                made = encode(made, field.kind, schema) if isinstance(made, Mapping) else made
                if len(made) or field.label or field.kind not in ("string", "bytes"):
                    yield from _long(field.number, made)


def _packed(given: Any, kind: str) -> bytes:
    """The numbers of an array or a list, one behind the other."""
    if (wire := KINDS[kind]) == VARINT:
        is_array = hasattr(given, "astype")
        return _varints(given) if is_array else b"".join(_varint_of(one & 2**64 - 1) for one in given)
    if hasattr(given, "astype"):
        made: bytes = given.astype(NUMBERS[kind], copy=False).tobytes()
        return made
    return struct.pack(f"<{len(given)}{'f' if wire == FIXED32 else 'd'}", *given)


def _varints(given: Any) -> bytes:
    import numpy as np

    values = given.astype(np.uint64 if given.dtype.kind == "u" else np.int64).view(np.uint64)
    lengths, rest = np.ones(len(values), np.int64), values >> np.uint64(7)
    while rest.any():
        lengths += rest > 0
        rest >>= np.uint64(7)
    starts = np.cumsum(lengths) - lengths
    made = np.empty(int(lengths.sum()), np.uint8)
    for index in range(int(lengths.max(initial=0))):
        longer = lengths > index
        bits = (values[longer] >> np.uint64(7 * index)).astype(np.uint8) & 0x7F
        made[starts[longer] + index] = bits | ((lengths[longer] > index + 1) << 7).astype(np.uint8)
    return made.tobytes()


def _long(number: int, body: bytes) -> tuple[bytes, bytes]:
    return _tag(number, BYTES) + _varint_of(len(body)), body


def _tag(number: int, wire: int) -> bytes:
    return _varint_of(number << 3 | wire)


def _varint_of(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
