"""What people and machines do to the rollouts of a world, beside wishes."""

from contextlib import suppress
from typing import Any

from knoll.errors import NotFound
from knoll.events import PREDICTOR_OBSERVED, new_event
from knoll.ports import Document
from knoll.proofs import REPORT_PURPOSE, prove
from knoll.rollout.reports import read_report
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import slot_from_status
from schedules.world import World

__all__ = ["correct", "edit_service", "remove_service", "report", "shut_quota", "spoil"]

_QUOTA: Document = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "small"},
    "spec": {"hard": {"pods": "1"}},
}


def edit_service(world: World, model: str) -> None:
    """Somebody changes the InferenceService, and does not take it back."""
    with suppress(NotFound):
        live = world.cluster.get("InferenceService", model)
        predictor = live["spec"]["predictor"]
        spec = {"predictor": {**predictor, "minReplicas": 5 - predictor["minReplicas"]}}
        world.wished.add(model)
        world.log.append(f"edit the InferenceService {model}")
        world.cluster.update({**live, "spec": spec})


def spoil(world: World, model: str) -> None:
    """The Model gets a fault that the CRD lets pass: its gate bounds a metric twice."""
    _redeclare(world, model, {"metric": "accuracy", "also": [{"metric": "accuracy"}]})


def correct(world: World, model: str) -> None:
    """The Model has its last good declaration again."""
    document = world.declared[model][-1].document
    if document:
        _redeclare(world, model, document["spec"]["gate"])


def _redeclare(world: World, model: str, gate: Document) -> None:
    with suppress(NotFound):
        live = world.cluster.get("Model", model)
        if live["spec"]["gate"] != gate:
            world.log.append(f"declare {model} with the gate {gate}")
            world.cluster.update({**live, "spec": {**live["spec"], "gate": gate}})


def remove_service(world: World, model: str) -> None:
    """Somebody deletes the InferenceService."""
    with suppress(NotFound):
        world.cluster.delete("InferenceService", model)
        world.log.append(f"delete the InferenceService {model}")


def report(world: World, model: str, requests: int, errors: int) -> None:
    """A predictor of the candidate reports; its version may be rolled back for that."""
    with suppress(NotFound):
        document = world.cluster.get("Model", model)
        slot = slot_from_status(document.get("status") or {})
        said: dict[str, Any] = {
            "model": model,
            "version": slot.candidate or slot.champion,
            "instance": f"pod-{slot.candidate or slot.champion}",
            "requests": requests,
            "errors": errors,
        }
        key = key_of_revision(document, slot, said["version"], world.platform.settings)
        event = new_event(PREDICTOR_OBSERVED, source="/pod", time=world.time.now(), data=said)
        if key:
            said["proof"] = prove(key, REPORT_PURPOSE, read_report(model, event).covered())
        world.wished.add(model)
        world.log.append(f"{said['version']} of {model} reports {errors} failures in {requests} requests")
        world.publish(
            new_event(PREDICTOR_OBSERVED, source="/pod", time=world.time.now(), subject=model, data=said)
        )


def shut_quota(world: World, *, is_open: bool) -> None:
    """The namespace has no room for another Pod, or has it again."""
    found = world.cluster.list("ResourceQuota")
    if is_open or found:
        for one in found:
            world.cluster.delete("ResourceQuota", one["metadata"]["name"])
        return
    made = world.cluster.create(_QUOTA)
    world.cluster.update({**made, "status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}}, status=True)
