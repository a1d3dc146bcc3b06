"""The rollouts of a version, one after the other: it may be tried again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from knoll.records.rollout import RolloutStep
from knoll.rollout.hindsight.ends import ENDS

__all__ = ["PastTrial", "trials"]

_BEGINS = ("Start", "Reject")
_OF_A_TRIAL = (*_BEGINS, "Shift", "Bake", *ENDS)


@dataclass(frozen=True)
class PastTrial:
    """One rollout of a version: its steps in the order of time. If it `is_approved`, it need not agree with
    the champion."""

    steps: Sequence[RolloutStep]
    is_approved: bool = False

    @property
    def first(self) -> RolloutStep:
        """Its begin, or the refusal of the gate."""
        return self.steps[0]

    @property
    def last(self) -> RolloutStep:
        """The step that ended it, if it has ended."""
        return self.steps[-1]

    @property
    def ended(self) -> str:
        """How it ended; "" while it goes on."""
        return ENDS.get(self.last.action, "")

    @property
    def in_traffic(self) -> Sequence[RolloutStep]:
        """The steps from the first one that gave it traffic on."""
        begins = (number for number, one in enumerate(self.steps) if one.action in ("Shift", "Bake"))
        return self.steps[next(begins, len(self.steps)) :]


def trials(steps: Iterable[RolloutStep]) -> list[PastTrial]:
    """The rollouts in the steps of one version."""
    found: list[PastTrial] = []
    is_known = False  # approved by somebody, or by having been the champion
    for one in sorted(steps, key=lambda step: step.number):
        if one.action in _BEGINS:
            found.append(PastTrial([one], is_known or bool(one.wish and not one.cause)))
        elif found and one.action in _OF_A_TRIAL and not found[-1].ended:
            found[-1] = replace(found[-1], steps=[*found[-1].steps, one])
        is_known = is_known or one.action in ("Approve", "Promote")
    return found
