"""Which versions of a model are used, and by what.

A Model uses each version that it names, in its slot or in any other field. So `kubectl annotate
model.knoll.dev digits pin=v000007` keeps that version. An InferenceService uses each version whose URI is
anywhere in it, and so does a Revision that gets requests, also if knoll did not make them. Objects in the
bucket, such as reports, use no version.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.errors import NotFound
from knoll.kube.labels import ROUTING_STATE_LABEL, label_of
from knoll.names import VERSION_NAME
from knoll.ports import Document, Platform
from knoll.records.version_folder import versions_place
from knoll.rollout.candidates import champion_number
from knoll.rollout.memory import slot_from_records
from knoll.rollout.slot import Slot, slot_from_status

__all__ = ["Uses", "find_uses", "read_uses"]

_VERSION = rf"{VERSION_NAME.pattern}(?!\d)"
_NAMES = re.compile(rf"{_VERSION}(?:[\s,]+{_VERSION})*")
_NAME = re.compile(_VERSION)


@dataclass(frozen=True)
class Uses:
    """Why each used version is used, by its name. `tried` is the number of the version that serves. Newer
    versions may still be tried, unless they were `refused`."""

    reasons: Mapping[str, str]
    tried: int
    refused: frozenset[str] = frozenset()


def read_uses(model: str, platform: Platform) -> Uses:
    """What uses the versions of a model now. If the Model has no slot, because it is deleted or was created
    again, the slot follows from the records of its rollouts."""
    document = _find_model(model, platform)
    slot = slot_from_status(document.get("status") or {})
    if slot == Slot():
        slot = slot_from_records(model, platform.bucket)
    serving = [*platform.cluster.list("InferenceService"), *platform.cluster.list("Revision")]
    return find_uses(document, slot, serving, versions_place(model, platform.bucket))


def find_uses(model: Document, slot: Slot, serving: Sequence[Document], place: str) -> Uses:
    """The same, for documents that were read already. `serving` are InferenceServices and Revisions, and
    `place` is where the versions of the model are. Pure."""
    named = {
        version: f"the Model names it: {path}" for path, text in _texts(model) for version in _names(text)
    }
    pattern = re.compile(re.escape(place) + rf"({_VERSION})")
    isvcs = "".join(json.dumps(one) for one in serving if one["kind"] == "InferenceService")
    live = [one for one in serving if _is_live(one, isvcs)]
    served = {
        name: f"used by {one['kind']} {one['metadata']['name']}"
        for one in live
        for name in pattern.findall(json.dumps(one))
    }
    roles = {slot.previous: "previous", slot.candidate: "candidate", slot.champion: "champion"}
    reasons = {**named, **served, **{version: role for version, role in roles.items() if version}}
    return Uses(reasons, champion_number(slot), frozenset(slot.quarantine) - frozenset(slot.fallen))


def _find_model(model: str, platform: Platform) -> Document:
    try:
        return platform.cluster.get("Model", model)
    except NotFound:
        return {}


def _is_live(document: Document, isvcs: str) -> bool:
    """Whether requests can reach it. A Revision in reserve has no route, unless an InferenceService names
    it."""
    is_reserve = label_of(document, ROUTING_STATE_LABEL) == "reserve"
    return not is_reserve or json.dumps(document["metadata"]["name"]) in isvcs


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a document, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(one, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, path)


def _names(text: str) -> list[str]:
    return _NAME.findall(text) if _NAMES.fullmatch(text.strip()) else []
