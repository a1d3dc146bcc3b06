"""Child processes that cannot outlive the platform, and do not inherit its environment.

A container starts with the environment of its document. So does a child, which also gets the few variables
that programs need to run. `knoll.laptop.guard` stands between the platform and the command.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from knoll.errors import Unavailable
from knoll.laptop import guard

__all__ = ["Child", "base_environment", "last_lines"]


def base_environment() -> dict[str, str]:
    """The variables that every child gets: where programs, home and temporary files are, and UTF-8."""
    return {
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), "/usr/local/bin", *os.defpath.split(os.pathsep)]
        ),
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "TMPDIR": tempfile.gettempdir(),
        "PYTHONUNBUFFERED": "1",
    }


class Child:
    """One running command. Its output is appended to `log`; `grace` is the number of seconds from SIGTERM to
    SIGKILL.

    `environment` is added to `base_environment()`. The file descriptors `held` stay open until the command
    has ended. Raises Unavailable if the log or the process cannot be created. A command that cannot be
    executed ends with exit code 127 and says why in its log.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        grace: float = 10.0,
        folder: Path | None = None,
        held: Sequence[int] = (),
    ) -> None:
        command = [sys.executable, "-I", "-S", guard.__file__, "--grace", str(grace), "--", *argv]
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                self._guard = subprocess.Popen(
                    command,
                    env={**base_environment(), **environment},
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=held,
                )
        except OSError as error:
            raise Unavailable(
                f"cannot start {argv[0]}: {error.strerror}",
                fix=f"make room on the disk, and let your user write {log.parent}",
            ) from error
        self.log = log
        self.grace = grace
        self.peak = 0  # bytes: the most that one of its processes took, or this one if that is more

    @property
    def pid(self) -> int:
        """Process id of the guard."""
        return self._guard.pid

    def poll(self) -> int | None:
        """The exit code, 128 + n after signal n, or None while the command runs."""
        self._reap()
        code = self._guard.poll()
        if code is None:
            return None
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        return 128 - code if code < 0 else code

    def _reap(self) -> None:
        """Note what the guard and its children took. Popen would throw that away."""
        if self._guard.returncode is not None:
            return
        with contextlib.suppress(ChildProcessError):  # another thread was faster
            pid, status, usage = os.wait4(self._guard.pid, os.WNOHANG)
            if pid:
                self.peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                self._guard.returncode = os.waitstatus_to_exitcode(status)

    def wait(self, timeout: float) -> int | None:
        """`poll` once the command has ended, or after `timeout` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(timeout)
        return self.poll()

    def terminate(self) -> None:
        """Ask the command to end: SIGTERM, and SIGKILL after the grace. Returns at once."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the command and all processes that it has started, with SIGKILL. Returns at once."""
        self._signal(signal.SIGQUIT)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            self._guard.send_signal(number)


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log, indented for error messages; "" if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16384))
            return "\n  ".join(file.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
