"""What fields of messages look like in the wire format of Protocol Buffers (proto3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["BYTES", "FIXED32", "FIXED64", "KINDS", "NUMBERS", "VARINT", "MessageField", "Schema"]

NUMBERS = {  # the kinds of numbers, and their codes in numpy
    "bool": "?",
    "int32": "<i4",
    "int64": "<i8",
    "uint32": "<u4",
    "uint64": "<u8",
    "float": "<f4",
    "double": "<f8",
}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
KINDS = {**dict.fromkeys(NUMBERS, VARINT), "enum": VARINT, "float": FIXED32, "double": FIXED64}


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
