"""Structs of Thrift's compact protocol, read without a schema and within bounds: Parquet has its footer and
the headers of its pages in them.

The protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any

__all__ = ["Struct", "read_struct"]

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_DEEPEST = 16  # values in values
_MOST = 2**21  # of values, where a struct counts as many, for it takes some hundred bytes
_STRUCT_COST = 16

Struct = dict[int, Any]


def read_struct(body: bytes, place: int) -> tuple[Struct, int]:
    """The struct at a place, and the place behind it. It has its fields by number: integers, bytes, structs,
    and lists of them; None for others. Raises ValueError or IndexError if it is damaged or too large."""
    reader = _StructReader(body, place)
    return reader.struct(_DEEPEST), reader.place


class _StructReader:
    """Reads values from a place on."""

    def __init__(self, body: bytes, place: int) -> None:
        self._body = body
        self._left = _MOST
        self.place = place

    def struct(self, depth: int) -> Struct:
        """A struct with at most so many values in each other."""
        self._spend(_STRUCT_COST)
        fields, number = Struct(), 0
        while (kind := (head := self._byte()) & 15) != _STOP:
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = None if kind in {_TRUE, _FALSE} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._spend(1)
        if not depth:
            raise ValueError(f"it has more than {_DEEPEST} values in each other")
        if _BYTE < kind < _DOUBLE:
            return self._integer()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.struct(depth - 1)
        if kind in {_LIST, _SET}:
            head = self._byte()
            length = self._varint() if head >> 4 == 15 else head >> 4
            return [self._element(head & 15, depth - 1) for _ in range(length)]
        if kind == _MAP:
            kinds = self._byte() if (length := self._varint()) else 0
            for _ in range(length):
                self._element(kinds >> 4, depth - 1)
                self._element(kinds & 15, depth - 1)
            return None
        if kind in {_BYTE, _DOUBLE}:
            self._bytes(1 if kind == _BYTE else 8)
            return None
        raise ValueError(f"it has a value of the unknown kind {kind}")

    def _element(self, kind: int, depth: int) -> Any:
        return self._value(_BYTE if kind in {_TRUE, _FALSE} else kind, depth)

    def _spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise ValueError("it has too many values")

    def _byte(self) -> int:
        self.place += 1
        return self._body[self.place - 1]

    def _bytes(self, length: int) -> bytes:
        start, self.place = self.place, self.place + length
        if self.place > len(self._body):
            raise ValueError("it is cut")
        return self._body[start : self.place]

    def _varint(self) -> int:
        found = shift = 0
        while (byte := self._byte()) & 128:
            found |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("it has a number of more than 64 bits")
        return found | byte << shift

    def _integer(self) -> int:
        """An integer in zigzag form."""
        found = self._varint()
        return (found >> 1) ^ -(found & 1)
