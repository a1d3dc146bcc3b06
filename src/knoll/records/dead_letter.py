"""Dead letters: an object for each death of a letter, each resend, and each resend that is wanted.

Deaths and resends are added and never changed, so a letter keeps its history. Wishes for a resend lie apart,
so that a tick lists nothing else.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import Field, with_config

from knoll.errors import InvalidEvent
from knoll.events import Event, event_to_json, reading
from knoll.names import digest, join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Fields, Record, Texts, find, put_once, reader

__all__ = [
    "DEATH_NAME",
    "LARGEST",
    "LETTER_ID",
    "RESEND_NAME",
    "WISH_NAME",
    "DeathRecord",
    "LetterObject",
    "Resend",
    "body_to_text",
    "count_resends",
    "dead_letters_uri",
    "death_of",
    "death_uri",
    "find_letter_object",
    "letter_of_body",
    "letter_of_event",
    "list_letter_objects",
    "list_wishes",
    "load_death",
    "load_resend",
    "remove_letter",
    "remove_wish",
    "write_death",
    "write_resend",
    "write_wish",
]

LARGEST = 16 * 2**20  # bytes: JSON makes 6 of some characters, and `dead-letters` takes 2 MiB at most

LETTER_ID = r"[0-9a-f]{20}"  # a death and a source have such an id, too
DEATH_NAME = rf"death-{LETTER_ID}"  # these three are without their ending
RESEND_NAME = r"replay-\d{6,}"
WISH_NAME = rf"(?P<wanted>{LETTER_ID})\.\d{{6,}}"
_KEY = re.compile(
    rf"(dead-letters/(?P<letter>{LETTER_ID})/(?P<name>{DEATH_NAME}|{RESEND_NAME})|replays/{WISH_NAME})\.json",
    re.ASCII,
)


@with_config(LENIENT)
@dataclass(frozen=True)
class DeathRecord(Record):
    """One time that a letter died: when it came here, and the event, whose extensions say why.

    What is no event has `reason`, `headers`, and its `body` in base64. `meantFor` is the function that can
    get it again, `resend` the one that led to this death, as LETTER.NUMBER; the JSON has it as `replay`.
    """

    at: str
    event: Fields | None = None
    reason: str = ""
    headers: Texts = field(default_factory=dict)
    body: str = ""
    meantFor: str = ""
    resend: Annotated[str, Field(alias="replay")] = ""

    def content(self) -> bytes:
        """The bytes of the body of what is no event; of an event, it as JSON. Raises InvalidEvent."""
        if self.event is not None:
            return json.dumps(self.event).encode()
        with reading("the body of a dead letter"):
            return base64.b64decode(self.body)

    def fields(self) -> dict[str, Any]:
        """See `Record.fields`; an event may be too deep for that. Without an event there is no such field."""
        if self.event is not None:
            return {**replace(self, event=None).fields(), "event": self.event}
        found = super().fields()
        del found["event"]
        found["replay"] = found.pop("resend")
        return found

    def encode(self) -> bytes:
        """The record on one line: indented, a deep event is a hundred times as long."""
        return json.dumps(self.fields(), sort_keys=True).encode()


@with_config(LENIENT)
@dataclass(frozen=True)
class Resend(Record):
    """The wish of `by` to resend a letter because of the deaths `cures`; `published_at` is empty until a
    broker took it."""

    number: int
    at: str
    by: str
    cures: tuple[str, ...]
    published_at: str = ""


@dataclass(frozen=True)
class LetterObject:
    """An object of a letter, as a listing shows it. `name` is death-ID, replay-NUMBER or wanted."""

    uri: str
    letter: str
    name: str
    size: int  # bytes

    @property
    def is_death(self) -> bool:
        """Whether a death lies there, and no resend."""
        return self.name.startswith("death-")

    @property
    def is_wish(self) -> bool:
        """Whether it only asks for a resend: nothing of the letter lies there."""
        return self.name == "wanted"


_load_death = reader(DeathRecord, "dead letter", fault=InvalidEvent)
load_resend = reader(Resend, "resend", fault=InvalidEvent)


def load_death(body: bytes) -> DeathRecord:
    """Read a death. Raises InvalidEvent. The event may be deeper than pydantic reads, so it is read apart."""
    with reading("the dead letter"):
        document = json.loads(body)
        event = document.pop("event", None)
        return replace(_load_death(json.dumps(document).encode()), event=event)


def dead_letters_uri(root: str) -> str:
    """The folder of all dead letters."""
    return join(root, "dead-letters", "")


def body_to_text(body: bytes) -> str:
    """The body of what is no event, as its record has it: in base64."""
    return base64.b64encode(body).decode()


def letter_of_event(who: str, event: Event) -> str:
    """Id of the dead letter that an event is. The same event that the same one did not take has the same
    id."""
    return _id(json.dumps([who, event_to_json(event)], sort_keys=True))


def letter_of_body(who: str, meant_for: str, headers: Mapping[str, str], body: bytes) -> str:
    """The same for what is no event: `headers` are those that describe the body."""
    return _id(json.dumps([who, meant_for, dict(headers)], sort_keys=True), body)


def death_of(when: str | int, why: Iterable[str]) -> str:
    """Id of one death of a letter: `when` tells it from the letter's other deaths for the same reason."""
    return _id(json.dumps([when, *why]))


