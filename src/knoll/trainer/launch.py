"""Several processes for one run: torchrun is started as a child, and its end becomes an exit code.

torchrun turns all exit codes into one, so the outcome record says how the run ended. torchrun starts each
rank in a session of its own, which our signals do not reach. So each process asks the kernel to end it with
its parent.

Processes of one node find each other in a file, and talk over the loopback interface. torchrun's own way
opens ports to the whole network, and unpickles what comes there.
"""

import ctypes
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from knoll.errors import Unavailable
from knoll.exits import PREEMPTED, REJECTED, SUCCEEDED, UNAVAILABLE
from knoll.ports import Platform
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.run import Run
from knoll.trainer.report import say

__all__ = ["die_with_parent", "exit_code", "launch", "on_one_node"]

_PR_SET_PDEATHSIG = 1


def launch(run: Run, platform: Platform, rank: Sequence[str]) -> int:
    """Execute the run with the processes of this node; returns the exit code that `train` would.

    `rank` are Python's arguments for each process. Call this in the main thread, where signals arrive.
    """
    # for several nodes, the Job sets torchrun's options in PET_...
    command = [sys.executable, "-m", "torch.distributed.run", *rank]
    try:
        outcome = find_outcome(run.id, platform.bucket)
        with tempfile.TemporaryDirectory() as folder:
            if run.nodes == 1:
                command = on_one_node(run.processes_per_node, folder, rank)
            was_terminated = outcome is None and _run_to_end(command)
        outcome = outcome or find_outcome(run.id, platform.bucket)
    except Unavailable as error:
        say(f"not available: {error}")
        return UNAVAILABLE
    if outcome is not None:
        return exit_code(outcome)
    say("the processes ended without an outcome: the run may be started again")
    return PREEMPTED if was_terminated else UNAVAILABLE


def on_one_node(processes: int, folder: str, rank: Sequence[str]) -> list[str]:
    """The command that starts so many processes on this node. They need an empty `folder`."""
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    return [
        "env",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1",
        f"GLOO_SOCKET_IFNAME={loopback}",
        f"NCCL_SOCKET_IFNAME={loopback}",
        f"KNOLL_MEETING=file://{folder}/ranks?world_size={processes}",
        *(sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"),
        *("--rdzv-backend=c10d", "--rdzv-conf=store_type=file", f"--rdzv-endpoint={folder}/torchrun"),
        *rank,
    ]


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
