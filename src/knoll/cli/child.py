"""`knoll up` as a child process, for the demo. It ends with its parent, unless the parent gets SIGKILL.

The child has a session of its own. So Ctrl-C reaches only the parent, which then stops the child in order.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from knoll.cli.failures import TimedOut
from knoll.cli.interrupts import ended_by_signals
from knoll.errors import KnollError
from knoll.settings import Settings

__all__ = ["platform_child", "wait_until"]

_START = 90.0  # seconds, for a machine that is busy with installing
_STOP = 30.0


@contextmanager
def platform_child(settings: Settings) -> Iterator[None]:
    """Run `knoll up` in the home of these settings until the block is left. Raises KnollError if it does not
    start."""
    from knoll.wiring.running import running

    log = settings.home / "logs" / "up.log"
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "knoll.cli",
        "--home",
        str(settings.home),
        "--port",
        str(settings.port),
        "up",
    ]
    with ended_by_signals(), log.open("ab") as file:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
        try:
            wait_until(
                lambda: _is_up(child, log) and running(settings) is not None, _START, "knoll up to be ready"
            )
            yield
        finally:
            _stop(child)


def wait_until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait until the condition holds. Raises TimedOut after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOut(f"time is up after {timeout:.0f} s, still waiting for {what}")
        time.sleep(0.2)


def _is_up(child: "subprocess.Popen[bytes]", log: Path) -> bool:
    if child.poll() is not None:
        last = log.read_text(errors="replace").strip()[-2000:]
        raise KnollError(
            f"knoll up ended with exit code {child.returncode}:\n{last}", fix="knoll up, to see it by itself"
        )
    return True


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_STOP)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
