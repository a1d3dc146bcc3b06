"""How KServe in Knative mode splits traffic between the newest ready Revision and the one that was rolled out
before it.

The rules are those of KServe's ksvc_reconciler.go (`createKnativeService`) and inference_service_status.go
(`PropagateStatus`). A Revision is rolled out when it is the newest ready one and has 100 %.
`canaryTrafficPercent` counts only after one has been rolled out. KServe remembers one step back.
"""

from dataclasses import dataclass, replace

__all__ = ["Rollout", "TrafficTarget", "settle"]


@dataclass(frozen=True)
class TrafficTarget:
    """One part of the traffic. `is_latest` marks the target that follows the newest ready Revision."""

    revision: str
    percent: int
    is_latest: bool
    tag: str = ""


@dataclass(frozen=True)
class Rollout:
    """Names of the newest Revision, the newest that has been ready, the one rolled out and the one before it;
    "" where there is none."""

    created: str
    ready: str
    rolled_out: str
    previous: str
    traffic: tuple[TrafficTarget, ...] = ()


def settle(rollout: Rollout, canary_percent: int | None, is_tagged: bool) -> Rollout:
    """The rollout with its traffic, once KServe has nothing more to change.

    KServe needs several reconciliations: the Revision that is rolled out decides the next split, and the
    split decides which Revision is rolled out.
    """
    settled = _propagate(replace(rollout, traffic=_split(rollout, canary_percent, is_tagged)))
    if (settled.rolled_out, settled.previous) == (rollout.rolled_out, rollout.previous):
        return settled
    return settle(settled, canary_percent, is_tagged)


def _split(rollout: Rollout, canary_percent: int | None, is_tagged: bool) -> tuple[TrafficTarget, ...]:
    if not rollout.ready:
        return ()
    percent = 100 if canary_percent is None or not rollout.rolled_out else canary_percent
    latest = TrafficTarget(rollout.ready, percent, True, "latest" if is_tagged else "")
    if percent == 100:
        return (latest,)
    return latest, TrafficTarget(rollout.rolled_out, 100 - percent, False, "prev")


def _propagate(rollout: Rollout) -> Rollout:
    if not rollout.traffic:
        return rollout
    percent = rollout.traffic[0].percent
    if rollout.rolled_out != rollout.ready:
        rolled_out = replace(rollout, rolled_out=rollout.ready, previous=rollout.rolled_out)
        return rolled_out if percent == 100 else rollout
    # The newest Revision was rolled out and is now told to step back. Both targets name it, so the one before
    # it gets the traffic.
    if rollout.ready == rollout.created and percent < 100 and rollout.previous:
        return replace(rollout, rolled_out=rollout.previous)
    return rollout
