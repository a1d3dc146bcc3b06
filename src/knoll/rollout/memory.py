"""The slot of a Model that was deleted and has come back, from the records of its rollouts: they outlive the
Model."""

import json
import logging
from dataclasses import fields, replace

from knoll.ports import Platform
from knoll.records.rollout import rollouts_uri
from knoll.rollout.slot import Slot, Transition

__all__ = ["remembered"]

_LOG = logging.getLogger(__name__)


def remembered(model: str, platform: Platform) -> Slot:
    """What was decided last: who served, and who must not return. An empty slot when there was never a
    rollout."""
    made: list[Transition] = []
    for one in platform.store.list(rollouts_uri(platform.settings.model_root, model)):
        try:
            record = json.loads(platform.store.get(one.uri))
            made.append(Transition(**{field.name: record[field.name] for field in fields(Transition)}))
        except (ValueError, TypeError, KeyError) as error:
            _LOG.warning("%s is no record of a rollout: %s", one.uri, error)
    slot = Slot()
    for transition in sorted(made, key=lambda transition: str(transition.at)):
        slot = _after(slot, transition)
    return slot


def _after(slot: Slot, made: Transition) -> Slot:
    after = replace(slot, since=made.at, transition=made)
    match made.action:
        case "Promote":
            return replace(after, champion=made.version, previous=slot.champion, percent=100)
        case "Rollback" | "Reject":
            return replace(after, quarantine={**slot.quarantine, made.version: made.reason})
    return after
