"""The slot of a Model that was deleted and created again, from the records of its rollouts: they outlive the
Model.

Only a version that a run has made can have been promoted, with the manifest that the run has published. Other
steps are strays. With keys only signed versions count, and only steps that rollout has stamped: nothing but
the bucket says what served.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from itertools import groupby

from knoll.errors import Rejected
from knoll.ports import Bucket
from knoll.records.attestation import look_at_attestation
from knoll.records.claim import find_claim, list_claims
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.rollout import RolloutStep, list_steps
from knoll.rollout.comparison import Held
from knoll.rollout.integrity import NOTHING_SEEN
from knoll.rollout.moves import returned
from knoll.rollout.slot import Slot
from knoll.rollout.transition import Transition
from knoll.rollout.wish_answers import undone_by

__all__ = ["slot_from_records"]


def slot_from_records(model: str, bucket: Bucket, keys: str = "") -> Slot:
    """Which version served last, and which must not return; with public `keys` only a version that one of
    them has signed. An empty slot if there was never a rollout."""
    slot = Slot()
    for step in sorted(_believed(model, bucket, keys), key=lambda one: (one.at, one.number)):
        made = Transition(**{field.name: getattr(step, field.name) for field in fields(Transition)})
        slot = _after(slot, made)
        if step.manifest_sha256:
            slot = replace(slot, pins={**slot.pins, step.version: step.manifest_sha256})
        if step.signed_by:
            slot = replace(slot, signers={**slot.signers, step.version: step.signed_by})
    return slot


def _after(slot: Slot, made: Transition) -> Slot:
    after = replace(slot.told(made), since=made.at)
    match made.action:
        case "Promote":
            return replace(
                after, champion=made.version, previous=slot.champion, percent=100, fallen={}, held=None
            )
        case "Fallback" if made.version == slot.champion:
            fallen = {**slot.fallen, made.version: NOTHING_SEEN}
            back = replace(after, champion=slot.previous, previous="", percent=100, fallen=fallen)
            back = replace(returned(back, slot.previous), steering=slot.steering.without_undone(made.version))
            return _barred(back, made)
        case "Start":
            undone = undone_by(slot, made.version) if made.wish and not made.cause else slot.steering.undone
            steering = replace(slot.steering, undone=undone)
            return replace(returned(after, made.version), steering=steering, held=None)
        case "Hold":
            return replace(after, held=Held(made.version, made.reason, made.at))
        case "Rollback" | "Reject":
            return _barred(after, made)
    return after


def _barred(slot: Slot, made: Transition) -> Slot:
    """The slot with the version in quarantine, and since when."""
    barred = slot.barred(made.version, made.reason, made.cause)
    quarantined = {**slot.steering.quarantined, made.version: made.at}
    return replace(barred, steering=replace(slot.steering, quarantined=quarantined))


def _believed(model: str, bucket: Bucket, keys: str) -> Iterator[RolloutStep]:
    """The steps that can have happened: none, if versions are signed and steps are not stamped."""
    if keys and not bucket.stamp_verify_key:
        return
    claims = {*list_claims(model, bucket)}
    for version, steps in groupby(list_steps(model, bucket), lambda one: one.version):
        if version not in claims:
            continue
        made = _outcome_of(model, version, bucket, keys)
        pins = ("", made.manifest_sha256) if made and made.manifest_sha256 else ()
        for step in steps:
            if (made or step.action != "Promote") and (not pins or step.manifest_sha256 in pins):
                yield step


def _outcome_of(model: str, version: str, bucket: Bucket, keys: str) -> Outcome | None:
    """The outcome of the run that has claimed the version, if it has ended with it, and it is signed."""
    with suppress(Rejected):
        claim = find_claim(model, version, bucket)
        outcome = find_outcome(claim.run, bucket) if claim else None
        if outcome is None or (outcome.state, outcome.version) != ("succeeded", version):
            return None
        if not look_at_attestation(model, version, outcome.manifest_sha256, keys, bucket).fault:
            return outcome
    return None
