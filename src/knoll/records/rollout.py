"""One step of a rollout, with the numbers behind it; written once. The steps of a model outlive its Model."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import with_config

from knoll.errors import Rejected
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Fields, Record, find, put_once, reader

__all__ = ["RolloutStep", "list_steps", "load_step", "rollout_step_uri", "rollouts_uri", "write_step"]


@with_config(LENIENT)
@dataclass(frozen=True)
class RolloutStep(Record):
    """Decision `number` of the rollout of `version`: the `action`, and the `percent` of the traffic from then
    on. `step` is the index of the policy's step. `rollout` is the version, too, and
    `manifest_sha256` its pin."""

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


load_step = reader(RolloutStep, "record of a rollout")


def rollouts_uri(root: str, model: str) -> str:
    """Where all steps of a model are."""
    return join(root, "rollouts", model, "")


def rollout_step_uri(root: str, model: str, rollout: str, number: int) -> str:
    """Where a step is."""
    return join(root, "rollouts", model, rollout, f"{number:06d}.json")


def write_step(step: RolloutStep, bucket: Bucket) -> bool:
    """Write the step, unless it is there; whether this call wrote it."""
    return put_once(rollout_step_uri(bucket.root, step.model, step.rollout, step.number), step, bucket)


def list_steps(model: str, bucket: Bucket, rollout: str = "") -> Iterator[RolloutStep]:
    """All steps of a model, or of the rollout of one version. An object that is no step is
    passed over."""
    place = (
        join(rollouts_uri(bucket.root, model) + rollout, "") if rollout else rollouts_uri(bucket.root, model)
    )
    for one in bucket.store.list(place):
        with suppress(Rejected, ValueError):
            step = find(one.uri, load_step, bucket)
            if step and _place_of(step, bucket) == one.uri and _is_time(step.at):
                yield step


def _place_of(step: RolloutStep, bucket: Bucket) -> str:
    return rollout_step_uri(bucket.root, step.model, step.rollout, step.number)


def _is_time(text: str) -> bool:
    return bool(datetime.fromisoformat(text))
