"""The slot of a Model that was deleted and has come back, from the records of its rollouts: they outlive the Model."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from knoll.names import rollouts_uri
from knoll.ports import Platform
from knoll.rollout.slot import Slot, Transition

__all__ = ["remembered"]


def remembered(model: str, platform: Platform) -> Slot:
    """What was decided last: who served, and who must not return. An empty slot when there was never a rollout."""
    listed = platform.store.list(rollouts_uri(platform.settings.model_root, model))
    records = sorted((json.loads(platform.store.get(one.uri)) for one in listed), key=lambda record: str(record["at"]))
    slot = Slot()
    for record in records:
        slot = _after(slot, record)
    return slot


def _after(slot: Slot, record: Mapping[str, Any]) -> Slot:
    version, at = record["version"], record["at"]
    after = replace(slot, since=at, transition=Transition(**{one.name: record[one.name] for one in fields(Transition)}))
    match record["action"]:
        case "Promote":
            return replace(after, champion=version, previous=slot.champion, percent=100)
        case "Rollback" | "Reject":
            return replace(after, quarantine={**slot.quarantine, version: record["reason"]})
    return after
