"""Crashes of predictors, as failed requests. A process that crashes takes with it the requests that it was
answering, and what it has counted since its last report. A version that crashes at every request would never
report one.

A crash counts as one request, whatever it took along. It is kept like a report, one for each Pod, so that it
stays when the Pod is gone. The crashes of the champion count in the same way.
"""

from knoll.ports import Document, Platform
from knoll.records.answered import Answered
from knoll.records.evidence import Report, write_report
from knoll.rollout.observed import crashes
from knoll.rollout.slot import Slot
from knoll.rollout.world import find_pods

__all__ = ["keep_crashes"]


def keep_crashes(model: str, slot: Slot, platform: Platform) -> None:
    """Keep how often the predictors of the candidate and of the champion have crashed, while both serve."""
    if slot.phase not in ("Canary", "Baking"):
        return
    for version in filter(None, (slot.candidate, slot.champion)):
        for pod in find_pods(model, version, platform):
            if number := crashes(pod):
                write_report(_report(model, version, pod, number, platform), platform.bucket)


def _report(model: str, version: str, pod: Document, number: int, platform: Platform) -> Report:
    return Report(
        model,
        version,
        f"crashes-{pod['metadata']['uid']}",
        number,
        number,
        refused=0,
        reported_at=platform.clock.now().isoformat(),
        cold=Answered(),
    )
