"""The end of a run, as the trainer writes it down and tells it; without torch, so that all but the learning can be tried in milliseconds.

The first attempt that ends a run decides how; another one ends as that one has.
"""

from knoll.errors import AlreadyExists
from knoll.events import TRAINING_FAILED, TRAINING_SUCCEEDED
from knoll.names import outcome_uri, superseded_uri, version_uri
from knoll.ports import Platform
from knoll.runs import Outcome, Run, dump
from knoll.train.launch import exit_code, find_outcome
from knoll.train.report import publish_event, say

__all__ = ["end_run"]


def end_run(run: Run, outcome: Outcome, platform: Platform) -> int:
    """Write the outcome and announce it, unless another attempt was first: then that one counts."""
    root = platform.settings.model_root
    if outcome.superseded:
        platform.store.put(superseded_uri(root, run.id), b"{}", content_type="application/json")
    try:
        uri = outcome_uri(root, run.id)
        platform.store.put(uri, dump(outcome), if_absent=True, content_type="application/json")
    except AlreadyExists:
        outcome = find_outcome(run.id, platform) or outcome
        say(f"another attempt has ended this run: {outcome.state}")
        return exit_code(outcome)
    say(f"run {run.id} {outcome.state}" + (f": {outcome.reason}" if outcome.reason else ""))
    _announce(run, outcome, platform)
    return exit_code(outcome)


def _announce(run: Run, outcome: Outcome, platform: Platform) -> None:
    if outcome.state == "succeeded":
        uri = version_uri(platform.settings.model_root, run.model, outcome.version)
        data = {"version": outcome.version, "uri": uri, "metrics": dict(outcome.metrics)}
        publish_event(TRAINING_SUCCEEDED, run, data, platform, id=f"{run.id}.succeeded")
    else:
        data = {"state": outcome.state, "reason": outcome.reason}
        publish_event(TRAINING_FAILED, run, data, platform, id=f"{run.id}.failed")
