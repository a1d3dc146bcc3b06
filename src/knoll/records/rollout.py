"""One step of a rollout, with the numbers behind it; written once. The steps of a model outlive its Model."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import with_config

from knoll.errors import NotFound, Rejected
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Fields, Record, put_once, reader

__all__ = ["RolloutStep", "list_steps", "load_step", "rollout_step_uri", "rollouts_uri", "write_step"]

_LOG = logging.getLogger(__name__)


@with_config(LENIENT)
@dataclass(frozen=True)
class RolloutStep(Record):
    """Decision `number` of the rollout of `version`: the `action`, and the `percent` of the traffic from then
    on. `step` is the index of the policy's step. `rollout` is the version, too."""

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
    """All steps of a model, or of the rollout of one version. An object that is no step is logged and
    passed over."""
    place = (
        join(rollouts_uri(bucket.root, model) + rollout, "") if rollout else rollouts_uri(bucket.root, model)
    )
    for one in bucket.store.list(place):
        try:
            yield load_step(bucket.store.get(one.uri))
        except NotFound:  # removed meanwhile
            continue
        except Rejected as error:
            _LOG.warning("%s is passed over: %s", one.uri, error)
