"""What hooks are asked, and what follows from their answers. Pure.

Each question is about one transition, and so is its id: whoever is asked twice, because a function was killed
or an answer got lost, can see that. A yes is kept until the transition is made. A no, or no answer, is asked
for again, ever more rarely.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from knoll.hooks import HookAnswer
from knoll.models.hooks import HookSpec, HookType
from knoll.quoting import escaped

__all__ = [
    "ROLLBACK_PAUSE",
    "Abort",
    "Ask",
    "Go",
    "HookWait",
    "Hooked",
    "after_answer",
    "answer_name",
    "hook_words",
    "hooked_fields",
    "hooks_of",
    "is_rollback_due",
    "next_question",
    "place_of",
    "question_id",
    "read_hooked",
]

ROLLBACK_PAUSE = timedelta(seconds=10)  # between two questions whether a version shall go
_PAUSES = tuple(timedelta(seconds=one) for one in (10, 20, 40, 80, 160, 300))
_TRIES = 3  # without an answer, before `onTimeout` counts
_SHOWN = 200  # characters of what a hook says
_NO = (403, 409)


@dataclass(frozen=True)
class Hooked:
    """What hooks have said so far.

    `about` is the transition. `agreed` says how many of its hooks have agreed, in their order. The next one
    was asked `tries` times, the last time `at`, and the last `silent` times without an answer. It `said` why
    it does not agree. `rollback_at` is when it was last asked whether the version shall go, or later if that
    took long, and `rollback_next` is the hook that is asked this next, from 0. `starts` is the version whose
    trial begins with the transition, "" for any other.
    """

    about: str = ""
    agreed: int = 0
    tries: int = 0
    silent: int = 0
    at: str = ""
    said: str = ""
    rollback_at: str = ""
    rollback_next: int = 0
    starts: str = ""

    def about_to(self, transition: str) -> "Hooked":
        """The same if it is about that transition, else one without answers."""
        return self if self.about == transition else self._anew(transition, 0)

    def with_yes(self) -> "Hooked":
        """The same after one more hook has agreed."""
        return self._anew(self.about, self.agreed + 1)

    def with_rollback(self, following: int, began: datetime, ended: datetime) -> "Hooked":
        """The same after hooks were asked whether the version shall go. They rest for twice the time that
        this took."""
        at = (ended + 2 * (ended - began)).isoformat()
        return replace(self, rollback_at=at, rollback_next=following)

    @property
    def is_waiting(self) -> bool:
        """Whether a transition waits for a hook."""
        return bool(self.said)

    @property
    def due(self) -> datetime | None:
        """When the hook is asked again; None if none is waited for."""
        return datetime.fromisoformat(self.at) + _pause(self.tries) if self.is_waiting else None

    def _anew(self, about: str, agreed: int) -> "Hooked":
        return Hooked(about, agreed, rollback_at=self.rollback_at, rollback_next=self.rollback_next)


@dataclass(frozen=True)
class Ask:
    """Ask this hook now."""

    hook: HookSpec


@dataclass(frozen=True)
class Go:
    """All hooks agree."""


@dataclass(frozen=True)
class HookWait:
    """A hook does not agree yet, and why."""

    reason: str


@dataclass(frozen=True)
class Abort:
    """The version must not go on, and why."""

    reason: str


def hooks_of(kind: HookType, hooks: Iterable[HookSpec]) -> list[HookSpec]:
    """The hooks of a kind, in their order."""
    return [one for one in hooks if one.type == kind]


def question_id(*about: object) -> str:
    """The id of a question about these facts: 32 hexadecimal digits, the same for the same facts."""
    return hashlib.sha256("\n".join(map(str, about)).encode()).hexdigest()[:32]


def next_question(
    hooked: Hooked, hooks: Sequence[HookSpec], now: datetime
) -> tuple[Ask | Go | HookWait | Abort, Hooked]:
    """What to do before the transition that `hooked` is about, and the state then. `hooks` are all that guard
    it, in their order."""
    while hooked.agreed < len(hooks):
        hook = hooks[hooked.agreed]
        is_mute = hooked.silent >= _TRIES
        if is_mute and hook.on_timeout == "abort":
            return Abort(f"{hooked.said} {_TRIES} times, so onTimeout ends the rollout"), hooked
        if not (is_mute and hook.on_timeout == "go"):
            is_early = hooked.due is not None and now < hooked.due
            return HookWait(hooked.said) if is_early else Ask(hook), hooked
        hooked = hooked.with_yes()
    return Go(), hooked


def after_answer(hooked: Hooked, hook: HookSpec, answer: HookAnswer, at: str) -> Hooked:
    """The state after an answer of the hook that guards the transition."""
    name = answer_name(answer)
    if name == "yes":
        return hooked.with_yes()
    tried = replace(hooked, tries=hooked.tries + 1, at=at)
    if name == "no":
        return replace(tried, silent=0, said=hook_words(hook, "says no", answer))
    return replace(tried, silent=hooked.silent + 1, said=hook_words(hook, "gave no answer", answer))


def hook_words(hook: HookSpec, did: str, answer: HookAnswer) -> str:
    """What the hook did, and what it said, in one short line that can move no cursor."""
    text = escaped(" ".join(answer.text.split()))
    shown = text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
    code = f" ({answer.status})" if answer.status else ""
    return f"the hook {hook.type} at {place_of(hook)} {did}{code}" + (f": {shown}" if shown else "")


def answer_name(answer: HookAnswer) -> str:
    """What an answer means: "yes", "no", or "none" if it is none."""
    if 200 <= answer.status < 300:
        return "yes"
    return "no" if answer.status in _NO else "none"


def is_rollback_due(hooked: Hooked, now: datetime) -> bool:
    """Whether the hooks may be asked again whether the version shall go."""
    return not hooked.rollback_at or now >= datetime.fromisoformat(hooked.rollback_at) + ROLLBACK_PAUSE


def place_of(hook: HookSpec) -> str:
    """Where the hook is, without its query, which may have a secret."""
    parts = urlsplit(hook.url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def read_hooked(found: Mapping[str, Any] | None) -> Hooked:
    """What hooks have said, as a status has it."""
    if not found:
        return Hooked()
    texts: dict[str, Any] = {
        name: str(found.get(_camel(name)) or "") for name in ("about", "at", "said", "rollback_at", "starts")
    }
    counts: dict[str, Any] = {
        name: int(found.get(_camel(name)) or 0) for name in ("agreed", "tries", "silent", "rollback_next")
    }
    return Hooked(**texts, **counts)


def hooked_fields(hooked: Hooked) -> dict[str, Any]:
    """The same for a status."""
    return {_camel(name): value for name, value in vars(hooked).items()}


def _camel(name: str) -> str:
    first, _, second = name.partition("_")
    return first + second.capitalize()


def _pause(tries: int) -> timedelta:
    return _PAUSES[min(max(tries, 1), len(_PAUSES)) - 1]
