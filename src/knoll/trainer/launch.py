"""Several processes for one run: torchrun is started as a child, and its end becomes an exit code.

torchrun turns all exit codes into one, so the outcome record says how the run ended. torchrun starts each
rank in a session of its own, which our signals do not reach. So each process asks the kernel to end it with
its parent.
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
    """Execute the run with the processes of this node; returns the exit code that `train` would.

    `rank` are Python's arguments for each process. Call this in the main thread, where signals arrive.
    """
    # for several nodes, the Job sets these options in PET_...
    one_node = ["--standalone", f"--nproc-per-node={run.processes_per_node}"]
    options = one_node if run.nodes == 1 else []
    try:
        outcome = find_outcome(run.id, platform.bucket)
        command = [sys.executable, "-m", "torch.distributed.run", *options, *rank]
        was_terminated = outcome is None and _run_to_end(command)
        outcome = outcome or find_outcome(run.id, platform.bucket)
    except Unavailable as error:
        say(f"not available: {error}")
        return UNAVAILABLE
    if outcome is not None:
        return exit_code(outcome)
    say("the processes ended without an outcome: the run may be started again")
    return PREEMPTED if was_terminated else UNAVAILABLE


def exit_code(outcome: Outcome) -> int:
    """The exit code of a trainer whose run has this outcome."""
    return SUCCEEDED if outcome.state == "succeeded" else REJECTED


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends. Only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _run_to_end(command: Sequence[str]) -> bool:
    """Run the command to its end, and pass SIGTERM on to it. True if SIGTERM came."""
    asked: list[int] = []
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _: object) -> None:
        asked.append(number)
        for child in children:
            child.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        if not asked:
            # in a group of its own: if torchrun gets the signal twice, it leaves its processes behind
            children.append(subprocess.Popen(command, process_group=0, preexec_fn=die_with_parent))
            if asked:
                children[0].terminate()
            children[0].wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    return bool(asked)
