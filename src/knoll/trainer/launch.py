"""Several processes for one run: torchrun as a child, and what its end means.

torchrun makes one failure of all exit codes, so the outcome record says how the run ended. It starts each
rank in a session of its own, where no signal to our group arrives, so everything below is bound to its
parent's life.
"""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence

from knoll.errors import Unavailable
from knoll.exits import PREEMPTED, REJECTED, SUCCEEDED, UNAVAILABLE
from knoll.ports import Platform
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.run import Run
from knoll.trainer.report import say

__all__ = ["die_with_parent", "exit_code", "launch"]

_PR_SET_PDEATHSIG = 1


def launch(run: Run, platform: Platform, rank: Sequence[str]) -> int:
    """Carry out the run with as many processes as this node is to have, each with the arguments `rank` for
    Python; an exit code as `train` gives it. To be called in the main thread, where signals arrive."""
    one_node = [
        "--standalone",
        f"--nproc-per-node={run.processes_per_node}",
    ]  # of several nodes the Job says more, in PET_...
    options = one_node if run.nodes == 1 else []
    try:
        outcome = find_outcome(run.id, platform.bucket)
        was_asked = outcome is None and _ends(
            [sys.executable, "-m", "torch.distributed.run", *options, *rank]
        )
        outcome = outcome or find_outcome(run.id, platform.bucket)
    except Unavailable as error:
        say(f"not available: {error}")
        return UNAVAILABLE
    if outcome is not None:
        return exit_code(outcome)
    say("the processes have ended without an outcome: the run may be started again")
    return PREEMPTED if was_asked else UNAVAILABLE


def exit_code(outcome: Outcome) -> int:
    """What a trainer's process says of an outcome."""
    return SUCCEEDED if outcome.state == "succeeded" else REJECTED


def die_with_parent() -> None:
    """Ask the kernel, on Linux, to kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _ends(command: Sequence[str]) -> bool:
    """Run the command to its end, passing SIGTERM on; whether SIGTERM came."""
    asked: list[int] = []
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _: object) -> None:
        asked.append(number)
        for child in children:
            child.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        if (
            not asked
        ):  # a group of its own: torchrun must hear of the signal once, or it leaves its processes behind
            children.append(subprocess.Popen(command, process_group=0, preexec_fn=die_with_parent))
            if asked:
                children[0].terminate()
            children[0].wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    return bool(asked)
