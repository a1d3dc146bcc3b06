"""Run a command that cannot outlive its parent: python -I -S guard.py --grace SECONDS -- COMMAND...

A platform that is killed with -9 cannot stop its children, so each child has a guard. The guard's standard
input is a pipe whose other end only the parent holds: when it closes, the parent is gone. The guard uses the
standard library alone and starts in milliseconds.

On SIGTERM, SIGINT and the end of the pipe, the guard terminates the command's process group, and kills it
after the grace; on SIGQUIT it kills it at once. The exit code is the command's, or 128 + n if signal n ended
it, as in a shell.
"""

import argparse
import contextlib
import ctypes
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG = 1
_PIPE = 0


def main(arguments: Sequence[str]) -> int:
    """Run the command to its end and return its exit code; 127 if it cannot be started."""
    parser = argparse.ArgumentParser(prog="guard")
    parser.add_argument("--grace", type=float, default=10.0)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    signals = _signal_pipe()
    try:
        child = subprocess.Popen(
            options.command, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=_die_with(os.getpid())
        )
    except OSError as error:
        print(f"guard: cannot start {options.command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    code = _watch(child, signals, options.grace)
    _signal_group(child.pid, signal.SIGKILL)  # processes that the command has left behind
    return 128 - code if code < 0 else code


def _signal_pipe() -> int:
    """A file descriptor from which the numbers of arriving signals can be read."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    return reader


def _die_with(guard: int) -> Callable[[], None] | None:
    """On Linux, make the kernel kill the command when the guard itself is killed."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != guard:  # it died before the call
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def _watch(child: "subprocess.Popen[bytes]", signals: int, grace: float) -> int:
    """Wait for the command, and stop it when asked to. Returns its return code as Popen has it."""
    sources, kill_at = [_PIPE, signals], math.inf
    while (code := child.poll()) is None:
        timeout = None if math.isinf(kill_at) else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select(sources, [], [], timeout)
        arrived = set(os.read(signals, 64)) if signals in ready else set()
        if _PIPE in ready and not os.read(_PIPE, 64):
            sources.remove(_PIPE)
            arrived.add(signal.SIGTERM)
        if arrived & {signal.SIGTERM, signal.SIGINT} and math.isinf(kill_at):
            _signal_group(child.pid, signal.SIGTERM)
            kill_at = time.monotonic() + grace
        if signal.SIGQUIT in arrived or time.monotonic() >= kill_at:
            _signal_group(child.pid, signal.SIGKILL)
            kill_at = math.inf
    return code


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(
        ProcessLookupError, PermissionError
    ):  # macOS answers PermissionError for a group of zombies
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
