"""The Kubernetes objects and records of a rollout: written here as the slot says, and read."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from knoll.errors import AlreadyExists, Conflict, NotFound
from knoll.events import new_event, types
from knoll.kube.labels import REVISION_LABEL, VERSION_LABEL, label_of, part_labels
from knoll.kube.ownership import owned
from knoll.ports import Document, Platform
from knoll.records.rollout import RolloutStep, write_step
from knoll.rollout.base import needs_base, slot_without_trial
from knoll.rollout.champion import numbered
from knoll.rollout.edits import follows, slot_after_look, spec_with_additions
from knoll.rollout.inference_service import asked, served_version
from knoll.rollout.observed import Observed, newest_revision, observe, rolled_out_revisions, was_ready
from knoll.rollout.releases import marked_with_this_release
from knoll.rollout.room import waits_for_room
from knoll.rollout.slot import Slot, slot_to_status

__all__ = [
    "find_base",
    "find_isvc",
    "find_pods",
    "is_late",
    "is_observed",
    "is_starting",
    "note_edit",
    "put_off",
    "record_step",
    "see_version",
    "write_isvc",
    "write_slot",
]

# The InferenceService follows a decision within this time, unless a function was killed in between.
_PROMPT = timedelta(seconds=10)
_EVENTS = {
    "Start": types.ROLLOUT_STARTED,
    "Shift": types.ROLLOUT_SHIFTED,
    "Bake": types.ROLLOUT_SHIFTED,
    "Promote": types.ROLLOUT_PROMOTED,
    "Rollback": types.ROLLOUT_ROLLEDBACK,
    "Reject": types.ROLLOUT_HELD,
    "Hold": types.ROLLOUT_HELD,
    "Fallback": types.ROLLOUT_FELLBACK,
    "Damage": types.ROLLOUT_DAMAGED,
    "Mend": types.ROLLOUT_RESUMED,
    "Pause": types.ROLLOUT_PAUSED,
    "Resume": types.ROLLOUT_RESUMED,
    "Approve": types.ROLLOUT_APPROVED,
    "Refuse": types.ROLLOUT_REFUSED,
    "Edit": types.ROLLOUT_EDITED,
    "Unedit": types.ROLLOUT_RESUMED,
    "Withdraw": types.ROLLOUT_HELD,
}


def write_slot(document: Document, slot: Slot, platform: Platform) -> None:
    """Write the slot into the Model's status. Raises Conflict if the Model has changed since it was read."""
    status = slot_to_status(slot, document.get("status") or {})
    observed = {"observedGeneration": document["metadata"]["generation"]}
    platform.cluster.update({**document, "status": {**status, **observed}}, status=True)


def is_observed(document: Document) -> bool:
    """Whether rollout has looked at the Model since its spec has changed."""
    status = document.get("status") or {}
    return bool(status.get("observedGeneration") == document["metadata"].get("generation"))


def record_step(model: str, slot: Slot, platform: Platform) -> None:
    """Write the record of the last decision and publish it, unless there is a record. A decision that only a
    newer knoll knows is left for that one to record."""
    made = slot.transition
    if made is None or not made.version or made.action not in _EVENTS:
        return
    step = RolloutStep(
        model,
        made.version,
        **vars(made),
        step=slot.step,
        champion=slot.champion,
        manifest_sha256=slot.pins.get(made.version, ""),
        signed_by=slot.signers.get(made.version, ""),
    )
    if write_step(step, platform.bucket):
        platform.events.publish(
            new_event(
                _EVENTS[made.action],
                source=platform.settings.source,
                time=platform.clock.now(),
                subject=model,
                data=step.fields(),
            )
        )


def note_edit(
    document: Document, slot: Slot, live: Document | None, wanted: Document | None, platform: Platform
) -> bool:
    """Write into the slot what a look at the InferenceService tells of it, before that is written; whether
    there was anything to tell. Raises Conflict if the Model has changed since it was read, or if the slot is
    not about the InferenceService and that was deleted since it was read."""
    after = slot_after_look(slot, live, wanted, platform.clock.now().isoformat())
    if after == slot:
        return False
    if live is not None and after.steering.written_uid != slot.steering.written_uid:
        _check_is_there(live, platform)
    if after.transition != slot.transition:
        after = numbered(document["metadata"]["name"], after, platform.bucket)
    write_slot(document, after, platform)
    return True


def _check_is_there(live: Document, platform: Platform) -> None:
    """Raise Conflict if the InferenceService was deleted since it was read: the slot may be newer, and about
    another one."""
    name, uid = live["metadata"]["name"], live["metadata"]["uid"]
    newest = find_isvc(name, platform)
    if newest is None or newest["metadata"]["uid"] != uid:
        raise Conflict(f"InferenceService {name} was deleted since it was read: read it again")


