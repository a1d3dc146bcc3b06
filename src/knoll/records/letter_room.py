"""How much room dead letters take, by the source of their events, and which were refused for want of room.

Beside the deaths of a letter lies an empty object that is named after the source, so that a listing tells how
much each source has. Letters of older releases have none. What was refused is a hint for people.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import with_config

from knoll.names import digest, join
from knoll.ports import Bucket
from knoll.records.dead_letter import DEATH_NAME, LARGEST, LETTER_ID, RESEND_NAME, dead_letters_uri
from knoll.records.record import LENIENT, Record, find_hint, overwrite, put_once, reader

__all__ = [
    "SOURCE_NAME",
    "Refusals",
    "Usage",
    "find_refusals",
    "load_refusals",
    "measure",
    "refusals_uri",
    "sign_source",
    "source_id",
    "write_refusals",
]

SOURCE_NAME = rf"from-(?P<source>{LETTER_ID})"
_KEY = re.compile(rf"(?P<letter>{LETTER_ID})/(({DEATH_NAME}|{RESEND_NAME})\.json|{SOURCE_NAME})", re.ASCII)


@dataclass
class Usage:
    """How many deaths and resends are kept, and their bytes: of all letters, and of each source by its id."""

    objects: int = 0
    bytes: int = 0
    objects_of: Counter[str] = field(default_factory=Counter)
    bytes_of: Counter[str] = field(default_factory=Counter)

    def add(self, source: str, objects: int, size: int) -> None:
        """Count more objects of a source."""
        self.objects, self.bytes = self.objects + objects, self.bytes + size
        self.objects_of[source] += objects
        self.bytes_of[source] += size


@with_config(LENIENT)
@dataclass(frozen=True)
class Refusals(Record):
    """How many dead letters were refused since a time, at least; and time, source and reason of the last
    refusal."""

    count: int
    since: str
    last: str
    source: str
    reason: str


load_refusals = reader(Refusals, "record of refusals")


def source_id(source: str) -> str:
    """The name that a source has here."""
    return digest([source])[:20]


def measure(bucket: Bucket) -> Usage:
    """The room that is taken, by a listing alone. What no knoll has written does not count."""
    place, usage = dead_letters_uri(bucket.root), Usage()
    sizes: dict[str, list[int]] = {}
    sources: dict[str, str] = {}
    for one in bucket.store.list(place):
        match = _KEY.fullmatch(one.uri.removeprefix(place))
        if match and match["source"]:
            sources[match["letter"]] = match["source"]
        elif match and one.size <= LARGEST:
            sizes.setdefault(match["letter"], []).append(one.size)
    for letter, some in sizes.items():
        usage.add(sources.get(letter, ""), len(some), sum(some))
    return usage


def sign_source(letter: str, source: str, bucket: Bucket) -> None:
    """Write the source of the letter, if nobody has."""
    put_once(join(bucket.root, "dead-letters", letter, f"from-{source_id(source)}"), b"", bucket)


def find_refusals(bucket: Bucket) -> Refusals | None:
    """What was refused; None if nothing was, or if that cannot be read."""
    found = find_hint(refusals_uri(bucket.root), load_refusals, bucket)
    try:
        return found if found and datetime.fromisoformat(found.last).tzinfo else None
    except ValueError:
        return None


def write_refusals(refusals: Refusals, bucket: Bucket) -> None:
    """Write what was refused over what was written before."""
    overwrite(refusals_uri(bucket.root), refusals, bucket)


def refusals_uri(root: str) -> str:
    """URI of what was refused."""
    return join(root, "dead-letters", "refused.json")
