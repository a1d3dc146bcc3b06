"""Arms: what is compared, how much worse the candidate may be, and how likely each may be wrong.

A sound candidate is rolled back with a probability of at most the sum of all alphas that may fail it, .5 %:
by the union bound this holds whatever the arms have to do with each other. The split is fixed and does not
depend on which arms are on, so that nobody wins by turning one off during a rollout. Half of it is for
errors, which every model has. Three tenths are for latency, in two equal parts. The rest is for what only
some models have: refusals .02 %, agreement .03 %, labels .03 %, late errors of sessions .02 %. An alpha that
is half as large costs a tenth more requests.

Labels are judged as two samples, and in pairs, too, where both versions answer the same requests. Then E and
L of the arm are half of the larger of both: by the union bound, each of the two has half of the alpha.
"""

from dataclasses import dataclass
from typing import Literal

from knoll.rollout.evidence.two_sample import Rule

__all__ = ["ARMS", "PASS_ALPHA", "SUSPICION", "Arm", "ArmName", "find_arm"]

ArmName = Literal[
    "errors", "latencyP95", "latencyP50", "refusals", "outputs", "agreement", "labels", "lateErrors"
]

PASS_ALPHA = 0.01  # how likely a candidate that is worse by the margin may pass


@dataclass(frozen=True)
class Arm:
    """`delta` is how much more often the candidate may fail, and `margin` the most that it must be shown
    not to reach before it passes; an arm without a margin cannot pass, and need not. If it
    `may_fail`, it rolls back; else it pauses."""

    name: ArmName
    alpha: float
    delta: float
    margin: float | None = None
    may_fail: bool = True

    @property
    def fail_at(self) -> float:
        """E from which on the arm has failed, 1 / alpha."""
        return 1 / self.alpha

    @property
    def rule(self) -> Rule:
        """The rule of a comparison of two samples."""
        return Rule(self.delta, self.margin)


ARMS = (
    Arm("errors", 0.0025, 0.0025, 0.02),
    Arm("latencyP95", 0.00075, 0.02),  # slower than the champion's p95
    Arm("latencyP50", 0.00075, 0.05),  # slower than the champion's median
    Arm("refusals", 0.0002, 0.01),
    Arm("outputs", 0.0025, 0.0, may_fail=False),
    Arm("agreement", 0.0003, 0.02, 0.02),
    Arm("labels", 0.0003, 0.01, 0.05),
    Arm("lateErrors", 0.0002, 0.02),  # between sessions of different ages, too
)
SUSPICION = (
    0.02,
    20.0,
)  # in the bake: above the champion's rate, and E from which on the traffic is split again


def find_arm(name: ArmName) -> Arm:
    """The arm of that name."""
    return next(arm for arm in ARMS if arm.name == name)
