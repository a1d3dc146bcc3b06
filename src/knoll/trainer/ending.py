"""The end of a run: its trainer writes the outcome and publishes it.

The first attempt to write the outcome wins; the others end with that outcome. This module needs no torch, so
that tests of it are fast.
"""

from knoll.events import TRAINING_FAILED, TRAINING_SUCCEEDED
from knoll.ports import Platform
from knoll.records.outcome import Outcome, find_outcome, write_outcome
from knoll.records.run import Run
from knoll.records.version_folder import version_folder
from knoll.trainer.launch import exit_code
from knoll.trainer.report import publish_event, say

__all__ = ["end_run"]


def end_run(run: Run, outcome: Outcome, platform: Platform) -> int:
    """Write and publish the outcome, unless there is one already; an exit code for the one that counts."""
    if not write_outcome(run.id, outcome, platform.bucket):
        outcome = find_outcome(run.id, platform.bucket) or outcome
        say(f"another attempt has ended this run: {outcome.state}")
        return exit_code(outcome)
    say(f"run {run.id} {outcome.state}" + (f": {outcome.reason}" if outcome.reason else ""))
    _announce(run, outcome, platform)
    return exit_code(outcome)


def _announce(run: Run, outcome: Outcome, platform: Platform) -> None:
    if outcome.state == "succeeded":
        uri = version_folder(run.model, outcome.version, platform.bucket).uri
        golden = {"golden": dict(outcome.golden)} if outcome.golden else {}
        data = {"version": outcome.version, "uri": uri, "metrics": dict(outcome.metrics), **golden}
        publish_event(TRAINING_SUCCEEDED, run, data, platform, id=f"{run.id}.succeeded")
    else:
        data = {"state": outcome.state, "reason": outcome.reason}
        publish_event(TRAINING_FAILED, run, data, platform, id=f"{run.id}.failed")
