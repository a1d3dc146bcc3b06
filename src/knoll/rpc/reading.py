"""Reads the wire format of Protocol Buffers (proto3), for the messages of `messages`.

A body is hardly copied: bytes stay a view of it, and packed numbers, too, until somebody asks for them with
`numbers`. So a small body cannot become a large object: of its fields there are some thousands at most, and
its texts, of which a letter may take four bytes for each of its own, are short.
"""

import struct
from collections.abc import Iterator
from typing import Any

from knoll.errors import InvalidInstance
from knoll.rpc.fields import BYTES, FIXED32, FIXED64, KINDS, NUMBERS, VARINT, MessageField, Schema

__all__ = ["Packed", "decode", "first_text", "numbers"]

_MOST_FIELDS = 10_000
_MOST_TEXT = 2**20  # bytes of all texts together
_FIXED = {FIXED64: 8, FIXED32: 4}
_LONGEST = 10  # bytes of a number


class Packed(list[memoryview]):
    """The numbers of a repeated field as they came, in parts."""


def decode(body: memoryview, message: str, schema: Schema) -> dict[str, Any]:
    """The fields that the body has, by name. Raises InvalidInstance."""
    return _MessageReader(schema).read(body, message)


def first_text(body: memoryview, number: int) -> str:
    """The first field with that number, a string. Raises InvalidInstance if the message ends before it."""
    for found, wire, value in _MessageReader({})._fields(body):
        if found == number and wire == BYTES:
            return _text(value)
    raise _broken(f"it has no field {number}")


def numbers(parts: Packed, kind: str) -> Any:
    """The numbers as an array of numpy, which takes up to 64 bytes for each byte of them. Raises
    InvalidInstance."""
    import numpy as np

    raw = np.frombuffer(b"".join(parts), np.uint8)
    if (wire := KINDS[kind]) != VARINT:
        if len(raw) % _FIXED[wire]:
            raise _broken(f"{len(raw)} bytes are no whole number of {kind}")
        return raw.view(NUMBERS[kind])
    ends = np.flatnonzero(raw < 0x80)
    starts = np.append(0, ends[:-1] + 1) if len(ends) else ends
    lengths = ends - starts + 1
    if len(raw) and (raw[-1] >= 0x80 or lengths.max() > _LONGEST):
        raise _broken(f"a number of {kind} has no end")
    found = np.zeros(len(ends), np.uint64)
    for index in range(int(lengths.max(initial=0))):
        longer = lengths > index
        found[longer] |= (raw[starts[longer] + index] & 0x7F).astype(np.uint64) << np.uint64(7 * index)
    return found != 0 if kind == "bool" else found.astype(NUMBERS[kind])


class _MessageReader:
    """Reads one body."""

    def __init__(self, schema: Schema) -> None:
        self._schema, self._left, self._text = schema, _MOST_FIELDS, _MOST_TEXT

    def read(self, body: memoryview, message: str) -> dict[str, Any]:
        fields = {one.number: one for one in self._schema[message]}
        found: dict[str, Any] = {}
        for number, wire, value in self._fields(body):
            field = fields.get(number)
            if field is not None:  # others may be of a newer protocol
                self._add(found, field, wire, value)
        return found

    def _fields(self, body: memoryview) -> Iterator[tuple[int, int, Any]]:
        at = 0
        while at < len(body):
            self._left -= 1
            if self._left < 0:
                raise _broken(f"it has more than {_MOST_FIELDS:,} fields; send tensors in raw form")
            tag, at = _varint(body, at)
            wire, began = tag & 7, at
            if wire == VARINT:
                _, at = _varint(body, at)
            elif wire == BYTES:
                size, began = _varint(body, at)
                at = began + size
            elif wire in _FIXED:
                at += _FIXED[wire]
            else:
                raise _broken(f"a field of the kind {wire}")
            if at > len(body) or not tag >> 3:
                raise _broken("a field is longer than the message" if at > len(body) else "a field 0")
            yield tag >> 3, wire, body[began:at]

    def _add(self, found: dict[str, Any], field: MessageField, wire: int, value: memoryview) -> None:
        if field.kind in KINDS:
            if field.is_repeated and wire in (KINDS[field.kind], BYTES):
                found.setdefault(field.name, Packed()).append(value)
            elif wire == KINDS[field.kind]:
                found[field.name] = _number(value, field.kind)
        elif wire == BYTES and field.label == "map":
            pair = self.read(value, field.kind)
            found.setdefault(field.name, {})[pair.get("key", "")] = pair.get("value", {})
        elif wire == BYTES:
            made = self._made(value, field.kind)
            if field.is_repeated:
                found.setdefault(field.name, []).append(made)
            elif field.name in found and isinstance(made, dict):
                raise _broken(f"{field.name} comes twice")
            else:
                found[field.name] = made

    def _made(self, value: memoryview, kind: str) -> Any:
        if kind == "bytes":
            return value
        if kind != "string":
            return self.read(value, kind)
        self._text -= len(value)
        if self._text < 0:
            raise _broken(f"its texts have more than {_MOST_TEXT:,} bytes; send tensors in raw form")
        return _text(value)


def _text(value: memoryview) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError as error:
        raise _broken("a text is not UTF-8") from error


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = 0
    for index, byte in enumerate(body[at : at + _LONGEST]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & 2**64 - 1, at + index + 1
    raise _broken("a number has no end")


def _number(value: memoryview, kind: str) -> Any:
    if kind in ("float", "double"):
        return struct.unpack("<f" if kind == "float" else "<d", value)[0]
    read, _ = _varint(value, 0)
    if kind == "bool":
        return read != 0
    bits = 64 if kind.endswith("64") else 32
    read &= 2**bits - 1
    return read - 2**bits if kind.startswith(("int", "enum")) and read >> (bits - 1) else read


def _broken(what: str) -> InvalidInstance:
    return InvalidInstance(f"the message breaks the wire format: {what}")
