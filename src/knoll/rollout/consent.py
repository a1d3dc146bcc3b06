"""Asks the hooks of a Model, and keeps what they say in the slot."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from knoll.events import HOOK_ANSWERED, new_event
from knoll.hooks import HookAnswer, HookRequest
from knoll.models import Model
from knoll.models.hooks import HookSpec, HookType
from knoll.ports import Document, Platform
from knoll.rollout.evidence import verdict_to_fields
from knoll.rollout.hooks import (
    Abort,
    Ask,
    Go,
    HookWait,
    after_answer,
    answer_name,
    hook_words,
    hooks_of,
    is_rollback_due,
    next_question,
    place_of,
    question_id,
)
from knoll.rollout.slot import Slot
from knoll.rollout.steps import HoldBack, NotYet, Promote, Rollback, Shift, Step

__all__ = ["ask_before_start", "ask_before_step"]

_LATER = "its hooks are asked with the next event or tick"


def ask_before_step(
    step: Step, slot: Slot, model: Model, document: Document, until: datetime, platform: Platform
) -> tuple[Step, Slot]:
    """The step if the hooks agree, else a wait or the way back; and the slot with what they said. No hook is
    asked after `until`."""
    if not model.rollout.hooks or slot.phase == "RollingBack":
        return step, slot
    slot = _about(slot, document, *_guarded(step, slot))
    if not isinstance(step, Rollback | HoldBack):
        back, slot = _ask_whether_to_go(slot, model, document, until, platform)
        if back:
            return back, slot
    if not slot.hooked.about:
        return step, slot
    kind, percent = _guarded(step, slot)
    assert kind
    facts = _facts(slot, kind, percent, getattr(step, "reason", ""), document)
    answer, slot = _ask_hooks(slot, hooks_of(kind, model.rollout.hooks), facts, until, platform)
    match answer:
        case Go():
            return step, slot
        case Abort(reason):
            return Rollback(reason), slot
        case HookWait(reason):
            return NotYet(reason), slot


def ask_before_start(
    slot: Slot, begun: Slot, model: Model, document: Document, until: datetime, platform: Platform
) -> tuple[str, Slot, bool]:
    """Why the trial in `begun` may not begin yet, "" if it may; the slot before it, with what the hooks said;
    and whether the version must not be tried."""
    hooks = hooks_of("confirm-rollout", model.rollout.hooks)
    if not hooks:
        return "", slot, False
    number = begun.transition.number if begun.transition else 0
    about = question_id(document["metadata"]["uid"], begun.candidate, number, "confirm-rollout")
    asked = replace(slot, hooked=slot.hooked.about_to(about))
    facts = _facts(begun, "confirm-rollout", begun.percent, "", document)
    answer, asked = _ask_hooks(asked, hooks, facts, until, platform)
    asked = replace(asked, hooked=replace(asked.hooked, starts=begun.candidate))
    reason = "" if isinstance(answer, Go) else answer.reason
    return reason, asked, isinstance(answer, Abort)


def _guarded(step: Step, slot: Slot) -> tuple[HookType | None, int]:
    """Which hooks guard the step, and what percentage it leads to. Less traffic needs no consent."""
    match step:
        case Shift(percent=percent) if percent > slot.percent:
            return "confirm-step", percent
        case Promote(final=False):
            return "confirm-promotion", 100
    return None, slot.percent


def _about(slot: Slot, document: Document, kind: HookType | None, percent: int) -> Slot:
    """The slot whose answers of hooks are about that transition, or about none."""
    number = slot.transition.number if slot.transition else 0
    about = question_id(document["metadata"]["uid"], slot.candidate, number, kind, percent) if kind else ""
    return replace(slot, hooked=slot.hooked.about_to(about))


def _ask_hooks(
    slot: Slot, hooks: Sequence[HookSpec], facts: dict[str, Any], until: datetime, platform: Platform
) -> tuple[Go | HookWait | Abort, Slot]:
    """Ask each hook that has not agreed yet; what follows, and the slot with what they said."""
    while True:
        now = platform.clock.now()
        found, hooked = next_question(slot.hooked, hooks, now)
        slot = replace(slot, hooked=hooked)
        if not isinstance(found, Ask):
            return found, slot
        if now >= until:
            return HookWait(hooked.said or _LATER), slot
        answer = _ask(found.hook, hooked.about, facts, platform)
        after = after_answer(hooked, found.hook, answer, platform.clock.now().isoformat())
        if after.said != hooked.said or after.agreed != hooked.agreed:
            _tell(found.hook, hooked.about, facts, answer, after.said, platform)
        slot = replace(slot, hooked=after)


def _ask_whether_to_go(
    slot: Slot, model: Model, document: Document, until: datetime, platform: Platform
) -> tuple[Rollback | None, Slot]:
    """Ask whether the version shall go, if it is time; the way back, if a hook wants it, and the slot. The
    hooks that are not asked before `until` are the first ones of the next call."""
    hooks, began = hooks_of("rollback", model.rollout.hooks), platform.clock.now()
    if not hooks or began >= until or not is_rollback_due(slot.hooked, began):
        return None, slot
    facts = _facts(slot, "rollback", 0, "", document)
    about = question_id(document["metadata"]["uid"], slot.candidate, "rollback")
    first = slot.hooked.rollback_next
    for number in range(first, first + len(hooks)):
        hook = hooks[number % len(hooks)]
        answer, now = _ask(hook, about, facts, platform), platform.clock.now()
        slot = replace(slot, hooked=slot.hooked.with_rollback((number + 1) % len(hooks), began, now))
        if answer.status == 200:
            reason = hook_words(hook, "wants it back", answer)
            _tell(hook, about, facts, answer, reason, platform)
            return Rollback(reason), slot
        if now >= until:
            break
    return None, slot


def _ask(hook: HookSpec, about: str, facts: dict[str, Any], platform: Platform) -> HookAnswer:
    if platform.hooks is None:
        return HookAnswer(0, "this process asks no hooks")
    id = question_id(about, hook.url)
    body = json.dumps({**facts, "id": id}).encode()
    return platform.hooks.ask(HookRequest(hook.url, body, id, hook.timeout))


def _tell(
    hook: HookSpec, about: str, facts: dict[str, Any], answer: HookAnswer, said: str, platform: Platform
) -> None:
    """Publish what a hook has answered. The same answer to the same question is the same event."""
    name = answer_name(answer)
    data = {**facts, "answer": name, "url": place_of(hook), "said": said}
    platform.events.publish(
        new_event(
            HOOK_ANSWERED,
            source=platform.settings.source,
            time=platform.clock.now(),
            subject=facts["model"],
            data=data,
            id=question_id(about, hook.url, name, said),
        )
    )


def _facts(slot: Slot, kind: HookType, percent: int, reason: str, document: Document) -> dict[str, Any]:
    """What a hook is told: `percent` is the version's part of the traffic after the transition."""
    metadata = document["metadata"]
    return {
        "type": kind,
        "model": metadata["name"],
        "namespace": metadata.get("namespace", ""),
        "version": slot.candidate,
        "champion": slot.champion,
        "phase": slot.phase,
        "step": slot.step,
        "percentNow": slot.percent,
        "percent": percent,
        "reason": reason,
        "verdict": verdict_to_fields(slot.verdict) if slot.verdict else {},
    }
