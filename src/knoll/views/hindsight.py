"""Past rollouts as another policy would have ended them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from knoll.models.policy import PolicySpec
from knoll.ports import Platform
from knoll.rollout.hindsight import UNKNOWN, Hindsight, seen_again, trials
from knoll.views.models import find_model
from knoll.views.rollouts import read_steps

__all__ = ["HindsightView", "PastRollout", "hindsight_document", "read_hindsight"]


@dataclass(frozen=True)
class PastRollout:
    """A rollout that has ended, and how it would have ended by the policy: Promoted, RolledBack, Held,
    Refused, or Unknown."""

    model: str
    version: str
    started_at: str
    ended: str
    again: Hindsight

    @property
    def differs(self) -> bool | None:
        """Whether it would have ended differently; None if that is unknown."""
        return None if self.again.would == UNKNOWN else self.again.would != self.ended


@dataclass(frozen=True)
class HindsightView:
    """Past rollouts in the order of time. `left_out` says how many steps only a newer knoll understands."""

    rollouts: Sequence[PastRollout]
    left_out: str = ""

    @property
    def otherwise(self) -> int:
        """How many would have ended differently."""
        return sum(one.differs is True for one in self.rollouts)

    @property
    def unknown(self) -> int:
        """How many have an unknown end."""
        return sum(one.differs is None for one in self.rollouts)


def read_hindsight(platform: Platform, model: str, policy: PolicySpec) -> HindsightView:
    """The past rollouts of a model, or of all Models for "". Raises NotFound if there are neither records nor
    such a Model."""
    names = [model] if model else [one["metadata"]["name"] for one in platform.cluster.list("Model")]
    read = {name: read_steps(platform, name) for name in names}
    if model and not (read[model].shown or read[model].left_out):
        find_model(platform, model)
    found = [one for name in names for one in _past(name, read[name].shown, policy)]
    left_out = " ".join(filter(None, (one.left_out for one in read.values())))
    return HindsightView(sorted(found, key=lambda one: (one.model, one.started_at)), left_out)


def hindsight_document(view: HindsightView) -> dict[str, Any]:
    """The past rollouts as `-o json` shows them."""
    rollouts = [
        {
            "model": one.model,
            "version": one.version,
            "startedAt": one.started_at,
            "ended": one.ended,
            "would": one.again.would,
            "differs": one.differs,
            "step": one.again.step,
            "why": one.again.why,
        }
        for one in view.rollouts
    ]
    return {"rollouts": rollouts, "otherwise": view.otherwise, "unknown": view.unknown}


def _past(model: str, steps: Sequence[Any], policy: PolicySpec) -> Iterator[PastRollout]:
    in_order = sorted(steps, key=lambda one: one.version)
    for version, of_version in groupby(in_order, key=lambda one: one.version):
        for one in trials(of_version):
            if one.ended:
                again = seen_again(one, policy.rollout, policy.gate.min_agreement)
                yield PastRollout(model, version, one.first.at, one.ended, again)
