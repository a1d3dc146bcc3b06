import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from knoll.laptop.children import Child, last_lines

Until = Callable[..., None]

STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).with_suffix(".new").write_text(f"{os.getpid()} {grandchild.pid}")
pathlib.Path(sys.argv[1]).with_suffix(".new").replace(sys.argv[1])
time.sleep(600)
"""

PARENT = """
import sys, time
from pathlib import Path
from knoll.laptop.children import Child
child = Child([sys.executable, "-c", sys.argv[1], sys.argv[2]], {}, Path(sys.argv[3]), grace=0.2)
print(child.pid, flush=True)
time.sleep(600)
"""


PEAK = """
import sys, time
from pathlib import Path
from knoll.laptop.children import Child
child = Child([sys.executable, "-c", sys.argv[1]], {}, Path(sys.argv[2]))
while child.poll() is None:
    time.sleep(0.01)
print(child.peak)
"""


@pytest.mark.parametrize(
    ("script", "code"),
    [("", 0), ("raise SystemExit(65)", 65), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137)],
)
def test_exit_code_is_the_commands(tmp_path: Path, script: str, code: int) -> None:
    """The guard passes the exit code on, and 128 + n for signal n."""
    assert Child([sys.executable, "-c", script], {}, tmp_path / "log").wait(15.0) == code


def test_what_a_killed_command_took_is_known(tmp_path: Path) -> None:
    """Also what its children took: a training of several processes is one command. The parent is a small
    process, because a guard begins with the peak of its parent."""
    kill = "import os; kept = b'x' * 100_000_000; os.kill(os.getpid(), 9)"
    nested = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {kill!r}]).returncode)"
    for program in (kill, nested):
        told = subprocess.check_output([sys.executable, "-c", PEAK, program, str(tmp_path / "log")])
        assert 100_000_000 < int(told) < 200_000_000


def test_a_program_that_is_not_there_ends_with_127_and_says_so(tmp_path: Path) -> None:
    """The log names what could not be started."""
    child = Child(["/nowhere/program"], {}, tmp_path / "logs" / "log")
    assert child.wait(15.0) == 127
    assert "/nowhere/program" in last_lines(child.log)


def test_a_child_sees_only_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets in the platform's own environment stay there."""
    monkeypatch.setenv("A_TOKEN_OF_THE_USER", "secret")
    child = Child(
        [sys.executable, "-c", "import os; print(sorted(os.environ))"], {"GIVEN": "1"}, tmp_path / "log"
    )
    assert child.wait(15.0) == 0
    names = last_lines(child.log)
    assert "'GIVEN'" in names
    assert "'PATH'" in names
    assert "A_TOKEN_OF_THE_USER" not in names


@pytest.mark.parametrize("verb", ["terminate", "kill"])
def test_stopping_takes_the_whole_process_group(
    tmp_path: Path, verb: str, until: Until, is_gone: Callable[[int], bool]
) -> None:
    """A command that ignores SIGTERM, and what it has started, are gone after the grace; kill does not wait
    for it."""
    child = Child(
        [sys.executable, "-c", STUBBORN, str(tmp_path / "pids")],
        {},
        tmp_path / "log",
        grace=0.2 if verb == "terminate" else 600,
    )
    until((tmp_path / "pids").exists)
    getattr(child, verb)()
    assert child.wait(15.0) == 128 + signal.SIGKILL
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    until(lambda: all(is_gone(pid) for pid in pids))


@pytest.mark.parametrize(
    "victim",
    [
        "parent",
        pytest.param(
            "guard", marks=pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
        ),
    ],
)
def test_nothing_is_left_after_kill_9(
    tmp_path: Path, victim: str, until: Until, is_gone: Callable[[int], bool]
) -> None:
    """When the platform, or the guard itself, is killed with -9, the command does not live on."""
    arguments = [STUBBORN, str(tmp_path / "pids"), str(tmp_path / "log")]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        guard = int(parent.stdout.readline())
        until((tmp_path / "pids").exists)
        command, grandchild = (int(pid) for pid in (tmp_path / "pids").read_text().split())
        os.kill(parent.pid if victim == "parent" else guard, signal.SIGKILL)
        until(lambda: is_gone(guard) and is_gone(command))
        if victim == "parent":
            until(lambda: is_gone(grandchild))
        else:
            os.kill(grandchild, signal.SIGKILL)
        parent.kill()
