"""Dead letters as they lie in the model bucket: each with every death and every replay, oldest first.

Whether a letter still has to be looked after is told by names, not by clocks: a replay says which deaths it
was meant to cure, and a letter with any other death is dead.
"""

import base64
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from knoll.errors import InvalidEvent, NotFound
from knoll.events import Event, event_from_json, reading
from knoll.names import join
from knoll.ports import ObjectStore
from knoll.records.dead_letter import dead_letter_uri, dead_letters_uri, wanted_replays_uri

__all__ = [
    "Death",
    "Letter",
    "Replay",
    "list_letters",
    "load_replay",
    "read_dead_letters",
    "read_letter",
    "wanted_replays",
]

State = Literal["Dead", "Wanted", "Replayed"]

_OBJECT = re.compile(
    r"(dead-letters/(?P<letter>[0-9a-f]{20})/(?P<name>death-[0-9a-f]{20}|replay-\d{6,})|replays/(?P<wanted>[0-9a-f]{20})\.\d{6,})\.json"
)
_ADDRESS = re.compile(r"https?://(?P<host>[^./:]+)[^/]*(/triggers/[^/]+/(?P<trigger>[^/]+))?")
_THREADS = 16
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Death:
    """One time that nobody took the letter: when it came here, what came, who refused it with which code, and
    why.

    Without an event there are its headers and body, and `meant_for` if a function can be given them again.
    `replay` is the replay that led to it, in the form LETTER.NUMBER.
    """

    name: str
    at: str
    event: Event | None
    headers: Mapping[str, str]
    body: bytes
    reason: str
    code: str
    destination: str
    meant_for: str
    replay: str

    @property
    def can_be_replayed(self) -> bool:
        """Whether it is known how it came here."""
        return self.event is not None or bool(self.meant_for)


@dataclass(frozen=True)
class Replay:
    """That somebody wants a letter replayed because of the deaths that it names; `published_at` is empty
    until a broker has taken it."""

    number: int
    at: str
    by: str
    cures: tuple[str, ...]
    published_at: str = ""


@dataclass(frozen=True)
class Letter:
    """A dead letter with its deaths, at least one, and its replays, oldest first, and the replay that is
    wanted."""

    id: str
    deaths: tuple[Death, ...]
    replays: tuple[Replay, ...] = ()
    wanted: Replay | None = None

    @property
    def last(self) -> Death:
        """Its newest death."""
        return self.deaths[-1]

    @property
    def state(self) -> State:
        """Wanted: to be replayed at the next tick. Replayed: and has not died since. Dead: all others."""
        if self.wanted:
            return "Wanted"
        cured = {name for replay in self.replays for name in replay.cures}
        return "Replayed" if cured.issuperset(one.name for one in self.deaths) else "Dead"


