"""The wire format of Protocol Buffers (proto3), for the messages of `messages`.

A body is hardly copied: bytes stay a view of it, and packed numbers, too, until somebody asks for them with
`numbers`. So a small body cannot become a large object: of its fields there are some thousands at most, and
its texts, of which a letter may take four bytes for each of its own, are short.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.errors import InvalidInstance

__all__ = ["NUMBERS", "MessageField", "Packed", "Schema", "decode", "encode", "first_text", "numbers"]

NUMBERS = {  # the kinds of numbers, and their codes in numpy
    "bool": "?",
    "int32": "<i4",
    "int64": "<i8",
    "uint32": "<u4",
    "uint64": "<u8",
    "float": "<f4",
    "double": "<f8",
}
_MOST_FIELDS = 10_000
_MOST_TEXT = 2**20  # bytes of all texts together
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_WIRE = {**dict.fromkeys(NUMBERS, _VARINT), "enum": _VARINT, "float": _FIXED32, "double": _FIXED64}
_LONGEST = 10  # bytes of a number


@dataclass(frozen=True)
class MessageField:
    """A field of a message. `kind` is that of a number, string, bytes, enum, or the name of another message.
    `label` is "", "repeated", "map" (its kind has a `key` and a `value`), or the oneof that it is part of."""

    number: int
    label: str
    kind: str
    name: str

    @property
    def is_repeated(self) -> bool:
        """Whether it may come many times."""
        return self.label in ("repeated", "map")


Schema = Mapping[str, Sequence[MessageField]]


class Packed(list[memoryview]):
    """The numbers of a repeated field as they came, in parts."""


def decode(body: memoryview, message: str, schema: Schema) -> dict[str, Any]:
    """The fields that the body has, by name. Raises InvalidInstance."""
    return _MessageReader(schema).read(body, message)


def encode(value: Mapping[str, Any], message: str, schema: Schema) -> bytes:
    """The message as bytes. Without need, zeros and empty texts are left out."""
    return b"".join(_encoded(value, message, schema))


def first_text(body: memoryview, number: int) -> str:
    """The first field with that number, a string. Raises InvalidInstance if the message ends before it."""
    for found, wire, value in _MessageReader({})._fields(body):
        if found == number and wire == _BYTES:
            return _text(value)
    raise _broken(f"it has no field {number}")


def numbers(parts: Packed, kind: str) -> Any:
    """The numbers as an array of numpy, which takes up to 64 bytes for each byte of them. Raises
    InvalidInstance."""
    import numpy as np

    raw = np.frombuffer(b"".join(parts), np.uint8)
    if (wire := _WIRE[kind]) != _VARINT:
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
            if wire == _VARINT:
                _, at = _varint(body, at)
            elif wire == _BYTES:
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
        if field.kind in _WIRE:
            if field.is_repeated and wire in (_WIRE[field.kind], _BYTES):
                found.setdefault(field.name, Packed()).append(value)
            elif wire == _WIRE[field.kind]:
                found[field.name] = _number(value, field.kind)
        elif wire == _BYTES and field.label == "map":
            pair = self.read(value, field.kind)
            found.setdefault(field.name, {})[pair.get("key", "")] = pair.get("value", {})
        elif wire == _BYTES:
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


def _encoded(value: Mapping[str, Any], message: str, schema: Schema) -> Iterator[bytes]:
    for field in schema[message]:
        if (given := value.get(field.name)) is None:
            continue
        if field.label == "map":
            for key, one in given.items():
                yield from _long(field.number, encode({"key": key, "value": one}, field.kind, schema))
        elif field.is_repeated and field.kind in _WIRE:
            if len(given):
                yield from _long(field.number, _packed(given, field.kind))
        elif field.kind in _WIRE:
            if given or field.label:
                yield _tag(field.number, _WIRE[field.kind]) + _packed([given], field.kind)
        else:
            for one in given if field.is_repeated else [given]:
                made = one.encode() if isinstance(one, str) else one
                made = encode(made, field.kind, schema) if isinstance(made, Mapping) else made
                if len(made) or field.label or field.kind not in ("string", "bytes"):
                    yield from _long(field.number, made)


def _packed(given: Any, kind: str) -> bytes:
    """The numbers of an array or a list, one behind the other."""
    if (wire := _WIRE[kind]) == _VARINT:
        is_array = hasattr(given, "astype")
        return _varints(given) if is_array else b"".join(_varint_of(one & 2**64 - 1) for one in given)
    if hasattr(given, "astype"):
        made: bytes = given.astype(NUMBERS[kind], copy=False).tobytes()
        return made
    return struct.pack(f"<{len(given)}{'f' if wire == _FIXED32 else 'd'}", *given)


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
    return _tag(number, _BYTES) + _varint_of(len(body)), body


def _tag(number: int, wire: int) -> bytes:
    return _varint_of(number << 3 | wire)


def _varint_of(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _broken(what: str) -> InvalidInstance:
    return InvalidInstance(f"the message breaks the wire format: {what}")
