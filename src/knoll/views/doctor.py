"""What is wrong with the platform, found by a list of checks.

Each check looks at one thing and writes nothing. A check that cannot look is a finding itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.errors import MAKE_ROOM, KnollError
from knoll.laptop.disk import space_at, why_full
from knoll.laptop.health import health_fault
from knoll.ports import Platform
from knoll.quoting import escaped
from knoll.records.strays import find_strays, stray_place
from knoll.sqlite_file import DATABASE, REPAIR, damage_of
from knoll.views.conditions import disbelieved_words
from knoll.views.letter_room import FIX, read_letter_room, room_faults
from knoll.views.models import ModelView, model_view

__all__ = ["CHECKS", "Check", "Finding", "doctor_document", "examine"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: where, what, and what helps."""

    place: str
    what: str
    fix: str


@dataclass(frozen=True)
class Check:
    """One check: what it looks at, and the function that looks."""

    name: str
    look: Callable[[Platform], Iterable[Finding]]


def _strays(platform: Platform) -> Iterator[Finding]:
    fix = "knoll ignores it: find out who wrote it, and delete it if it is not needed"
    for one in find_strays(platform.bucket):
        yield Finding(escaped(stray_place(one, platform.bucket)), escaped(one.why), escaped(one.fix) or fix)


def _disk(platform: Platform) -> Iterator[Finding]:
    """Whether the disk of a laptop has room; if so, what its platform says of itself and its store."""
    settings = platform.settings
    if settings.cluster != "local":
        return
    if full := why_full(space_at(settings.home, has_store=bool(settings.own_s3))):
        yield Finding(str(settings.home), full, MAKE_ROOM)
    elif settings.own_s3 and (fault := health_fault(settings.url)):
        yield Finding("the platform", fault, f"read the logs in {settings.home / 'logs'}")


def _documents(platform: Platform) -> Iterator[Finding]:
    path = platform.settings.home / DATABASE
    if platform.settings.cluster == "local" and (damage := damage_of(path)):
        yield Finding(str(path), f"the file is damaged: {damage}", REPAIR)


def _reports(platform: Platform) -> Iterator[Finding]:
    fix = "find out who else posts to the broker: docs/operate.md, under Reports that are not believed"
    for model in platform.cluster.list("Model"):
        if words := disbelieved_words(model.get("status") or {}):
            yield Finding(f"Model {model['metadata']['name']}", escaped(words), fix)


def _champions(platform: Platform) -> Iterator[Finding]:
    """Champions that are damaged, or that serve instead of a damaged version."""
    for model in _models(platform):
        fix = f"knoll verify {model.name} VERSION names what differs; put those files back as they were"
        for one in model.conditions:
            if (one.type, one.status) == ("ChampionVerified", "False"):
                yield Finding(f"Model {model.name}", escaped(one.words), fix)


def _declarations(platform: Platform) -> Iterator[Finding]:
    for model in _models(platform):
        if model.fault:
            fix = "correct that and run knoll apply -f FILE: until then it gets no run and no rollout"
            yield Finding(f"Model {model.name}", escaped(model.fault), fix)


def _humans(platform: Platform) -> Iterator[Finding]:
    """Rollouts that go on only when a human says so."""
    for model in _models(platform):
        place, now = f"Model {model.name}", model.standing
        if now.kind == "Paused" and now.version:
            fix = f"knoll rollout resume {model.name}, or knoll rollout abort {model.name}"
            yield Finding(place, escaped(f"the rollout of {now.version} is paused by {now.by}"), fix)
        elif now.wait:
            yield Finding(place, escaped(f"it waits for {now.wait.what}"), escaped(now.wait.ends))


def _letters(platform: Platform) -> Iterator[Finding]:
    for told in room_faults(read_letter_room(platform), platform.clock.now()):
        yield Finding("dead letters", escaped(told), FIX)


def _models(platform: Platform) -> list[ModelView]:
    return [model_view(one, None) for one in platform.cluster.list("Model")]


CHECKS: tuple[Check, ...] = (
    Check("the disk and the health of the platform", _disk),
    Check("the file of documents", _documents),
    Check("stray objects of the model bucket", _strays),
    Check("reports of predictors", _reports),
    Check("declarations of Models", _declarations),
    Check("champions", _champions),
    Check("rollouts that wait for a human", _humans),
    Check("the room for dead letters", _letters),
)


def examine(platform: Platform, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """What the checks find, in their order."""
    return [finding for check in checks for finding in _look(check, platform)]


def doctor_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as `-o json` shows them."""
    return {
        "well": not findings,
        "findings": [{"place": one.place, "what": one.what, "fix": one.fix} for one in findings],
    }


def _look(check: Check, platform: Platform) -> list[Finding]:
    try:
        return list(check.look(platform))
    except KnollError as error:
        return [Finding(check.name, f"it cannot be looked at: {error}", error.fix)]
