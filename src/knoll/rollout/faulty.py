"""The trial of a Model whose declaration has faults: it ends, and the champion gets the traffic back. Nothing
begins.

There is no policy by which the version could be judged. The candidate keeps its Revision, and one field of
the InferenceService takes its traffic. Once the Model has no fault, the rollback ends and the version has
another trial. A first version serves on.
"""

from dataclasses import replace

from knoll.errors import AlreadyExists, Conflict
from knoll.kube.labels import is_part
from knoll.models import fault_of
from knoll.ports import Document, Platform
from knoll.rollout.inference_service import asked
from knoll.rollout.moves import slot_after
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.steps import GiveUp
from knoll.rollout.world import note_edit, record_step, write_isvc, write_slot

__all__ = ["return_traffic", "slot_of_faulty"]


def return_traffic(document: Document, live: Document | None, platform: Platform) -> bool:
    """One pass over a Model with faults and the InferenceService that was read before it; whether another is
    needed."""
    name, slot = document["metadata"]["name"], slot_from_status(document.get("status") or {})
    if live is not None and not is_part(live, name):
        return False
    try:
        record_step(name, slot, platform)
        after = slot_of_faulty(slot, fault_of(document), platform.clock.now().isoformat())
        if after != slot:
            write_slot(document, after, platform)
            return True
        is_ending = slot.phase == "RollingBack" and slot.champion and asked(live)[0] == slot.candidate
        if live is None or not is_ending:
            return False
        wanted = _without_traffic(live)
        if note_edit(document, slot, live, wanted, platform):
            return True
        write_isvc(document, live, wanted, None, platform)
        return False
    except (AlreadyExists, Conflict):
        return True


def slot_of_faulty(slot: Slot, fault: str, at: str) -> Slot:
    """The slot of a Model with that fault: a trial beside a champion is given up."""
    if not slot.champion or slot.phase not in ("Deploying", "Canary", "Baking"):
        return slot
    reason = f"the Model has a fault, so that nothing can judge {slot.candidate}; it is given up: {fault}"
    return replace(slot_after(slot, GiveUp(reason), at), steps_back=True)


def _without_traffic(live: Document) -> Document:
    """The InferenceService whose newest Revision gives all traffic to the one before it."""
    predictor = {**live["spec"]["predictor"], "canaryTrafficPercent": 0}
    return {**live, "spec": {**live["spec"], "predictor": predictor}}
