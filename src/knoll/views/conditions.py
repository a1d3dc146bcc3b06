"""Conditions: those that Kubernetes objects have, and those that follow from the status of a Model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from knoll.ports import Document
from knoll.quantities import counted
from knoll.rollout.steering import steering_from_status

__all__ = ["Condition", "conditions_of", "conditions_of_model", "disbelieved_words", "fallen_versions"]


@dataclass(frozen=True)
class Condition:
    """One condition of a Kubernetes object; `since` is the time of its last change."""

    type: str
    status: str
    reason: str
    message: str
    since: str

    @property
    def words(self) -> str:
        """Reason and message as one text."""
        return ": ".join(part for part in (self.reason, self.message) if part)


def conditions_of(document: Document | None) -> tuple[Condition, ...]:
    """The conditions of an object. KServe's Stopped is left out while it is False, which is its good
    state."""
    found = ((document or {}).get("status") or {}).get("conditions") or []
    keys = ("type", "status", "reason", "message", "lastTransitionTime")
    conditions = (Condition(*(str(one.get(key) or "") for key in keys)) for one in found)
    return tuple(one for one in conditions if (one.type, one.status) != ("Stopped", "False"))


def conditions_of_model(model: Document) -> tuple[Condition, ...]:
    """What is wrong with a rollout, by the status of the Model, and the Model's own conditions."""
    status = model.get("status") or {}
    return (*_of_damage(status), *_of_edit(status), *_of_reports(status), *conditions_of(model))


def fallen_versions(status: Mapping[str, Any]) -> Mapping[str, str]:
    """Why each version that may come back gave way, by version."""
    quarantine = status.get("quarantine") or {}
    return {name: str(quarantine.get(name, "")) for name in status.get("fallen") or {}}


def disbelieved_words(status: Mapping[str, Any]) -> str:
    """How many reports on the Model were not believed in the last day, and why the last one was not; "" if
    all were."""
    told = status.get("disbelievedReports")
    if not told:
        return ""
    number = counted(int(told.get("count") or 1), "report")
    return f"at least {number} not believed, the last one at {told.get('at')}: {told.get('reason')}"


def _of_damage(status: Mapping[str, Any]) -> Iterator[Condition]:
    """A condition if what should serve is not what was trained."""
    since, kind = str((status.get("rollout") or {}).get("since") or ""), "ChampionVerified"
    if status.get("damage"):
        yield Condition(kind, "False", "Damaged", str(status["damage"]), since)
        return
    for name, why in fallen_versions(status).items():
        words = f"{status.get('champion')} serves instead of {name}: {why}"
        yield Condition(kind, "False", "FellBack", words, since)


def _of_edit(status: Mapping[str, Any]) -> Iterator[Condition]:
    """A condition if the InferenceService is not as knoll wrote it."""
    if edit := steering_from_status(status).edit:
        yield Condition("ServiceAsWritten", "False", "Edited", edit.told, edit.at)


def _of_reports(status: Mapping[str, Any]) -> Iterator[Condition]:
    if words := disbelieved_words(status):
        at = str(status["disbelievedReports"].get("at") or "")
        yield Condition("ReportsBelieved", "False", "Disbelieved", words, at)