def read_dead_letters(store: ObjectStore, root: str) -> list[Letter]:
    """All dead letters of the model bucket, that which died last at the end. What else lies there is left
    alone."""
    uris = [
        one.uri for place in (dead_letters_uri(root), wanted_replays_uri(root)) for one in store.list(place)
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = _documents(root, zip(uris, pool.map(lambda uri: _read(store, uri), uris), strict=True))
    letters = []
    for id, documents in found.items():
        try:
            letters.append(_letter(id, documents))
        except InvalidEvent as error:
            _LOG.warning("left alone: %s", error)
    return sorted(letters, key=lambda letter: letter.last.at)


def read_letter(store: ObjectStore, root: str, id: str) -> Letter:
    """One dead letter. Raises NotFound, and InvalidEvent when what lies there is none."""
    places = (dead_letter_uri(root, id), join(wanted_replays_uri(root), f"{id}."))
    found = _documents(
        root, [(one.uri, _read(store, one.uri)) for place in places for one in store.list(place)]
    )
    if id not in found:
        raise NotFound(f"there is no dead letter {id}", fix="knoll dlq list --all shows all")
    return _letter(id, found[id])


def list_letters(store: ObjectStore, root: str) -> list[str]:
    """The ids of all dead letters, by a listing alone."""
    found = (_OBJECT.fullmatch(_key(one.uri, root)) for one in store.list(dead_letters_uri(root)))
    return sorted({match["letter"] for match in found if match and match["name"].startswith("death-")})


def wanted_replays(store: ObjectStore, root: str) -> Iterator[tuple[str, str]]:
    """All replays that are wanted: where each lies, and which letter it is of."""
    for one in store.list(wanted_replays_uri(root)):
        if match := _OBJECT.fullmatch(_key(one.uri, root)):
            yield one.uri, match["wanted"]


def load_replay(body: bytes) -> Replay:
    """Read a replay as it is stored. Raises InvalidEvent for what is none."""
    with reading("the replay"):
        document = json.loads(body)
        return Replay(**{**document, "cures": tuple(document["cures"])})


def _documents(root: str, objects: Iterable[tuple[str, bytes]]) -> Mapping[str, Mapping[str, bytes]]:
    """The objects that make each letter, by its id and their names; given are URIs with their bodies."""
    found: dict[str, dict[str, bytes]] = {}
    for uri, body in objects:
        match = _OBJECT.fullmatch(_key(uri, root))
        if match and body:
            found.setdefault(match["letter"] or match["wanted"], {})[match["name"] or "wanted"] = body
    return {
        id: documents
        for id, documents in found.items()
        if any(name.startswith("death-") for name in documents)
    }


def _letter(id: str, documents: Mapping[str, bytes]) -> Letter:
    with reading(f"dead letter {id}"):
        deaths = [
            _death(name, json.loads(body)) for name, body in documents.items() if name.startswith("death-")
        ]
    replays = [load_replay(body) for name, body in documents.items() if name.startswith("replay-")]
    wanted = load_replay(documents["wanted"]) if "wanted" in documents else None
    return Letter(
        id,
        deaths=tuple(sorted(deaths, key=lambda one: (one.at, one.name))),
        replays=tuple(sorted(replays, key=lambda one: one.number)),
        wanted=wanted if wanted and wanted.number not in {one.number for one in replays} else None,
    )


def _death(name: str, document: Mapping[str, Any]) -> Death:
    event, body = _event(document)
    headers = document.get("headers", {})
    told = event.extensions if event else {name.removeprefix("ce-"): value for name, value in headers.items()}
    return Death(
        name=name,
        at=document["at"],
        event=event,
        headers=headers,
        body=body,
        reason=document.get("reason") or _plain(told.get("knativeerrordata", "")),
        code=told.get("knativeerrorcode", ""),
        destination=_who(told.get("knativeerrordest", "")) or document.get("meantFor", ""),
        meant_for=document.get("meantFor", ""),
        replay=document.get("replay", ""),
    )


def _event(document: Mapping[str, Any]) -> tuple[Event | None, bytes]:
    """The event, or what came in its place; an event that was refused for its form is shown as it is."""
    if "event" not in document:
        return None, base64.b64decode(document.get("body", ""))
    try:
        return event_from_json(document["event"]), b""
    except InvalidEvent:
        return None, json.dumps(document["event"]).encode()


def _who(destination: str) -> str:
    """The function or Trigger that a broker names by its URL, or as it is."""
    match = _ADDRESS.match(destination)
    return (match["trigger"] or match["host"]) if match else destination


def _plain(text: str) -> str:
    """What a function answered. Knative's brokers put it in base64, that of the laptop does not."""
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text
    return decoded if decoded.replace("\n", " ").isprintable() else text


def _read(store: ObjectStore, uri: str) -> bytes:
    """The object, or nothing when somebody has dropped it meanwhile."""
    try:
        return store.get(uri)
    except NotFound:
        return b""


def _key(uri: str, root: str) -> str:
    return uri.removeprefix(join(root, ""))
