"""The humans of a story: what they do when they see what they wait for, and what must have come of it.

What they have done stands in the documents alone, so that a world that is loaded again knows it.
"""

from typing import Any

from knoll.errors import NotFound
from knoll.kube.predictors import traffic_of
from knoll.ports import Document
from knoll.records.manifest import list_versions
from knoll.records.rollout import list_steps
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.wishes import open_wish
from schedules.world import World

__all__ = ["HUMANS", "react", "wrong_in_story"]

HUMANS = ("held", "edited", "removed")
_MODEL, _FIRST = "digits", "v000001"
_TOUCHED = "example.com/touched"
_DATASETS = 2  # of a story to which no newer data comes


def react(story: str, world: World) -> None:
    """Approve of each version that is held; or change what serves in its canary, and take that back later; or
    delete what serves."""
    document = world.cluster.get("Model", _MODEL)
    slot = slot_from_status(document.get("status") or {})
    wish = open_wish(document, Slot())
    wished = wish.version if wish else ""
    is_in_canary = slot.phase == "Canary" and slot.candidate != _FIRST
    match story:
        case "held" if slot.held and wished != slot.held.version:
            world.wish(_MODEL, "approve", slot.held.version, id=f"approval of {slot.held.version}")
        case "edited" if slot.steering.edit and not wished:
            if _predictor(world)["minReplicas"] != 3:
                world.wrong.append("lost: what a human has changed in the InferenceService was overwritten")
            world.wish(_MODEL, "resume", slot.candidate, id="resumption")
        case "edited" if is_in_canary and _is_to_be_edited(slot, world):
            _edit(world)
        case "removed":
            world.wrong += _unproven(slot, world)
            if is_in_canary and _find(world) and "Withdraw" not in _actions(world):
                world.log.append("a human deletes the InferenceService")
                world.cluster.delete("InferenceService", _MODEL)


def wrong_in_story(story: str, world: World) -> list[str]:
    """What is wrong at the end with what humans have done. Their steps are known only if no newer data came:
    that supersedes a version before it is held, or withdraws it once more."""
    if story not in HUMANS:
        return []
    status = world.cluster.get("Model", _MODEL).get("status") or {}
    actions = _actions(world)
    told = {"held": ("Hold", "Approve"), "edited": ("Edit", "Unedit"), "removed": ("Withdraw",)}[story]
    wrong = []
    if sum(one.touched.endswith("/_SUCCESS") for one in world.past[_MODEL]) == _DATASETS:
        wrong = [f"lost or doubled: {one} of {actions}" for one in told if actions.count(one) != 1]
    if status.get("champion") != (newest := max(list_versions(_MODEL, world.platform.bucket))):
        wrong.append(f"lost: {newest} is not the champion, its steps are {actions}")
    if _predictor(world)["minReplicas"] != 0:
        wrong.append("lost: what a human has changed was not taken back")
    return wrong


def _is_to_be_edited(slot: Slot, world: World) -> bool:
    """Whether knoll's write of the canary has been made: an edit right before that is not noticed."""
    live = _find(world)
    is_new = live is not None and _TOUCHED not in live["metadata"]["annotations"]
    return bool(is_new and live and live["metadata"]["generation"] == slot.steering.written)


def _unproven(slot: Slot, world: World) -> list[str]:
    """Faults of the traffic: a version in its trial has all of it."""
    live = _find(world)
    shares = [one["revisionName"] for one in traffic_of(live or {}) if one["percent"] == 100]
    if slot.phase not in ("Deploying", "Canary") or not shares:
        return []
    (revision,) = shares
    version = world.cluster.get("Revision", revision)["metadata"]["labels"]["knoll.dev/version"]
    return [f"wrong version: {version} has all traffic in its trial"] if version == slot.candidate else []


def _actions(world: World) -> list[str]:
    """The steps of all versions but the first."""
    bucket = world.platform.bucket
    versions = [one for one in list_versions(_MODEL, bucket) if one != _FIRST]
    return [step.action for one in versions for step in list_steps(_MODEL, bucket, one)]


def _edit(world: World) -> None:
    live = _find(world)
    assert live is not None
    spec = {"predictor": {**live["spec"]["predictor"], "minReplicas": 3}}
    metadata = {**live["metadata"], "annotations": {**live["metadata"]["annotations"], _TOUCHED: "1"}}
    world.log.append("a human edits the InferenceService")
    world.cluster.update({**live, "metadata": metadata, "spec": spec})


def _find(world: World) -> Document | None:
    try:
        return world.cluster.get("InferenceService", _MODEL)
    except NotFound:
        return None


def _predictor(world: World) -> dict[str, Any]:
    live = _find(world)
    return live["spec"]["predictor"] if live else {"minReplicas": None}