def put_off(document: Document, slot: Slot, live: Document | None, platform: Platform) -> bool:
    """Write the slot without its trial, if the champion is not there to share the traffic with, or without a
    step back that is not possible any more; whether either is so. Raises Conflict if the Model has changed
    since it was read."""
    if slot.is_stepping_back and asked(live)[0] != slot.candidate:
        write_slot(document, replace(slot, steps_back=False), platform)
        return True
    if not needs_base(slot):
        return False
    name = document["metadata"]["name"]
    newest = live or find_isvc(name, platform)  # a listing may be older than the slot
    base = find_base(newest, platform, slot.candidate)
    if base == slot.champion:
        return False
    after = slot_without_trial(slot, base, platform.clock.now().isoformat())
    write_slot(document, numbered(name, after, platform.bucket), platform)
    return True


def find_base(isvc: Document | None, platform: Platform, candidate: str = "") -> str:
    """The version with which KServe shares the traffic of a newer one; "" if there is none. If the candidate
    has had all traffic, that is the version before it: KServe steps back to it."""
    versions = (_version_of(name, platform) for name in rolled_out_revisions(isvc))
    return next((version for version in versions if version != candidate), "")


def _version_of(revision: str, platform: Platform) -> str:
    try:
        return label_of(platform.cluster.get("Revision", revision), VERSION_LABEL)
    except NotFound:
        return ""


def find_isvc(model: str, platform: Platform) -> Document | None:
    """The InferenceService of that name; None if there is none."""
    try:
        return platform.cluster.get("InferenceService", model)
    except NotFound:
        return None


def write_isvc(
    document: Document,
    live: Document | None,
    wanted: Document | None,
    secret: Document | None,
    platform: Platform,
) -> Document | None:
    """Make the InferenceService of a Model what is wanted, after the `secret` that it names; the written one.

    Raises AlreadyExists or Conflict if it has changed since it was `live`.
    """
    if wanted is None:
        _remove_isvc(live, platform)
        return None
    if live is not None and follows(live, wanted):
        return live
    if secret:
        with suppress(AlreadyExists):
            platform.cluster.create(owned(secret, document))
    if live is None:
        return platform.cluster.create(owned(marked_with_this_release(wanted), document))
    spec = spec_with_additions(live["spec"], wanted["spec"])
    return platform.cluster.update(marked_with_this_release({**live, "spec": spec}))


def _remove_isvc(live: Document | None, platform: Platform) -> None:
    if live is not None:
        name, version = live["metadata"]["name"], live["metadata"]["resourceVersion"]
        with suppress(NotFound):
            platform.cluster.delete("InferenceService", name, version=version)


def see_version(slot: Slot, isvc: Document | None, strategy: str, platform: Platform) -> Observed:
    """What is seen of the version that the slot wants to serve. By the strategy `resource` the Pods of the
    champion are looked at, too."""
    name = newest_revision(isvc)
    if isvc is None or slot.phase == "Idle" or not name:
        return Observed()
    try:
        revision = platform.cluster.get("Revision", name)
    except NotFound:
        return Observed()
    is_starting = slot.phase == "Deploying"
    pods = platform.cluster.list("Pod", {REVISION_LABEL: name}) if is_starting else []
    seen = observe(isvc, revision, served_version(slot), pods)
    if strategy != "resource" or slot.phase not in ("Deploying", "RollingBack") or not slot.champion:
        return seen
    waits = waits_for_room(find_pods(isvc["metadata"]["name"], slot.champion, platform))
    return replace(seen, champion_waits=waits)


def find_pods(model: str, version: str, platform: Platform) -> list[Document]:
    """The Pods of all Revisions of a version of the model."""
    return platform.cluster.list("Pod", {**part_labels(model), VERSION_LABEL: version})


def is_late(slot: Slot, wanted: Document | None, live: Document | None, now: datetime) -> bool:
    """Whether the time of the phase must begin again: it has none, or the InferenceService does not ask for
    what the slot wants, long after the slot was written. Then a function was killed in between."""
    if slot.phase == "Idle":
        return False
    if not slot.since:
        return True
    return asked(live) != asked(wanted) and now - datetime.fromisoformat(slot.since) > _PROMPT


def is_starting(isvc: Document | None, now: datetime, patience: float) -> bool:
    """Whether no Revision of the InferenceService has been ready yet, and it is younger than `patience`
    seconds.

    After a Model was deleted and applied again, its champion has to start. A trial before that would never
    end: KServe shares traffic only with a version that was ready before.
    """
    if isvc is None or was_ready(isvc):
        return False
    created = datetime.fromisoformat(isvc["metadata"]["creationTimestamp"])
    return (now - created).total_seconds() < patience
