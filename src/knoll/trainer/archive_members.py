"""What an archive holds: members, each of which is read by itself, and the limits that hold for all kinds."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from knoll.data_kinds import is_archive
from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped

__all__ = ["DAMAGED", "ENTRY", "LESS", "BadMember", "Found", "Member", "check_member"]

DAMAGED = "it is damaged, or is not what the archive's directory says; make the archive again"
ENTRY = 4 * 2**10  # bytes of memory that a member takes before it is read
LESS = "; raise spec.training.resources.memory, or put less into the archive"


@dataclass(frozen=True)
class Member:
    """A file in an archive. `place` are its bytes there; `size` and `crc` are those of its content."""

    place: range
    size: int
    crc: int

    def unpack(self, body: bytes) -> bytes:
        """The content, from the bytes in the archive. Raises InvalidData, with words for `BadFiles`, if it is
        not what the archive says."""
        content = self._content(body)
        if content is None or len(content) != self.size or zlib.crc32(content) != self.crc:
            raise InvalidData(DAMAGED)
        return content

    def _content(self, body: bytes) -> bytes | None:
        """What the bytes hold; None if they are damaged."""
        return body


@dataclass(frozen=True)
class BadMember:
    """A member that cannot be unpacked, while the others may be: `fault` says why."""

    fault: str


Found = Iterator[tuple[str, Member | str | BadMember]]


def check_member(name: str, taken: int, room: int) -> None:
    """Raise InvalidData if a member is an archive, or takes more memory than there is `room`."""
    if is_archive(name):
        raise InvalidData(
            f"it holds another archive, {escaped(name)}, which is not read; unpack that one first"
        )
    if taken > room:
        raise InvalidData(
            f"to unpack {escaped(name)} takes {in_words(taken)}, and there is memory for "
            f"{in_words(room)}{LESS}"
        )
