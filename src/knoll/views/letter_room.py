"""How full the room for dead letters is, and what was refused for want of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knoll.dead_letters.quota import FIX, MOST_BYTES, MOST_DEATHS, REFUSALS_TOLD
from knoll.ports import Platform
from knoll.records.letter_room import Refusals, find_refusals, measure
from knoll.views.units import age, size

__all__ = ["FIX", "LetterRoom", "read_letter_room", "room_document", "room_faults"]

_NEARLY = 0.9


@dataclass(frozen=True)
class LetterRoom:
    """How many deaths and resends are kept, and their bytes; and what was refused in the last day."""

    objects: int
    bytes: int
    refusals: Refusals | None

    @property
    def share(self) -> float:
        """How much of the room is taken: 1 if it is full."""
        return max(self.objects / MOST_DEATHS, self.bytes / MOST_BYTES)


def read_letter_room(platform: Platform) -> LetterRoom:
    """Measured by a listing."""
    used, refused = measure(platform.bucket), find_refusals(platform.bucket)
    is_new = refused and platform.clock.now() - datetime.fromisoformat(refused.last) < REFUSALS_TOLD
    return LetterRoom(used.objects, used.bytes, refused if is_new else None)


def room_faults(room: LetterRoom, now: datetime) -> Iterator[str]:
    """What is wrong, in words: the room is full or nearly so; letters were refused."""
    if room.share >= _NEARLY:
        yield (
            f"{room.objects:,} of {MOST_DEATHS:,} dead letters with {size(room.bytes)} of {size(MOST_BYTES)} "
            "are kept; when there is no room, further ones are refused, and may be lost"
        )
    if refused := room.refusals:
        times = "once" if refused.count == 1 else f"{refused.count:,} times or more"
        yield (
            f"dead letters were refused {times}, the last one {age(refused.last, now)} ago, of source "
            f"{refused.source}, and may be lost: {refused.reason}"
        )


def room_document(room: LetterRoom) -> dict[str, Any]:
    """The room as `-o json` shows it; `refused` is null if nothing was."""
    one = room.refusals
    refused = one and {"count": one.count, "since": one.since, "last": one.last, "source": one.source}
    return {
        "letters": room.objects,
        "ofLetters": MOST_DEATHS,
        "bytes": room.bytes,
        "ofBytes": MOST_BYTES,
        "refused": refused,
    }
