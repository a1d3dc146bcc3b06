"""Hindsight: how a past rollout would have ended with another policy, as far as its records show. Pure.

The record of a step has what was counted and judged when the step was decided. E and L hold for any policy:
where an arm fails is fixed, and how the traffic was shared makes no difference to what they mean. So `steps`
(their number), `minRequests`, `margin`, `compare`, `labels`, `bake`, `idle`, `progressDeadline`,
`allowSignatureChange` and `gate.minAgreement` can be put to them. Nothing is guessed: the end is unknown if
both policies part where nothing is recorded any more, or if the records do not tell which of two things came
first.
"""

from knoll.models import RolloutSpec
from knoll.rollout.hindsight.before_traffic import before_traffic
from knoll.rollout.hindsight.ends import UNKNOWN, Hindsight
from knoll.rollout.hindsight.in_traffic import in_traffic
from knoll.rollout.hindsight.trials import PastTrial, trials

__all__ = ["UNKNOWN", "Hindsight", "PastTrial", "seen_again", "trials"]


def seen_again(trial: PastTrial, policy: RolloutSpec, min_agreement: float) -> Hindsight:
    """How a trial that has ended would have ended by this policy."""
    return before_traffic(trial, policy, min_agreement) or in_traffic(trial, policy, min_agreement)