def _id(*identity: str | bytes) -> str:
    return digest(identity)[:20]


def death_uri(root: str, letter: str, death: str) -> str:
    """URI of one death of a letter."""
    return join(root, "dead-letters", letter, f"death-{death}.json")


def list_letter_objects(bucket: Bucket, letter: str = "") -> Iterator[LetterObject]:
    """The objects of all letters, or of one: deaths, resends, then wishes. Foreign files are passed over."""
    lying = join(bucket.root, "dead-letters", letter, "") if letter else dead_letters_uri(bucket.root)
    yield from _list(lying, bucket)
    yield from list_wishes(bucket, letter)


def list_wishes(bucket: Bucket, letter: str = "") -> Iterator[LetterObject]:
    """The resends that are wanted, of all letters or of one."""
    yield from _list(_wishes(bucket, letter), bucket)


def find_letter_object(one: LetterObject, bucket: Bucket) -> DeathRecord | Resend | None:
    """What lies there; None if it was removed. Raises InvalidEvent if it cannot be read."""
    if one.size > LARGEST:
        raise InvalidEvent(f"its {one.size:,} bytes are more than a dead letter can have")
    if one.is_death:
        return find(one.uri, load_death, bucket)
    return find(one.uri, load_resend, bucket)


def write_death(letter: str, death: str, record: DeathRecord, bucket: Bucket) -> bool:
    """Write the death if there is none of that name. True if this call wrote it."""
    return put_once(death_uri(bucket.root, letter, death), record, bucket)


def write_wish(letter: str, wish: Resend, bucket: Bucket) -> bool:
    """Ask for a resend of the letter. False if one with that number is wanted already."""
    return put_once(join(bucket.root, "replays", f"{letter}.{wish.number:06d}.json"), wish, bucket)


def write_resend(letter: str, done: Resend, bucket: Bucket) -> bool:
    """Write that the broker took the resend, unless that is written already."""
    return put_once(join(bucket.root, "dead-letters", letter, f"replay-{done.number:06d}.json"), done, bucket)


def remove_wish(wish: LetterObject, bucket: Bucket) -> None:
    """Remove a wish that is fulfilled, or whose letter is gone."""
    bucket.store.delete(wish.uri)


def remove_letter(letter: str, bucket: Bucket) -> None:
    """Remove all of a letter. Its deaths go last, so that a letter which is left half way can still be
    found."""
    lying = (one.uri for one in bucket.store.list(join(bucket.root, "dead-letters", letter, "")))
    wanted = [one.uri for one in bucket.store.list(_wishes(bucket, letter))]
    for uri in (*wanted, *sorted(lying, reverse=True)):
        bucket.store.delete(uri)


def count_resends(letter: str, bucket: Bucket) -> int:
    """How often the letter was resent."""
    return sum(1 for _ in bucket.store.list(join(bucket.root, "dead-letters", letter, "replay-")))


def _wishes(bucket: Bucket, letter: str) -> str:
    return join(bucket.root, "replays", f"{letter}." if letter else "")


def _list(place: str, bucket: Bucket) -> Iterator[LetterObject]:
    root = join(bucket.root, "")
    for one in bucket.store.list(place):
        if match := _KEY.fullmatch(one.uri.removeprefix(root)):
            letter, name = match["letter"] or match["wanted"], match["name"] or "wanted"
            yield LetterObject(one.uri, letter, name, one.size)
