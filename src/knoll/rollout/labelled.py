"""What a predictor reports of labels: read from its event, and kept in the model bucket if it is believed.

A predictor takes labels for answers of any version of its Model, so its own key proves what it counted of the
others, too: it may have checked their ids, and they have no way to do so.
"""

from typing import Any

from knoll.events import Event, WrongField, reading
from knoll.names import VERSION_NAME
from knoll.ports import Document, Platform
from knoll.proofs import LABELS_PURPOSE, is_proven
from knoll.records.labels import MOST_WINDOWS, Labels, Window, is_one_too_many, write_labels
from knoll.records.rising import REPLICA
from knoll.rollout.disbelieved import disbelieve, read_or_disbelieve
from knoll.rollout.plausible import most_replicas
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import Slot, slot_from_status

__all__ = ["keep_labels", "read_labels"]

_MOST = 2**31  # labels in a minute
_LATEST = 2**40  # the start of a minute


def read_labels(model: str, event: Event) -> Labels:
    """Read the counts in the event. Raises InvalidEvent if a count, or the name of the replica or of a
    version, is not one."""
    with reading(f"the labels in event {event.id}"):
        data = event.data
        replica, version, by = data["instance"], data["version"], data["by"]
        if not (isinstance(replica, str) and REPLICA.fullmatch(replica)):
            raise WrongField("instance is no name of a process")
        if not all(isinstance(one, str) and VERSION_NAME.fullmatch(one) for one in (version, by)):
            raise WrongField("version and by are no versions")
        compared, different = data.get("compared", 0), data.get("different", 0)
        if (
            not all(type(one) is int for one in (compared, different))
            or not 0 <= different <= compared < _MOST
        ):
            raise WrongField("compared and different are no counts")
        windows = _windows(data["windows"])
        pairs = _pairs(data.get("pairs", (0, 0, 0)))
        return Labels(model, version, replica, by, windows, event.time, compared, different, *pairs)


def keep_labels(model: str, event: Event, platform: Platform) -> bool:
    """Keep what a predictor of the candidate, the champion or the previous champion was told of any of them;
    whether the rollout may go on by it.

    If a record is not believed, it is counted like such a report. Raises NotFound if there is no such Model.
    """
    document = platform.cluster.get("Model", model)
    labels = read_or_disbelieve(read_labels, event, document, platform)
    if labels is None:
        return False
    slot = slot_from_status(document.get("status") or {})
    roles = {slot.candidate, slot.champion, slot.previous}
    if not {labels.version, labels.by} <= roles:
        return False
    if why := _why_disbelieved(labels, event, document, slot, platform):
        disbelieve(document, f"of labels of {labels.version}: {why}", platform)
        return False
    write_labels(labels, platform.bucket)
    return slot.phase in ("Canary", "Baking")


def _why_disbelieved(labels: Labels, event: Event, document: Document, slot: Slot, platform: Platform) -> str:
    """Why the counts are not believed; "" if they are. Without a key nobody can have joined a label."""
    key, proof = key_of_revision(document, slot, labels.by, platform.settings), event.data.get("proof")
    if not (key and isinstance(proof, str) and is_proven(proof, key, LABELS_PURPOSE, labels.covered())):
        return "they have no proof by the key of the Revision that counted them"
    created = str(document["metadata"].get("creationTimestamp") or "")
    most = most_replicas(created, platform.clock.now())
    if is_one_too_many(labels, most, platform.bucket):
        return f"{most:,} other replicas have counted labels already"
    return ""


def _pairs(found: Any) -> tuple[int, int, int]:
    paired, only_version, only_by = found
    if any(type(one) is not int or one < 0 for one in found) or not only_version + only_by <= paired < _MOST:
        raise WrongField("pairs are no counts")
    return paired, only_version, only_by


def _windows(found: Any) -> tuple[Window, ...]:
    if not (isinstance(found, list) and len(found) <= MOST_WINDOWS):
        raise WrongField("windows is no list of minutes")
    windows = [(minute, right, wrong) for minute, right, wrong in found]
    for before, (minute, *counts) in zip([-1, *(one[0] for one in windows)], windows, strict=False):
        if type(minute) is not int or not before < minute < _LATEST:
            raise WrongField("the minutes do not rise")
        if any(type(one) is not int or not 0 <= one < _MOST for one in counts):
            raise WrongField("right and wrong are no counts")
    return tuple(windows)
