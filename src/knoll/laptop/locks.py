"""A lock that lives as long as the children that hold it. So two platforms never work on the same files.

When a platform is killed, its children end a moment later, and a platform that starts in that moment must
wait for them. The lock belongs to an open file that the guards of the children inherit: the kernel releases
it when the last of them ends.
"""

import fcntl
import time
from pathlib import Path
from typing import BinaryIO

from knoll.errors import Unavailable

__all__ = ["LockHeld", "lock", "try_lock"]


class LockHeld(Unavailable):
    """Another process keeps the lock."""


def try_lock(path: Path) -> BinaryIO | None:
    """Take the lock: an open file, which the caller closes to release it. None while another process has it.

    If the folder is missing, it is made for its owner alone. Raises Unavailable if the file cannot be opened.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        fix = "make room on the disk, let your user write the folder, or choose another --home"
        raise Unavailable(f"cannot use {path.parent}: {error.strerror}", fix=fix) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def lock(path: Path, timeout: float) -> BinaryIO:
    """`try_lock`, for `timeout` seconds. Raises LockHeld if another process keeps the lock."""
    deadline = time.monotonic() + timeout
    while (file := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise LockHeld(
                f"{path.parent} is in use by another platform",
                fix="stop the other `knoll up`, or choose another --home",
            )
        time.sleep(0.05)
    return file
