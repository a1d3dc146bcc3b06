"""One step of a rollout, with the numbers behind it; written once. The steps of a model outlive its Model.

With keys for stamps, a step that no function has stamped is a stray, whatever its schema is. Without keys, a
step of a newer schema is a stray if nobody has claimed its version.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from pydantic import with_config

from knoll.errors import NewerSchema, Rejected
from knoll.names import MODEL_NAME, VERSION_NAME, join
from knoll.ports import Bucket
from knoll.records.claim import list_claims
from knoll.records.record import LENIENT, Fields, find_hint, overwrite, put_once
from knoll.records.stamp import Stamped, find_stamped, stamped, stamped_reader

__all__ = [
    "STEP_NAME",
    "RolloutStep",
    "find_champion",
    "find_last_step",
    "last_decision",
    "list_steps",
    "load_step",
    "look_at_steps",
    "next_number",
    "rollout_step_uri",
    "rollouts_uri",
    "write_step",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class RolloutStep(Stamped):
    """Decision `number` of the rollout of `version`: the `action`, and the `percent` of the traffic from then
    on. `step` is the index of the policy's step. `rollout` is the version, too, `manifest_sha256` its pin,
    and `signed_by` the id of the key that has signed it. If a human asked for it, `wish` is the id of the
    wish, and `by` who that was. `comparison` has the numbers of its comparison with the champion.
    `cause` is "signature" if a change of it barred the version, "deadline" if one passed, "hooks" if a human
    has let a trial begin for which a hook did not agree, and "aborted" if one has ended that of an earlier
    champion. `verdict` has the numbers of each arm that was judged: E (`e`) and where it fails, L (`support`)
    and where it passes, on how much evidence. `gate` has each number that the gate has looked at, with its
    bounds and its fault."""

    model: str
    rollout: str
    version: str
    number: int
    action: str
    at: str
    percent: int
    reason: str
    step: int = 0
    champion: str = ""
    evidence: Fields = field(default_factory=dict)
    manifest_sha256: str = ""
    signed_by: str = ""
    wish: str = ""
    by: str = ""
    comparison: Fields = field(default_factory=dict)
    cause: str = ""
    verdict: Fields = field(default_factory=dict)
    gate: Fields = field(default_factory=dict)


class _Acting(Protocol):
    @property
    def action(self) -> str: ...


_Step = TypeVar("_Step", bound=_Acting)
_SAID = ("Refuse", "Approve", "Edit", "Unedit")  # they change nothing of what was decided before
STEP_NAME = r"(?P<number>[0-9]{6,9})"  # without its ending
_KEY = re.compile(rf"(?P<model>{MODEL_NAME.pattern})/(?P<version>{VERSION_NAME.pattern})/{STEP_NAME}\.json")

load_step = stamped_reader(RolloutStep, "record of a rollout")


def rollouts_uri(root: str, model: str) -> str:
    """Where all steps of a model are."""
    return join(root, "rollouts", model, "")


def rollout_step_uri(root: str, model: str, rollout: str, number: int) -> str:
    """Where a step is."""
    return join(root, "rollouts", model, rollout, f"{number:06d}.json")


def write_step(step: RolloutStep, bucket: Bucket) -> bool:
    """Write the step, unless it is there; whether this call wrote it. A stray in its place is written
    over."""
    uri = _place_of(step, bucket)
    if not bucket.stamp_verify_key:
        return put_once(uri, step, bucket)
    try:
        if _read_step(uri, bucket):
            return False
        if put_once(uri, signed := stamped(step, bucket), bucket):
            return True
        if _read_step(uri, bucket):  # another function was faster
            return False
    except NewerSchema:
        return False
    there = find_hint(uri, load_step, bucket)
    overwrite(uri, signed, bucket)
    return there is None or replace(there, stamp="") != step  # from before the platform had keys


def list_steps(model: str, bucket: Bucket, rollout: str = "") -> Iterator[RolloutStep]:
    """All steps of a model, or of the rollout of one version. An object that is no step is passed over.
    Raises NewerSchema for a step that only a newer knoll understands."""
    for one in look_at_steps(model, bucket, rollout):
        if isinstance(one, NewerSchema):
            raise one
        yield one


def look_at_steps(model: str, bucket: Bucket, rollout: str = "") -> Iterator[RolloutStep | NewerSchema]:
    """See `list_steps`; for a step that only a newer knoll understands, the error that says so."""
    for one in bucket.store.list(_place_of_all(model, rollout, bucket)):
        try:
            step = _read_step(one.uri, bucket)
        except NewerSchema as error:
            yield error
            continue
        if step:
            yield step


def find_last_step(model: str, rollout: str, bucket: Bucket) -> RolloutStep | None:
    """The last step of the rollout of a version that decided something; None if there is none. No step before
    it is read."""
    uris = [one.uri for one in bucket.store.list(_place_of_all(model, rollout, bucket))]
    return _first_decision(filter(None, (_read_step(uri, bucket) for uri in reversed(uris))))


def find_champion(model: str, bucket: Bucket) -> str:
    """The version that serves after the newest step; "" for none. Who must not be wrong asks the Model's
    status. Raises NewerSchema for a step that only a newer knoll understands."""
    listed = sorted(bucket.store.list(rollouts_uri(bucket.root, model)), key=lambda one: one.modified)
    steps = filter(None, (_read_step(one.uri, bucket) for one in reversed(listed)))
    return next((one.champion for one in steps), "")


def last_decision(steps: Iterable[_Step]) -> _Step | None:
    """The last of the steps, in the order of time, that decided something; None if none did."""
    return _first_decision(reversed([*steps]))


def next_number(model: str, rollout: str, bucket: Bucket) -> int:
    """The number behind all steps of a rollout, by a listing alone: what lies there is never written again,
    even if it is no step."""
    names = (_name_of(one.uri, bucket) for one in bucket.store.list(_place_of_all(model, rollout, bucket)))
    return 1 + max((int(name["number"]) for name in names if name), default=0)


def _first_decision(steps: Iterable[_Step]) -> _Step | None:
    return next((one for one in steps if one.action not in _SAID), None)


def _place_of_all(model: str, rollout: str, bucket: Bucket) -> str:
    place = rollouts_uri(bucket.root, model)
    return join(place + rollout, "") if rollout else place


def _read_step(uri: str, bucket: Bucket) -> RolloutStep | None:
    """The step at that URI; None if the object is no step of that place. Raises NewerSchema."""
    name = _name_of(uri, bucket)
    try:
        step = find_stamped(uri, load_step, RolloutStep, bucket) if name else None
        return step if step and _place_of(step, bucket) == uri and _is_time(step.at) else None
    except (Rejected, ValueError):
        return None
    except NewerSchema:
        if name and (bucket.stamp_verify_key or name["version"] in list_claims(name["model"], bucket)):
            raise
        return None


def _name_of(uri: str, bucket: Bucket) -> re.Match[str] | None:
    """Model, version and number in the URI of a step; None for a name that no step has."""
    return _KEY.fullmatch(uri.removeprefix(join(bucket.root, "rollouts", "")))


def _place_of(step: RolloutStep, bucket: Bucket) -> str:
    return rollout_step_uri(bucket.root, step.model, step.rollout, step.number)


def _is_time(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None
