"""Who runs in a home, told by its lock and one file, whatever was killed there before."""

import fcntl
import json
import os
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from knoll.errors import Unavailable
from knoll.settings import read_settings
from knoll.wiring.running import Running, hold_home, keep, running

FOUND = Running(
    os.getpid(),
    9,
    "http://127.0.0.1:9",
    "http://127.0.0.1:8",
    "access",
    "secret",
    "us-east-1",
    "knoll-models",
    "",
)


def test_what_a_kill_has_left_behind_is_not_what_runs(tmp_path: Path) -> None:
    """While the next platform starts, nobody is sent to the address of the one before."""
    settings = read_settings(home=tmp_path)
    keep(tmp_path, FOUND)
    assert running(settings) is None
    with hold_home(tmp_path):
        assert running(settings) is None
        keep(tmp_path, FOUND)
        assert running(settings) == FOUND
    assert running(settings) is None


def test_what_another_release_of_knoll_runs_is_found(tmp_path: Path) -> None:
    """It may have written fields that this one does not know, and not yet those that came later."""
    settings = read_settings(home=tmp_path)
    later = ("model_bucket", "own_s3", "token", "verify_key", "stamp_verify_key")
    fields = {name: one for name, one in asdict(FOUND).items() if name not in later}
    with hold_home(tmp_path):
        (tmp_path / "platform.json").write_text(json.dumps({**fields, "addedLater": {"a": 1}}))
        assert running(settings) == FOUND


def test_a_home_has_one_platform(tmp_path: Path) -> None:
    """The second one is told that the home is in use."""
    with (
        hold_home(tmp_path),
        pytest.raises(Unavailable, match="in use by another platform"),
        hold_home(tmp_path),
    ):
        pass


def test_who_only_asks_what_runs_keeps_no_platform_from_starting(tmp_path: Path) -> None:
    """The lock that a question holds for a moment is waited for."""
    with (tmp_path / "lock").open("w") as question:
        fcntl.flock(question, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (question, fcntl.LOCK_UN)).start()
        with hold_home(tmp_path):
            pass


def test_a_home_that_cannot_be_made_is_an_error_with_a_fix(tmp_path: Path) -> None:
    """As on a full disk, or below a folder of somebody else: no traceback."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(Unavailable, match=r"cannot use .*: Not a directory") as raised,
        hold_home(tmp_path / "file" / "home"),
    ):
        pass
    assert "--home" in raised.value.fix


def test_a_home_is_its_owners_alone(tmp_path: Path) -> None:
    """Data and keys lie in it."""
    with hold_home(tmp_path / "home"):
        assert (tmp_path / "home").stat().st_mode & 0o077 == 0
